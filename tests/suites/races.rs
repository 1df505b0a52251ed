//! Many at once on the same thing: the rules hold, nothing is lost, nothing is answered with a 500.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bodega_tests::{Answer, Api, Db, Server, both};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ledger;

both!(
    one_sku_and_one_combination_go_to_one,
    one_key_makes_one_thing,
    one_document_is_trusted_once,
    changes_of_different_fields_all_stay,
    one_version_is_changed_once,
    moves_never_make_a_cycle,
    what_is_used_does_not_go,
    a_hundred_variants_are_the_limit,
    crossing_batches_all_end,
);

/// The server, and on PostgreSQL a second node beside it.
struct Nodes(Vec<Server>);

impl Nodes {
    async fn start(db: Db) -> Self {
        let first = Server::start(db).await;
        let second = match db {
            Db::Postgres => Some(first.another().await),
            Db::Sqlite => None,
        };
        Self(std::iter::once(first).chain(second).collect())
    }

    /// Each node in turn.
    fn api(&self, turn: usize) -> Api {
        self.0[turn % self.0.len()].api()
    }

    async fn post(&self, path: &str, body: Value) -> String {
        let made = self.api(0).call("POST", path).json(&body).send().await.expect(201);
        made["id"].as_str().expect("an id").to_owned()
    }
}

/// What each of several calls at once was answered: by status and code.
#[derive(Default)]
struct Answers(BTreeMap<String, usize>, Vec<Answer>);

impl Answers {
    fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Only these, and a 503 that says when to come back.
    #[track_caller]
    fn only(&self, known: &[&str]) {
        let other = self.0.keys().find(|key| !known.contains(&key.as_str()) && *key != "503 busy");
        assert!(other.is_none(), "{:?}", self.0);
        let hasty = self.1.iter().find(|a| a.status == 503 && a.header("retry-after").is_empty());
        assert!(hasty.is_none(), "a 503 without Retry-After");
    }
}

/// Sends all of them at the same moment.
async fn at_once(calls: Vec<bodega_tests::Call>) -> Answers {
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(calls.len()));
    let tasks: Vec<_> = calls
        .into_iter()
        .map(|call| {
            let barrier = barrier.clone();
            tokio::spawn(async move {
                barrier.wait().await;
                call.send().await
            })
        })
        .collect();
    let mut answers = Answers::default();
    for task in tasks {
        let answer = task.await.expect("an answer");
        let code = answer.body["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
        let code = if answer.status < 300 { String::new() } else { code };
        *answers.0.entry(format!("{}{code}", answer.status)).or_default() += 1;
        answers.1.push(answer);
    }
    answers
}

async fn one_sku_and_one_combination_go_to_one(db: Db) {
    let nodes = Nodes::start(db).await;
    let mut products = Vec::new();
    for i in 0..20 {
        let options = json!([{ "name": "Size", "values": ["S", "M"] }]);
        let body = json!({ "title": format!("Race {i}"), "options": options });
        products.push(nodes.post("/v1/products", body).await);
    }
    for round in 0..4 {
        let one_sku = products.iter().enumerate().map(|(i, product)| {
            let size = if round % 2 == 0 { "S" } else { "M" };
            let sku = format!("RACE-{round}");
            let body = json!({ "product_id": product, "sku": sku, "options": { "Size": size } });
            nodes.api(i).call("POST", "/v1/variants").json(&body)
        });
        let answers = at_once(one_sku.collect()).await;
        answers.only(&["201", "409 sku_taken", "409 options_taken"]);
        assert_eq!(answers.of("201"), 1, "{:?}", answers.0);
    }
    let fresh = json!({ "title": "Fresh", "options": [{ "name": "Size", "values": ["S"] }] });
    let product = nodes.post("/v1/products", fresh).await;
    let one_combination = (0..20).map(|i| {
        let sku = format!("COMBINATION-{i}");
        let body = json!({ "product_id": product, "sku": sku, "options": { "Size": "S" } });
        nodes.api(i).call("POST", "/v1/variants").json(&body)
    });
    let answers = at_once(one_combination.collect()).await;
    answers.only(&["201", "409 options_taken"]);
    assert_eq!(answers.of("201"), 1, "{:?}", answers.0);
    ledger::check(&nodes.0[0]).await;
}

