//! What is refused through REST is refused through GraphQL and in a batch with the same code.

use bodega_graphql::names::camel;
use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use crate::walk::fixtures::{self, Origin};
use crate::walk::operations::Operation;
use crate::walk::walker::{Ready, Walk, fixture};

both!(
    each_operation_is_refused_alike_through_every_door,
    a_link_takes_the_scope_to_read_it,
    who_is_nobody_gets_a_problem_document,
    a_fault_is_named_as_it_was_written,
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
    if let Some(body) = &ready.body {
        line["body"] = body.clone();
    }
    if let Some(version) = version {
        call = call.header("If-Match", &format!("\"{version}\""));
        line["if_match"] = version.into();
    }
    let guards = version.map(|version| ("ifMatch", json!(version)));
    let (id_given, body) = (ready.id.as_deref(), ready.body.as_ref());
    let variables = graph.variables(ready.operation, id_given, body, guards.as_slice());
    let rest = call.send().await;
    let lines = json!({"operations": [line]});
    let batch = walk.server.call_as(key, "POST", "/v1/batch").json(&lines).send().await.expect(200);
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
    let places = |errors: &Value| errors.as_array().map(Vec::len).unwrap_or_default();
    assert_eq!(places(&extensions["errors"]), places(&rest.body["errors"]), "{id}: {error}");
    if let Some(first) = rest.body["errors"].get(0) {
        let told = &extensions["errors"][0];
        assert_eq!((&told["code"], &told["detail"]), (&first["code"], &first["detail"]), "{id}");
        let pointer = first["pointer"].as_str().expect("a pointer");
        let own = pointer.split('/').skip(1).map(|name| format!("/{}", camel(name)));
        let own = format!("/input{}", own.collect::<String>());
        assert_eq!(extensions["pointer"], own, "{id}: {error}");
        assert_eq!((&told["pointer"], &told["in"]), (&json!(own), &json!("arguments")), "{id}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(first["detail"].as_str().expect("a detail")), "{id}: {error}");
    }
    [&rest.body["code"], &extensions["code"], &batch["results"][0]["body"]["code"]]
        .map(|code| code.as_str().unwrap_or_default().to_owned())
}

async fn a_link_takes_the_scope_to_read_it(db: Db) {
    let walk = Walk::start(db).await;
    // Of what is planted there is a link to another area.
    let (_, key) = walk.server.key(&["audit:read"]).await;
    let whole = "{ deprecations(first: 1) { nodes { id key { name } } } }";
    let part = "{ deprecations(first: 1) { nodes { id keyId } } }";
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

async fn a_fault_is_named_as_it_was_written(db: Db) {
    let walk = Walk::start(db).await;
    let server = &walk.server;
    let none = "brand_01h455vb4pex5vsknk084sn02q";
    for (document, pointer, message) in [
        (
            "mutation { brandCreate(input: {name: \" \"}) { id } }",
            "/input/name",
            "name must not be blank",
        ),
        (
            "mutation { brandCreate(input: {name: \"x\", externalId: \"\"}) { id } }",
            "/input/externalId",
            "externalId ",
        ),
        (
            "mutation { productCreate(input: {title: \"x\", options: [{name: \"\", values: [\"M\"]}]}) \
             { id } }",
            "/input/options/0/name",
            "options.0.name ",
        ),
        (
            &format!(
                "mutation {{ productCreate(input: {{title: \"x\", brandId: \"{none}\"}}) {{ id }} }}"
            ),
            "/input/brandId",
            "brandId: ",
        ),
        // A map of REST is a list of pairs.
        (
            "mutation { variantCreate(input: {sku: \"X-1\", productId: \"prod_01h455vb4pex5vsknk084sn02q\", options: \
             [{name: \"Talla\", value: \"M\"}, {name: \"Color\", value: \"\"}]}) { id } }",
            "/input/options/1/value",
            "options.1.value ",
        ),
        ("{ products(first: 0) { totalCount } }", "/first", "first must be from 1 to 100"),
        ("{ products(last: 101) { totalCount } }", "/last", "last must be from 1 to 100"),
        ("{ products(after: \"x\") { totalCount } }", "/after", "after "),
        ("{ products(before: \"x\", last: 2) { totalCount } }", "/before", "before "),
        (
            "{ products(filter: {createdAt: {gte: \"x\"}}) { totalCount } }",
            "/filter/createdAt/gte",
            "filter.createdAt.gte ",
        ),
    ] {
        let told = graph::send(server, &server.live_key, document, &json!({})).await.expect(200);
        let error = &told["errors"][0];
        let first = &error["extensions"]["errors"][0];
        assert_eq!(error["extensions"]["pointer"], pointer, "{document}: {told}");
        assert_eq!((&first["pointer"], &first["in"]), (&json!(pointer), &json!("arguments")));
        let said = error["message"].as_str().unwrap_or_default();
        let detail = first["detail"].as_str().expect("a detail");
        assert!(said.starts_with(message) && said.ends_with(detail), "{document}: {said}");
    }
    // Kept with its key, a refusal is told the same again; a key in the header is no argument.
    let key = fixtures::fresh("again");
    let mut told = Vec::new();
    for _ in 0..2 {
        let query = format!(
            "mutation {{ productCreate(input: {{title: \"x\", brandId: \"{none}\"}}) {{ id }} }}"
        );
        let call = server.call("POST", "/graphql").header("Idempotency-Key", &key);
        told.push(call.json(&json!({"query": query})).send().await.expect(200));
    }
    assert_eq!(told[1]["extensions"]["replayed"], json!(["productCreate"]), "{told:?}");
    for told in &told {
        let error = &told["errors"][0];
        assert_eq!(error["extensions"]["pointer"], "/input/brandId", "{told}");
        assert!(
            error["message"].as_str().is_some_and(|said| said.starts_with("brandId: ")),
            "{told}"
        );
    }
    let again = format!(
        "mutation {{ brandCreate(input: {{name: \"y\", idempotencyKey: \"{key}\"}}) {{ id }} }}"
    );
    let told = graph::send(server, &server.live_key, &again, &json!({})).await.expect(200);
    let extensions = &told["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "idempotency_key_reused", "{told}");
    assert_eq!(extensions["pointer"], "/input/idempotencyKey", "{told}");
}
