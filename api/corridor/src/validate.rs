//! Checks a body against its schema, and says in words what is wrong and where.

use bodega_contract::{Schema, Schemas};
use bodega_kernel::values::words_of;
use bodega_kernel::{FieldError, Problem, Result, Text, problem, text};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Wrong};
use serde_json::{Map, Value};

const ERRORS_MAX: usize = 20;

/// No list and no object of any schema has more members: who sends more is told so before each of
/// them is looked at.
const MEMBERS_MAX: usize = 1_000;

/// What is wrong with a body.
pub fn check(schema: &Schema, schemas: &Schemas, body: &Value) -> Result<()> {
    let validator = schema.compiled(schemas).map_err(Problem::internal)?;
    if validator.is_valid(body) {
        return Ok(());
    }
    let mut wrong = Wrongs { schemas, schema: &schema.name, errors: Vec::new(), foreign_id: None };
    let oversized = oversized(body, String::new());
    // What stands in something that is not known is not looked at anyway.
    match oversized.filter(|(at, _)| schemas.at(&schema.name, at).is_some()) {
        Some((at, large)) => wrong.oversized(&at, large),
        None => validator.iter_errors(body).for_each(|error| wrong.add(&error)),
    }
    if let Some((prefix, error)) = wrong.foreign_id {
        return Err(Problem::wrong_id_type(&prefix, &prefix).at(error));
    }
    Err(wrong.errors.into_iter().fold(Problem::new(&problem::VALIDATION_FAILED), Problem::at))
}

/// The first list or object with more members than any schema allows, and where it stands.
fn oversized(value: &Value, at: String) -> Option<(String, &Value)> {
    match value {
        Value::Array(items) if items.len() > MEMBERS_MAX => Some((at, value)),
        Value::Object(members) if members.len() > MEMBERS_MAX => Some((at, value)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.is_array() || item.is_object())
            .find_map(|(index, item)| oversized(item, format!("{at}/{index}"))),
        Value::Object(members) => members
            .iter()
            .filter(|(_, inner)| inner.is_array() || inner.is_object())
            .find_map(|(name, inner)| oversized(inner, child(&at, name))),
        _ => None,
    }
}

/// What is wrong with a body where there should be none; an empty one is none.
pub(crate) fn check_none(body: &Value) -> Result<()> {
    let error = |pointer: String, code: &'static str| {
        let detail = text("This operation takes no body", "Esta operación no lleva cuerpo");
        FieldError::body(pointer, code, detail)
    };
    match body {
        Value::Null => Ok(()),
        Value::Object(members) if members.is_empty() => Ok(()),
        Value::Object(members) => {
            let names = members.keys().take(ERRORS_MAX);
            let errors = names.map(|name| error(child("", name), "unknown_field"));
            Err(errors.fold(Problem::new(&problem::VALIDATION_FAILED), Problem::at))
        }
        _ => Err(Problem::invalid(error(String::new(), "type"))),
    }
}

struct Wrongs<'a> {
    /// The schema of the whole body, to tell what is known at a place of it.
    schemas: &'a Schemas,
    schema: &'a str,
    errors: Vec<FieldError>,
    foreign_id: Option<(String, FieldError)>,
}

impl Wrongs<'_> {
    fn add(&mut self, error: &ValidationError<'_>) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let at = error.instance_path().to_string();
        let (code, en, es) = match error.kind() {
            Wrong::OneOfNotValid { context } | Wrong::AnyOf { context } => {
                return self.add_alternative(context, &at);
            }
            Wrong::AdditionalProperties { unexpected } => {
                let left = ERRORS_MAX - self.errors.len();
                return unexpected.iter().take(left).for_each(|name| self.unknown(&at, name));
            }
            Wrong::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let detail = text("is required", "es obligatorio");
                self.errors.push(FieldError::body(child(&at, name), "required", detail));
                return;
            }
            Wrong::Type { kind } => {
                let kinds = match kind {
                    TypeKind::Single(one) => one.to_string(),
                    TypeKind::Multiple(set) => {
                        set.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                    }
                };
                ("type", format!("must be of type {kinds}"), format!("debe ser de tipo {kinds}"))
            }
            Wrong::Enum { options } => {
                let given = error.instance().as_str().unwrap_or_default();
                let all = options.as_array().into_iter().flatten().filter_map(Value::as_str);
                let (en, es) = one_of(given, &all.collect::<Vec<_>>());
                ("enum", en, es)
            }
            Wrong::Pattern { pattern } => {
                let given = error.instance().as_str().unwrap_or_default();
                if let Some(prefix) = self.schemas.prefix_of(pattern)
                    && given.rsplit_once('_').is_some_and(|(p, s)| p != prefix && s.len() == 26)
                {
                    let (en, es) = an_id(prefix, given);
                    let error = FieldError::body(at, "wrong_id_type", text(en, es));
                    self.foreign_id.get_or_insert((prefix.to_owned(), error));
                    return;
                }
                let (en, es) = match (self.schemas.prefix_of(pattern), words_of(pattern)) {
                    (Some(prefix), _) => an_id(prefix, given),
                    (None, Some((en, es))) => (en.to_owned(), es.to_owned()),
                    (None, None) => {
                        (format!("must match {pattern}"), format!("debe cumplir {pattern}"))
                    }
                };
                ("pattern", en, es)
            }
            rule => broken(rule),
        };
        self.errors.push(FieldError::body(at, code, text(en, es)));
    }

    /// Of "this or null", what is wrong with this; of several, with the one that fits best.
    fn add_alternative(&mut self, context: &[Vec<ValidationError<'static>>], at: &str) {
        let misses = |branch: &Vec<ValidationError<'_>>| {
            branch.iter().any(|error| {
                matches!(error.kind(), Wrong::Type { .. })
                    && error.instance_path().to_string() == at
            })
        };
        let best = context.iter().find(|branch| !misses(branch)).or_else(|| context.first());
        best.into_iter().flatten().for_each(|error| self.add(error));
    }

    /// More members than any schema allows: which are not known, or how many there may be.
    fn oversized(&mut self, at: &str, large: &Value) {
        let schema = self.schemas.at(self.schema, at);
        let known = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        if let (Some(known), Value::Object(members)) = (known, large) {
            let unknown = members.keys().filter(|name| !known.contains_key(*name));
            unknown.take(ERRORS_MAX).for_each(|name| self.unknown(at, name));
        }
        if self.errors.is_empty() {
            let limit = |name: &str| schema.and_then(|schema| schema.get(name)?.as_u64());
            let max = limit("maxItems").or_else(|| limit("maxProperties"));
            let max = max.unwrap_or(MEMBERS_MAX as u64);
            let said =
                text(format!("must be at most {max}"), format!("deben ser como máximo {max}"));
            self.errors.push(FieldError::body(at, "too_many", said));
        }
    }

    fn unknown(&mut self, at: &str, name: &str) {
        let schema = self.schemas.at(self.schema, at);
        let known = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        let detail = unknown(name, known.into_iter().flat_map(Map::keys).map(String::as_str));
        self.errors.push(FieldError::body(child(at, name), "unknown_field", detail));
    }
}

