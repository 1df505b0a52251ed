//! What changes in the middle of a call: a key that is revoked, documents that are trusted no more;
//! and bodies with more mistakes than anybody wants to hear of.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use serde_json::{Value, json};

both!(
    a_key_revoked_in_the_middle_of_a_batch_does_no_more,
    a_subscription_ends_when_its_document_is_trusted_no_more,
    mistakes_are_told_up_to_twenty,
);

async fn a_key_revoked_in_the_middle_of_a_batch_does_no_more(db: Db) {
    let server = Server::start(db).await;
    let (id, key) = server.key(&["catalog:read", "catalog:write", "keys:write"]).await;
    let brand = |n: usize| json!({"method": "POST", "path": "/v1/brands", "body": {"name": format!("Tarde {n}")}});
    let revoke = json!({"method": "POST", "path": format!("/v1/api_keys/{id}/revoke")});
    let mut lines = vec![brand(0), revoke];
    lines.extend((1..20).map(brand));
    let body = json!({"operations": lines});
    let done = server.call_as(&key, "POST", "/v1/batch").json(&body).send().await.expect(200);
    let statuses: Vec<_> = done["results"].as_array().expect("results").iter().collect();
    assert_eq!((&statuses[0]["status"], &statuses[1]["status"]), (&json!(201), &json!(200)));
    for late in &statuses[2..] {
        assert_eq!(late["body"]["code"], "unauthenticated", "{late}");
    }
    assert_eq!(server.number("SELECT COUNT(*) FROM brand WHERE name LIKE 'Tarde %'").await, 1);

    // By somebody else, while it runs: nothing is done after the revocation was answered.
    let (id, key) = server.key(&["catalog:read", "catalog:write"]).await;
    let lines: Vec<_> = (0..900)
        .map(|n| {
            json!({"method": "POST", "path": "/v1/brands",
        "body": {"name": format!("Largo {n}")}})
        })
        .collect();
    let body = json!({"operations": lines});
    let running = server.call_as(&key, "POST", "/v1/batch").json(&body);
    let running = tokio::spawn(async move { running.send().await });
    let made = "SELECT COUNT(*) FROM brand WHERE name LIKE 'Largo %'";
    while server.number(made).await < 5 {
        assert!(!running.is_finished(), "over too soon");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let path = format!("/v1/api_keys/{id}/revoke");
    server.call("POST", &path).send().await.expect(200);
    // The line that was under way may end.
    let at_revocation = server.number(made).await + 1;
    let done = running.await.expect("a call").expect(200);
    let ok = done["results"].as_array().into_iter().flatten().filter(|one| one["status"] == 201);
    let ok = i64::try_from(ok.count()).expect("a number");
    assert!(ok < 900, "all was done before the key was revoked");
    assert!(ok <= at_revocation, "{ok} done, {at_revocation} when the key was revoked");
}

async fn a_subscription_ends_when_its_document_is_trusted_no_more(db: Db) {
    let server = Server::start(db).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let body = json!({"query": "subscription { brandChanged { event { type } } }"});
    let call = client.post(format!("{}/graphql", server.url)).bearer_auth(&server.live_key);
    let call = call.header("Accept", "text/event-stream").json(&body);
    let mut answer = call.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let path = format!("/v1/organizations/{}", server.organization);
    let only = json!({"trusted_documents_only": true});
    server.call("PATCH", &path).json(&only).send().await.expect(200);
    let mut heard = String::new();
    let read = async {
        while let Ok(Some(bytes)) = answer.chunk().await {
            heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), read).await;
    assert!(ended.is_ok(), "it goes on: {heard}");
    assert!(heard.contains("document_not_trusted"), "{heard}");
}

async fn mistakes_are_told_up_to_twenty(db: Db) {
    let server = Server::start(db).await;
    let members: serde_json::Map<String, Value> =
        (0..60_000).map(|n| (format!("f{n}"), json!(1))).collect();
    let unknown = |members| json!({"name": "Casa", "metadata": {}, "more": 1, "x": members});
    let wide = Value::Object(members.clone());
    let items = json!({"title": "T", "category_ids": vec![json!(1); 300_000]});
    let lines = json!({"operations": vec![json!({"method": "PUT", "path": 1}); 20_000]});
    for (path, body, code) in [
        ("/v1/brands", wide, "unknown_field"),
        ("/v1/brands", unknown(json!(members)), "unknown_field"),
        ("/v1/products", items, "too_many"),
        ("/v1/batch", lines, "too_many"),
    ] {
        let began = Instant::now();
        let told = server.call("POST", path).json(&body).send().await;
        let took = began.elapsed();
        let problem = told.expect_problem(422, "validation_failed");
        let errors = problem["errors"].as_array().expect("errors");
        assert!((1..=20).contains(&errors.len()), "{path}: {} errors", errors.len());
        assert_eq!(errors[0]["code"], code, "{path}: {}", errors[0]);
        println!("{path}: {took:?}");
        assert!(took < Duration::from_secs(5), "{path}: {took:?}");
    }
    // What was meant is looked for where it stands, and is never the word itself.
    let product = json!({"titel": "Taladro", "name": "Taladro", "options": [{"nam": "Talla"}]});
    let told = server.call("POST", "/v1/products").json(&product).send().await;
    let errors = told.expect_problem(422, "validation_failed")["errors"].to_string();
    assert!(errors.contains("`title`") && errors.contains("`name`"), "{errors}");
    let at_top = errors.split("/name").nth(1).expect("the field `name`");
    assert!(!at_top.split('}').next().unwrap_or_default().contains("`name`"), "{errors}");
    let currency = json!({"variant_id": "var_01h455vb4pex5vsknk084sn02q",
        "unit_price": {"amount": 1, "currency": "usd"}});
    let told = server.call("POST", "/v1/prices").json(&currency).send().await;
    let errors = told.expect_problem(422, "validation_failed")["errors"].to_string();
    assert!(errors.contains("did you mean `USD`?"), "{errors}");
}
