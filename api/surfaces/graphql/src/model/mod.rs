//! What the schema is made of: types and fields, and where the value of each field comes from.
//!
//! All of it is a function of the registry. Every object has one concrete type, so what a selection
//! needs is known before anything runs.

mod build;
mod filters;
mod lists;
mod names;
mod types;

use std::collections::BTreeMap;

use async_graphql::Value;
use async_graphql::dynamic::TypeRef;
use bodega_contract::{Operation, Registry};

/// Everything that can be asked.
pub(crate) struct Model {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) inputs: BTreeMap<String, Input>,
    pub(crate) enums: BTreeMap<String, Enum>,
    pub(crate) scalars: BTreeMap<String, Scalar>,
    /// The declarations that cannot be said in GraphQL; a test keeps this empty.
    pub(crate) faults: Vec<String>,
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
}

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) kind: TypeRef,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) deprecated: Option<String>,
    pub(crate) source: Source,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A member of the object, of the field's own name.
    Own,
    /// A link of the object's resource, of the field's own name.
    Link,
    /// An operation; its place in the registry.
    Operation(usize),
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
}

/// A choice.
pub(crate) struct Enum {
    pub(crate) about: String,
    pub(crate) values: Vec<(String, String)>,
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
    /// An object.
    Object,
    /// Anything.
    Any,
}

impl Object {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    pub(crate) fn new(name: impl Into<String>, kind: TypeRef, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            kind,
            arguments: Vec::new(),
            deprecated: None,
            source: Source::Own,
        }
    }

    fn from(self, source: Source) -> Self {
        Self { source, ..self }
    }
}

impl Argument {
    pub(crate) fn new(name: impl Into<String>, kind: TypeRef, about: impl Into<String>) -> Self {
        let (name, about) = (name.into(), about.into());
        Self { name, about, kind, default: None, deprecated: None }
    }
}

/// The operation that a root field stands for.
pub(crate) fn operation<'a>(registry: &'a Registry, source: &Source) -> Option<&'a Operation> {
    match source {
        Source::Operation(index) => registry.operations().get(*index),
        _ => None,
    }
}

/// The name of a type, without lists and "not null".
pub(crate) fn named(kind: &TypeRef) -> &str {
    kind.type_name()
}
