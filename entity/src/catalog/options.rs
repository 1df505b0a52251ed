//! What the variants of a product differ in.

use std::collections::BTreeMap;

use bodega_values::{Distinct, Line};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};
use utoipa::openapi::{Object, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

/// How many options a product has at most.
pub const OPTIONS_MAX: usize = 3;

/// A value of an option.
pub type OptionValue = Line<100>;

/// Something that the variants of a product differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Size", "values": ["S", "M", "L"]})))]
pub struct ProductOption {
    /// The option's name, such as `Size`; each option of a product has another.
    pub name: Line<60>,
    /// The values to choose from, in the order to show them.
    pub values: Distinct<OptionValue, 100>,
}

/// A value for each of a product's options, by the option's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct OptionValues(pub BTreeMap<String, OptionValue>);

impl PartialSchema for OptionValues {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(Type::String).max_length(Some(60)).build();
        let mut object: Object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A value for each of the product's options, by the option's name."))
            .additional_properties(Some(AdditionalProperties::RefOr(OptionValue::schema())))
            .property_names(Some(Schema::Object(name)))
            .examples([json!({"Size": "M"})])
            .build();
        object.max_properties = Some(OPTIONS_MAX);
        RefOr::T(Schema::Object(object))
    }
}

impl ToSchema for OptionValues {}
