//! What each command leaves behind: its events and audit rows, told of one and the same change.

use std::collections::{BTreeMap, BTreeSet};

use bodega_tests::{Db, both};
use serde_json::{Map, Value, json};

use super::operations::Operation;
use super::walker::{Ready, Walk};

both!(each_command_leaves_its_events_and_audit_rows, the_lines_of_a_batch_leave_theirs);

/// What it makes is another organization's: `attacks::keys` looks into that one's log.
const FOUNDING: &str = "organization.create";

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What one call left behind.
struct Left {
    events: Vec<Value>,
    audit: Vec<Value>,
}

async fn each_command_leaves_its_events_and_audit_rows(db: Db) {
    let walk = Walk::start(db).await;
    let scopes = walk.scopes();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let (key_id, key) = walk.server.key(&scopes).await;
    let own = |one: &&Operation| !["batch.run", FOUNDING].contains(&one.id.as_str());
    for operation in walk.commands().filter(own) {
        let id = &operation.id;
        let ready = walk.ready(operation).await;
        let before = shown(&walk, &ready).await;
        let rows = walk.rows().await;
        let call = walk.call_as(&key, &ready);
        let call = call.header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"));
        let seen = walk.send(operation, call.header("User-Agent", "walker/1")).await;
        seen.done();
        let trace = seen.header("traceparent");
        assert!(trace.starts_with(&format!("00-{TRACE}-")), "{id}: {trace}");

        let request_id = seen.header("request-id");
        let Left { events, audit } = left(&walk, request_id).await;
        let types: BTreeSet<_> = events.iter().map(|event| text(&event["type"])).collect();
        assert_eq!(types, operation.events, "{id}: the events that x-events declares");
        let after = walk.rows().await;
        let written = |table: &str| usize::try_from(after[table] - rows[table]).expect("more");
        assert_eq!(events.len(), written("event"), "{id}: events of another request");
        assert_eq!(audit.len(), written("audit_entry"), "{id}: audit rows of another request");
        assert_eq!(events.len(), audit.len(), "{id}: an event and an audit row for each change");

        for row in events.iter().chain(&audit) {
            assert_eq!(row["actor_type"], "api_key", "{id}: {row}");
            assert_eq!(row["actor_id"], key_id, "{id}: {row}");
            assert_eq!(row["traceparent"], trace, "{id}: {row}");
            // Both tell what the API shows: never a secret, nor what is stored of one.
            let told = row.to_string();
            assert!(!told.contains("\"secret\"") && !told.contains("\"hash\""), "{id}: {told}");
        }
        let mut unmatched: BTreeMap<_, _> =
            audit.iter().map(|row| (text(&row["object_id"]), row)).collect();
        for event in &events {
            let entry = unmatched.remove(&text(&event["object_id"]));
            let entry = entry.unwrap_or_else(|| panic!("{id}: no audit row for {event}"));
            assert_eq!(entry["operation"], *id, "{entry}");
            assert_eq!(entry["object_type"], event["object_type"], "{id}");
            assert_eq!(entry["created_at"], event["created_at"], "{id}");
            assert_eq!(entry["user_agent"], "walker/1", "{id}: {entry}");
            assert_eq!(entry["ip"], "127.0.0.1", "{id}: {entry}");
            tells_of_the_change(&walk, id, event, entry).await;
        }
        // A removal tells the object as it last was.
        if let Some(before) = before.filter(|_| operation.verb == "delete") {
            let gone = events.iter().find(|event| event["object_id"] == before["id"]);
            assert_eq!(gone.expect("its own event")["data"], before, "{id}");
        }
    }
}

