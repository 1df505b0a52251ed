//! Each operation through REST, GraphQL and a batch: the same object, audit rows and events.

use bodega_tests::{Answer, Db, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use crate::walk::fixtures::Origin;
use crate::walk::operations::Operation;
use crate::walk::walker::{Ready, Walk, fixture};

both!(reads_are_the_same_through_every_door, commands_do_the_same_through_every_door);

async fn reads_are_the_same_through_every_door(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    let mut compared = 0;
    for operation in walk.operations.iter().filter(|one| !one.is_command()) {
        let id = &operation.id;
        // What is noted beside the calls grows with each: only what is there for good is compared.
        let noted = operation.resource == "request";
        let ready = walk.ready(operation).await;
        let limit = if operation.is_list() { "?limit=5&count=true" } else { "" };
        let ready = Ready { path: format!("{}{limit}", ready.path), ..ready };
        let mut rest = walk.call(&ready).send().await.expect(200);
        let rows = rest["data"].as_array().filter(|_| operation.is_list());
        let sample = rows.map_or(Some(&rest), |rows| rows.first());
        let sample = sample.unwrap_or_else(|| panic!("{id}: nothing to compare"));
        let first = ("first", json!(5));
        let paging = operation.is_list().then_some(first);
        let (id_given, body) = (ready.id.as_deref(), ready.body.as_ref());
        let variables = graph.variables(operation, id_given, body, paging.as_slice());
        let mut document = graph.document(operation, &variables, sample);
        if operation.is_list() {
            document = document.replace("pageInfo {", "totalCount pageInfo {");
        }
        let told = graph::send(&walk.server, &walk.server.live_key, &document, &variables).await;
        let told = told.expect(200);
        let mut data = told["data"][&graph.root(operation).name].clone();
        let line = json!({"method": operation.method, "path": ready.path, "body": ready.body});
        let batch = json!({"operations": [line]});
        let batch = walk.server.call("POST", "/v1/batch").json(&batch).send().await.expect(200);
        let mut line = batch["results"][0]["body"].clone();
        compared += 1;
        // When the key was last used is noted beside the calls, and each of these uses it.
        for told in [&mut rest, &mut data, &mut line] {
            forget(told, &["last_used_at", "lastUsedAt"]);
        }
        let said = match operation.is_list() {
            true => graph.answer(operation, &rest["data"]),
            false => graph.answer(operation, &rest),
        };
        if noted && operation.is_list() {
            assert_eq!(data["nodes"].as_array().map(Vec::len), Some(5), "{id}: {told}");
        } else if operation.is_list() {
            assert_eq!(data["nodes"], filled(&said, &data["nodes"]), "{id}");
            assert_eq!(data["totalCount"], rest["total_count"], "{id}");
            assert_eq!(data["pageInfo"]["hasNextPage"], !rest["next_cursor"].is_null(), "{id}");
            assert_eq!(line["data"], rest["data"], "{id} in a batch");
        } else {
            assert_eq!(data, filled(&said, &data), "{id}");
            assert_eq!(line, rest, "{id} in a batch");
        }
    }
    assert!(compared >= 20, "{compared} reads");
}

async fn commands_do_the_same_through_every_door(db: Db) {
    let walk = Walk::start(db).await;
    let graph = Graph::of(&walk.server).await;
    let mut compared = 0;
    for operation in walk.commands() {
        let id = &operation.id;
        // What there is one of grows by a version with each call, from what the demo made of it.
        let one = fixture(&operation.resource).origin == Origin::Own && operation.has_id();
        if one {
            walk.call(&walk.ready(operation).await).send().await.expect(operation.success());
        }
        let mut rest = Told::by_rest(&walk, &walk.ready(operation).await).await;
        let ready = walk.ready(operation).await;
        let mut graphql = Told::by_graphql(&walk, &graph, &ready, &rest.object).await;
        // A sample is of any event that the endpoint takes.
        let apart: &[&str] = match (one, operation.resource.as_str()) {
            (true, _) => &["version", "object_version"],
            (false, "webhook_delivery" | "webhook_endpoint") => &["event_type", "eventType"],
            _ => &[],
        };
        rest.forget(apart);
        graphql.forget(apart);
        let said = graph.answer(operation, &rest.object);
        assert_eq!(graphql.object, filled(&said, &graphql.object), "{id}");
        assert_eq!(graphql.events, rest.events, "{id}: events");
        assert_eq!(graphql.audit, rest.audit, "{id}: audit rows");
        // What is founded tells of itself in its own log.
        let told = id == "organization.create" || !rest.events.is_empty();
        assert!(operation.events.is_empty() || told, "{id}: no event");
        compared += 1;
        if id == "batch.run" {
            continue;
        }
        let mut batch = Told::by_batch(&walk, &walk.ready(operation).await).await;
        batch.forget(apart);
        assert_eq!(batch.object, rest.object, "{id} in a batch");
        assert_eq!(batch.events, rest.events, "{id} in a batch: events");
        assert_eq!(batch.audit, rest.audit, "{id} in a batch: audit rows");
    }
    assert!(compared >= 25, "{compared} commands");
}

/// What came of a command, made comparable.
struct Told {
    object: Value,
    events: Vec<Value>,
    audit: Vec<Value>,
}

impl Told {
    async fn by_rest(walk: &Walk, ready: &Ready<'_>) -> Self {
        let answer = walk.call(ready).send().await;
        let object = answer.body.clone();
        assert_eq!(answer.status, ready.operation.success(), "{}: {object}", ready.operation.id);
        Self::of(walk, &answer, &object).await
    }

    async fn by_graphql(walk: &Walk, graph: &Graph, ready: &Ready<'_>, sample: &Value) -> Self {
        let (id, body) = (ready.id.as_deref(), ready.body.as_ref());
        let variables = graph.variables(ready.operation, id, body, &[]);
        let document = graph.document(ready.operation, &variables, sample);
        let key = &walk.server.live_key;
        let answer = graph::send(&walk.server, key, &document, &variables).await;
        let id = &ready.operation.id;
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        assert!(answer.body.get("errors").is_none(), "{id}: {}", answer.body);
        let object = answer.body["data"][&graph.root(ready.operation).name].clone();
        Self::of(walk, &answer, &object).await
    }

    async fn by_batch(walk: &Walk, ready: &Ready<'_>) -> Self {
        let Operation { id, method, .. } = ready.operation;
        let line = json!({"method": method, "path": ready.path, "body": ready.body});
        let body = json!({"operations": [line]});
        let answer = walk.server.call("POST", "/v1/batch").json(&body).send().await;
        let result = &answer.body["results"][0];
        assert_eq!(result["status"], ready.operation.success(), "{id}: {result}");
        Self::of(walk, &answer, &result["body"].clone()).await
    }

    fn forget(&mut self, names: &[&str]) {
        for told in [&mut self.object].into_iter().chain(&mut self.events).chain(&mut self.audit) {
            forget(told, names);
        }
    }

    async fn of(walk: &Walk, answer: &Answer, object: &Value) -> Self {
        let request_id = answer.header("request-id");
        let of = async |list: &str| {
            let path = format!("{}?limit=50", walk.operation(list).path);
            let page = walk.server.call("GET", &path).send().await.expect(200);
            let rows = page["data"].as_array().expect("rows").iter();
            let rows = rows.filter(|row| row["request_id"] == request_id);
            let mut rows: Vec<_> = rows.map(plain).collect();
            rows.sort_by_key(Value::to_string);
            rows
        };
        Self {
            object: plain(object),
            events: of("event.list").await,
            audit: of("audit_entry.list").await,
        }
    }
}

/// Empties the members of these names, wherever they are.
pub fn forget(value: &mut Value, names: &[&str]) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                for (name, inner) in members {
                    match names.contains(&name.as_str()) {
                        true => *inner = Value::Null,
                        false => open.push(inner),
                    }
                }
            }
            _ => {}
        }
    }
}

