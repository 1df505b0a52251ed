//! What an operation needs, known before anything runs: every object has one concrete type, so a
//! selection is a tree of members to pick and links to embed.

use async_graphql::dynamic::TypeRef;
use async_graphql::parser::types::{Field as Selected, OperationDefinition, OperationType};
use async_graphql::parser::types::{Selection, SelectionSet, TypeCondition};
use async_graphql::{Name, Pos, Positioned};
use bodega_corridor::Expand;
use serde_json::{Map, Value};

use crate::calls;
use crate::document::Document;
use crate::error::Fault;
use crate::model::{
    Field, MUTATION, Model, NODE, Node, Object, PagePart, QUERY, SUBSCRIPTION, Source, named,
};
use crate::names::Choices;
use crate::values::{self, Variables};

/// About so many fields of an object are different ones.
const FIELDS_OF_ONE: u64 = 20;

/// An operation, ready to run.
pub(crate) struct Plan<'a> {
    pub(crate) kind: OperationType,
    pub(crate) roots: Vec<Picked<'a>>,
}

/// A field to answer with.
pub(crate) struct Picked<'a> {
    /// What it is called in the answer.
    pub(crate) key: String,
    pub(crate) position: Pos,
    pub(crate) pick: Pick<'a>,
    pub(crate) arguments: Map<String, Value>,
    /// The type of its objects, where it has any.
    pub(crate) object: Option<&'a Object>,
    /// The operation behind it, where it is one; its place in the registry.
    pub(crate) operation: Option<usize>,
    /// Of objects of several types: the same field, once for each type.
    pub(crate) parts: Vec<Part<'a>>,
    /// What its value is one of, where it is a choice.
    pub(crate) choices: Option<&'a Choices>,
    /// What to answer of each of them.
    pub(crate) fields: Vec<Picked<'a>>,
    /// Of a link that leads to pages: what they are called in the object that has them.
    pub(crate) pages: String,
}

/// A field that asks for objects by their ids, as far as those of one type go.
pub(crate) struct Part<'a> {
    pub(crate) picked: Picked<'a>,
    /// Which of the ids are of this type, in order.
    pub(crate) places: Vec<usize>,
}

/// Where a value comes from.
pub(crate) enum Pick<'a> {
    /// The name of the type.
    TypeName(&'a str),
    /// What the schema tells of itself: async-graphql's to answer.
    Introspection,
    /// A field of the model.
    Field(&'a Field),
}

/// What selecting needs to know.
struct Picker<'a> {
    model: &'a Model,
    document: &'a Document,
    variables: &'a Variables,
}

impl<'a> Plan<'a> {
    /// Plans a valid operation.
    pub(crate) fn new(
        model: &'a Model,
        document: &'a Document,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Result<Self, Fault> {
        let root = match operation.ty {
            OperationType::Query => QUERY,
            OperationType::Mutation => MUTATION,
            OperationType::Subscription => SUBSCRIPTION,
        };
        let picker = Picker { model, document, variables };
        let sets = [&operation.selection_set.node];
        Ok(Self { kind: operation.ty, roots: picker.object(root, &sets)? })
    }