async fn one_key_makes_one_thing(db: Db) {
    let nodes = Nodes::start(db).await;
    for round in 0..5 {
        let name = format!("Once {round}");
        let calls = (0..20).map(|i| {
            let call = nodes.api(i).call("POST", "/v1/brands");
            call.header("Idempotency-Key", &name).json(&json!({ "name": name }))
        });
        let answers = at_once(calls.collect()).await;
        answers.only(&["201", "409 idempotency_in_progress"]);
        assert!(answers.of("201") >= 1, "{:?}", answers.0);
        let firsts = answers.1.iter().filter(|answer| answer.status == 201);
        let firsts = firsts.filter(|answer| answer.header("idempotent-replayed").is_empty());
        assert_eq!(firsts.count(), 1, "first answers");
    }
    let made = nodes.0[0].number("SELECT COUNT(*) FROM brand WHERE name LIKE 'Once %'").await;
    assert_eq!(made, 5);
}

async fn one_document_is_trusted_once(db: Db) {
    let nodes = Nodes::start(db).await;
    for round in 0..5 {
        let body =
            json!({"name": "Brands", "text": format!("{{ brands {{ totalCount }} }} # {round}")});
        let calls = (0..20).map(|i| nodes.api(i).call("POST", "/v1/trusted_documents").json(&body));
        let answers = at_once(calls.collect()).await;
        answers.only(&["201"]);
        let ids: std::collections::HashSet<_> =
            answers.1.iter().map(|answer| answer.body["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "one document for all who save it");
    }
    assert_eq!(nodes.0[0].number("SELECT COUNT(*) FROM trusted_document").await, 5);
    ledger::check(&nodes.0[0]).await;
}

async fn changes_of_different_fields_all_stay(db: Db) {
    let nodes = Nodes::start(db).await;
    let product = nodes.post("/v1/products", json!({ "title": "Shared" })).await;
    let path = format!("/v1/products/{product}");
    let patches = (0..20)
        .map(|i| json!({ "metadata": { format!("k{i}"): "v" } }))
        .chain((0..5).map(|_| json!({ "title": "Together" })))
        .chain([json!({ "description": "Said" }), json!({ "tax_category": "T" })]);
    let calls = patches.enumerate().map(|(i, body)| nodes.api(i).call("PATCH", &path).json(&body));
    let answers = at_once(calls.collect()).await;
    answers.only(&["200"]);
    assert_eq!(answers.of("200"), 27, "{:?}", answers.0);
    let found = nodes.api(1).call("GET", &path).send().await.expect(200);
    assert_eq!(found["metadata"].as_object().map(serde_json::Map::len), Some(20), "{found}");
    assert_eq!((&found["title"], &found["description"]), (&json!("Together"), &json!("Said")));
    assert_eq!(found["tax_category"], "T");
    // Four of the five that say the same change nothing.
    assert_eq!(found["version"], 1 + 20 + 1 + 2);
    ledger::check(&nodes.0[0]).await;
}

async fn one_version_is_changed_once(db: Db) {
    let nodes = Nodes::start(db).await;
    let brand = nodes.post("/v1/brands", json!({ "name": "Guarded" })).await;
    let path = format!("/v1/brands/{brand}");
    for version in 1..=5 {
        let calls = (0..20).map(|i| {
            let call =
                nodes.api(i).call("PATCH", &path).header("If-Match", &format!("\"{version}\""));
            call.json(&json!({ "name": format!("By {i} at {version}") }))
        });
        let answers = at_once(calls.collect()).await;
        answers.only(&["200", "412 version_mismatch"]);
        assert_eq!(answers.of("200"), 1, "{:?}", answers.0);
    }
    // A line of a batch that is guarded says nothing about a later line that is not.
    let line = |name: &str| json!({ "method": "PATCH", "path": path, "body": { "name": name } });
    let mut first = line("First");
    first["if_match"] = json!(6);
    let body = json!({ "atomic": true, "operations": [first, line("Second")] });
    let done = nodes.api(0).call("POST", "/v1/batch").json(&body).send().await.expect(200);
    assert_eq!(done["committed"], true, "{done}");
    ledger::check(&nodes.0[0]).await;
}

async fn moves_never_make_a_cycle(db: Db) {
    let nodes = Nodes::start(db).await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(nodes.post("/v1/categories", json!({ "name": name })).await);
    }
    let (mut moved, mut refused) = (0, 0);
    for round in 0..30 {
        // Two that want to be under each other; or three in a ring.
        let ring = if round % 2 == 0 { 2 } else { 3 };
        let moves = (0..ring).map(|i| {
            let path = format!("/v1/categories/{}", ids[i]);
            let body = json!({ "parent_id": ids[(i + 1) % ring] });
            nodes.api(i + round / 2).call("PATCH", &path).json(&body)
        });
        let answers = at_once(moves.collect()).await;
        answers.only(&["200", "409 cycle"]);
        assert!(answers.of("200") < ring, "all moves of a ring were made");
        (moved, refused) = (moved + answers.of("200"), refused + answers.of("409 cycle"));
        assert_tree(&nodes.0[0]).await;
        for id in &ids {
            let call = nodes.api(round).call("PATCH", &format!("/v1/categories/{id}"));
            call.json(&json!({ "parent_id": null })).send().await.expect(200);
        }
    }
    println!("{db:?}: {moved} moves made, {refused} refused");
    assert!(moved >= 30 && refused >= 30, "the moves did not meet");
}

/// From every category the way up ends.
async fn assert_tree(server: &Server) {
    let sql = "SELECT id, parent_id FROM category WHERE parent_id IS NOT NULL";
    let parents: HashMap<Uuid, Uuid> =
        ledger::rows::<(Uuid, Uuid)>(server, sql).await.into_iter().collect();
    for start in parents.keys() {
        let (mut at, mut steps) = (start, 0);
        while let Some(parent) = parents.get(at) {
            (at, steps) = (parent, steps + 1);
            assert!(steps <= parents.len(), "a cycle: {parents:?}");
        }
    }
}

async fn what_is_used_does_not_go(db: Db) {
    let nodes = Nodes::start(db).await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..12 {
        let brand = nodes.post("/v1/brands", json!({ "name": format!("Brand {round}") })).await;
        let category = json!({ "name": format!("Category {round}") });
        let category = nodes.post("/v1/categories", category).await;
        let parent =
            nodes.post("/v1/products", json!({ "title": format!("Parent {round}") })).await;
        let variant = json!({ "product_id": parent, "sku": format!("V-{round}") });
        let variant = nodes.post("/v1/variants", variant).await;
        let (amount, currency) = (100 + round, "MXN");
        let post = |path: &str, body: Value| nodes.api(round).call("POST", path).json(&body);
        let delete = |path: String| nodes.api(round + 1).call("DELETE", &path);
        let mut calls = Vec::new();
        for i in 0..3 {
            let title = format!("Of {round} {i}");
            calls.push(post("/v1/products", json!({ "title": title, "brand_id": brand })));
            calls.push(post("/v1/products", json!({ "title": title, "category_ids": [category] })));
            let price = json!({ "amount": amount, "currency": currency });
            let from = (i + 1).to_string();
            let body = json!({ "variant_id": variant, "unit_price": price, "min_quantity": from });
            calls.push(post("/v1/prices", body));
        }
        calls.push(post("/v1/categories", json!({ "name": "Child", "parent_id": category })));
        let place = round % calls.len();
        calls.insert(place, delete(format!("/v1/brands/{brand}")));
        calls.insert(place, delete(format!("/v1/categories/{category}")));
        calls.insert(place, delete(format!("/v1/products/{parent}")));
        let answers = at_once(calls).await;
        answers.only(&["200", "201", "404 not_found", "409 in_use"]);
        answers.0.iter().for_each(|(k, n)| *seen.entry(k.clone()).or_default() += n);
    }
    println!("{db:?}: {seen:?}");
    let server = &nodes.0[0];
    for (child, column, parent) in [
        ("product", "brand_id", "brand"),
        ("product_category", "category_id", "category"),
        ("product_category", "product_id", "product"),
        ("category", "parent_id", "category"),
        ("variant", "product_id", "product"),
        ("price", "variant_id", "variant"),
    ] {
        let dangling = format!(
            "SELECT COUNT(*) FROM {child} AS c WHERE c.{column} IS NOT NULL AND \
             NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.id = c.{column})"
        );
        assert_eq!(server.number(&dangling).await, 0, "{child}.{column}");
    }
    filed_as_shown(server).await;
    assert!(seen.contains_key("404 not_found") || seen.contains_key("409 in_use"), "no race");
    ledger::check(server).await;
}

/// The index of where products are filed says what the products themselves say.
async fn filed_as_shown(server: &Server) {
    let shown: Vec<(Uuid, Value)> =
        ledger::rows(server, "SELECT id, category_ids FROM product").await;
    let mut shown: Vec<(Uuid, Uuid)> = shown
        .iter()
        .flat_map(|(id, ids)| {
            let ids = ids.as_array().into_iter().flatten().filter_map(Value::as_str);
            ids.map(|category| (*id, category.parse().expect("a UUID")))
        })
        .collect();
    let sql = "SELECT product_id, category_id FROM product_category";
    let mut filed: Vec<(Uuid, Uuid)> = ledger::rows(server, sql).await;
    shown.sort_unstable();
    filed.sort_unstable();
    assert_eq!(shown, filed);
}

async fn a_hundred_variants_are_the_limit(db: Db) {
    let nodes = Nodes::start(db).await;
    let values: Vec<String> = (0..11).map(|i| i.to_string()).collect();
    let options = json!([{ "name": "X", "values": values }, { "name": "Y", "values": values }]);
    let product = json!({ "title": "Many", "options": options });
    let product = nodes.post("/v1/products", product).await;
    let variant = |i: usize| {
        let options = json!({ "X": (i % 11).to_string(), "Y": (i / 11).to_string() });
        json!({ "product_id": product, "sku": format!("MANY-{i}"), "options": options })
    };
    let line = |i| json!({ "method": "POST", "path": "/v1/variants", "body": variant(i) });
    let body = json!({ "atomic": true, "operations": (0..95).map(line).collect::<Vec<_>>() });
    let done = nodes.api(0).call("POST", "/v1/batch").json(&body).send().await.expect(200);
    assert_eq!(done["committed"], true);
    let calls =
        (95..115).map(|i| nodes.api(i).call("POST", "/v1/variants").json(&variant(i))).collect();
    let answers = at_once(calls).await;
    answers.only(&["201", "409 limit_reached"]);
    assert_eq!(answers.of("201"), 5, "{:?}", answers.0);
    let there = nodes.0[0].number("SELECT COUNT(*) FROM variant WHERE sku LIKE 'MANY-%'").await;
    assert_eq!(there, 100);
}

/// Batches that lock the same rows in opposite orders: PostgreSQL ends one of them, and its key must
/// be free for another try.
async fn crossing_batches_all_end(db: Db) {
    const BATCHES: usize = 6;
    let nodes = Nodes::start(db).await;
    let mut brands = Vec::new();
    for i in 0..4 {
        brands.push(nodes.post("/v1/brands", json!({ "name": format!("Cross {i}") })).await);
    }
    let bodies: Vec<Value> = (0..BATCHES)
        .map(|batch| {
            let line = |i: usize| {
                let brand = &brands[if batch % 2 == 0 { i } else { 3 - i }];
                let body = json!({ "metadata": { format!("b{batch}-{i}"): "v" } });
                json!({ "method": "PATCH", "path": format!("/v1/brands/{brand}"), "body": body })
            };
            json!({ "atomic": true, "operations": (0..4).map(line).collect::<Vec<_>>() })
        })
        .collect();
    let mut left: Vec<usize> = (0..BATCHES).collect();
    let mut tries = 0;
    while !left.is_empty() {
        let calls = left.iter().map(|batch| {
            let call = nodes.api(*batch).call("POST", "/v1/batch").json(&bodies[*batch]);
            call.header("Idempotency-Key", &format!("cross-{batch}"))
        });
        let answers = at_once(calls.collect()).await;
        answers.only(&["200"]);
        let done = |answer: &Answer| answer.status == 200 && answer.body["committed"] == true;
        let refused = answers.1.iter().find(|answer| answer.status == 200 && !done(answer));
        let said = refused.map(|answer| &answer.body);
        assert!(said.is_none(), "an atomic batch that another try would do was refused: {said:?}");
        left = left.iter().zip(&answers.1).filter(|(_, a)| !done(a)).map(|(b, _)| *b).collect();
        tries += 1;
        assert!(tries < 20, "{left:?} never end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("{db:?}: {BATCHES} crossing batches done in {tries} rounds");
    let sql = "SELECT metadata, id FROM brand WHERE name LIKE 'Cross %'";
    let kept: Vec<(Value, Uuid)> = ledger::rows(&nodes.0[0], sql).await;
    let pairs: usize = kept.iter().filter_map(|(m, _)| m.as_object()).map(|m| m.len()).sum();
    assert_eq!(pairs, 4 * BATCHES);
    ledger::check(&nodes.0[0]).await;
}