/// What REST told, as far as GraphQL was asked: of a list without an example no member is known.
pub fn filled(rest: &Value, told: &Value) -> Value {
    match (rest, told) {
        (Value::Array(rest), Value::Array(told)) if rest.len() == told.len() => {
            rest.iter().zip(told).map(|(rest, told)| filled(rest, told)).collect()
        }
        (Value::Object(rest), Value::Object(told)) => {
            if told.keys().eq(["__typename"]) {
                return Value::Object(told.clone());
            }
            let asked = rest.iter().filter(|(name, _)| told.contains_key(*name));
            let each = asked.map(|(name, value)| (name.clone(), filled(value, &told[name])));
            Value::Object(each.collect())
        }
        _ => rest.clone(),
    }
}

/// A value without what differs each time: ids, instants, numbers and texts never used twice.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let each = members.iter().map(|(name, value)| match name.as_str() {
                "amount" | "traceparent" | "hint" | "secret" | "sha256" if !value.is_null() => {
                    (name.clone(), json!(name))
                }
                // Pages of what is there; what is there grows.
                "next_cursor" | "prev_cursor" | "data" if value.is_string() || value.is_array() => {
                    (name.clone(), json!(name))
                }
                _ => (name.clone(), plain(value)),
            });
            Value::Object(each.collect())
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::String(text) => Value::String(plain_text(text)),
        other => other.clone(),
    }
}

fn plain_text(text: &str) -> String {
    let is_id = |suffix: &str| {
        suffix.len() == 26 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some((prefix, _)) = text.rsplit_once('_').filter(|(_, suffix)| is_id(suffix)) {
        return format!("{prefix}_");
    }
    if text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') {
        return "an instant".to_owned();
    }
    // What `fresh` makes: `hammer-17-8f3a0c…`, also within a longer text.
    let words = text.split(' ').map(|word| {
        let parts: Vec<&str> = word.split('-').collect();
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let fresh = parts.windows(2).position(|two| digits(two[0]) && two[1].len() == 12);
        fresh.map_or_else(|| word.to_owned(), |at| format!("{}-", parts[..at].join("-")))
    });
    words.collect::<Vec<_>>().join(" ")
}