    /// How often, at most, a value may be asked for under several names: a bound for how much longer
    /// the answer is than what it is made of.
    pub(crate) fn repeats(&self) -> u64 {
        fn most(fields: &[Picked<'_>]) -> u64 {
            let own = fields.len() as u64;
            let parts = fields.iter().flat_map(|field| &field.parts);
            let inner = fields.iter().chain(parts.map(|part| &part.picked));
            inner.map(|field| most(&field.fields)).fold(own, u64::max)
        }
        (most(&self.roots) / FIELDS_OF_ONE).max(1)
    }

    /// Whether it asks for the schema itself.
    pub(crate) fn introspects(&self) -> bool {
        self.roots.iter().any(Picked::is_introspection)
    }
}

impl<'a> Picker<'a> {
    /// What these selection sets pick of an object, those of one name merged.
    fn object(&self, kind: &str, sets: &[&'a SelectionSet]) -> Result<Vec<Picked<'a>>, Fault> {
        let Some((name, object)) = self.model.objects.get_key_value(kind) else {
            return Err(Fault::invalid(format!("\"{kind}\" has no fields."), []));
        };
        let mut groups: Vec<(&'a str, Vec<&'a Positioned<Selected>>)> = Vec::new();
        for set in sets {
            self.collect(name, set, &mut groups)?;
        }
        let picked = groups.into_iter().map(|(key, group)| self.field(name, object, key, &group));
        picked.collect()
    }

    fn collect(
        &self,
        kind: &str,
        set: &'a SelectionSet,
        groups: &mut Vec<(&'a str, Vec<&'a Positioned<Selected>>)>,
    ) -> Result<(), Fault> {
        for selection in &set.items {
            if !values::included(selection.node.directives(), self.variables) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    match groups.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, group)) => group.push(field),
                        None => groups.push((key, vec![field])),
                    }
                }
                // Only where any node may stand can a fragment be of another type than the object.
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    if on.is_none_or(|on| fits(on, kind)) {
                        self.collect(kind, &inline.node.selection_set.node, groups)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.ast.fragments.get(name).ok_or_else(|| {
                        Fault::invalid(format!("There is no fragment \"{name}\"."), [spread.pos])
                    })?;
                    if fits(&fragment.node.type_condition, kind) {
                        self.collect(kind, &fragment.node.selection_set.node, groups)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &self,
        type_name: &'a str,
        object: &'a Object,
        key: &str,
        group: &[&'a Positioned<Selected>],
    ) -> Result<Picked<'a>, Fault> {
        let first = *group.first().ok_or_else(|| Fault::invalid("Nothing is selected.", []))?;
        let (name, position) = (first.node.name.node.as_str(), first.pos);
        let mut picked = Picked {
            key: key.to_owned(),
            position,
            pick: Pick::TypeName(type_name),
            arguments: Map::new(),
            object: None,
            operation: None,
            parts: Vec::new(),
            choices: None,
            fields: Vec::new(),
            pages: String::new(),
        };
        let conflict = group.iter().find(|other| {
            other.node.name.node != first.node.name.node
                || sorted(&other.node) != sorted(&first.node)
        });
        if let Some(other) = conflict {
            let message = format!("\"{key}\" stands for two different fields; give them aliases.");
            return Err(Fault::invalid(message, [position, other.pos]));
        }
        match name {
            "__typename" => return Ok(picked),
            "__schema" | "__type" => {
                picked.pick = Pick::Introspection;
                return Ok(picked);
            }
            _ => {}
        }
        let Some(field) = object.field(name) else {
            let message = format!("\"{type_name}\" has no field \"{name}\".");
            return Err(Fault::invalid(message, [position]));
        };
        let given = &first.node.arguments;
        picked.arguments = values::arguments(self.model, &field.arguments, given, self.variables)
            .map_err(|fault| match fault.locations.is_empty() {
            true => Fault { locations: vec![position], ..fault },
            false => fault,
        })?;
        picked.pick = Pick::Field(field);
        picked.choices = self.model.enums.get(named(&field.kind)).map(|choice| &choice.values);
        let sets: Vec<_> = group.iter().map(|one| &one.node.selection_set.node).collect();
        match field.source {
            Source::Operation(index) => picked.operation = Some(index),
            Source::Node => {
                let id = picked.arguments.get("id").and_then(Value::as_str);
                if let Some(node) = id.and_then(|id| self.model.node(id)) {
                    self.concrete(&mut picked, node, &sets)?;
                }
                return Ok(picked);
            }
            Source::Nodes => {
                picked.parts = self.parts(&picked, field, &sets)?;
                return Ok(picked);
            }
            _ => {}
        }
        picked.object = self.model.objects.get(named(&field.kind));
        if picked.object.is_some() {
            picked.fields = self.object(named(&field.kind), &sets)?;
        }
        if field.source == Source::Pages {
            picked.pages = calls::pages_name(&picked);
        }
        Ok(picked)
    }

    /// Makes a field for any node one for a node of this type.
    fn concrete(
        &self,
        picked: &mut Picked<'a>,
        node: &'a Node,
        sets: &[&'a SelectionSet],
    ) -> Result<(), Fault> {
        picked.operation = Some(node.operation);
        picked.object = self.model.objects.get(&node.name);
        picked.fields = self.object(&node.name, sets)?;
        Ok(())
    }

    /// A field for nodes of any types, type by type.
    fn parts(
        &self,
        picked: &Picked<'a>,
        field: &'a Field,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<Part<'a>>, Fault> {
        let ids = picked.arguments.get("ids").and_then(Value::as_array);
        let mut parts: Vec<(&Node, Part<'a>)> = Vec::new();
        for (place, id) in ids.into_iter().flatten().enumerate() {
            let Some(node) = id.as_str().and_then(|id| self.model.node(id)) else { continue };
            if let Some((_, part)) = parts.iter_mut().find(|(one, _)| one.name == node.name) {
                part.places.push(place);
                continue;
            }
            let mut own = Picked {
                key: picked.key.clone(),
                position: picked.position,
                pick: Pick::Field(field),
                arguments: Map::new(),
                object: None,
                operation: None,
                parts: Vec::new(),
                choices: None,
                fields: Vec::new(),
                pages: String::new(),
            };
            self.concrete(&mut own, node, sets)?;
            parts.push((node, Part { picked: own, places: vec![place] }));
        }
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }
}

/// Whether a fragment is for objects of this type.
fn fits(on: &Positioned<TypeCondition>, kind: &str) -> bool {
    let on = on.node.on.node.as_str();
    on == kind || on == NODE
}

/// Arguments in an order of their own: two of the same are the same in any order.
fn sorted(field: &Selected) -> Vec<(&Name, String)> {
    let each = field.arguments.iter();
    let mut all: Vec<_> = each.map(|(name, value)| (&name.node, value.node.to_string())).collect();
    all.sort();
    all
}

impl Picked<'_> {
    /// The field of the model, where it is one.
    pub(crate) fn field(&self) -> Option<&Field> {
        match &self.pick {
            Pick::Field(field) => Some(field),
            _ => None,
        }
    }

    /// Whether it asks for the schema itself.
    pub(crate) fn is_introspection(&self) -> bool {
        matches!(self.pick, Pick::Introspection)
    }

    /// The same field for the value at this place of its list, where it has values of several types.
    pub(crate) fn at(&self, place: usize) -> &Self {
        let part = self.parts.iter().find(|part| part.places.binary_search(&place).is_ok());
        part.map_or(self, |part| &part.picked)
    }

    /// Whether a part of a page is asked for.
    pub(crate) fn wants(&self, part: PagePart) -> bool {
        let own = |one: &Self| one.field().is_some_and(|f| f.source == Source::Page(part));
        self.fields.iter().any(own)
    }
}

/// The links that a selection of an object asks for, and those in what they bring.
pub(crate) fn links(fields: &[Picked<'_>]) -> Vec<Expand> {
    let mut all = Vec::new();
    for picked in fields {
        let Some(field) = picked.field() else { continue };
        let link = Expand::of(&field.rest);
        match field.source {
            Source::Link => merge(&mut all, Expand { inner: links(&picked.fields), ..link }),
            Source::Pages => {
                let (inner, pages) = (page_links(&picked.fields), Some(calls::pages(picked)));
                merge(&mut all, Expand { inner, pages, ..link });
            }
            _ => {}
        }
    }
    all
}

/// The links that a selection of a connection asks for of its objects.
pub(crate) fn page_links(fields: &[Picked<'_>]) -> Vec<Expand> {
    let mut all = Vec::new();
    for picked in fields {
        let Some(field) = picked.field() else { continue };
        let rows = match field.source {
            Source::Page(PagePart::Nodes) => links(&picked.fields),
            Source::Page(PagePart::Edges) => {
                let nodes = picked.fields.iter();
                let nodes = nodes.filter(|one| one.field().is_some_and(|f| f.name == "node"));
                nodes.flat_map(|node| links(&node.fields)).collect()
            }
            _ => Vec::new(),
        };
        rows.into_iter().for_each(|link| merge(&mut all, link));
    }
    all
}

/// The members that are objects of a resource, with the links that are asked for of them.
pub(crate) fn views<'p>(
    fields: &'p [Picked<'_>],
) -> impl Iterator<Item = (&'p str, (&'static str, Vec<Expand>))> {
    fields.iter().filter_map(|picked| {
        let field = picked.field().filter(|field| field.source == Source::Own)?;
        let links = links(&picked.fields);
        let resource = picked.object?.resource.filter(|_| !links.is_empty())?;
        Some((field.rest.as_str(), (resource, links)))
    })
}

fn merge(all: &mut Vec<Expand>, one: Expand) {
    match all.iter_mut().find(|known| known.link == one.link && known.pages == one.pages) {
        Some(known) => one.inner.into_iter().for_each(|inner| merge(&mut known.inner, inner)),
        None => all.push(one),
    }
}

/// Whether a type is a list.
pub(crate) fn is_list(kind: &TypeRef) -> bool {
    match kind {
        TypeRef::NonNull(inner) => is_list(inner),
        TypeRef::List(_) => true,
        TypeRef::Named(_) => false,
    }
}
