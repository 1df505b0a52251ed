//! Types as JSON Schema: what the docs show and what the corridor checks, from one declaration.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bodega_kernel::{FieldError, Problem, Text, problem, text};
use jsonschema::error::{TypeKind, ValidationErrorKind as Wrong};
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use utoipa::ToSchema;

const ERRORS_MAX: usize = 20;

/// The largest whole number that every JSON reader keeps whole.
const WHOLE_MAX: i64 = 9_007_199_254_740_991;

/// Schemas by name.
#[derive(Clone, Debug, Default)]
pub struct Schemas(pub BTreeMap<String, Value>);

impl Schemas {
    /// Adds a type and every type it is made of; says its name.
    pub fn add<T: ToSchema>(&mut self) -> String {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            let mut value = serde_json::to_value(schema).unwrap_or_default();
            tidy(&mut value);
            self.0.entry(name).or_insert(value);
        }
        T::name().into_owned()
    }

    /// The schema of a field, references followed.
    pub fn field(&self, schema: &str, field: &str) -> Option<&Value> {
        self.resolve(self.0.get(schema)?.get("properties")?.get(field)?)
    }

    /// The fields of an object schema.
    pub fn fields(&self, schema: &str) -> Vec<&str> {
        let properties = self.0.get(schema).and_then(|schema| schema.get("properties"));
        properties
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(n, _)| n.as_str())
            .collect()
    }

    /// A schema and all it refers to.
    fn closure(&self, name: &str, parts: &mut BTreeMap<String, Value>) {
        let Some(schema) = self.0.get(name).filter(|_| !parts.contains_key(name)) else { return };
        parts.insert(name.to_owned(), schema.clone());
        let mut open = vec![schema];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(object) => {
                    if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                        self.closure(target.rsplit('/').next().unwrap_or_default(), parts);
                    }
                    open.extend(object.values());
                }
                _ => {}
            }
        }
    }

    /// Follows `$ref` and looks through "or null".
    fn resolve<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            return self.resolve(self.0.get(reference.rsplit('/').next()?)?);
        }
        let alternatives = value.get("oneOf").or_else(|| value.get("anyOf"));
        match alternatives.and_then(Value::as_array) {
            Some(all) => self.resolve(all.iter().find(|one| one["type"] != "null")?),
            None => Some(value),
        }
    }
}

/// Fills in the bounds that follow from a format, so that no type states them again.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(object) => {
            let is = |kind: &str| match object.get("type") {
                Some(Value::String(name)) => name == kind,
                Some(Value::Array(names)) => names.iter().any(|name| name == kind),
                _ => false,
            };
            let (string, integer) = (is("string"), is("integer"));
            let mut bounds: Vec<(&str, Value)> = Vec::new();
            if string && !object.contains_key("enum") {
                match object.get("format").and_then(Value::as_str) {
                    Some("date-time") => bounds.push(("maxLength", json!(35))),
                    Some("date") => bounds.push(("maxLength", json!(10))),
                    Some("uri") => bounds.push(("maxLength", json!(2_048))),
                    _ => {}
                }
            }
            if integer {
                let int32 = object.get("format").is_some_and(|format| format == "int32");
                let max = if int32 { i64::from(i32::MAX) } else { WHOLE_MAX };
                bounds.extend([("minimum", json!(-max)), ("maximum", json!(max))]);
            }
            for (name, bound) in bounds {
                object.entry(name).or_insert(bound);
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// The schema of a body, and the validator made of it.
pub struct Schema {
    /// Its name among the components.
    pub name: String,
    compiled: OnceLock<(Validator, Vec<String>)>,
}

impl Schema {
    /// The schema of this name; made ready by the registry.
    pub fn new(name: String) -> Self {
        Self { name, compiled: OnceLock::new() }
    }

    /// Makes the validator; an error here is a fault of the declaration.
    pub(crate) fn compile(&self, schemas: &Schemas) -> Result<(), String> {
        let mut parts = BTreeMap::new();
        schemas.closure(&self.name, &mut parts);
        let names = parts.keys().flat_map(|part| schemas.fields(part)).map(str::to_owned).collect();
        let root = json!({
            "$ref": format!("#/components/schemas/{}", self.name),
            "components": { "schemas": parts },
        });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| format!("{}: {error}", self.name))?;
        self.compiled.set((validator, names)).map_err(|_| format!("{}: compiled twice", self.name))
    }

    /// What is wrong with a body.
    pub fn check(&self, body: &Value) -> Result<(), Problem> {
        let Some((validator, names)) = self.compiled.get() else {
            return Err(Problem::internal(format!("{} was never compiled", self.name)));
        };
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
                if let Some(prefix) = crate::list::id_prefix(pattern)
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
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Text {
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
