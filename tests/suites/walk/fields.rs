//! Every field of every body that makes or changes an object is sent, and read back.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::operations::{Operation, id_prefix};
use super::walker::{Ready, Walk};

both!(what_is_sent_is_read_back);

/// Fields that are not shown as they are sent, and why. The list may only shrink.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("api_key.preset", "stands for scopes"),
    ("webhook_endpoint.secret", "is shown once, when it is made"),
    ("webhook_endpoint.signature", "says how the secret is made"),
    ("webhook_endpoint.custom_headers", "their values are secret; their names are shown"),
];

/// Values for fields of which the schema says too little.
fn known(field: &str, ready: &Ready<'_>) -> Option<Value> {
    Some(match field {
        "organization.country" | "brand.country" => json!("VE"),
        "organization.language" => json!("es-VE"),
        "organization.time_zone" => json!("America/Caracas"),
        "api_key.scopes" => json!(["catalog:read", "events:read"]),
        "api_key.plan" => json!("trial"),
        "api_key.expires_at" => json!("2027-06-30T12:00:00Z"),
        "api_key.allowed_ips" => json!(["127.0.0.0/8", "::1"]),
        "api_key.allowed_origins" => json!(["https://panel.example.com"]),
        "webhook_endpoint.event_types" => json!(["brand.created"]),
        "webhook_endpoint.filter" => json!("event.data.name == 'Norte'"),
        "webhook_endpoint.selection" => json!("{ id name }"),
        "webhook_endpoint.url" => json!("https://shop.example.com/other"),
        "trusted_document.text" => json!("query Other { brands { totalCount } }"),
        // What the product offers is known to the fixture.
        "variant.options" => ready.body.as_ref()?.get("options")?.clone(),
        _ => return None,
    })
}

async fn what_is_sent_is_read_back(db: Db) {
    let walk = Walk::start(db).await;
    let (mut tried, mut lost) = (BTreeSet::new(), Vec::new());
    let verbs = ["create", "update"];
    for operation in walk.operations.iter().filter(|one| verbs.contains(&&*one.verb)) {
        let body = operation.body.as_ref().expect("a body");
        for (field, schema) in body["properties"].as_object().expect("fields") {
            let name = format!("{}.{field}", operation.resource);
            if NOT_SHOWN.iter().any(|(hidden, _)| *hidden == name) {
                continue;
            }
            let mut ready = walk.ready(operation).await;
            let value = match known(&name, &ready) {
                Some(value) => value,
                None => value(&walk, operation, schema, tried.len()).await,
            };
            let body = ready.body.as_mut().expect("a body");
            if name == "webhook_endpoint.selection" {
                body["event_types"] = json!(["brand.*"]);
            }
            body[field] = value.clone();
            let done = walk.send(operation, walk.call(&ready)).await.done();
            let shown = shown(&walk, operation, done).await;
            if !holds(&shown[field], &value) {
                lost.push(format!("{}: {field}: {value} became {}", operation.id, shown[field]));
            }
            tried.insert(format!("{}.{field}", operation.id));
        }
    }
    assert_eq!(lost, Vec::<String>::new());
    assert!(tried.len() > 80, "only {} fields were tried: {tried:?}", tried.len());
}

/// Whether what is shown is what was sent; an object may have members from before beside it.
fn holds(shown: &Value, sent: &Value) -> bool {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| shown.get(name) == Some(value))
        }
        _ => shown == sent,
    }
}

/// The object as it is shown later; the answer, where another organization's.
async fn shown(walk: &Walk, operation: &Operation, done: Value) -> Value {
    if let Some(inner) = done.get(&operation.resource).filter(|inner| inner.is_object()) {
        return inner.clone();
    }
    let get = walk.operation(&format!("{}.get", operation.resource));
    let path = get.at(done["id"].as_str().expect("an id"));
    walk.send(get, walk.server.call("GET", &path)).await.done()
}

/// A valid value of a schema that is not its default, and another for each number.
async fn value(walk: &Walk, operation: &Operation, schema: &Value, number: usize) -> Value {
    let schema = operation.resolve(schema);
    if let Some(prefix) = id_prefix(schema) {
        let of = walk
            .operations
            .iter()
            .find(|one| one.verb == "get" && one.prefix().as_deref() == Some(&*prefix));
        let resource = &of.expect("a resource with this prefix").resource;
        return json!(walk.object(&walk.server.live_key, resource).await);
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices
            .iter()
            .rfind(|choice| **choice != schema["default"])
            .expect("a choice")
            .clone();
    }
    let is = |kind: &str| {
        schema["type"] == kind
            || schema["type"].as_array().is_some_and(|all| all.contains(&json!(kind)))
    };
    if is("array") {
        return json!([Box::pin(value(walk, operation, &schema["items"], number)).await]);
    }
    if is("boolean") {
        return json!(schema["default"] != true);
    }
    if is("integer") {
        return json!(schema["minimum"].as_i64().unwrap_or(0).max(0) + 7);
    }
    if is("object") {
        let mut object = json!({});
        if let Some(fields) = schema["properties"].as_object() {
            for (field, inner) in fields {
                object[field] = Box::pin(value(walk, operation, inner, number)).await;
            }
            return object;
        }
        return schema["examples"][0].clone();
    }
    let example = schema["examples"][0].as_str().unwrap_or("status").to_owned();
    let others = [format!("{example}-{number}"), format!("{example}{number}"), example];
    let valid = |text: &String| jsonschema::is_valid(schema, &json!(text));
    json!(others.iter().find(|text| valid(text)).expect("a valid text"))
}
