//! A mutation is done once for each name it is given, whichever way the name comes.

use bodega_tests::{Answer, Db, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use crate::walk::fixtures::fresh;
use crate::walk::walker::Walk;

both!(
    each_command_is_answered_again_to_its_name,
    a_name_in_the_header_names_each_field,
    a_refusal_is_given_again_too,
);

async fn each_command_is_answered_again_to_its_name(db: Db) {
    let walk = Walk::start(db).await;
    let graph = Graph::of(&walk.server).await;
    let key = &walk.server.live_key;
    for operation in walk.commands() {
        let id = &operation.id;
        let ready = walk.ready(operation).await;
        let name = fresh("once");
        let (id_given, body) = (ready.id.as_deref(), ready.body.as_ref());
        let guards = [("idempotencyKey", json!(name))];
        let variables = graph.variables(operation, id_given, body, &guards);
        let root = graph.root(operation);
        let document = root.document(&variables, "{ __typename }");
        let rows = walk.rows().await;
        let first = graph::send(&walk.server, key, &document, &variables).await.expect(200);
        assert!(first.get("errors").is_none(), "{id}: {first}");
        assert!(first["extensions"].get("replayed").is_none(), "{id}: {first}");
        let done = walk.rows().await;
        assert_ne!(rows, done, "{id} does nothing");
        let again = graph::send(&walk.server, key, &document, &variables).await;
        assert_eq!(again.header("idempotent-replayed"), "true", "{id}");
        let again = again.expect(200);
        assert_eq!(again["data"], first["data"], "{id}");
        assert_eq!(again["extensions"]["replayed"], json!([root.name]), "{id}: {again}");
        assert_eq!(walk.rows().await, done, "{id} is done twice");
        // REST knows the name as well.
        let rest = walk.call(&ready).header("Idempotency-Key", &name).send().await;
        assert_eq!(rest.status, operation.success(), "{id}: {}", rest.body);
        assert_eq!(rest.header("idempotent-replayed"), "true", "{id}");
    }
}

async fn a_name_in_the_header_names_each_field(db: Db) {
    let walk = Walk::start(db).await;
    let document = "mutation($a: BrandCreateInput!, $b: BrandCreateInput!) { \
                    a: brandCreate(input: $a) { id } b: brandCreate(input: $b) { id } }";
    let brand = || json!({"name": fresh("Casa")});
    let variables = json!({"a": brand(), "b": brand()});
    let name = fresh("both");
    let first = named(&walk, &name, document, &variables).await.expect(200);
    assert!(first.get("errors").is_none(), "{first}");
    let again = named(&walk, &name, document, &variables).await.expect(200);
    assert_eq!(again["data"], first["data"]);
    assert_eq!(again["extensions"]["replayed"], json!(["a", "b"]));
    // Another request under the same name is told apart, field by field.
    let other = json!({"a": variables["a"], "b": brand()});
    let other = named(&walk, &name, document, &other).await.expect(200);
    assert_eq!(other["data"]["a"], first["data"]["a"]);
    assert_eq!(other["data"]["b"], Value::Null);
    assert_eq!(other["errors"][0]["extensions"]["code"], "idempotency_key_reused", "{other}");
}

async fn named(walk: &Walk, name: &str, query: &str, variables: &Value) -> Answer {
    let body = json!({"query": query, "variables": variables});
    walk.server.call("POST", "/graphql").header("Idempotency-Key", name).json(&body).send().await
}

async fn a_refusal_is_given_again_too(db: Db) {
    let walk = Walk::start(db).await;
    let document = "mutation($input: BrandCreateInput!) { brandCreate(input: $input) { id } }";
    let variables = json!({"input": {"name": "", "idempotencyKey": fresh("refused")}});
    let key = &walk.server.live_key;
    let first = graph::send(&walk.server, key, document, &variables).await.expect(200);
    let again = graph::send(&walk.server, key, document, &variables).await.expect(200);
    let code = |told: &Value| told["errors"][0]["extensions"]["code"].clone();
    assert_eq!(code(&first), "validation_failed", "{first}");
    assert_eq!(code(&again), "validation_failed", "{again}");
}
