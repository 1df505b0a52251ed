//! Characters that the parser of documents does not know, and selections that are more than one.

use bodega_tests::{Db, Server, both};
use serde_json::{Value, json};

both!(characters_come_in_all_ways_of_writing, a_selection_is_one_pair_of_braces);

async fn characters_come_in_all_ways_of_writing(db: Db) {
    let server = Server::start(db).await;
    let ask = async |query: &str| {
        server.call("POST", "/graphql").json(&json!({"query": query})).send().await.body
    };
    for (escaped, name) in [
        (r"Uno \ud83d\ude00", "Uno 😀"),
        (r"Dos \uD83D\uDE00!", "Dos 😀!"),
        (r"Tres \u{1F600}", "Tres 😀"),
        (r"Cuatro \u{e9}\u00e9", "Cuatro éé"),
        (r"Cinco \u{22}", "Cinco \""),
        (r"Seis \\ud83d\\ude00", r"Seis \ud83d\ude00"),
    ] {
        let query =
            format!("mutation {{ brandCreate(input: {{name: \"{escaped}\"}}) {{ name }} }}");
        let told = ask(&query).await;
        assert_eq!(told["data"]["brandCreate"]["name"], name, "{told}");
    }
    for escaped in
        [r"\ud83d", r"\ude00\ud83d", r"\ud83d\u0041", r"\u{110000}", r"\u{d83d}", r"\u{}"]
    {
        let query =
            format!("mutation {{ brandCreate(input: {{name: \"{escaped}\"}}) {{ name }} }}");
        let told = ask(&query).await;
        let code = &told["errors"][0]["extensions"]["code"];
        assert_eq!(code, "query_syntax", "{escaped}: {told}");
    }
    // Places are told as their author sees them.
    let query = r#"{ brand(id: "\ud83d\ude00") { nope } }"#;
    let told = ask(query).await;
    let column = query.find("nope").map(|at| at as u64 + 1);
    assert_eq!(told["errors"][0]["locations"][0]["column"].as_u64(), column, "{told}");
}

async fn a_selection_is_one_pair_of_braces(db: Db) {
    let server = Server::start(db).await;
    let keep = async |selection: &str| {
        let body = json!({"url": "https://shop.example/hook", "event_types": ["product.*"],
            "selection": selection});
        server.call("POST", "/v1/webhook_endpoints").json(&body).send().await
    };
    for selection in [
        "@skip(if:true){id}",
        "@include(if: false) { id }",
        "@skip(if: false) { id }",
        "@include(if: true) @skip(if: true) {id}",
        "@deprecated {id}",
        "{id} other: product(id: \"x\") {id}",
        "{id} __typename",
        "{id}} query Other { __typename",
        "{id}} { brands { totalCount }",
        "{id}} fragment More on Product { id",
        "{id}} mutation { brandCreate(input: {name: \"x\"}) { id }",
        "{id}} subscription { events { id }",
        "(id: \"x\") {id}",
        ": product(id: \"x\") {id}",
        "{ id @include(if: $yes) }",
        "{ ...More }",
        "{ __schema { types { name } } }",
        "{}",
        "",
        "#",
        "{ id",
        "{ id } }",
        "} {",
        "\"\"\"",
        "\"",
        "\"\\ud83d",
        "{ id # }",
        "{ id \"text\" }",
    ] {
        let refused = keep(selection).await;
        let pointer = refused.body["errors"][0]["pointer"].clone();
        let (status, code) = (refused.status, refused.body["code"].clone());
        let as_a_text = status == 422 && code == "validation_failed";
        assert!(
            status == 409 && code == "selection_not_valid" || as_a_text,
            "{selection}: {status} {}",
            refused.body
        );
        assert_eq!(pointer, "/selection", "{selection}");
    }
    for selection in [
        "{ id }",
        "\u{feff}# which\n{ id # and\n }",
        "{ number: id, title @include(if: true) }",
        "{ ... on Product { id } ... @include(if: true) { title } }",
        "{ id @skip(if: true) }",
        "{ __typename }",
    ] {
        let kept = keep(selection).await;
        assert_eq!(kept.status, 201, "{selection}: {}", kept.body);
        let id = kept.body["id"].as_str().unwrap_or_default().to_owned();
        let path = format!("/v1/webhook_endpoints/{id}");
        assert_ne!(kept.body["selection"], Value::Null);
        server.call("DELETE", &path).send().await;
    }
}
