//! How much a document asks for, fragments written out: 800 bytes of fragments that name one another
//! twice would keep a validator busy for seconds.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};

use crate::error::Fault;

/// No field is deeper than this.
pub(crate) const DEPTH_MAX: usize = 12;

/// The same for what is asked of the schema itself, which is a chain by nature.
pub(crate) const INTROSPECTION_DEPTH_MAX: usize = 20;

/// Fields, spreads and inline fragments in one another.
const LEVELS_MAX: usize = 40;

/// No document has more selections, each fragment counted wherever it is named.
pub(crate) const SELECTIONS_MAX: usize = 3_000;

/// No document has more aliases.
pub(crate) const ALIASES_MAX: usize = 50;

/// No operation has more fields at its root.
pub(crate) const ROOT_FIELDS_MAX: usize = 20;

/// No operation asks for the schema more often.
const INTROSPECTIONS_MAX: usize = 2;

/// How often lists of types and fields may lead to one another; 200 types have 10 fields each.
const INTROSPECTION_LISTS_MAX: usize = 3;

/// What a selection set amounts to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    selections: usize,
    /// How deep its fields go.
    depth: usize,
    /// How deep its fields and fragments go.
    levels: usize,
    /// How many lists of the schema's own lead to one another.
    lists: usize,
    root_fields: usize,
    introspections: usize,
}

enum Counted {
    InHand,
    Done(Sum),
}

struct Counter<'a> {
    ast: &'a ExecutableDocument,
    fragments: HashMap<&'a str, Counted>,
    aliases: usize,
}

/// Refuses a document that asks for too much.
pub(crate) fn check(ast: &ExecutableDocument) -> Result<(), Fault> {
    let mut counter = Counter { ast, fragments: HashMap::new(), aliases: 0 };
    let mut selections = 0_usize;
    for name in ast.fragments.keys() {
        let sum = counter.fragment(name, Pos::default(), 0)?;
        selections = selections.saturating_add(sum.selections);
    }
    for (_, operation) in ast.operations.iter() {
        let sum = counter.set(&operation.node.selection_set, 0)?;
        selections = selections.saturating_add(sum.selections);
        for (limit, count, max) in [
            ("root_fields", sum.root_fields, ROOT_FIELDS_MAX),
            ("introspections", sum.introspections, INTROSPECTIONS_MAX),
        ] {
            within(limit, count, max)?;
        }
        within("depth", sum.depth, DEPTH_MAX)?;
    }
    within("selections", selections, SELECTIONS_MAX)
}

impl<'a> Counter<'a> {
    fn set(&mut self, set: &'a Positioned<SelectionSet>, level: usize) -> Result<Sum, Fault> {
        within("levels", level, LEVELS_MAX)?;
        let mut sum = Sum::default();
        for selection in &set.node.items {
            let one = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    self.aliases += usize::from(field.node.alias.is_some());
                    within("aliases", self.aliases, ALIASES_MAX)?;
                    let inner = self.set(&field.node.selection_set, level + 1)?;
                    let own = usize::from(matches!(name, "__schema" | "__type"));
                    let listing = ["fields", "inputFields", "interfaces", "possibleTypes"];
                    if own == 1 {
                        within("introspection_lists", inner.lists, INTROSPECTION_LISTS_MAX)?;
                        within("depth", inner.depth + 1, INTROSPECTION_DEPTH_MAX)?;
                    }
                    Sum {
                        selections: inner.selections,
                        // What is asked of the schema has bounds of its own.
                        depth: if own == 1 { 0 } else { inner.depth + 1 },
                        levels: inner.levels,
                        lists: inner.lists + usize::from(listing.contains(&name)),
                        root_fields: 1,
                        introspections: own,
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.fragment(name, spread.pos, level + 1)?
                }
            };
            sum = sum.and(one);
            within("selections", sum.selections, SELECTIONS_MAX)?;
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a str, at: Pos, level: usize) -> Result<Sum, Fault> {
        match self.fragments.get(name) {
            Some(Counted::Done(sum)) => {
                within("levels", level + sum.levels, LEVELS_MAX)?;
                return Ok(*sum);
            }
            Some(Counted::InHand) => {
                let message = format!("The fragment \"{name}\" contains itself.");
                return Err(Fault::invalid(message, [at]));
            }
            None => {}
        }
        // One that is not there is the validator's to tell of.
        let Some(fragment) = self.ast.fragments.get(&Name::new(name)) else {
            return Ok(Sum::default());
        };
        self.fragments.insert(name, Counted::InHand);
        let sum = self.set(&fragment.node.selection_set, level)?;
        self.fragments.insert(name, Counted::Done(sum));
        Ok(sum)
    }
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections).saturating_add(1),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels.saturating_add(1)),
            lists: self.lists.max(other.lists),
            root_fields: self.root_fields.saturating_add(other.root_fields),
            introspections: self.introspections.saturating_add(other.introspections),
        }
    }
}

fn within(limit: &'static str, count: usize, max: usize) -> Result<(), Fault> {
    if count > max { Err(Fault::too_large(limit, max)) } else { Ok(()) }
}
