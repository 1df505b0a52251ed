//! What a key may do: each operation takes its own scope, and no other stands in for it.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::operations::Operation;
use super::walker::{Walk, fixture};

both!(
    each_operation_takes_its_scope_and_no_other,
    every_scope_is_taken_by_an_operation,
    an_expansion_takes_the_scope_of_what_it_embeds,
    the_lines_of_a_batch_take_their_own_scopes,
    nobody_gives_what_they_do_not_have,
);

async fn each_operation_takes_its_scope_and_no_other(db: Db) {
    let walk = Walk::start(db).await;
    let all = walk.scopes();
    for operation in &walk.operations {
        let [scope] = operation.scopes.as_slice() else { continue };
        let others: Vec<_> = all.iter().filter(|one| *one != scope).map(String::as_str).collect();
        let (_, without) = walk.server.key(&others).await;
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        let seen = walk.send(operation, walk.call_as(&without, &ready)).await;
        let problem = seen.refused(403, "insufficient_scope");
        assert_eq!(problem["scope"], *scope, "{}: {problem}", operation.id);
        let challenge = seen.header("www-authenticate");
        let named = format!("error=\"insufficient_scope\", scope=\"{scope}\"");
        assert!(challenge.contains(&named), "{}: {challenge}", operation.id);
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);

        let mut enough = vec![scope.as_str()];
        enough.extend(fixture(&operation.resource).needs(&operation.verb));
        let (_, with) = walk.server.key(&enough).await;
        walk.send(operation, walk.call_as(&with, &ready)).await.done();
    }
}

async fn every_scope_is_taken_by_an_operation(db: Db) {
    let walk = Walk::start(db).await;
    let taken: BTreeSet<_> = walk.operations.iter().flat_map(|one| one.scopes.clone()).collect();
    assert_eq!(taken, BTreeSet::from_iter(walk.scopes()), "taken, and to be had");
    let free: Vec<_> = walk.operations.iter().filter(|one| one.scopes.is_empty()).collect();
    let free: Vec<_> = free.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(free, ["batch.run"], "operations that take no scope");
}

async fn an_expansion_takes_the_scope_of_what_it_embeds(db: Db) {
    let walk = Walk::start(db).await;
    let mut refused = 0;
    let reads = walk.operations.iter().filter(|one| one.parameter("expand").is_some());
    for operation in reads {
        let ready = walk.ready(operation).await;
        let [scope] = operation.scopes.as_slice() else { panic!("{}: no scope", operation.id) };
        let (_, key) = walk.server.key(&[scope]).await;
        for path in operation.choices("expand") {
            let mut expanded = ready.clone();
            expanded.path.push_str(&format!("?expand={path}"));
            walk.send(operation, walk.call(&expanded)).await.done();
            let seen = walk.send(operation, walk.call_as(&key, &expanded)).await;
            if seen.status == 200 {
                continue;
            }
            // What it lacks is named, and with it the same call is answered.
            let problem = seen.refused(403, "insufficient_scope");
            let missing = problem["scope"].as_str().expect("a scope");
            let (_, both) = walk.server.key(&[scope, missing]).await;
            walk.send(operation, walk.call_as(&both, &expanded)).await.done();
            refused += 1;
        }
    }
    // The keys in `deprecations?expand=key` take `keys:read`.
    assert!(refused >= 2, "expansions that take a scope of their own: {refused}");
}

async fn the_lines_of_a_batch_take_their_own_scopes(db: Db) {
    let walk = Walk::start(db).await;
    let run = walk.operation("batch.run");
    for operation in walk.operations.iter().filter(|one| one.id != run.id) {
        let [scope] = operation.scopes.as_slice() else { panic!("{}: no scope", operation.id) };
        let ready = walk.ready(operation).await;
        let all = walk.scopes();
        let others: Vec<_> = all.iter().filter(|one| *one != scope).map(String::as_str).collect();
        let (_, key) = walk.server.key(&others).await;
        let line = json!({"method": operation.method, "path": ready.path, "body": ready.body});
        for atomic in [false, true] {
            let rows = walk.rows().await;
            let body = json!({"atomic": atomic, "operations": [line]});
            let call = walk.server.call_as(&key, "POST", &run.path).json(&body);
            let result = walk.send(run, call).await.done()["results"][0].clone();
            assert_eq!(result["status"], 403, "{}: {result}", operation.id);
            assert_eq!(result["body"]["scope"], *scope, "{}: {result}", operation.id);
            assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        }
    }
}

async fn nobody_gives_what_they_do_not_have(db: Db) {
    let walk = Walk::start(db).await;
    let (strong, _) = walk.server.key(&["catalog:write"]).await;
    let (weak, _) = walk.server.key(&["catalog:read"]).await;
    let (_, key) = walk.server.key(&["keys:write", "catalog:read"]).await;
    let small = json!({"name": "Small", "plan": "trial", "scopes": ["keys:write", "catalog:read"]});
    let create = walk.operation("api_key.create");
    let made = walk.send(create, walk.server.call("POST", &create.path).json(&small)).await.done();
    let small = made["secret"].as_str().expect("a secret");

    let tries = |operation: &str, id: &str, key: &str, body: Value| {
        let operation: &Operation = walk.operation(operation);
        let call = walk.server.call_as(key, &operation.method, &operation.at(id)).json(&body);
        walk.send(operation, call)
    };
    let name = |scopes: Value| json!({"name": "More", "plan": "trial", "scopes": scopes});
    for (operation, id, body) in [
        ("api_key.create", "", name(json!(["catalog:write"]))),
        ("api_key.create", "", json!({"name": "More", "plan": "trial", "preset": "write"})),
        ("api_key.update", weak.as_str(), json!({"scopes": ["catalog:write"]})),
        ("api_key.rotate", strong.as_str(), json!({})),
    ] {
        let rows = walk.rows().await;
        let problem = tries(operation, id, &key, body).await.refused(403, "insufficient_scope");
        assert_eq!(problem["scope"], "catalog:write", "{operation}: {problem}");
        assert_eq!(walk.rows().await, rows, "{operation}: wrote something");
    }
    // Nor a larger plan; the live key's is the largest.
    for (operation, id, body) in [
        ("api_key.create", "", json!({"name": "More", "plan": "scale", "scopes": ["keys:write"]})),
        ("api_key.update", weak.as_str(), json!({"plan": "standard"})),
        ("api_key.rotate", weak.as_str(), json!({})),
    ] {
        let problem = tries(operation, id, small, body).await.refused(403, "beyond_own_rights");
        assert_eq!(problem["errors"][0]["code"], "larger_than_own_plan", "{operation}: {problem}");
    }
    tries("api_key.rotate", &weak, &key, json!({})).await.done();
}
