//! Options: what the variants of a product differ in.

use std::collections::{BTreeMap, HashSet};

use bodega_kernel::{FieldError, Problem, Result, problem, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};
use utoipa::openapi::{Object, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

/// How many options a product has at most.
const OPTIONS_MAX: usize = 3;

/// Something that the variants of a product differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Size", "values": ["S", "M", "L"]})))]
pub struct ProductOption {
    /// What it is called; each option of a product has a name of its own.
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\s\x00-\x1f]([^\x00-\x1f]*[^\s\x00-\x1f])?$"
    )]
    pub name: String,
    /// The values there are, in the order to show them.
    #[schema(value_type = HashSet<OptionValue>, min_items = 1, max_items = 100)]
    pub values: Vec<OptionValue>,
}

/// A value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(
    min_length = 1,
    max_length = 100,
    pattern = r"^[^\s\x00-\x1f]([^\x00-\x1f]*[^\s\x00-\x1f])?$",
    examples("M")
)]
pub struct OptionValue(pub String);

/// A value for each of a product's options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OptionValues(BTreeMap<String, OptionValue>);

/// The schema cannot say that a name is there only once.
pub(crate) fn check_names(options: &[ProductOption]) -> Result<()> {
    let mut seen = HashSet::new();
    match options.iter().position(|option| !seen.insert(&option.name)) {
        None => Ok(()),
        Some(index) => Err(Problem::new(&problem::OPTIONS_MISMATCH).at(FieldError::body(
            format!("/options/{index}/name"),
            "duplicate",
            text("must not repeat", "no debe repetirse"),
        ))),
    }
}

impl OptionValues {
    /// Of one option, or of none.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, OptionValue)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The name that does not fit: an option without one of its values, or none of the options.
    pub(crate) fn misfit<'a>(&'a self, options: &'a [ProductOption]) -> Option<&'a str> {
        let unmet = options
            .iter()
            .find(|option| self.0.get(&option.name).is_none_or(|v| !option.values.contains(v)));
        let unknown = || self.0.keys().find(|name| options.iter().all(|o| o.name != **name));
        unmet.map(|option| &*option.name).or_else(|| unknown().map(String::as_str))
    }

    /// Refuses what is not exactly one of the product's values for each of its options.
    pub(crate) fn check(&self, options: &[ProductOption]) -> Result<()> {
        let Some(name) = self.misfit(options) else { return Ok(()) };
        let detail = match options.iter().any(|option| option.name == name) {
            true => text(
                format!("must have one of the product's values for `{name}`"),
                format!("debe tener uno de los valores del producto para `{name}`"),
            ),
            false => text(
                format!("`{name}` is not an option of the product"),
                format!("`{name}` no es una opción del producto"),
            ),
        };
        let error = FieldError::body("/options", "options_mismatch", detail);
        Err(Problem::new(&problem::OPTIONS_MISMATCH).at(error))
    }

    /// One text for one combination, whatever order it was given in: names in order, as JSON.
    pub(crate) fn key(&self) -> String {
        self.clone().into_json().to_string()
    }

    /// The values in the order of the product's options; none where it has none.
    pub(crate) fn title(&self, options: &[ProductOption]) -> Option<String> {
        let values = options.iter().filter_map(|option| self.0.get(&option.name));
        let values: Vec<_> = values.map(|value| value.0.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(" / ")) }
    }

    /// Sets these values, the others stay.
    pub(crate) fn merge(&mut self, values: Self) {
        self.0.extend(values.0);
    }

    /// What is stored.
    pub(crate) fn into_json(self) -> Value {
        self.0.into_iter().map(|(name, value)| (name, value.0)).collect()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> OptionValues {
        let owned =
            |(name, value): &(&str, &str)| (str::to_owned(name), OptionValue(str::to_owned(value)));
        OptionValues::from_pairs(pairs.iter().map(owned))
    }

    fn option(name: &str, values: &[&str]) -> ProductOption {
        let values = values.iter().map(|value| OptionValue(str::to_owned(value))).collect();
        ProductOption { name: name.to_owned(), values }
    }

    #[test]
    fn one_combination_has_one_key() {
        let key = values(&[("Size", "M"), ("Color", "Red")]).key();
        assert_eq!(key, r#"{"Color":"Red","Size":"M"}"#);
        assert_eq!(key, values(&[("Color", "Red"), ("Size", "M")]).key());
        assert_eq!(values(&[]).key(), "{}");
        // What would be the same text if names and values were only joined.
        assert_ne!(values(&[("A", "1,B:2")]).key(), values(&[("A", "1"), ("B", "2")]).key());
    }

    #[test]
    fn options_fit_exactly_or_not_at_all() {
        let options = [option("Size", &["S", "M"]), option("Color", &["Red"])];
        for (given, misfit) in [
            (values(&[("Size", "M"), ("Color", "Red")]), None),
            (values(&[("Size", "M")]), Some("Color")),
            (values(&[("Size", "XL"), ("Color", "Red")]), Some("Size")),
            (values(&[("Size", "M"), ("Color", "Red"), ("Cut", "Slim")]), Some("Cut")),
            (values(&[]), Some("Size")),
        ] {
            assert_eq!(given.misfit(&options), misfit);
        }
        assert_eq!(values(&[]).misfit(&[]), None);
        let refused = values(&[("Size", "M")]).check(&[]).unwrap_err();
        assert_eq!(refused.code.code, "options_mismatch");
    }

    #[test]
    fn an_option_has_a_name_of_its_own() {
        assert!(check_names(&[option("Size", &["M"]), option("size", &["M"])]).is_ok());
        let refused = check_names(&[option("Size", &["M"]), option("Size", &["M"])]).unwrap_err();
        assert_eq!(refused.errors[0].pointer, "/options/1/name");
    }
}
