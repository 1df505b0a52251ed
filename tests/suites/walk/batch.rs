//! Batches: each line is answered as it would have been alone, all together or each for itself.

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::fixtures::{fresh, nowhere};
use super::seen::{Seen, observe};
use super::walker::{Ready, Walk};

both!(
    a_line_is_answered_as_it_would_be_alone,
    a_line_is_refused_as_it_would_be_alone,
    an_atomic_batch_that_fails_leaves_nothing,
    an_atomic_batch_that_succeeds_leaves_everything,
    a_batch_again_does_nothing_twice,
    a_line_has_its_own_key_and_guard,
    a_key_twice_in_a_batch_is_done_once,
    a_refusal_given_again_fails_an_atomic_batch,
    a_thousand_lines_fit,
    what_is_no_batch_is_refused,
);

async fn a_line_is_answered_as_it_would_be_alone(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.id != "batch.run") {
        let (alone, within) = (walk.ready(operation).await, walk.ready(operation).await);
        let alone = walk.send(operation, walk.call(&alone)).await.done();
        for atomic in [false, true] {
            let within = if atomic { walk.ready(operation).await } else { within.clone() };
            let (committed, results) = run(&walk, atomic, &[line(&within)]).await;
            let (id, result) = (&operation.id, &results[0]);
            assert!(committed, "{id}: {result}");
            assert_eq!(result["status"], operation.success(), "{id}: {result}");
            assert_eq!(result["replayed"], false, "{id}: {result}");
            assert_eq!(shape(&result["body"]), shape(&alone), "{id} in a batch");
        }
    }
}

async fn a_line_is_refused_as_it_would_be_alone(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.id != "batch.run") {
        let mut bad = Vec::new();
        let ready = walk.ready(operation).await;
        let mut nope = ready.clone();
        nope.path.push_str("?nope=1");
        bad.push(nope);
        if operation.has_id() {
            for id in [operation.nowhere(), nowhere("zebra"), "x".to_owned()] {
                bad.push(Ready { path: operation.at(&id), ..ready.clone() });
            }
        }
        if operation.is_command() {
            let body = ready.body.clone().unwrap_or_else(|| json!({}));
            let mut unknown = body.clone();
            unknown["nope"] = json!(1);
            bad.push(Ready { body: Some(unknown), ..ready.clone() });
        }
        let rows = walk.rows().await;
        for bad in bad {
            let seen = walk.send(operation, walk.call(&bad)).await;
            assert!(seen.status >= 400, "{}: {}", operation.id, seen.told());
            let (_, results) = run(&walk, false, &[line(&bad)]).await;
            let result = &results[0];
            let id = &operation.id;
            observe(operation, seen.status, &result["body"]);
            assert_eq!(result["status"], seen.status, "{id}: {result}");
            let same = ["type", "title", "status", "detail", "code", "errors", "expected_prefix"];
            for member in same {
                assert_eq!(result["body"][member], seen.body[member], "{id}: {member}: {result}");
            }
        }
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
    }
}

async fn an_atomic_batch_that_fails_leaves_nothing(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.commands().filter(|one| one.id != "batch.run") {
        let id = &operation.id;
        let ready = walk.ready(operation).await;
        let fails = json!({"method": "GET", "path": format!("/v1/brands/{}", nowhere("brand"))});
        let rows = walk.rows().await;
        for (lines, blamed) in [([line(&ready), fails.clone()], 1), ([fails, line(&ready)], 0)] {
            let (committed, results) = run(&walk, true, &lines).await;
            assert!(!committed, "{id}: {results:?}");
            for (index, result) in results.iter().enumerate() {
                let (status, code) =
                    if index == blamed { (404, "not_found") } else { (424, "batch_aborted") };
                assert_eq!(result["status"], status, "{id}: {result}");
                assert_eq!(result["body"]["code"], code, "{id}: {result}");
                assert!(result["body"].get("secret").is_none(), "{id}: {result}");
            }
            assert_eq!(walk.rows().await, rows, "{id}: left something");
        }
        // The same line is still possible.
        let (committed, results) = run(&walk, true, &[line(&ready)]).await;
        assert!(committed, "{id}: {results:?}");
    }
}

