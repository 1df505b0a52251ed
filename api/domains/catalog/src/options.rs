//! Options: how what a variant has is held against what its product offers.

use std::collections::HashSet;

use bodega_kernel::{FieldError, Problem, Result, problem, text};
use entity::catalog::options::{OptionValues, ProductOption};

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

/// The name that does not fit: an option without one of its values, or none of the options.
pub(crate) fn misfit<'a>(
    values: &'a OptionValues,
    options: &'a [ProductOption],
) -> Option<&'a str> {
    let unmet = options.iter().find(|option| {
        values.0.get(option.name.as_str()).is_none_or(|value| !option.values.contains(value))
    });
    let unknown = || values.0.keys().find(|name| options.iter().all(|o| o.name.as_str() != *name));
    unmet.map(|option| option.name.as_str()).or_else(|| unknown().map(String::as_str))
}

/// Refuses what is not exactly one of the product's values for each of its options.
pub(crate) fn check(values: &OptionValues, options: &[ProductOption]) -> Result<()> {
    let Some(name) = misfit(values, options) else { return Ok(()) };
    let detail = match options.iter().any(|option| option.name.as_str() == name) {
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

/// One text for one combination, whatever order it was given in: names in order, as JSON. Two
/// variants of a product never share it.
pub(crate) fn key(values: &OptionValues) -> String {
    serde_json::json!(values).to_string()
}

/// The values in the order of the product's options; none where it has none.
pub(crate) fn title(values: &OptionValues, options: &[ProductOption]) -> Option<String> {
    let values = options.iter().filter_map(|option| values.0.get(option.name.as_str()));
    let values: Vec<_> = values.map(|value| value.as_str()).collect();
    if values.is_empty() { None } else { Some(values.join(" / ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> OptionValues {
        let owned = |(name, value): &(&str, &str)| (str::to_owned(name), value.parse().unwrap());
        OptionValues(pairs.iter().map(owned).collect())
    }

    fn option(name: &str, values: &[&str]) -> ProductOption {
        let values = values.iter().map(|value| value.parse().unwrap()).collect();
        ProductOption { name: name.parse().unwrap(), values }
    }

    #[test]
    fn one_combination_has_one_key() {
        let one = key(&values(&[("Size", "M"), ("Color", "Red")]));
        assert_eq!(one, r#"{"Color":"Red","Size":"M"}"#);
        assert_eq!(one, key(&values(&[("Color", "Red"), ("Size", "M")])));
        assert_eq!(key(&values(&[])), "{}");
        // What would be the same text if names and values were only joined.
        assert_ne!(key(&values(&[("A", "1,B:2")])), key(&values(&[("A", "1"), ("B", "2")])));
    }

    #[test]
    fn options_fit_exactly_or_not_at_all() {
        let options = [option("Size", &["S", "M"]), option("Color", &["Red"])];
        for (given, unfit) in [
            (values(&[("Size", "M"), ("Color", "Red")]), None),
            (values(&[("Size", "M")]), Some("Color")),
            (values(&[("Size", "XL"), ("Color", "Red")]), Some("Size")),
            (values(&[("Size", "M"), ("Color", "Red"), ("Cut", "Slim")]), Some("Cut")),
            (values(&[]), Some("Size")),
        ] {
            assert_eq!(misfit(&given, &options), unfit);
        }
        assert_eq!(misfit(&values(&[]), &[]), None);
        let refused = check(&values(&[("Size", "M")]), &[]).unwrap_err();
        assert_eq!(refused.code.code, "options_mismatch");
    }

    #[test]
    fn an_option_has_a_name_of_its_own() {
        assert!(check_names(&[option("Size", &["M"]), option("size", &["M"])]).is_ok());
        let refused = check_names(&[option("Size", &["M"]), option("Size", &["M"])]).unwrap_err();
        assert_eq!(refused.errors[0].pointer, "/options/1/name");
    }
}
