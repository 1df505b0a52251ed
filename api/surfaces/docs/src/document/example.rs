//! Examples, made of those that the fields of a type carry.

use bodega_contract::Schemas;
use serde_json::{Map, Value, json};

use super::problem::REQUEST_ID;

/// A trace, in examples.
pub(super) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

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
        let mut made = either.iter().filter_map(|one| make(schemas, one, level + 1));
        return made.find(|value| !value.is_null()).or_else(|| is_empty(either));
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let mut kinds_but_null = kinds.iter().filter_map(Value::as_str);
            let kind = kinds_but_null.find(|kind| *kind != "null")?;
            of_kind(schemas, schema, kind, level).or_else(|| is_empty(kinds))
        }
        kind => of_kind(schemas, schema, kind.as_str()?, level),
    }
}

/// What may be null can be, where there is nothing better.
fn is_empty(either: &[Value]) -> Option<Value> {
    either.iter().any(|one| one == "null" || one["type"] == "null").then_some(Value::Null)
}

fn of_kind(schemas: &Schemas, schema: &Value, kind: &str, level: usize) -> Option<Value> {
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

/// The first of some usual texts that the rules allow.
fn string(schema: &Value) -> Option<&'static str> {
    const USUAL: &[&str] = &[
        "text",
        "text-1",
        "/v1/things",
        "area:write",
        "MX",
        "MXN",
        "2026-11-20",
        "1",
        TRACE,
        REQUEST_ID,
    ];
    let usual = match schema["format"].as_str() {
        Some("date-time") => &["2026-11-20T12:00:00Z"],
        Some("date") => &["2026-11-20"],
        Some("uri") => &["https://example.com/"],
        Some("email") => &["ana@example.com"],
        Some("uuid") => &["0198c2f4-7d1e-7a53-9f0b-3c1a5e2d8b47"],
        Some(_) => return None,
        None => USUAL,
    };
    usual.iter().copied().find(|text| jsonschema::is_valid(schema, &Value::from(*text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy;

    #[test]
    fn every_example_is_valid() {
        let registry = toy::registry();
        let schemas = registry.schemas();
        for name in schemas.0.keys() {
            let root = json!({
                "$ref": format!("#/components/schemas/{name}"),
                "components": {"schemas": schemas.0},
            });
            let example = of(schemas, name).unwrap_or_else(|| panic!("{name} has no example"));
            assert!(jsonschema::is_valid(&root, &example), "{name}: {example}");
        }
    }

    #[test]
    fn a_text_keeps_the_rules_and_null_stands_in_for_what_nobody_can_guess() {
        let schemas = Schemas::default();
        let made = |schema: Value| make(&schemas, &schema, 0);
        let currency = json!({"type": "string", "pattern": "^[A-Z]{3}$"});
        assert_eq!(made(currency), Some(json!("MXN")));
        let strange = json!({"type": ["string", "null"], "pattern": "^#{7}$"});
        assert_eq!(made(strange), Some(Value::Null));
        let several = json!({"type": "array", "items": {"type": "string", "pattern": "^#$"}});
        assert_eq!(made(several), Some(json!([])));
        let needed = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string", "pattern": "^#$"},
        }});
        assert_eq!(made(needed), None);
    }
}