async fn an_atomic_batch_that_succeeds_leaves_everything(db: Db) {
    let walk = Walk::start(db).await;
    let mut lines = Vec::new();
    for operation in walk.commands().filter(|one| one.id != "batch.run") {
        lines.push(line(&walk.ready(operation).await));
    }
    // A line finds what the lines before it have done.
    let slug = fresh("brand");
    lines
        .push(json!({"method": "POST", "path": "/v1/brands", "body": {"name": "B", "slug": slug}}));
    lines.push(json!({"method": "GET", "path": format!("/v1/brands?slug={slug}&count=true")}));
    let before = walk.rows().await;
    let (committed, results) = run(&walk, true, &lines).await;
    assert!(committed, "{results:?}");
    for result in &results {
        assert!(result["status"].as_u64() < Some(300), "{result}");
    }
    assert_eq!(results.last().expect("a result")["body"]["total_count"], 1);
    let after = walk.rows().await;
    assert!(after["event"] >= before["event"] + lines.len() as i64 - 1, "{before:?} {after:?}");
}

async fn a_batch_again_does_nothing_twice(db: Db) {
    let walk = Walk::start(db).await;
    for atomic in [false, true] {
        let mut lines = Vec::new();
        for operation in walk.commands().filter(|one| one.id != "batch.run") {
            lines.push(line(&walk.ready(operation).await));
        }
        lines.push(json!({"method": "GET", "path": "/v1/organizations?fields=id"}));
        if !atomic {
            // A refusal is remembered like the rest.
            let path = format!("/v1/brands/{}", nowhere("brand"));
            lines.push(json!({"method": "DELETE", "path": path}));
        }
        let key = fresh("batch");
        let first = run_with(&walk, atomic, &lines, &key).await;
        let rows = walk.rows().await;
        let again = run_with(&walk, atomic, &lines, &key).await;
        assert_eq!(walk.rows().await, rows, "atomic: {atomic}: done twice");
        let (first, again) = (first.done(), again.done());
        assert_eq!(first["committed"], again["committed"]);
        let results = |body: &Value| body["results"].as_array().expect("results").clone();
        for (index, (one, two)) in results(&first).iter().zip(results(&again)).enumerate() {
            let told = format!("atomic: {atomic}: {}: {one} and {two}", lines[index]);
            assert_eq!((&one["status"], &one["body"]), (&two["status"], &two["body"]), "{told}");
            let command = lines[index]["method"] != "GET";
            assert_eq!(one["replayed"], false, "{told}");
            // An atomic batch is remembered whole, one that is not line by line.
            assert_eq!(two["replayed"], command && !atomic, "{told}");
        }
        // Another batch under the same key is refused, as a whole or in the line that is another.
        lines[0]["body"] = json!({"name": "Another"});
        let other = run_with(&walk, atomic, &lines, &key).await;
        if atomic {
            other.refused(422, "idempotency_key_reused");
        } else {
            let result = other.done()["results"][0].clone();
            assert_eq!(result["body"]["code"], "idempotency_key_reused", "{result}");
        }
        assert_eq!(walk.rows().await, rows, "atomic: {atomic}: another batch wrote something");
    }
}

async fn a_line_has_its_own_key_and_guard(db: Db) {
    let walk = Walk::start(db).await;
    for atomic in [false, true] {
        for operation in walk.commands().filter(|one| one.id != "batch.run") {
            let id = &operation.id;
            let ready = walk.ready(operation).await;
            let mut keyed = line(&ready);
            keyed["idempotency_key"] = fresh("line").into();
            let (_, first) = run(&walk, atomic, &[keyed.clone()]).await;
            let rows = walk.rows().await;
            let (_, again) = run(&walk, atomic, &[keyed.clone()]).await;
            assert_eq!(again[0]["body"], first[0]["body"], "{id}");
            assert_eq!(again[0]["replayed"], true, "{id}: {}", again[0]);
            assert_eq!(walk.rows().await, rows, "{id}: done twice");
            // The same key alone is the same call.
            let key = keyed["idempotency_key"].as_str().expect("a key");
            let alone = walk.call(&ready).header("Idempotency-Key", key);
            let seen = walk.send(operation, alone).await;
            assert_eq!(seen.done(), first[0]["body"], "{id}: alone");
            assert_eq!(seen.header("idempotent-replayed"), "true", "{id}: alone");

            if operation.parameter("If-Match").is_some() {
                let mut guarded = line(&walk.ready(operation).await);
                let rows = walk.rows().await;
                guarded["if_match"] = json!(999_999);
                let (_, results) = run(&walk, atomic, &[guarded]).await;
                assert_eq!(results[0]["body"]["code"], "version_mismatch", "{id}: {}", results[0]);
                assert_eq!(walk.rows().await, rows, "{id}: wrote something");
            }
        }
    }
}

