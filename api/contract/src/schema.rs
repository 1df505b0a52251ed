//! Types as JSON Schema: what the docs show and what the corridor checks, from one declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bodega_kernel::json::WHOLE_MAX;
use bodega_kernel::values::INLINE;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::list::{id_prefix, is_type};

/// PostgreSQL cannot keep a NUL, so no text has one.
const NO_NUL: &str = r"^[^\x00]*$";

/// Schemas by name; then the names that two different types have, and the names of those that go out.
#[derive(Clone, Debug, Default)]
pub struct Schemas(pub BTreeMap<String, Value>, pub(crate) BTreeSet<String>, BTreeSet<String>);

impl Schemas {
    /// Adds a type that comes in, and every type it is made of; says its name.
    pub fn add<T: ToSchema>(&mut self) -> String {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        let found = found
            .into_iter()
            .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()));
        let (inlined, named): (BTreeMap<_, _>, Vec<_>) = {
            let (inlined, named): (Vec<_>, Vec<_>) =
                found.partition(|(_, schema)| schema.get(INLINE).is_some());
            (inlined.into_iter().collect(), named)
        };
        for (name, mut schema) in named {
            inline(&mut schema, &inlined);
            tidy(&mut schema);
            self.insert(plain(&name), schema);
        }
        plain(&T::name())
    }

    /// Adds a type that goes out.
    pub fn add_output<T: ToSchema>(&mut self) -> String {
        let name = self.add::<T>();
        self.2.insert(name.clone());
        name
    }

    /// A text of this type is one of these.
    pub fn set_choices(&mut self, name: &str, choices: Value) {
        if let Some(Value::Object(schema)) = self.0.get_mut(name) {
            schema.insert("enum".to_owned(), choices);
            schema.shift_remove("maxLength");
            schema.shift_remove("pattern");
        }
    }

    /// Of what goes out, every field is always there, null where it is empty.
    pub(crate) fn complete(&mut self) {
        for name in &std::mem::take(&mut self.2) {
            let fields: Vec<_> = self.fields(name).into_iter().map(Value::from).collect();
            if let Some(Value::Object(schema)) = self.0.get_mut(name).filter(|_| !fields.is_empty())
            {
                schema.insert("required".to_owned(), fields.into());
            }
        }
    }

    /// Adds all of another's.
    pub(crate) fn merge(&mut self, other: Self) {
        self.1.extend(other.1);
        self.2.extend(other.2);
        other.0.into_iter().for_each(|(name, schema)| self.insert(name, schema));
    }

    fn insert(&mut self, name: String, schema: Value) {
        let there = self.0.entry(name.clone()).or_insert_with(|| schema.clone());
        if *there != schema {
            self.1.insert(name);
        }
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

    /// How the ids begin that have this pattern.
    pub fn prefix_of(&self, pattern: &str) -> Option<&str> {
        id_prefix(self.0.values().find(|schema| schema["pattern"] == pattern)?)
    }

    /// The schema of what stands at a place of a document of this schema.
    pub fn at(&self, schema: &str, pointer: &str) -> Option<&Value> {
        let mut found = self.resolve(self.0.get(schema)?)?;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let property = found.get("properties").and_then(|all| all.get(&part));
            let inner = property.or_else(|| found.get("items"));
            // `additionalProperties: false` leads nowhere.
            let inner = inner.or_else(|| found.get("additionalProperties"))?;
            found = self.resolve(inner).filter(|schema| schema.is_object())?;
        }
        Some(found)
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

/// Writes the schemas of field types out where they are used, and makes "this or null" of such a
/// type one schema of two types.
fn inline(value: &mut Value, inlined: &BTreeMap<String, Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, inlined)),
        Value::Object(object) => {
            object.values_mut().for_each(|inner| inline(inner, inlined));
            object.shift_remove(INLINE);
            let name =
                object.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
            if let Some(Value::Object(found)) = name.and_then(|name| inlined.get(name)) {
                object.shift_remove("$ref");
                let mut found = Value::Object(found.clone());
                inline(&mut found, inlined);
                if let Value::Object(found) = found {
                    found.into_iter().for_each(|(key, rule)| _ = object.entry(key).or_insert(rule));
                }
            }
            merge_null(object);
        }
        _ => {}
    }
}

/// `oneOf: [{type: string, …}, {type: null}]` as `type: [string, null], …`.
fn merge_null(object: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = object.get_mut("oneOf") else { return };
    let plain = |branch: &Value| branch["type"] != "null" && branch["type"].is_string();
    let null = |branch: &Value| branch["type"] == "null";
    let [a, b] = branches.as_mut_slice() else { return };
    let kept = match (plain(a) && null(b), null(a) && plain(b)) {
        (true, _) => a.take(),
        (_, true) => b.take(),
        _ => return,
    };
    object.shift_remove("oneOf");
    let Value::Object(kept) = kept else { return };
    kept.into_iter().for_each(|(key, rule)| _ = object.entry(key).or_insert(rule));
    let kind = object.get("type").cloned().unwrap_or_default();
    object.insert("type".to_owned(), json!([kind, "null"]));
}

/// `ProductId` of `ProductId_Product`: the name says it already, the generic part says it again.
fn plain(name: &str) -> String {
    name.split('_').next().unwrap_or(name).to_owned()
}

/// Fills in the bounds that follow from a format, so that no type states them again.
fn tidy(value: &mut Value) {
    let (string, integer) = (is_type(value, "string"), is_type(value, "integer"));
    let object = match value {
        Value::Object(object) => object,
        Value::Array(items) => return items.iter_mut().for_each(tidy),
        _ => return,
    };
    let mut bounds: Vec<(&str, Value)> = Vec::new();
    if string && !object.contains_key("enum") {
        match object.get("format").and_then(Value::as_str) {
            Some("date-time") => bounds.push(("maxLength", json!(35))),
            Some("date") => bounds.push(("maxLength", json!(10))),
            Some("uri") => bounds.push(("maxLength", json!(2_048))),
            _ => bounds.push(("pattern", json!(NO_NUL))),
        }
    }
    if integer {
        let int32 = object.get("format").is_some_and(|format| format == "int32");
        let max = if int32 { i64::from(i32::MAX) } else { WHOLE_MAX };
        bounds.extend([("minimum", json!(-max)), ("maximum", json!(max))]);
    }
    bounds.into_iter().for_each(|(name, bound)| _ = object.entry(name).or_insert(bound));
    if let Some(Value::String(target)) = object.get_mut("$ref") {
        *target = plain(target);
    }
    object.values_mut().for_each(tidy);
}

/// The schema of a body, and the validator made of it when it is first needed: regular expressions
/// take memory, and most programs call few operations.
pub struct Schema {
    /// Its name among the components.
    pub name: String,
    compiled: OnceLock<Result<Validator, String>>,
}

impl Schema {
    /// The schema of this name.
    pub fn new(name: String) -> Self {
        Self { name, compiled: OnceLock::new() }
    }

    /// The validator; an error is a fault of the declaration, and the lint tells of it.
    pub fn compiled(&self, schemas: &Schemas) -> Result<&Validator, &str> {
        let compile = || {
            let mut parts = BTreeMap::new();
            schemas.closure(&self.name, &mut parts);
            let root = json!({
                "$ref": format!("#/components/schemas/{}", self.name),
                "components": { "schemas": parts },
            });
            let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
            let built = options.should_validate_formats(true).build(&root);
            built.map_err(|error| format!("{}: {error}", self.name))
        };
        self.compiled.get_or_init(compile).as_ref().map_err(String::as_str)
    }
}
