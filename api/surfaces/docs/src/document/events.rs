//! The types of events, each with a schema that stands alone and a sample.

use std::collections::BTreeMap;

use bodega_contract::{Method, Operation, Registry};
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
    let mut data = data.unwrap_or_else(|| json!({}));
    let create = registry.operation(&format!("{resource}.create"));
    let previous = data.as_object_mut().and_then(|data| {
        // First as it was made.
        create.map(|create| filled(registry, create, data));
        change(registry, name, data)
    });
    let object_id = data["id"].as_str().unwrap_or_default().to_owned();
    json!({
        "id": id("evt"),
        "sequence": 1,
        "previous_sequence": null,
        "type": name,
        "object_type": resource,
        "object_id": object_id,
        "object_version": data["version"].as_i64().unwrap_or(1),
        "api_version": versions.latest(),
        "actor_type": "api_key",
        "actor_id": id("key"),
        "request_id": id("req"),
        "traceparent": example::TRACE,
        "data": data,
        "previous": previous,
        "created_at": "2026-11-20T12:00:00.000000Z",
    })
}

/// Makes the object of a sample one that has just changed, and gives what changed, as it was; nothing
/// where the event makes or removes the object.
fn change(registry: &Registry, name: &str, data: &mut Map<String, Value>) -> Option<Value> {
    let resource = name.split('.').next().unwrap_or_default();
    let own = registry.operations().iter().filter(|operation| operation.resource == resource);
    let causes: Vec<_> =
        own.filter(|operation| operation.emits.iter().any(|event| event.name == name)).collect();
    let changes = |cause: &&&Operation| cause.has_id() && cause.method != Method::Delete;
    let cause = causes.iter().find(changes).filter(|_| causes.iter().all(|one| changes(&one)))?;
    let mut was = Map::new();
    match (&cause.transition, registry.life(resource)) {
        (Some(transition), Some(life)) => {
            let (before, after) = (json!(transition.from.first()), json!(transition.to.first()));
            put(data, &mut was, life.field, before, after);
        }
        _ => was = filled(registry, cause, data),
    }
    // Whatever changes an object changes these.
    put(data, &mut was, "version", json!(1), json!(2));
    if let Some(now) = data.get("updated_at").cloned() {
        put(data, &mut was, "updated_at", json!("2026-11-19T12:00:00Z"), now);
    }
    Some(Value::Object(was))
}

/// Changes a member that is there.
fn put(
    data: &mut Map<String, Value>,
    was: &mut Map<String, Value>,
    name: &str,
    before: Value,
    after: Value,
) {
    if let Some(value) = data.get_mut(name) {
        *value = after;
        was.insert(name.to_owned(), before);
    }
}

/// Puts the members of a body's example into an object that has them; gives what was there before,
/// where it was something else.
fn filled(
    registry: &Registry,
    body: &Operation,
    data: &mut Map<String, Value>,
) -> Map<String, Value> {
    let mut was = Map::new();
    let example =
        body.input.as_ref().and_then(|input| example::of(registry.schemas(), &input.name));
    for (name, given) in example.iter().filter_map(Value::as_object).flatten() {
        // Metadata is merged with what is there: its example is no value of it.
        let whole = name != "metadata";
        if let Some(value) = data.get_mut(name).filter(|value| whole && *value != given) {
            was.insert(name.clone(), std::mem::replace(value, given.clone()));
        }
    }
    was
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

    #[test]
    fn the_sample_of_a_change_says_what_was_there_before() {
        let registry = toy::registry();
        let sample = |name| event_doc(&registry, &toy::versions(), name).expect(name).sample;
        for name in ["brand.created", "brand.deleted"] {
            assert_eq!(sample(name)["previous"], Value::Null, "{name}");
        }
        let updated = sample("brand.updated");
        assert_eq!(updated["object_version"], 2);
        assert_eq!(updated["previous"]["version"], 1);
        let (before, after) = (&updated["previous"]["name"], &updated["data"]["name"]);
        assert!(before.is_string() && after.is_string() && before != after, "{updated}");
        for (name, before) in updated["previous"].as_object().expect("members") {
            assert_ne!(
                updated["data"].get(name).expect("a member of the object"),
                before,
                "{name}"
            );
        }
    }
}
