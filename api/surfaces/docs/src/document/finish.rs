//! From utoipa's document to the one that is served: schemas in, what nobody uses out, one order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

/// The components that are there only for what refers to them.
const KINDS: [&str; 4] = ["schemas", "responses", "parameters", "headers"];

/// Puts the schemas in, leaves out the components that nothing refers to, and settles the order.
pub(super) fn finish(document: &OpenApi, schemas: BTreeMap<String, Value>) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let mut components = Map::new();
    components.insert("schemas".to_owned(), Value::Object(schemas.into_iter().collect()));
    if let Some(Value::Object(others)) = document.get_mut("components").map(Value::take) {
        components.extend(others);
    }
    let used = used(&document, &components);
    for kind in KINDS {
        if let Some(Value::Object(all)) = components.get_mut(kind) {
            all.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
        }
    }
    components.retain(|_, all| all.as_object().is_none_or(|all| !all.is_empty()));
    if let Some(place) = document.get_mut("components") {
        *place = Value::Object(components);
    }
    settle(&mut document);
    document
}

/// Every component that the document refers to, directly or through another.
fn used(document: &Value, components: &Map<String, Value>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str)
                    && used.insert(target.to_owned())
                {
                    open.extend(component(components, target));
                }
                open.extend(members.values());
            }
            _ => {}
        }
    }
    used
}

fn component<'a>(components: &'a Map<String, Value>, target: &str) -> Option<&'a Value> {
    let (kind, name) = target.strip_prefix("#/components/")?.split_once('/')?;
    components.get(kind)?.get(name)
}

/// utoipa keeps extensions in a map without order, another one in each process.
fn settle(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(members) => {
            let mut extensions: Vec<_> =
                members.keys().filter(|name| name.starts_with("x-")).cloned().collect();
            extensions.sort_unstable();
            for name in extensions {
                if let Some(extension) = members.shift_remove(&name) {
                    members.insert(name, extension);
                }
            }
            members.values_mut().for_each(settle);
        }
        _ => {}
    }
}
