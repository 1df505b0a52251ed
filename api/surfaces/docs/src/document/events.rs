//! The types of events, each with a schema that stands alone and a sample.

use std::collections::BTreeMap;

use bodega_contract::Registry;
use bodega_kernel::Versions;
use serde_json::{Map, Value, json};

use super::{Source, example, plain, webhooks};

/// What a type of event looks like.
pub struct EventDoc {
    /// JSON Schema of the whole event.
    pub schema: Value,
    /// An event of the type, always the same.
    pub sample: Value,
}

/// What a type of event looks like, if there is one of this name.
pub fn event_doc(registry: &Registry, versions: &Versions, name: &str) -> Option<EventDoc> {
    let event = registry.events().get(name)?;
    let mut all = registry.schemas().0.clone();
    all.extend(webhooks::schemas(&Source { registry, versions }));
    Some(EventDoc {
        schema: alone(&all, name, event.about),
        sample: sample(registry, versions, name),
    })
}

/// The schema of an event with all that it refers to in it.
fn alone(all: &BTreeMap<String, Value>, name: &str, about: &str) -> Value {
    let body = webhooks::body_of(name);
    let mut needed = BTreeMap::new();
    let mut open = vec![body.clone()];
    while let Some(name) = open.pop() {
        let Some(schema) = all.get(&name).filter(|_| !needed.contains_key(&name)) else { continue };
        let mut schema = schema.clone();
        moved(&mut schema, &mut open);
        needed.insert(name, schema);
    }
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    whole.insert("title".to_owned(), name.into());
    whole.insert("description".to_owned(), about.into());
    whole.insert("$ref".to_owned(), format!("#/$defs/{body}").into());
    whole.insert("$defs".to_owned(), Value::Object(needed.into_iter().collect()));
    Value::Object(whole)
}

/// References to the document's components become references to this schema's own definitions.
fn moved(schema: &mut Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| moved(item, found)),
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/components/schemas/")
            {
                found.push(name.to_owned());
                *target = format!("#/$defs/{name}");
            }
            members.values_mut().for_each(|member| moved(member, found));
        }
        _ => {}
    }
}

fn sample(registry: &Registry, versions: &Versions, name: &str) -> Value {
    // The same on every server: whoever remembers what it has seen sees it once.
    let id = |prefix| plain::id_example(prefix);
    let resource = name.split('.').next().unwrap_or_default();
    let data = registry.view(resource).and_then(|view| example::of(registry.schemas(), view));
    let object_id =
        data.as_ref().and_then(|data| data["id"].as_str()).unwrap_or_default().to_owned();
    json!({
        "id": id("evt"),
        "sequence": 1,
        "previous_sequence": null,
        "type": name,
        "object_type": resource,
        "object_id": object_id,
        "object_version": 1,
        "api_version": versions.latest(),
        "actor_type": "api_key",
        "actor_id": id("key"),
        "request_id": id("req"),
        "traceparent": example::TRACE,
        "data": data.unwrap_or_else(|| json!({})),
        "previous": null,
        "created_at": "2026-11-20T12:00:00.000000Z",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy;

    #[test]
    fn every_sample_is_what_its_schema_says() {
        let registry = toy::registry();
        assert!(!registry.events().is_empty());
        for name in registry.events().keys() {
            let event = event_doc(&registry, &toy::versions(), name).expect(name);
            let valid = jsonschema::validator_for(&event.schema).expect(name);
            let errors: Vec<_> = valid.iter_errors(&event.sample).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}
