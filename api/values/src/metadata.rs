//! The caller's own pairs of text on an object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType};
use utoipa::openapi::{Object, RefOr, Type};

/// How many pairs an object has at most.
pub const PAIRS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 40;
const VALUE_CHARS_MAX: usize = 500;
const KEY_PATTERN: &str = r"^[A-Za-z0-9_.:\-]+$";

/// Up to 50 pairs of text, kept and shown as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

/// The schema of pairs whose values are texts, or texts and null.
pub fn pairs_schema(with_null: bool, about: &str) -> RefOr<Schema> {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(KEY_CHARS_MAX))
        .pattern(Some(KEY_PATTERN))
        .build();
    let kind = match with_null {
        true => SchemaType::from_iter([Type::String, Type::Null]),
        false => Type::String.into(),
    };
    let value = ObjectBuilder::new().schema_type(kind).max_length(Some(VALUE_CHARS_MAX)).build();
    let value = AdditionalProperties::RefOr(RefOr::T(Schema::Object(value)));
    let mut object: Object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(about))
        .additional_properties(Some(value))
        .property_names(Some(Schema::Object(key)))
        .examples([serde_json::json!({"shelf": "A-12"})])
        .build();
    object.max_properties = Some(PAIRS_MAX);
    RefOr::T(Schema::Object(object))
}

impl ComposeSchema for Metadata {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        pairs_schema(false, "Up to 50 pairs of your own, text to text.")
    }
}

impl ToSchema for Metadata {}