async fn a_key_twice_in_a_batch_is_done_once(db: Db) {
    let walk = Walk::start(db).await;
    for atomic in [false, true] {
        for operation in walk.commands().filter(|one| one.id != "batch.run") {
            let id = &operation.id;
            let mut keyed = line(&walk.ready(operation).await);
            let key = fresh("line");
            keyed["idempotency_key"] = key.as_str().into();
            let before = walk.rows().await;
            let (committed, results) = run(&walk, atomic, &[keyed.clone(), keyed.clone()]).await;
            assert!(committed, "{id}: atomic: {atomic}: {results:?}");
            assert_eq!(results[1]["body"], results[0]["body"], "{id}: atomic: {atomic}");
            assert_eq!(results[1]["replayed"], true, "{id}: atomic: {atomic}: {results:?}");
            let after = walk.rows().await;
            let records = after["idempotency_record"] - before["idempotency_record"];
            assert_eq!(records, 1, "{id}: atomic: {atomic}: remembered twice");

            // With another request the key is refused, and so is all of an atomic batch.
            let other = json!({"method": "POST", "path": "/v1/brands", "body": {"name": "Other"},
                "idempotency_key": key});
            let (committed, results) = run(&walk, atomic, std::slice::from_ref(&other)).await;
            assert_eq!(committed, !atomic, "{id}: {results:?}");
            assert_eq!(results[0]["body"]["code"], "idempotency_key_reused", "{id}: {results:?}");
            assert_eq!(walk.rows().await, after, "{id}: atomic: {atomic}: wrote something");
        }
    }
}

async fn a_refusal_given_again_fails_an_atomic_batch(db: Db) {
    let walk = Walk::start(db).await;
    let path = format!("/v1/brands/{}", nowhere("brand"));
    let refused = json!({"method": "DELETE", "path": path, "idempotency_key": fresh("line")});
    let (_, results) = run(&walk, false, std::slice::from_ref(&refused)).await;
    assert_eq!((&results[0]["status"], &results[0]["replayed"]), (&json!(404), &json!(false)));
    let rows = walk.rows().await;
    let fine = json!({"method": "POST", "path": "/v1/brands", "body": {"name": "Fine"}});
    let (committed, results) = run(&walk, true, &[fine, refused]).await;
    assert!(!committed, "{results:?}");
    assert_eq!(results[0]["body"]["code"], "batch_aborted", "{results:?}");
    assert_eq!((&results[1]["status"], &results[1]["replayed"]), (&json!(404), &json!(true)));
    assert_eq!(walk.rows().await, rows, "left something");
}

