//! What is refused through REST is refused through GraphQL and in a batch with the same code.

use bodega_tests::{Db, both};
use serde_json::{Map, Value, json};

use super::graph::{self, Graph};
use crate::walk::fixtures::{self, Origin};
use crate::walk::operations::Operation;
use crate::walk::walker::{Ready, Walk, fixture};

both!(
    each_operation_is_refused_alike_through_every_door,
    a_link_takes_the_scope_to_read_it,
    who_is_nobody_gets_a_problem_document,
);

async fn each_operation_is_refused_alike_through_every_door(db: Db) {
    let walk = Walk::start(db).await;
    let graph = Graph::of(&walk.server).await;
    let (_, powerless) = walk.server.key(&["events:read"]).await;
    let (_, eventless) = walk.server.key(&["catalog:read"]).await;
    let mut compared = 0;
    for operation in walk.operations.iter().filter(|one| one.id != "batch.run") {
        let ready = walk.ready(operation).await;
        let weak = if operation.scopes == ["events:read"] { &eventless } else { &powerless };
        let live = &walk.server.live_key;
        let mut cases = vec![(weak, "insufficient_scope", ready.clone(), None)];
        if operation.has_id() {
            let mut ids = vec![(operation.nowhere(), "not_found")];
            // What is called by a name has no prefix to be wrong.
            ids.extend(operation.prefix().map(|_| (fixtures::nowhere("zzz"), "wrong_id_type")));
            for (id, code) in ids {
                let path = operation.at(&id);
                cases.push((live, code, Ready { id: Some(id), path, ..ready.clone() }, None));
            }
        }
        if operation.problems.contains("version_mismatch") {
            cases.push((live, "version_mismatch", walk.ready(operation).await, Some(987_654)));
        }
        let made = fixture(&operation.resource).origin == Origin::Made;
        if made && operation.verb == "create" && operation.problems.contains("external_id_taken") {
            let mut ready = walk.ready(operation).await;
            let body = ready.body.clone().expect("a body");
            if body.get("external_id").is_some() {
                walk.call(&ready).send().await.expect(201);
                let other = walk.ready(operation).await.body.expect("a body");
                ready.body = Some(other);
                ready.body.as_mut().expect("a body")["external_id"] = body["external_id"].clone();
                cases.push((live, "external_id_taken", ready, None));
            }
        }
        for (key, code, ready, version) in cases {
            let told = through_every_door(&walk, &graph, key, &ready, version).await;
            assert_eq!(told, [code; 3], "{}: REST, GraphQL, batch", operation.id);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} refusals");
}

/// The code of a call's problem: by REST, by GraphQL, as the line of a batch.
async fn through_every_door(
    walk: &Walk,
    graph: &Graph,
    key: &str,
    ready: &Ready<'_>,
    version: Option<i64>,
) -> [String; 3] {
    let Operation { id, method, .. } = ready.operation;
    let mut call = walk.call_as(key, ready);
    let mut line = json!({"method": method, "path": ready.path});
    let mut variables = Map::new();
    variables.extend(ready.id.clone().map(|id| ("id".to_owned(), Value::from(id))));
    if let Some(body) = &ready.body {
        line["body"] = body.clone();
        variables.insert("input".to_owned(), body.clone());
    }
    if let Some(version) = version {
        call = call.header("If-Match", &format!("\"{version}\""));
        line["if_match"] = version.into();
        variables.insert("ifMatch".to_owned(), version.into());
    }
    let rest = call.send().await;
    let lines = json!({"operations": [line]});
    let batch = walk.server.call_as(key, "POST", "/v1/batch").json(&lines).send().await.expect(200);
    let variables = Value::Object(variables);
    let selection =
        if ready.operation.is_list() { "{ pageInfo { endCursor } }" } else { "{ __typename }" };
    let root = graph.root(ready.operation);
    let document = root.document(&variables, selection);
    let told = graph::send(&walk.server, key, &document, &variables).await;
    assert_eq!(told.status, 200, "{id}: {}", told.body);
    let error = &told.body["errors"][0];
    assert_eq!(told.body["data"][&root.name], Value::Null, "{id}");
    assert_eq!(error["path"], json!([root.name]), "{id}: {error}");
    let extensions = &error["extensions"];
    assert_eq!(extensions["request_id"], told.header("request-id"), "{id}: {error}");
    assert_eq!(extensions["status"], rest.status, "{id}: {error}");
    assert_eq!(extensions["errors"], rest.body["errors"], "{id}: {error}");
    if let Some(first) = rest.body["errors"].get(0) {
        assert_eq!(extensions["pointer"], first["pointer"], "{id}: {error}");
    }
    [&rest.body["code"], &extensions["code"], &batch["results"][0]["body"]["code"]]
        .map(|code| code.as_str().unwrap_or_default().to_owned())
}

async fn a_link_takes_the_scope_to_read_it(db: Db) {
    let walk = Walk::start(db).await;
    // Of what is planted there is a link to another area.
    let (_, key) = walk.server.key(&["audit:read"]).await;
    let whole = "{ deprecations(first: 1) { nodes { id key { name } } } }";
    let part = "{ deprecations(first: 1) { nodes { id key_id } } }";
    let refused = graph::send(&walk.server, &key, whole, &json!({})).await.expect(200);
    let error = &refused["errors"][0];
    assert_eq!(error["extensions"]["code"], "insufficient_scope", "{refused}");
    assert_eq!(refused["data"]["deprecations"], Value::Null);
    let told = graph::send(&walk.server, &key, part, &json!({})).await.expect(200);
    assert!(told.get("errors").is_none(), "{told}");
    let live = &walk.server.live_key;
    let told = graph::send(&walk.server, live, whole, &json!({})).await.expect(200);
    assert!(told["data"]["deprecations"]["nodes"][0]["key"]["name"].is_string(), "{told}");
}

async fn who_is_nobody_gets_a_problem_document(db: Db) {
    let walk = Walk::start(db).await;
    let nobody = graph::send(&walk.server, "bdg_live_nonsense", "{ __typename }", &json!({})).await;
    nobody.expect_problem(401, "unauthenticated");
    let call = walk.server.call_without_key("POST", "/graphql").json(&json!({"query": "{ a }"}));
    call.send().await.expect_problem(401, "unauthenticated");
}