/// Holds an event and its audit row against each other, and against the object as it is now.
async fn tells_of_the_change(walk: &Walk, id: &str, event: &Value, entry: &Value) {
    let data = event["data"].as_object().unwrap_or_else(|| panic!("{id}: no data: {event}"));
    let (before, after) = (entry["before"].as_object(), entry["after"].as_object());
    assert_eq!(event["data"]["id"], event["object_id"], "{id}: {event}");
    let get = walk.operation(&format!("{}.get", text(&event["object_type"])));
    let path = get.at(&text(&event["object_id"]));
    let now = walk.send(get, walk.server.call("GET", &path)).await;
    let now = match now.status {
        404 => None,
        _ => Some(now.done()),
    };
    match (before, after) {
        (None, Some(after)) => {
            assert_eq!(Some(data), now.as_ref().and_then(Value::as_object), "{id}: made");
            assert_eq!(data, after, "{id}: all of a new object is new");
            assert_eq!(event["previous"], Value::Null, "{id}: {event}");
            assert_eq!(
                (&event["object_version"], &data["version"]),
                (&json!(1), &json!(1)),
                "{id}"
            );
        }
        (Some(before), None) => {
            assert_eq!(now, None, "{id}: still there");
            assert_eq!(data, before, "{id}: all of a removed object is as it was");
            let last = data["version"].as_i64().expect("a version");
            assert_eq!(event["object_version"], last + 1, "{id}: {event}");
        }
        (Some(before), Some(after)) => {
            assert_eq!(Some(data), now.as_ref().and_then(Value::as_object), "{id}: changed");
            assert_eq!(event["previous"].as_object(), Some(before), "{id}: {event}");
            assert_eq!(event["object_version"], data["version"], "{id}: {event}");
            let names = |part: &Map<String, Value>| part.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(before), names(after), "{id}: {entry}");
            assert!(before.contains_key("version") && before.len() >= 2, "{id}: {entry}");
            for (name, value) in after {
                assert_eq!(value, &data[name], "{id}: {name} as it is");
                assert_ne!(value, &before[name], "{id}: {name} did not change");
            }
            let version = |part: &Map<String, Value>| part["version"].as_i64().expect("a version");
            assert_eq!(version(before) + 1, version(after), "{id}: {entry}");
        }
        (None, None) => panic!("{id}: an audit row of nothing: {entry}"),
    }
}

async fn the_lines_of_a_batch_leave_theirs(db: Db) {
    let walk = Walk::start(db).await;
    let run = walk.operation("batch.run");
    for atomic in [false, true] {
        for operation in walk.commands().filter(|one| one.id != run.id && one.id != FOUNDING) {
            let id = &operation.id;
            let ready = walk.ready(operation).await;
            let line = json!({"method": operation.method, "path": ready.path, "body": ready.body});
            let body = json!({"atomic": atomic, "operations": [line]});
            let seen = walk.send(run, walk.server.call("POST", &run.path).json(&body)).await;
            let result = seen.done()["results"][0].clone();
            assert_eq!(result["status"], operation.success(), "{id}: {result}");
            let Left { events, audit } = left(&walk, seen.header("request-id")).await;
            let types: BTreeSet<_> = events.iter().map(|event| text(&event["type"])).collect();
            assert_eq!(types, operation.events, "{id} in a batch");
            assert_eq!(events.len(), audit.len(), "{id} in a batch");
            let operations: BTreeSet<_> = audit.iter().map(|row| text(&row["operation"])).collect();
            assert_eq!(operations, BTreeSet::from([id.clone()]), "the line's own operation");
        }
    }
}

/// The newest events and audit rows, those of this request.
async fn left(walk: &Walk, request_id: &str) -> Left {
    let of = async |list: &str| {
        let list = walk.operation(list);
        let call = walk.server.call("GET", &format!("{}?limit=50", list.path));
        let page = walk.send(list, call).await.done();
        let rows = page["data"].as_array().expect("rows").iter();
        rows.filter(|row| row["request_id"] == request_id).cloned().collect()
    };
    Left { events: of("event.list").await, audit: of("audit_entry.list").await }
}

/// The object of a call, if it has one.
async fn shown(walk: &Walk, ready: &Ready<'_>) -> Option<Value> {
    let get = walk.operation(&format!("{}.get", ready.operation.resource));
    let path = get.at(ready.id.as_deref()?);
    Some(walk.send(get, walk.server.call("GET", &path)).await.done())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}
