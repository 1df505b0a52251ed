//! From JSON Schema to GraphQL types.

use async_graphql::dynamic::TypeRef;
use async_graphql::{Name, Value};
use bodega_contract::{Registry, id_prefix};
use serde_json::{Value as Json, json};

use super::pairs::is_map;
use super::{Argument, Enum, Field, Form, Input, Model, Object, Scalar};
use crate::names::{Choice, Choices, is_choice, is_name, upper};

/// Any JSON.
pub(crate) const JSON: &str = "JSON";
/// An instant.
pub(crate) const DATE_TIME: &str = "DateTime";
/// A whole number beyond 32 bits.
pub(crate) const INT64: &str = "Int64";
const DATE: &str = "Date";

/// Whether a type goes out or comes in: GraphQL has two kinds of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Out,
    In,
}

/// Puts types into the model as they are met.
pub(super) struct Types<'a> {
    pub(super) registry: &'a Registry,
    pub(super) model: Model,
}

/// A type, and whether null may stand for it.
pub(super) struct Found {
    pub(super) kind: TypeRef,
    nullable: bool,
}

impl Types<'_> {
    /// The type of an object that goes out, by its schema's name.
    pub(super) fn output(&mut self, schema: &str) -> TypeRef {
        self.reference(schema, Side::Out).kind
    }

    /// What a body takes, by its schema's name, as the fields of an input.
    pub(super) fn body(&mut self, schema: &str) -> Vec<Argument> {
        let rules = self.registry.schemas().0.get(schema).map(|one| self.whole(one));
        let rules = rules.filter(|rules| rules["properties"].is_object());
        match rules {
            Some(rules) => self.input_fields(schema, &rules),
            None => {
                self.model.faults.push(format!("{schema}: a body that is no object with fields"));
                Vec::new()
            }
        }
    }

    /// A choice of these values.
    pub(super) fn choice(&mut self, name: &str, about: String, values: Vec<Choice>) {
        let (values, shared) = Choices::new(values);
        let shared = shared.into_iter().map(|value| format!("{name}.{value}: there twice"));
        self.model.faults.extend(shared);
        self.model.enums.insert(name.to_owned(), Enum { about, values });
    }

    /// The type of a view's field, as a value to compare with.
    pub(super) fn field(&mut self, schema: &str, field: &str) -> Option<TypeRef> {
        let rules = self.registry.schemas().0.get(schema)?["properties"].get(field)?.clone();
        Some(self.read(&rules, Side::In).kind)
    }

    pub(super) fn scalars(&mut self) {
        let mut add = |name: &str, about: &str, form: Form, specified_by| {
            let about = about.to_owned();
            self.model.scalars.insert(name.to_owned(), Scalar { about, form, specified_by });
        };
        add(
            JSON,
            "Any JSON: objects whose members are not fixed, such as metadata.",
            Form::Any,
            None,
        );
        let about = "A whole number from -(2^53 - 1) to 2^53 - 1, as a JSON number.";
        add(INT64, about, Form::Whole, None);
        let about = "An instant: RFC 3339, UTC, microseconds.";
        let specified_by = Some("https://scalars.graphql.org/andimarek/date-time");
        add(DATE_TIME, about, Form::Text, specified_by);
        add(DATE, "A day: `YYYY-MM-DD`.", Form::Text, None);
    }

    pub(super) fn read(&mut self, rules: &Json, side: Side) -> Found {
        if let Some(target) = rules["$ref"].as_str() {
            return self.reference(target.rsplit('/').next().unwrap_or_default(), side);
        }
        let alternatives = rules["oneOf"].as_array().or_else(|| rules["anyOf"].as_array());
        if let Some(all) = alternatives {
            let mut others = all.iter().filter(|one| one["type"] != "null");
            let (first, more) = (others.next(), others.next());
            let Found { kind, nullable } = match (first, more) {
                (Some(one), None) => self.read(one, side),
                _ => Found { kind: TypeRef::named(JSON), nullable: true },
            };
            return Found {
                kind,
                nullable: nullable || all.iter().any(|one| one["type"] == "null"),
            };
        }
        let types: Vec<&str> = match &rules["type"] {
            Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
            name => name.as_str().into_iter().collect(),
        };
        let kind = match types.iter().find(|name| **name != "null") {
            Some(&"array") => {
                let Found { kind, nullable } = self.read(&rules["items"], side);
                TypeRef::List(Box::new(required(kind, !nullable)))
            }
            Some(&plain) => TypeRef::named(simple(plain, rules)),
            None => TypeRef::named(JSON),
        };
        Found { kind, nullable: types.is_empty() || types.contains(&"null") }
    }

    fn reference(&mut self, name: &str, side: Side) -> Found {
        let Some(rules) = self.registry.schemas().0.get(name).map(|one| self.whole(one)) else {
            self.model.faults.push(format!("{name}: no such schema"));
            return Found { kind: TypeRef::named(JSON), nullable: true };
        };
        let rules = &rules;
        let about = rules["description"].as_str().unwrap_or_default().to_owned();
        let one = |kind: &str| Found { kind: TypeRef::named(kind), nullable: false };
        if let Some(values) = rules["enum"].as_array() {
            let values: Vec<_> = values.iter().filter_map(Json::as_str).collect();
            if values.iter().all(|value| is_choice(value)) {
                let values = values.into_iter().map(|value| Choice {
                    name: upper(value),
                    rest: value.to_owned(),
                    about: String::new(),
                });
                self.choice(name, about, values.collect());
            } else {
                // GraphQL's choices are names; `catalog:read` is none.
                let about = format!("{about} One of: {}.", values.join(", "));
                self.scalar(name, about, Form::Text);
            }
            return one(name);
        }
        let object = rules["properties"].is_object();
        match rules["type"].as_str() {
            Some("object") if is_map(name, rules) => {
                Found { kind: self.pairs(name, about, rules, side), nullable: false }
            }
            Some("object") if object && side == Side::Out => {
                self.object(name, about, rules);
                one(name)
            }
            Some("object") if object => {
                let name = format!("{name}Input");
                self.input_object(&name, about, rules);
                one(&name)
            }
            Some("string") if id_prefix(rules).is_some() => one(TypeRef::ID),
            Some("string") if simple("string", rules) == TypeRef::STRING => {
                self.scalar(name, about, Form::Text);
                one(name)
            }
            _ => self.read(rules, side),
        }
    }

    /// A schema that is made of several, as one.
    fn whole(&self, rules: &Json) -> Json {
        let Some(parts) = rules["allOf"].as_array() else { return rules.clone() };
        let (mut members, mut needed) = (serde_json::Map::new(), Vec::new());
        for part in parts {
            let target = part["$ref"].as_str().and_then(|target| target.rsplit('/').next());
            let target = target.and_then(|name| self.registry.schemas().0.get(name));
            let part = self.whole(target.unwrap_or(part));
            members.extend(part["properties"].as_object().cloned().unwrap_or_default());
            needed.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({
            "type": "object",
            "description": rules["description"],
            "properties": members,
            "required": needed,
        })
    }

    fn scalar(&mut self, name: &str, about: String, form: Form) {
        let scalar = Scalar { about, form, specified_by: None };
        self.model.scalars.insert(name.to_owned(), scalar);
    }

    fn object(&mut self, name: &str, about: String, rules: &Json) {
        if self.model.objects.contains_key(name) {
            return;
        }
        let object = Object { about, ..Object::default() };
        self.model.objects.insert(name.to_owned(), object);
        let needed: Vec<_> = texts(&rules["required"]).collect();
        let fields: Vec<_> = self
            .properties(name, rules)
            .map(|(field, rules)| {
                let Found { kind, nullable } = self.read(rules, Side::Out);
                let always = needed.contains(&field) && !nullable;
                Field::of(field, required(kind, always), described(rules))
            })
            .collect();
        self.model.objects.entry(name.to_owned()).or_default().fields = fields;
    }

    fn input_object(&mut self, name: &str, about: String, rules: &Json) {
        if self.model.inputs.contains_key(name) {
            return;
        }
        self.model.inputs.insert(name.to_owned(), Input { about, ..Input::default() });
        let fields = self.input_fields(name, rules);
        self.model.inputs.entry(name.to_owned()).or_default().fields = fields;
    }

    fn input_fields(&mut self, name: &str, rules: &Json) -> Vec<Argument> {
        let needed: Vec<_> = texts(&rules["required"]).collect();
        let fields = self.properties(name, rules).map(|(field, rules)| {
            let Found { kind, .. } = self.read(rules, Side::In);
            let default =
                rules.get("default").map(|default| self.constant(kind.type_name(), default));
            let kind = required(kind, needed.contains(&field));
            Argument { default, ..Argument::of(field, kind, described(rules)) }
        });
        fields.collect()
    }

    /// A default, as a document writes it.
    fn constant(&self, kind: &str, value: &Json) -> Value {
        let choice = self.model.enums.get(kind).zip(value.as_str());
        match choice.and_then(|(choice, rest)| choice.values.name(rest)) {
            Some(name) => Value::Enum(Name::new(name)),
            None => Value::from_json(value.clone()).unwrap_or_default(),
        }
    }

    fn properties<'r>(
        &mut self,
        name: &str,
        rules: &'r Json,
    ) -> impl Iterator<Item = (&'r str, &'r Json)> + use<'r> {
        let all: Vec<_> = rules["properties"].as_object().into_iter().flatten().collect();
        for (field, _) in &all {
            if !is_name(field) {
                let fault = format!("{name}.{field}: GraphQL has no name that stands for it alone");
                self.model.faults.push(fault);
            }
        }
        all.into_iter().map(|(field, rules)| (field.as_str(), rules))
    }
}

