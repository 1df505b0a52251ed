//! A call with an `Idempotency-Key` is done once, however often and from wherever it comes.

use bodega_tests::{Call, Db, Server, both};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::fixtures::fresh;
use super::operations::Operation;
use super::seen::Seen;
use super::walker::{Ready, Walk};

both!(
    the_same_call_again_gets_the_first_answer,
    another_call_with_the_key_is_refused,
    a_refusal_is_given_again,
    of_many_at_once_one_is_done,
    a_key_belongs_to_its_organization,
);

const AT_ONCE: usize = 10;

async fn the_same_call_again_gets_the_first_answer(db: Db) {
    let walk = Walk::start(db).await;
    for operation in keyed(&walk) {
        let id = &operation.id;
        let ready = walk.ready(operation).await;
        let key = fresh("once");
        let first = walk.send(operation, with_key(&walk, &ready, &key)).await;
        first.done();
        assert_eq!(first.header("idempotent-replayed"), "", "{id}");
        let rows = walk.rows().await;
        // Bare and quoted are the same key.
        for key in [key.clone(), format!("\"{key}\"")] {
            let again = walk.send(operation, with_key(&walk, &ready, &key)).await;
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{id}");
            assert_eq!(again.header("idempotent-replayed"), "true", "{id}");
            for name in ["etag", "location", "content-type"] {
                assert_eq!(again.header(name), first.header(name), "{id}: {name}");
            }
            assert_ne!(again.header("request-id"), first.header("request-id"), "{id}");
        }
        assert_eq!(walk.rows().await, rows, "{id}: done twice");
    }
}

async fn another_call_with_the_key_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    let mut last = None;
    for operation in keyed(&walk) {
        let id = &operation.id;
        let (ready, mut other) = (walk.ready(operation).await, walk.ready(operation).await);
        if let Some(body) =
            other.body.as_ref().filter(|body| *body != &json!({"overlap_seconds": 60}))
        {
            // The same object, another body; else the same body, another object.
            other.path.clone_from(&ready.path);
            assert_ne!(Some(body), ready.body.as_ref(), "{id}");
        }
        let key = fresh("once");
        walk.send(operation, with_key(&walk, &ready, &key)).await.done();
        let rows = walk.rows().await;
        let mut refused = vec![with_key(&walk, &other, &key)];
        if operation.parameter("If-Match").is_some() {
            refused.push(with_key(&walk, &ready, &key).header("If-Match", "\"1\""));
        }
        for call in refused {
            let problem = walk.send(operation, call).await.refused(422, "idempotency_key_reused");
            assert_eq!(problem["errors"][0]["pointer"], "/Idempotency-Key", "{id}: {problem}");
        }
        // The key of the operation before is taken for this one.
        if let Some(taken) = last.replace(key) {
            let seen = walk.send(operation, with_key(&walk, &other, &taken)).await;
            seen.refused(422, "idempotency_key_reused");
        }
        assert_eq!(walk.rows().await, rows, "{id}: wrote something");
    }
}

async fn a_refusal_is_given_again(db: Db) {
    let walk = Walk::start(db).await;
    for operation in keyed(&walk) {
        let id = &operation.id;
        let mut refusals = Vec::new();
        if operation.has_id() {
            let mut nothing = walk.ready(operation).await;
            nothing.path = operation.at(&operation.nowhere());
            refusals.push((nothing, 404, "not_found"));
        }
        // An organization's own ids are unique in it, and a new one has none.
        let unique = operation.verb == "create" && operation.resource != "organization";
        if unique && operation.fields().iter().any(|(name, _)| *name == "external_id") {
            let first = walk.ready(operation).await;
            walk.send(operation, walk.call(&first)).await.done();
            let mut taken = walk.ready(operation).await;
            let body = taken.body.as_mut().expect("a body");
            body["external_id"] = first.body.as_ref().expect("a body")["external_id"].clone();
            refusals.push((taken, 409, "external_id_taken"));
        }
        for (ready, status, code) in refusals {
            let key = fresh("once");
            let first = walk.send(operation, with_key(&walk, &ready, &key)).await;
            first.refused(status, code);
            let again = walk.send(operation, with_key(&walk, &ready, &key)).await;
            again.refused(status, code);
            assert_eq!(again.body, first.body, "{id}: the same refusal, of the first request");
            assert_eq!(again.header("idempotent-replayed"), "true", "{id}");
        }
    }
    a_refusal_outlives_its_cause(&walk).await;
}

/// What was refused stays refused under its key, also when it could be done by now.
async fn a_refusal_outlives_its_cause(walk: &Walk) {
    let create = walk.operation("variant.create");
    let first = walk.ready(create).await;
    let taken = walk.send(create, walk.call(&first)).await.done();
    let mut second = walk.ready(create).await;
    second.body.as_mut().expect("a body")["sku"] = taken["sku"].clone();
    let key = fresh("once");
    let refused = walk.send(create, with_key(walk, &second, &key)).await;
    assert_eq!(refused.refused(409, "sku_taken")["errors"][0]["pointer"], "/sku");
    let delete = walk.operation("variant.delete");
    let path = delete.at(taken["id"].as_str().expect("an id"));
    walk.send(delete, walk.server.call("DELETE", &path)).await.done();
    let again = walk.send(create, with_key(walk, &second, &key)).await;
    assert_eq!(again.refused(409, "sku_taken"), refused.body);
    walk.send(create, with_key(walk, &second, &fresh("other"))).await.done();
}

