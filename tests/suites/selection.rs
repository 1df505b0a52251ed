//! Payloads in the shape of a GraphQL selection.

use std::sync::Arc;

use bodega_tests::{Db, Server, both};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::hook::Hook;

both!(
    a_selection_shapes_what_is_sent,
    what_does_not_fit_is_refused,
    it_runs_with_the_rights_of_who_gave_it,
    however_many_events_its_links_cost_the_same,
    one_that_fits_no_more_is_told_and_can_be_mended,
    what_it_makes_too_large_is_not_sent,
);

const LOOPBACK: (&str, &str) = ("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8", "::1/128"]"#);

async fn shop(db: Db) -> (Server, Hook) {
    (Server::start_with(db, &[LOOPBACK]).await, Hook::open().await)
}

async fn make(server: &Server, path: &str, body: &Value) -> Value {
    server.call("POST", path).json(body).send().await.expect(201)
}

async fn a_selection_shapes_what_is_sent(db: Db) {
    let (server, hook) = shop(db).await;
    let brand = make(&server, "/v1/brands", &json!({"name": "Casa Norte"})).await;
    let endpoint = make(
        &server,
        "/v1/webhook_endpoints",
        &json!({"url": hook.url, "event_types": ["product.created", "product.updated"],
            "fields": ["title"],
            "selection": "{ id name: title kind brandId brand { name maker: id } }"}),
    )
    .await;
    let selection = "{ id name: title kind brandId brand { name maker: id } }";
    assert_eq!(endpoint["selection"], selection);
    let product = json!({"title": "Martillo", "brand_id": brand["id"]});
    let product = make(&server, "/v1/products", &product).await;
    let expected = |name: &str| {
        // In GraphQL's words, as the selection is.
        json!({"id": product["id"], "name": name, "kind": "GOOD", "brandId": brand["id"],
            "brand": {"name": "Casa Norte", "maker": brand["id"]}})
    };
    let created = hook.take(204).await.body;
    assert_eq!(created["type"], "product.created");
    assert_eq!(created["data"], expected("Martillo"));
    let path = format!("/v1/products/{}", product["id"].as_str().expect("an id"));
    let change = json!({"title": "Mazo", "description": "De acero"});
    server.call("PATCH", &path).json(&change).send().await.expect(200);
    let updated = hook.take(204).await.body;
    assert_eq!(updated["data"], expected("Mazo"));
    assert_eq!(updated["previous"], json!({"title": "Martillo"}));

    let test = format!("/v1/webhook_endpoints/{}/test", endpoint["id"].as_str().expect("an id"));
    make_test(&server, &test, "product.updated").await;
    let sample = hook.take(204).await.body;
    let members: Vec<_> = sample["data"].as_object().expect("an object").keys().collect();
    assert_eq!(members, ["id", "name", "kind", "brandId", "brand"]);
    make_test(&server, &test, "brand.created").await;
    // Not shaped by the selection: in REST's words.
    assert!(hook.take(204).await.body["data"]["external_id"].is_string());
}

async fn make_test(server: &Server, path: &str, kind: &str) {
    let answer = server.call("POST", path).json(&json!({"event_type": kind})).send().await;
    assert_eq!(answer.status / 100, 2, "{kind}");
}

async fn what_does_not_fit_is_refused(db: Db) {
    let (server, hook) = shop(db).await;
    let endpoint = |types: Value, selection: &str| {
        let body = json!({"url": hook.url, "event_types": types, "selection": selection});
        server.call("POST", "/v1/webhook_endpoints").json(&body).send()
    };
    for (types, selection, said) in [
        (json!(["product.*"]), "{ nope }", "line 1, column 3"),
        (json!(["product.*"]), "{ id\n  brand }", "line 2, column 3"),
        (json!(["product.*"]), "{ id", "line"),
        (json!(["product.*", "brand.*"]), "{ id }", "one kind"),
        (json!(["*"]), "{ id }", "one kind"),
        (json!(["webhook_endpoint.*"]), "{ secret }", "line 1"),
    ] {
        let refused = endpoint(types, selection).await;
        let refused = refused.expect_problem(409, "selection_not_valid");
        assert_eq!(refused["errors"][0]["pointer"], "/selection", "{selection}");
        let detail = refused["errors"][0]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(said), "{selection}: {detail}");
    }
    let kept = endpoint(json!(["product.*"]), "{ id }").await.expect(201);
    let path = format!("/v1/webhook_endpoints/{}", kept["id"].as_str().expect("an id"));
    let patch = |body: Value| server.call("PATCH", &path).json(&body).send();
    let refused = patch(json!({"event_types": ["brand.*"], "selection": "{ title }"})).await;
    refused.expect_problem(409, "selection_not_valid");
    patch(json!({"event_types": ["*"]})).await.expect_problem(409, "selection_not_valid");
    let bare = patch(json!({"event_types": ["*"], "selection": null})).await.expect(200);
    assert_eq!(bare["selection"], Value::Null);
}