/// The name of what JSON Schema calls a string, an integer, …
fn simple(kind: &str, rules: &Json) -> &'static str {
    match (kind, rules["format"].as_str()) {
        ("string", _) if id_prefix(rules).is_some() => TypeRef::ID,
        ("string", Some("date-time")) => DATE_TIME,
        ("string", Some("date")) => DATE,
        ("string", _) => TypeRef::STRING,
        ("integer", Some("int32")) => TypeRef::INT,
        ("integer", _) => INT64,
        ("number", _) => TypeRef::FLOAT,
        ("boolean", _) => TypeRef::BOOLEAN,
        _ => JSON,
    }
}

pub(super) fn required(kind: TypeRef, required: bool) -> TypeRef {
    if required { TypeRef::NonNull(Box::new(kind)) } else { kind }
}

fn texts(value: &Json) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str)
}

fn described(rules: &Json) -> &str {
    let own = rules["description"].as_str();
    let all = rules["oneOf"].as_array().into_iter().flatten();
    own.or_else(|| all.filter_map(|one| one["description"].as_str()).next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_become_one_are_refused() {
        let registry = Registry::new([]);
        let faults = |members: Json| {
            let mut types = Types { registry: &registry, model: Model::new(&registry) };
            types.object("Thing", String::new(), &json!({"properties": members}));
            types.model.faults
        };
        assert!(faults(json!({"line_one": {}, "line1": {}, "sha256": {}})).is_empty());
        // `line_1` would be `line1`, as another is; `lineTwo` would be taken for `line_two`.
        for member in ["line_1", "lineTwo", "a__b", "é"] {
            let told = faults(json!({"line1": {}, member: {}}));
            assert!(told.len() == 1 && told[0].contains(member), "{member}: {told:?}");
        }
    }
}
