//! Any object by its id alone: what REST gets, with the same rights and at the same cost.

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use super::parity::{filled, forget};
use super::statements::statements;
use crate::walk::fixtures;
use crate::walk::walker::{Ready, Walk};

both!(
    every_object_is_a_node,
    several_come_in_the_order_of_their_ids,
    a_node_takes_the_scope_to_read_it,
    a_type_costs_one_statement,
);

const SEVERAL: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ...b } } \
                       fragment b on Brand { name } ";

async fn ready(walk: &Walk) -> Vec<Ready<'_>> {
    let gets = walk.operations.iter().filter(|one| one.verb == "get" && one.prefix().is_some());
    let mut all = Vec::new();
    for get in gets {
        all.push(walk.ready(get).await);
    }
    assert!(all.len() >= 15, "{} kinds of objects", all.len());
    all
}

async fn every_object_is_a_node(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    let key = &walk.server.live_key;
    for ready in ready(&walk).await {
        let id = &ready.operation.id;
        let mut rest = walk.call(&ready).send().await.expect(200);
        let kind = graph.view(ready.operation);
        let selection = graph.selection(kind, &rest);
        // Fragments of other types, and of the interface, stand beside it.
        let other = if kind == "Brand" { "Product" } else { "Brand" };
        let document = format!(
            "query($id: ID!) {{ node(id: $id) {{ typed: __typename ... on {kind} {selection} \
             ... on {other} {{ other: id }} ... on Node {{ again: id }} }} }}"
        );
        let variables = json!({"id": ready.id});
        let told = graph::send(&walk.server, key, &document, &variables).await.expect(200);
        let mut node = told["data"]["node"].clone();
        assert_eq!(
            (&node["typed"], &node["again"]),
            (&json!(kind), &json!(ready.id)),
            "{id}: {told}"
        );
        assert!(node.get("other").is_none(), "{id}: {told}");
        let members = node.as_object_mut().expect("an object");
        members.retain(|name, _| name != "typed" && name != "again");
        forget(&mut rest, &["last_used_at"]);
        forget(&mut node, &["lastUsedAt"]);
        let said = graph.answer(ready.operation, &rest);
        assert_eq!(node, filled(&said, &node), "{id}");
        // What is not there, and what no type has the prefix of.
        for nowhere in [ready.operation.nowhere(), fixtures::nowhere("zzz"), "x".to_owned()] {
            let variables = json!({"id": nowhere});
            let told = graph::send(&walk.server, key, &document, &variables).await.expect(200);
            let code = &told["errors"][0]["extensions"]["code"];
            assert_eq!((code, &told["data"]["node"]), (&json!("not_found"), &Value::Null), "{id}");
        }
    }
}

async fn several_come_in_the_order_of_their_ids(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    let key = &walk.server.live_key;
    let (mut ids, mut expected) = (Vec::new(), Vec::new());
    for ready in ready(&walk).await {
        let kind = graph.view(ready.operation);
        ids.push(json!(ready.id));
        expected.push(json!([kind, ready.id]));
        ids.push(json!(ready.operation.nowhere()));
        expected.push(Value::Null);
    }
    // Asked for twice, it is there twice; what is no id is not there.
    for id in [ids[0].clone(), json!("x"), json!(fixtures::nowhere("zzz"))] {
        expected.push(if id == ids[0] { expected[0].clone() } else { Value::Null });
        ids.push(id);
    }
    let told = graph::send(&walk.server, key, SEVERAL, &json!({"ids": ids})).await.expect(200);
    assert!(told.get("errors").is_none(), "{told}");
    let nodes = told["data"]["nodes"].as_array().expect("nodes").iter();
    let shown = nodes.map(|node| match node {
        Value::Null => Value::Null,
        node => json!([node["__typename"], node["id"]]),
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    let nodes = told["data"]["nodes"].as_array().expect("nodes").iter();
    let mut brands = nodes.filter(|node| node["__typename"] == "Brand");
    assert!(brands.all(|brand| brand["name"].is_string()), "{told}");

    let many: Vec<_> = (0..101).map(|_| ids[0].clone()).collect();
    let told = graph::send(&walk.server, key, SEVERAL, &json!({"ids": many})).await.expect(200);
    let extensions = &told["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["pointer"]),
        (&json!("validation_failed"), &json!("/ids"))
    );
    let one = json!({"ids": many[..3]});
    let told = graph::send(&walk.server, key, SEVERAL, &one).await.expect(200);
    assert_eq!(told["extensions"]["cost"], json!({"units": 1, "objects": 3}), "{told}");
}

async fn a_node_takes_the_scope_to_read_it(db: Db) {
    let walk = Walk::start(db).await;
    let (_, key) = walk.server.key(&["keys:read"]).await;
    let live = &walk.server.live_key;
    let (brand, own) = (walk.object(live, "brand").await, walk.object(live, "api_key").await);
    let one = "query($id: ID!) { node(id: $id) { id } }";
    for (document, variables, root) in
        [(one, json!({"id": brand}), "node"), (SEVERAL, json!({"ids": [own, brand]}), "nodes")]
    {
        let told = graph::send(&walk.server, &key, document, &variables).await.expect(200);
        let code = &told["errors"][0]["extensions"]["code"];
        assert_eq!((code, &told["data"][root]), (&json!("insufficient_scope"), &Value::Null));
    }
    let told = graph::send(&walk.server, &key, SEVERAL, &json!({"ids": [own]})).await.expect(200);
    assert_eq!(told["data"]["nodes"][0]["id"], own, "{told}");
    // A link takes the scope to read what it leads to, here as everywhere.
    let (_, narrow) = walk.server.key(&["webhooks:read"]).await;
    let delivery = walk.object(live, "webhook_delivery").await;
    let linked =
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on WebhookDelivery { event { id } } } }";
    let told = graph::send(&walk.server, &narrow, linked, &json!({"ids": [delivery]})).await;
    let told = told.expect(200);
    assert_eq!(told["errors"][0]["extensions"]["code"], "insufficient_scope", "{told}");
    // What belongs to others is not there.
    let (_, stranger) = walk.server.organization("Otra tienda").await;
    let told = graph::send(&walk.server, &stranger, SEVERAL, &json!({"ids": [brand]})).await;
    assert_eq!(told.expect(200)["data"]["nodes"], json!([null]));
}

async fn a_type_costs_one_statement(db: Db) {
    let walk = Walk::stocked(db, 8).await;
    let key = &walk.server.live_key;
    let mut ids = Vec::new();
    for list in ["product.list", "category.list"] {
        let all = walk.all(key, walk.operation(list), "").await;
        ids.push(all.into_iter().map(|one| one["id"].to_string()).collect::<Vec<_>>());
    }
    let document = |each: usize| {
        let ids = ids.iter().flat_map(|ids| &ids[..each]).cloned().collect::<Vec<_>>().join(" ");
        format!("{{ nodes(ids: [{ids}]) {{ id ... on Product {{ brand {{ name }} }} }} }}")
    };
    let (few, many) =
        (statements(&walk, &document(2)).await, statements(&walk, &document(8)).await);
    assert_eq!(few, many, "statements for 2 and for 8 of a type");
    assert!(many <= 3.0, "{many} statements for two types and a link");
}
