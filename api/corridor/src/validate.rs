//! Checks a body against its schema, and says in words what is wrong and where.

use bodega_contract::{Compiled, Schema, Schemas, id_prefix};
use bodega_kernel::{FieldError, Problem, Result, Text, problem, text};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Wrong};
use serde_json::Value;

const ERRORS_MAX: usize = 20;

/// What is wrong with a body.
pub fn check(schema: &Schema, schemas: &Schemas, body: &Value) -> Result<()> {
    let Compiled { validator, names } = schema.compiled(schemas).map_err(Problem::internal)?;
    if validator.is_valid(body) {
        return Ok(());
    }
    let mut wrong = Wrongs { names, errors: Vec::new(), foreign_id: None };
    validator.iter_errors(body).take(ERRORS_MAX).for_each(|error| wrong.add(&error));
    if let Some((prefix, error)) = wrong.foreign_id {
        return Err(Problem::wrong_id_type(&prefix, &prefix).at(error));
    }
    let mut problem = Problem::new(&problem::VALIDATION_FAILED);
    for error in wrong.errors.into_iter().take(ERRORS_MAX) {
        problem = problem.at(error);
    }
    Err(problem)
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
    /// The fields there are, to guess which was meant.
    names: &'a [String],
    errors: Vec<FieldError>,
    foreign_id: Option<(String, FieldError)>,
}

impl Wrongs<'_> {
    fn add(&mut self, error: &ValidationError<'_>) {
        let at = error.instance_path().to_string();
        let (code, en, es) = match error.kind() {
            Wrong::OneOfNotValid { context } | Wrong::AnyOf { context } => {
                return self.add_alternative(context, &at);
            }
            Wrong::AdditionalProperties { unexpected } => {
                return unexpected.iter().for_each(|name| self.unknown(&at, name));
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
                let options = options.to_string().chars().take(300).collect::<String>();
                ("enum", format!("must be one of {options}"), format!("debe ser uno de {options}"))
            }
            Wrong::Pattern { pattern } => {
                let given = error.instance().as_str().unwrap_or_default();
                if let Some(prefix) = id_prefix(pattern)
                    && given.rsplit_once('_').is_some_and(|(p, s)| p != prefix && s.len() == 26)
                {
                    let detail = text(
                        format!("must be an id that starts with `{prefix}_`"),
                        format!("debe ser un id que empiece con `{prefix}_`"),
                    );
                    let error = FieldError::body(at, "wrong_id_type", detail);
                    self.foreign_id.get_or_insert((prefix.to_owned(), error));
                    return;
                }
                ("pattern", format!("must match {pattern}"), format!("debe cumplir {pattern}"))
            }
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
            Wrong::Minimum { limit } | Wrong::ExclusiveMinimum { limit } => (
                "out_of_range",
                format!("must be from {limit} on"),
                format!("debe ser desde {limit}"),
            ),
            Wrong::Maximum { limit } | Wrong::ExclusiveMaximum { limit } => (
                "out_of_range",
                format!("must be up to {limit}"),
                format!("debe ser hasta {limit}"),
            ),
            Wrong::MaxItems { limit } | Wrong::MaxProperties { limit } => (
                "too_many",
                format!("must be at most {limit}"),
                format!("deben ser como máximo {limit}"),
            ),
            Wrong::MinItems { limit } | Wrong::MinProperties { limit } => (
                "too_few",
                format!("must be at least {limit}"),
                format!("deben ser al menos {limit}"),
            ),
            Wrong::UniqueItems => {
                ("duplicate", "must not repeat".to_owned(), "no debe repetirse".to_owned())
            }
            other => {
                let rule = other.keyword();
                (
                    "invalid",
                    format!("breaks the rule `{rule}`"),
                    format!("no cumple la regla `{rule}`"),
                )
            }
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

    fn unknown(&mut self, at: &str, name: &str) {
        let detail = unknown(name, self.names.iter().map(String::as_str));
        self.errors.push(FieldError::body(child(at, name), "unknown_field", detail));
    }
}

fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// That a name is not known, and which one may have been meant.
pub(crate) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Text {
    let near = 1 + name.chars().count() / 4;
    let meant = known
        .map(|other| {
            (strsim::damerau_levenshtein(&name.chars().take(64).collect::<String>(), other), other)
        })
        .filter(|(distance, _)| *distance <= near)
        .min();
    match meant {
        Some((_, meant)) => text(
            format!("is not known here; did you mean `{meant}`?"),
            format!("no se conoce aquí; ¿quiso decir `{meant}`?"),
        ),
        None => text("is not known here", "no se conoce aquí"),
    }
}
