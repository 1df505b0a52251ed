//! What the schema is made of: types and fields, and where the value of each field comes from.
//!
//! All of it is a function of the registry. Every object has one concrete type, so what a selection
//! needs is known before anything runs.

mod build;
mod filters;
mod lists;
mod nodes;
mod operations;
mod pairs;
mod types;
mod words;

use std::collections::BTreeMap;

pub(crate) use operations::{ID, IDEMPOTENCY_KEY, IF_MATCH, INPUT};
pub(crate) use pairs::{PAIR_NAME, PAIR_VALUE};

use crate::names::{Choices, camel};
use async_graphql::Value;
use async_graphql::dynamic::TypeRef;

/// Everything that can be asked.
pub(crate) struct Model {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) inputs: BTreeMap<String, Input>,
    pub(crate) enums: BTreeMap<String, Enum>,
    pub(crate) scalars: BTreeMap<String, Scalar>,
    /// What can be asked for by its id alone, by the prefix of its ids.
    pub(crate) nodes: BTreeMap<&'static str, Node>,
    /// The declarations that cannot be said in GraphQL; a test keeps this empty.
    pub(crate) faults: Vec<String>,
}

/// What every object is that can be asked for by its id alone.
pub(crate) const NODE: &str = "Node";

/// A type that is a node.
pub(crate) struct Node {
    /// The type's name.
    pub(crate) name: String,
    /// The operation that gets one; its place in the registry.
    pub(crate) operation: usize,
}

/// The roots, by the names that they have in the schema.
pub(crate) const QUERY: &str = "Query";
pub(crate) const MUTATION: &str = "Mutation";
pub(crate) const SUBSCRIPTION: &str = "Subscription";

/// A type with fields.
#[derive(Default)]
pub(crate) struct Object {
    pub(crate) about: String,
    pub(crate) fields: Vec<Field>,
    /// The resource whose objects these are: its links are fields too.
    pub(crate) resource: Option<&'static str>,
    /// Whether it is a node.
    pub(crate) is_node: bool,
}

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: String,
    /// What REST calls it.
    pub(crate) rest: String,
    pub(crate) about: String,
    pub(crate) kind: TypeRef,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) deprecated: Option<String>,
    pub(crate) source: Source,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A member of the object, by REST's name.
    Own,
    /// A link of the object's resource, by REST's name.
    Link,
    /// A link that leads to pages, by REST's name.
    Pages,
    /// An operation; its place in the registry.
    Operation(usize),
    /// Any object, by its id.
    Node,
    /// Any objects, by their ids.
    Nodes,
    /// Changes of one resource's objects, or of all.
    Changes(Option<&'static str>),
    /// The page itself, seen in another way.
    Page(PagePart),
}

/// What a connection shows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PagePart {
    /// Each row with its cursor.
    Edges,
    /// Each row.
    Nodes,
    /// Whether there is more, and where.
    Info,
    /// How many rows there are in all.
    Total,
}

/// An argument, or a field of an input.
pub(crate) struct Argument {
    pub(crate) name: String,
    /// What REST calls it.
    pub(crate) rest: String,
    pub(crate) about: String,
    pub(crate) kind: TypeRef,
    pub(crate) default: Option<Value>,
    pub(crate) deprecated: Option<String>,
}

/// A type with fields that comes in.
#[derive(Default)]
pub(crate) struct Input {
    pub(crate) about: String,
    pub(crate) fields: Vec<Argument>,
    /// Whether it is a pair of a map: a list of them is an object in REST.
    pub(crate) is_pair: bool,
}

/// A choice.
pub(crate) struct Enum {
    pub(crate) about: String,
    pub(crate) values: Choices,
}

/// A value without parts, as far as GraphQL can tell.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(crate) about: String,
    pub(crate) form: Form,
    pub(crate) specified_by: Option<&'static str>,
}

/// What a scalar is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// Anything.
    Any,
}

impl Model {
    /// The type that an id is of.
    pub(crate) fn node(&self, id: &str) -> Option<&Node> {
        id.rsplit_once('_').and_then(|(prefix, _)| self.nodes.get(prefix))
    }
}

impl Object {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// A field that only GraphQL has.
    pub(crate) fn new(name: impl Into<String>, kind: TypeRef, about: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            rest: name.clone(),
            name,
            about: about.into(),
            kind,
            arguments: Vec::new(),
            deprecated: None,
            source: Source::Own,
        }
    }

    /// A field that REST has too.
    pub(crate) fn of(rest: &str, kind: TypeRef, about: impl Into<String>) -> Self {
        Self { rest: rest.to_owned(), ..Self::new(camel(rest), kind, about) }
    }

    fn from(self, source: Source) -> Self {
        Self { source, ..self }
    }
}

impl Argument {
    /// An argument that only GraphQL has.
    pub(crate) fn new(name: impl Into<String>, kind: TypeRef, about: impl Into<String>) -> Self {
        let (name, about) = (name.into(), about.into());
        Self { rest: name.clone(), name, about, kind, default: None, deprecated: None }
    }

    /// An argument that REST has too.
    pub(crate) fn of(rest: &str, kind: TypeRef, about: impl Into<String>) -> Self {
        Self { rest: rest.to_owned(), ..Self::new(camel(rest), kind, about) }
    }
}

/// The name of a type, without lists and "not null".
pub(crate) fn named(kind: &TypeRef) -> &str {
    kind.type_name()
}