async fn it_runs_with_the_rights_of_who_gave_it(db: Db) {
    let (server, hook) = shop(db).await;
    let (_, poor) = server.key(&["webhooks:read", "webhooks:write"]).await;
    let body = json!({"url": hook.url, "event_types": ["product.*"],
        "selection": "{ id brand { name } }"});
    let refused = server.call_as(&poor, "POST", "/v1/webhook_endpoints").json(&body).send().await;
    refused.expect_problem(403, "insufficient_scope");

    // Nor can such a key turn what another's shows to a place of its own.
    let kept = make(&server, "/v1/webhook_endpoints", &body).await;
    let path = format!("/v1/webhook_endpoints/{}", kept["id"].as_str().expect("an id"));
    let change = |key: &str, body: Value| server.call_as(key, "PATCH", &path).json(&body).send();
    let moved = change(&poor, json!({"url": "https://elsewhere.example.com/"})).await;
    moved.expect_problem(403, "insufficient_scope");
    change(&poor, json!({"description": "Web shop"})).await.expect(200);
}

async fn however_many_events_its_links_cost_the_same(db: Db) {
    let (server, hook) = shop(db).await;
    let server = Arc::new(server);
    let endpoint = make(
        &server,
        "/v1/webhook_endpoints",
        &json!({"url": hook.url, "event_types": ["product.created", "product.updated"],
            "selection": "{ title brand { name } variants { sku } }"}),
    )
    .await;
    let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().expect("an id"));
    server.call("POST", &format!("{path}/pause")).send().await.expect(200);
    let brand = make(&server, "/v1/brands", &json!({"name": "Casa Norte"})).await;
    let lines: Vec<_> = (0..40)
        .map(|number| {
            json!({"method": "POST", "path": "/v1/products",
                "body": {"title": format!("Pieza {number}"), "brand_id": brand["id"]}})
        })
        .collect();
    server.call("POST", "/v1/batch").json(&json!({"operations": lines})).send().await.expect(200);
    // Two events of one object in one page, and its children with each.
    let twice = json!({"title": "Doble", "brand_id": brand["id"]});
    let twice = make(&server, "/v1/products", &twice).await;
    make(&server, "/v1/variants", &json!({"product_id": twice["id"], "sku": "D-1"})).await;
    let path_of = format!("/v1/products/{}", twice["id"].as_str().expect("an id"));
    let change = json!({"title": "Doble dos"});
    server.call("PATCH", &path_of).json(&change).send().await.expect(200);
    while server.number("SELECT COUNT(*) FROM webhook_delivery").await < 42 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let before = statements(&server).await;
    server.call("POST", &format!("{path}/resume")).send().await.expect(200);
    for _ in 0..42 {
        let sent = hook.take(204).await.body;
        assert_eq!(sent["data"]["brand"]["name"], "Casa Norte");
        let twice = sent["object_id"] == twice["id"];
        let variants = if twice { json!([{"sku": "D-1"}]) } else { json!([]) };
        assert_eq!(sent["data"]["variants"], variants, "{sent}");
    }
    let spent = statements(&server).await - before;
    assert!(spent < 120.0, "{spent} statements for 42 deliveries");
}

async fn one_that_fits_no_more_is_told_and_can_be_mended(db: Db) {
    let (server, hook) = shop(db).await;
    let body = json!({"url": hook.url, "event_types": ["brand.*"], "selection": "{ name }"});
    let endpoint = make(&server, "/v1/webhook_endpoints", &body).await;
    let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().expect("an id"));
    server.call("POST", &format!("{path}/pause")).send().await.expect(200);
    // As if the schema had changed since it was saved.
    let database = server.database().await;
    let broken = "UPDATE webhook_endpoint SET selection = '{ nope }'";
    database.execute_unprepared(broken).await.expect("an update");
    server.call("POST", &format!("{path}/resume")).send().await.expect(200);
    make(&server, "/v1/brands", &json!({"name": "Casa Norte"})).await;
    let attempt = loop {
        let tried = server.call("GET", "/v1/webhook_attempts?limit=1").send().await.expect(200);
        if let Some(attempt) = tried["data"].get(0) {
            break attempt.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(attempt["outcome"], "selection_not_valid");
    let reason = attempt["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("1") && reason.contains("nope"), "{reason}");
    // Nothing is held against the receiver, and nothing is lost.
    let health = server.call("GET", &format!("{path}?expand=health")).send().await.expect(200);
    assert_eq!(health["health"]["consecutive_failures"], 0);
    let mended = json!({"selection": "{ named: name }"});
    server.call("PATCH", &path).json(&mended).send().await.expect(200);
    let sent = hook.take(204).await.body;
    assert_eq!(sent["data"], json!({"named": "Casa Norte"}), "tried again, as the schedule says");
}

async fn what_it_makes_too_large_is_not_sent(db: Db) {
    let (server, hook) = shop(db).await;
    let text = "ñ".repeat(5_000);
    let brand = make(&server, "/v1/brands", &json!({"name": "Grande", "description": text})).await;
    let again: String = (0..45).map(|n| format!("a{n}: description ")).collect();
    let selection = format!("{{ id brand {{ {again} }} }}");
    let body = json!({"url": hook.url, "event_types": ["product.*"], "selection": selection});
    make(&server, "/v1/webhook_endpoints", &body).await;
    let product = json!({"title": "Martillo", "brand_id": brand["id"]});
    make(&server, "/v1/products", &product).await;
    let attempt = loop {
        let tried = server.call("GET", "/v1/webhook_attempts?limit=1").send().await.expect(200);
        if let Some(attempt) = tried["data"].get(0) {
            break attempt.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(attempt["outcome"], "answer_too_large", "{attempt}");
}

async fn statements(server: &Server) -> f64 {
    server.metric("bodega_sql_statements_total").await
}
