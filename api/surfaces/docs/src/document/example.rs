//! Examples, made of those that the fields of a type carry.

use bodega_contract::Schemas;
use serde_json::{Map, Value, json};

/// No type nests deeper; a type that is made of itself ends here.
const LEVELS_MAX: usize = 8;

/// An example of a type; none when one of its required fields has none.
pub(super) fn of(schemas: &Schemas, name: &str) -> Option<Value> {
    make(schemas, schemas.0.get(name)?, 0)
}

fn make(schemas: &Schemas, schema: &Value, level: usize) -> Option<Value> {
    if level > LEVELS_MAX {
        return None;
    }
    let given = schema["examples"].get(0).or_else(|| schema.get("example"));
    let given = given.or_else(|| schema.get("const")).or_else(|| schema["enum"].get(0));
    if let Some(given) = given.or_else(|| schema.get("default")) {
        return Some(given.clone());
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next()?;
        return make(schemas, schemas.0.get(name)?, level + 1);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            whole.extend(make(schemas, part, level + 1)?.as_object()?.clone());
        }
        return Some(Value::Object(whole));
    }
    let either = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    if let Some(either) = either {
        let made = |one: &Value| make(schemas, one, level + 1);
        return either.iter().filter(|one| one["type"] != "null").find_map(made);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null")?.as_str()?,
        kind => kind.as_str()?,
    };
    match kind {
        "object" => object(schemas, schema, level),
        "array" => {
            let item = make(schemas, &schema["items"], level + 1);
            let enough = item.is_some() || schema["minItems"].as_u64().unwrap_or(0) == 0;
            enough.then(|| Value::Array(item.into_iter().collect()))
        }
        "integer" | "number" => {
            let minimum = schema["minimum"].as_i64().unwrap_or(1).max(1);
            Some(json!(schema["maximum"].as_i64().map_or(minimum, |most| minimum.min(most))))
        }
        "boolean" => Some(json!(true)),
        "string" => string(schema).map(Value::from),
        _ => None,
    }
}

fn object(schemas: &Schemas, schema: &Value, level: usize) -> Option<Value> {
    let mut whole = Map::new();
    let required = schema["required"].as_array();
    for (name, rules) in schema["properties"].as_object().into_iter().flatten() {
        match make(schemas, rules, level + 1) {
            Some(value) => {
                whole.insert(name.clone(), value);
            }
            None if required.is_some_and(|all| all.iter().any(|one| one == name)) => return None,
            None => {}
        }
    }
    Some(Value::Object(whole))
}

fn string(schema: &Value) -> Option<&'static str> {
    Some(match schema["format"].as_str() {
        Some("date-time") => "2026-11-20T12:00:00Z",
        Some("date") => "2026-11-20",
        Some("uri") => "https://example.com/",
        Some("email") => "ana@example.com",
        Some("uuid") => "0198c2f4-7d1e-7a53-9f0b-3c1a5e2d8b47",
        Some(_) => return None,
        None if schema.get("pattern").is_some() => return None,
        None if schema["minLength"].as_u64().unwrap_or(0) > 4 => return None,
        None if schema["maxLength"].as_u64().is_some_and(|most| most < 4) => return None,
        None => "text",
    })
}