async fn of_many_at_once_one_is_done(db: Db) {
    let walk = Walk::start(db).await;
    let calls = |ready: &Ready<'_>, key: &str| {
        (0..AT_ONCE).map(|_| with_key(&walk, ready, key)).collect::<Vec<_>>()
    };
    for operation in keyed(&walk) {
        one_is_done(&walk, operation, calls).await;
    }
}

/// Two nodes over one PostgreSQL; SQLite is for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_on_two_nodes_of_postgres_one_is_done() {
    let walk = Walk::start(Db::Postgres).await;
    let other = walk.server.another().await;
    let on = |server: &Server, ready: &Ready<'_>, key: &str| {
        let operation = ready.operation;
        let call = server.call_as(&walk.server.live_key, &operation.method, &ready.path);
        ready.body.iter().fold(call, Call::json).header("Idempotency-Key", key)
    };
    let calls = |ready: &Ready<'_>, key: &str| {
        let nodes = [&walk.server, &other];
        nodes.into_iter().cycle().take(AT_ONCE).map(|node| on(node, ready, key)).collect::<Vec<_>>()
    };
    for operation in keyed(&walk) {
        one_is_done(&walk, operation, calls).await;
    }
}

/// Sends calls with the same key at once: one is done, the others replay it or are told to wait.
async fn one_is_done(
    walk: &Walk,
    operation: &Operation,
    calls: impl Fn(&Ready<'_>, &str) -> Vec<Call>,
) {
    let id = &operation.id;
    let ready = walk.ready(operation).await;
    let key = fresh("once");
    let rows = walk.rows().await;
    let mut racing = JoinSet::new();
    for call in calls(&ready, &key) {
        racing.spawn(call.send());
    }
    let answers = racing.join_all().await;
    let seen: Vec<_> = answers
        .into_iter()
        .map(|answer| Seen::new(operation, answer, std::time::Duration::ZERO))
        .collect();
    let success = operation.success();
    let (done, others): (Vec<_>, Vec<_>) = seen
        .iter()
        .partition(|one| one.status == success && one.header("idempotent-replayed").is_empty());
    let told: Vec<_> = seen.iter().map(|one| (one.status, &one.body["code"])).collect();
    assert_eq!(done.len(), 1, "{id}: done more or less than once: {told:?}");
    for other in others {
        if other.status == success {
            assert_eq!(other.body, done[0].body, "{id}: another replay");
        } else {
            other.refused(409, "idempotency_in_progress");
            let wait: u32 = other.header("retry-after").parse().unwrap_or_default();
            assert!(wait >= 1, "{id}: no Retry-After");
        }
    }
    let after = walk.rows().await;
    let request_id = done[0].header("request-id");
    // What is founded tells of itself in its own logs.
    let logs = [("event", "event.list"), ("audit_entry", "audit_entry.list")];
    for (table, list) in logs.into_iter().filter(|_| id != "organization.create") {
        let list = walk.operation(list);
        let call = walk.server.call("GET", &format!("{}?limit=50", list.path));
        let page = walk.send(list, call).await.done();
        let newest = page["data"].as_array().expect("rows").iter();
        let own = newest.filter(|row| row["request_id"] == request_id).count();
        let written = usize::try_from(after[table] - rows[table]).expect("more rows");
        assert!(own > 0, "{id}: no {table} of the call that was done");
        assert_eq!(written, own, "{id}: a {table} of a call that was not done");
    }
    assert_eq!(after["idempotency_record"] - rows["idempotency_record"], 1, "{id}: records");
    let again = walk.send(operation, with_key(walk, &ready, &key)).await;
    assert_eq!(again.body, done[0].body, "{id}");
    assert_eq!(again.header("idempotent-replayed"), "true", "{id}");
}

async fn a_key_belongs_to_its_organization(db: Db) {
    let walk = Walk::start(db).await;
    let stranger = walk.stranger().await;
    let scopes = walk.scopes();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let (_, sibling) = walk.server.key(&scopes).await;
    for operation in keyed(&walk) {
        let id = &operation.id;
        let key = fresh("once");
        let ready = walk.ready(operation).await;
        let first = walk.send(operation, with_key(&walk, &ready, &key)).await;
        first.done();
        // The same key in another organization is another key.
        if operation.scopes != ["organizations:create"] {
            let theirs = walk.ready_as(&stranger, operation).await;
            let call = walk.call_as(&stranger, &theirs).header("Idempotency-Key", &key);
            let seen = walk.send(operation, call).await;
            seen.done();
            assert_eq!(seen.header("idempotent-replayed"), "", "{id}: another organization's");
        }
        // Another API key of the organization gets the answer too, unless there is a secret in it.
        let call = walk.call_as(&sibling, &ready).header("Idempotency-Key", &key);
        let seen = walk.send(operation, call).await;
        let secret = has_secret(&first.body) || operation.id == "batch.run";
        match secret {
            true => assert_eq!(seen.refused(422, "idempotency_key_reused")["data"], Value::Null),
            false => assert_eq!(seen.done(), first.body, "{id}"),
        }
    }
}

fn has_secret(body: &Value) -> bool {
    body.to_string().contains("\"secret\"")
}

/// The operations that take an `Idempotency-Key`: every command.
fn keyed(walk: &Walk) -> Vec<&Operation> {
    let all: Vec<_> = walk.commands().collect();
    let bare: Vec<_> =
        all.iter().filter(|one| one.parameter("Idempotency-Key").is_none()).collect();
    assert!(bare.is_empty(), "commands without Idempotency-Key: {bare:?}");
    all
}

fn with_key(walk: &Walk, ready: &Ready<'_>, key: &str) -> Call {
    walk.call(ready).header("Idempotency-Key", key)
}
