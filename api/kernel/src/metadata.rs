//! The caller's own notes on an object: an id of theirs, and up to 50 pairs of text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType};
use utoipa::openapi::{Object, RefOr, Type};

use crate::{FieldError, Problem, Result, problem, text};

const PAIRS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 40;
const VALUE_CHARS_MAX: usize = 500;
const KEY_PATTERN: &str = r"^[A-Za-z0-9_.:\-]+$";

/// The caller's own id for the object: unique per organization and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalId(pub String);

impl ComposeSchema for ExternalId {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("Your own id for the object, unique per organization and type."))
                .min_length(Some(1))
                .max_length(Some(200))
                .examples([Value::from("erp-10025")])
                .build(),
        ))
    }
}

impl ToSchema for ExternalId {}

/// Up to 50 pairs of text, kept and shown as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// From what is stored.
    pub fn stored(json: Value) -> Self {
        serde_json::from_value(json).unwrap_or_default()
    }

    /// What is stored.
    pub fn into_json(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A merge patch of [`Metadata`]: a pair with null goes, any other is set; null empties all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct MetadataPatch(BTreeMap<String, Option<String>>);

impl MetadataPatch {
    /// Applies the patch to what is stored.
    pub fn apply(self, stored: &mut Value) -> Result<()> {
        let mut metadata = Metadata::stored(stored.take());
        for (key, value) in self.0 {
            match value {
                Some(value) => metadata.0.insert(key, value),
                None => metadata.0.remove(&key),
            };
        }
        if metadata.0.len() > PAIRS_MAX {
            let detail = text("would have more than 50 pairs", "tendría más de 50 pares");
            return Err(Problem::new(&problem::LIMIT_REACHED).at(FieldError::body(
                "/metadata",
                "too_many_pairs",
                detail,
            )));
        }
        *stored = metadata.into_json();
        Ok(())
    }
}

fn pairs(value: Schema, about: &str) -> RefOr<Schema> {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(KEY_CHARS_MAX))
        .pattern(Some(KEY_PATTERN))
        .build();
    let mut object: Object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(value))))
        .property_names(Some(Schema::Object(key)))
        .examples([serde_json::json!({"shelf": "A-12"})])
        .build();
    object.max_properties = Some(PAIRS_MAX);
    RefOr::T(Schema::Object(object))
}

fn value_schema(kind: SchemaType) -> Schema {
    Schema::Object(ObjectBuilder::new().schema_type(kind).max_length(Some(VALUE_CHARS_MAX)).build())
}

impl ComposeSchema for Metadata {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        pairs(value_schema(Type::String.into()), "Up to 50 pairs of your own, text to text.")
    }
}

impl ToSchema for Metadata {}

impl ComposeSchema for MetadataPatch {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        pairs(
            value_schema(SchemaType::from_iter([Type::String, Type::Null])),
            "Pairs to set; a pair with null is removed, the others stay.",
        )
    }
}

impl ToSchema for MetadataPatch {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("MetadataPatch")
    }
}