/// The code of a rule that a value breaks, and what it asks for, in English and Spanish.
fn broken(rule: &Wrong) -> (&'static str, String, String) {
    match rule {
        Wrong::Format { format } => {
            ("format", format!("must be a valid {format}"), format!("debe ser {format} válido"))
        }
        Wrong::MinLength { limit } => (
            "too_short",
            format!("must have at least {limit} characters"),
            format!("debe tener al menos {limit} caracteres"),
        ),
        Wrong::MaxLength { limit } => (
            "too_long",
            format!("must have at most {limit} characters"),
            format!("debe tener como máximo {limit} caracteres"),
        ),
        Wrong::Minimum { limit } | Wrong::ExclusiveMinimum { limit } => {
            ("out_of_range", format!("must be from {limit} on"), format!("debe ser desde {limit}"))
        }
        Wrong::Maximum { limit } | Wrong::ExclusiveMaximum { limit } => {
            ("out_of_range", format!("must be up to {limit}"), format!("debe ser hasta {limit}"))
        }
        Wrong::MaxItems { limit } | Wrong::MaxProperties { limit } => (
            "too_many",
            format!("must be at most {limit}"),
            format!("deben ser como máximo {limit}"),
        ),
        Wrong::MinItems { limit } | Wrong::MinProperties { limit } => {
            ("too_few", format!("must be at least {limit}"), format!("deben ser al menos {limit}"))
        }
        Wrong::UniqueItems => {
            ("duplicate", "must not repeat".to_owned(), "no debe repetirse".to_owned())
        }
        other => {
            let rule = other.keyword();
            ("invalid", format!("breaks the rule `{rule}`"), format!("no cumple la regla `{rule}`"))
        }
    }
}

fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// That a name is not known, and which one may have been meant.
pub(crate) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Text {
    match near(name, known) {
        Some(meant) => text(
            format!("is not known here; did you mean `{meant}`?"),
            format!("no se conoce aquí; ¿quiso decir `{meant}`?"),
        ),
        None => text("is not known here", "no se conoce aquí"),
    }
}

/// What an id has to look like; one that begins right says how it goes on.
pub(crate) fn an_id(prefix: &str, given: &str) -> (String, String) {
    let begins = given.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_'));
    if begins {
        return (
            format!("must be a whole id: `{prefix}_` and its 26 characters, as the API gave it"),
            format!("debe ser un id completo: `{prefix}_` y sus 26 caracteres, como lo dio la API"),
        );
    }
    (
        format!("must be an id that starts with `{prefix}_`"),
        format!("debe ser un id que empiece con `{prefix}_`"),
    )
}

/// Which values there are, or, where one of them is near, that one.
pub(crate) fn one_of(given: &str, all: &[&str]) -> (String, String) {
    const SHOWN: usize = 20;
    if let Some(meant) = near(given, all.iter().copied()) {
        let (en, es) = ("did you mean", "¿quiso decir");
        return (
            format!("must be one of the values there are; {en} `{meant}`?"),
            format!("debe ser uno de los valores que hay; {es} `{meant}`?"),
        );
    }
    let more = if all.len() > SHOWN { ", …" } else { "" };
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    (format!("must be one of {shown}{more}"), format!("debe ser uno de {shown}{more}"))
}

/// The known word that is nearest to one that is not known, if any is near. A word that differs in
/// case only is nearest of all.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const CHARS_MAX: usize = 64;
    let word: String = word.chars().take(CHARS_MAX).collect();
    let most = 1 + word.chars().count() / 4;
    let lower = word.to_lowercase();
    known
        .filter(|other| *other != word)
        .map(|other| (strsim::damerau_levenshtein(&lower, &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_near_and_never_the_same() {
        assert_eq!(near("titel", ["title", "status"].into_iter()), Some("title"));
        assert_eq!(near("usd", ["MXN", "USD", "USN"].into_iter()), Some("USD"));
        assert_eq!(near("name", ["name", "title"].into_iter()), None);
        assert_eq!(near("zzz", ["title"].into_iter()), None);
    }
}
