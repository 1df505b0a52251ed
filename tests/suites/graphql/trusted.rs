//! Trusted documents: what an organization's programs may ask, and nothing else.

use std::fs;
use std::path::Path;

use bodega_tests::{Answer, Db, Server, both};
use serde_json::{Value, json};

both!(
    a_trusted_document_is_asked_by_its_hash,
    nothing_else_is_answered_where_the_organization_says_so,
    another_organization_trusts_for_itself,
    what_cannot_be_asked_is_not_kept,
    the_documents_that_are_shown_can_be_asked,
);

const DOCUMENT: &str = "query Brands($n: Int) { brands(first: $n) { nodes { id } } }";

async fn ask(server: &Server, body: Value) -> Answer {
    let call = server.call("POST", "/graphql").json(&body);
    call.header("Accept", "application/graphql-response+json").send().await
}

/// The code of the first error.
fn code(answer: &Answer) -> String {
    answer.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

async fn trust(server: &Server, text: &str) -> Value {
    let body = json!({"name": "Brands", "text": text});
    server.call("POST", "/v1/trusted_documents").json(&body).send().await.expect(201)
}

fn id_of(document: &Value) -> String {
    format!("sha256:{}", document["sha256"].as_str().expect("a hash"))
}

/// Allows no other documents, or others again.
async fn only(server: &Server, only: bool) {
    let all = server.call("GET", "/v1/organizations?limit=1").send().await.expect(200);
    let path = format!("/v1/organizations/{}", all["data"][0]["id"].as_str().expect("an id"));
    let body = json!({"trusted_documents_only": only});
    let changed = server.call("PATCH", &path).json(&body).send().await.expect(200);
    assert_eq!(changed["trusted_documents_only"], only);
}

async fn a_trusted_document_is_asked_by_its_hash(db: Db) {
    let server = Server::start(db).await;
    let kept = trust(&server, DOCUMENT).await;
    assert_eq!(trust(&server, DOCUMENT).await["id"], kept["id"], "saved twice, kept once");
    let hash = kept["sha256"].as_str().expect("a hash");
    for body in [
        json!({"documentId": id_of(&kept), "variables": {"n": 2}}),
        json!({"documentId": id_of(&kept).to_uppercase().replace("SHA", "sha"), "variables": {"n": 2}}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}},
            "variables": {"n": 2}}),
    ] {
        let told = ask(&server, body).await.expect(200);
        assert_eq!(told["data"]["brands"]["nodes"].as_array().map(Vec::len), Some(2), "{told}");
    }
    let query = format!("/graphql?documentId={}", id_of(&kept));
    server.call("GET", &query).send().await.expect(200);

    let path = format!("/v1/trusted_documents/{}", kept["id"].as_str().expect("an id"));
    server.call("DELETE", &path).send().await.expect(200);
    let gone = ask(&server, json!({"documentId": id_of(&kept)})).await;
    assert_eq!((gone.status, code(&gone)), (404, "persisted_query_not_found".to_owned()));
    let odd = ask(&server, json!({"documentId": "brands"})).await;
    odd.expect_problem(400, "malformed_request");
}

async fn nothing_else_is_answered_where_the_organization_says_so(db: Db) {
    let server = Server::start(db).await;
    let kept = trust(&server, DOCUMENT).await;
    let changes = trust(&server, "subscription { events { id } }").await;
    only(&server, true).await;
    ask(&server, json!({"query": DOCUMENT})).await.expect(200);
    ask(&server, json!({"documentId": id_of(&kept)})).await.expect(200);
    for body in [
        json!({"query": "{ brands { totalCount } }"}),
        json!({"query": format!("{DOCUMENT} ")}),
        json!({"query": "{ __schema { types { name } } }"}),
        json!({"query": "mutation { brandCreate(input: {name: \"x\"}) { id } }"}),
        json!({"query": "not GraphQL at all"}),
        json!({"documentId": format!("sha256:{}", "0".repeat(64))}),
        json!({"query": "{ brands { totalCount } }",
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": kept["sha256"]}}}),
    ] {
        let refused = ask(&server, body.clone()).await;
        assert_eq!(refused.status, 403, "{body}");
        refused.expect_problem(403, "document_not_trusted");
    }
    let follow = |body: Value| {
        server.call("POST", "/graphql").header("Accept", "text/event-stream").json(&body).send()
    };
    let refused = follow(json!({"query": "subscription { events { type } }"})).await;
    refused.expect_problem(403, "document_not_trusted");
    assert!(changes["sha256"].is_string());
    // The other door asks nothing of the sort.
    server.call("GET", "/v1/brands?limit=1").send().await.expect(200);
    let path = format!("/v1/trusted_documents/{}", kept["id"].as_str().expect("an id"));
    server.call("DELETE", &path).send().await.expect(200);
    let gone = ask(&server, json!({"query": DOCUMENT})).await;
    gone.expect_problem(403, "document_not_trusted");
    only(&server, false).await;
    ask(&server, json!({"query": "{ brands { totalCount } }"})).await.expect(200);
}

async fn another_organization_trusts_for_itself(db: Db) {
    let server = Server::start(db).await;
    let (_, other) = server.organization("Otra").await;
    let kept = trust(&server, DOCUMENT).await;
    only(&server, true).await;
    let by = |body: Value| server.call_as(&other, "POST", "/graphql").json(&body).send();
    by(json!({"query": "{ brands { totalCount } }"})).await.expect(200);
    let unknown = by(json!({"documentId": id_of(&kept)})).await.expect(200);
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "persisted_query_not_found");
}

async fn what_cannot_be_asked_is_not_kept(db: Db) {
    let server = Server::start(db).await;
    for text in ["{ nope }", "{ brands {", "query { brands { totalCount } } fragment F on Brand"] {
        let body = json!({"name": "Brands", "text": text});
        let refused = server.call("POST", "/v1/trusted_documents").json(&body).send().await;
        let refused = refused.expect_problem(409, "document_not_valid");
        assert_eq!(refused["errors"][0]["pointer"], "/text", "{text}");
    }
}

async fn the_documents_that_are_shown_can_be_asked(db: Db) {
    let server = Server::start(db).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let between = |file: &str, start: &str, end: &str| {
        let text = fs::read_to_string(root.join(file)).expect("a file");
        let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{file}: no {start}"));
        rest.split_once(end).expect("an end").0.to_owned()
    };
    let shown = between("README.md", "```graphql\n", "```");
    let mut documents: Vec<_> = shown.split("\n\n").collect();
    assert!(documents.len() >= 4, "{documents:?}");
    let page = "api/surfaces/graphql/assets/page.js";
    let example = between(page, "EXAMPLE = `", "`;");
    documents.push(&example);
    for document in documents {
        trust(&server, document).await;
    }
}
