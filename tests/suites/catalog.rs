//! A product's life, as a developer would walk it.

use bodega_tests::{Db, Server, both};
use serde_json::json;

both!(
    a_product_with_everything,
    states_follow_actions_only,
    a_choice_in_a_filter_that_is_nearly_right_is_told,
    the_document_says_which_action_leads_where,
);

async fn a_choice_in_a_filter_that_is_nearly_right_is_told(db: Db) {
    let server = Server::start(db).await;
    for (query, said) in [
        ("status=actve", "did you mean `active`?"),
        ("status[in]=draft,archivd", "did you mean `archived`?"),
        ("status=zzzzzzzz", "must be one of draft, "),
        ("brand_id[is_null]=ture", "did you mean `true`?"),
    ] {
        let list = server.call("GET", &format!("/v1/products?{query}")).send().await;
        let problem = list.expect_problem(422, "validation_failed");
        let detail = problem["errors"][0]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(said), "{query}: {detail}");
    }
}

async fn the_document_says_which_action_leads_where(db: Db) {
    let document = Server::start(db).await.openapi().await;
    let states = &document["components"]["schemas"]["Product"]["x-states"];
    assert_eq!(states["field"], "status");
    assert_eq!(states["initial"], json!(["draft", "active"]));
    assert!(states["mermaid"].as_str().is_some_and(|drawn| drawn.starts_with("stateDiagram-v2")));
    for action in states["transitions"].as_array().expect("transitions") {
        let verb = action["operation"].as_str().expect("an id").replace("product.", "");
        let described = &document["paths"][format!("/v1/products/{{id}}/{verb}")]["post"];
        let told = described["description"].as_str().unwrap_or_default();
        let own = json!({"from": action["from"], "to": action["to"]});
        assert_eq!(described["x-transition"], own, "{verb}");
        for state in action["from"].as_array().expect("states") {
            let state = state.as_str().expect("a state");
            assert!(told.contains(&format!("`{state}`")), "{verb} does not say {state}: {told}");
        }
    }
    let tags = document["tags"].as_array().expect("tags");
    let place = |name: &str| tags.iter().position(|tag| tag["name"] == name).expect("a tag");
    let about = tags[place("product")]["description"].as_str().expect("a text");
    assert!(about.contains("| `publish` |") && about.contains("```mermaid"), "{about}");
    // What a shop is about comes before who may do what.
    assert_eq!(place("product"), 0);
    assert!(place("collection") < place("organization"));
}

async fn a_product_with_everything(db: Db) {
    let server = Server::start(db).await;
    let post = async |path: &str, body: serde_json::Value| {
        server.call("POST", path).json(&body).send().await.expect(201)
    };
    let brand = post("/v1/brands", json!({"name": "Casa Norte"})).await;
    let root = post("/v1/categories", json!({"name": "Tools"})).await;
    let leaf = post("/v1/categories", json!({"name": "Hammers", "parent_id": root["id"]})).await;
    let product = post(
        "/v1/products",
        json!({
            "title": "Hammer", "brand_id": brand["id"], "category_ids": [leaf["id"]],
            "options": [{"name": "Weight", "values": ["300 g", "500 g"]}],
        }),
    )
    .await;
    let variant = post(
        "/v1/variants",
        json!({"product_id": product["id"], "sku": "H-300", "options": {"Weight": "300 g"}}),
    )
    .await;
    post(
        "/v1/prices",
        json!({"variant_id": variant["id"], "unit_price": {"amount": 19900, "currency": "MXN"}}),
    )
    .await;

    let path = format!(
        "/v1/products/{}?expand=brand,categories.parent,variants.prices",
        product["id"].as_str().unwrap()
    );
    let before = server.metric("bodega_sql_statements_total").await;
    let whole = server.call("GET", &path).send().await.expect(200);
    let statements = server.metric("bodega_sql_statements_total").await - before;
    assert_eq!(whole["brand"]["name"], "Casa Norte");
    assert_eq!(whole["categories"][0]["parent"]["name"], "Tools");
    assert_eq!(whole["variants"][0]["prices"][0]["unit_price"]["amount"], 19900);
    assert_eq!(statements, 6.0, "one for the product and one for each of five links");

    let taken =
        json!({"product_id": product["id"], "sku": "H-300", "options": {"Weight": "500 g"}});
    let problem = server.call("POST", "/v1/variants").json(&taken).send().await;
    assert_eq!(problem.expect_problem(409, "sku_taken")["errors"][0]["pointer"], "/sku");
}

async fn states_follow_actions_only(db: Db) {
    let server = Server::start(db).await;
    let product = server
        .call("POST", "/v1/products")
        .json(&json!({"title": "Rope"}))
        .send()
        .await
        .expect(201);
    let path = format!("/v1/products/{}", product["id"].as_str().unwrap());
    let status = json!({"status": "active"});
    let refused = server.call("PATCH", &path).json(&status).send().await;
    refused.expect_problem(422, "validation_failed");
    let act = async |verb: &str| server.call("POST", &format!("{path}/{verb}")).send().await;
    assert_eq!(act("publish").await.expect(200)["status"], "active");
    let problem = act("reject").await.expect_problem(409, "invalid_transition");
    assert_eq!(problem["allowed"], json!(["archived"]));
    assert_eq!(act("archive").await.expect(200)["version"], 3);
}