async fn a_thousand_lines_fit(db: Db) {
    let walk = Walk::start(db).await;
    let lines = |count: usize| {
        let one = |_| match fresh("brand") {
            slug if slug.len() % 2 == 0 => json!({"method": "GET", "path": "/v1/brands?limit=1"}),
            slug => {
                json!({"method": "POST", "path": "/v1/brands", "body": {"name": "B", "slug": slug}})
            }
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    for atomic in [true, false] {
        let thousand = lines(1_000);
        let (committed, results) = run(&walk, atomic, &thousand).await;
        assert!(committed && results.len() == 1_000, "{} results", results.len());
        for (line, result) in thousand.iter().zip(&results) {
            let status = if line["method"] == "GET" { 200 } else { 201 };
            assert_eq!(result["status"], status, "{line}: {result}");
        }
    }
    let run = walk.operation("batch.run");
    let rows = walk.rows().await;
    let body = json!({"operations": lines(1_001)});
    let seen = walk.send(run, walk.server.call("POST", &run.path).json(&body)).await;
    seen.invalid("body", "/operations", "too_many");
    assert_eq!(walk.rows().await, rows, "a batch that is too long wrote something");
}

async fn what_is_no_batch_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    let run_operation = walk.operation("batch.run");
    let line = |method: &str, path: &str| json!({"method": method, "path": path});
    for (line, pointer, code) in [
        (line("PUT", "/v1/brands"), "/operations/0/method", "enum"),
        (line("get", "/v1/brands"), "/operations/0/method", "enum"),
        (line("GET", "/v2/brands"), "/operations/0/path", "pattern"),
        (line("GET", "https://elsewhere.example/v1/brands"), "/operations/0/path", "pattern"),
        (json!({"method": "GET"}), "/operations/0/path", "required"),
        (
            json!({"method": "GET", "path": "/v1/brands", "nope": 1}),
            "/operations/0/nope",
            "unknown_field",
        ),
        (
            json!({"method": "GET", "path": "/v1/brands", "if_match": 0}),
            "/operations/0/if_match",
            "out_of_range",
        ),
        (
            json!({"method": "GET", "path": "/v1/brands", "idempotency_key": ""}),
            "/operations/0/idempotency_key",
            "too_short",
        ),
        (json!("GET /v1/brands"), "/operations/0", "type"),
    ] {
        let body = json!({"operations": [line]});
        let call = walk.server.call("POST", &run_operation.path).json(&body);
        walk.send(run_operation, call).await.invalid("body", pointer, code);
    }
    let call = walk.server.call("POST", &run_operation.path).json(&json!({"operations": []}));
    walk.send(run_operation, call).await.invalid("body", "/operations", "too_few");
    // A batch in a batch, and what leads nowhere, are refused in their line.
    for (line, status, code) in [
        (
            json!({"method": "POST", "path": "/v1/batch", "body": {"operations": []}}),
            404,
            "not_found",
        ),
        (line("GET", "/v1/nowhere"), 404, "not_found"),
        (line("GET", "/v1/brands/"), 404, "not_found"),
        (line("DELETE", "/v1/brands"), 405, "method_not_allowed"),
    ] {
        for atomic in [false, true] {
            let (committed, results) = run(&walk, atomic, std::slice::from_ref(&line)).await;
            assert_eq!(committed, !atomic, "{line}");
            assert_eq!(results[0]["status"], status, "{line}: {}", results[0]);
            assert_eq!(results[0]["body"]["code"], code, "{line}: {}", results[0]);
        }
    }
}

/// A call as a line of a batch.
fn line(ready: &Ready<'_>) -> Value {
    let mut line = json!({"method": ready.operation.method, "path": ready.path});
    if let Some(body) = &ready.body {
        line["body"] = body.clone();
    }
    line
}

/// Runs a batch: whether what it did stays, and the results.
async fn run(walk: &Walk, atomic: bool, lines: &[Value]) -> (bool, Vec<Value>) {
    let run = walk.operation("batch.run");
    let body = json!({"atomic": atomic, "operations": lines});
    let done = walk.send(run, walk.server.call("POST", &run.path).json(&body)).await.done();
    let results = done["results"].as_array().expect("results").clone();
    assert_eq!(results.len(), lines.len(), "{done}");
    (done["committed"] == true, results)
}

async fn run_with(walk: &Walk, atomic: bool, lines: &[Value], key: &str) -> Seen {
    let run = walk.operation("batch.run");
    let body = json!({"atomic": atomic, "operations": lines});
    let call = walk.server.call("POST", &run.path).header("Idempotency-Key", key);
    walk.send(run, call.json(&body)).await
}

/// The members of an answer and what kind of value each has; of the rows of a page, the first's.
fn shape(body: &Value) -> Value {
    let kind = |value: &Value| match value {
        Value::Null => "null or a value",
        Value::String(_) => "null or a value",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let members = body.as_object().into_iter().flatten();
    let mut shape: Value =
        members.map(|(name, value)| (name.clone(), Value::from(kind(value)))).collect();
    if let Some(first) = body["data"].get(0) {
        shape["data"] = self::shape(first);
    }
    shape
}
