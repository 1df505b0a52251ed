//! What is GraphQL over HTTP's own: methods, media types, persisted queries, limits, the request log.

use bodega_tests::{Call, Db, Server, both};
use serde_json::{Value, json};

both!(
    a_get_only_reads,
    only_json_of_one_request_is_taken,
    a_status_says_how_it_went_to_whom_it_can,
    a_document_is_sent_once_then_its_hash,
    what_is_asked_is_charged_and_noted,
    the_schema_is_shown_only_where_it_may,
    the_headers_are_those_of_rest,
    the_page_to_try_it_comes_whole_from_the_program,
);

const RESPONSE: &str = "application/graphql-response+json";

fn post(server: &Server, body: &Value) -> Call {
    server.call("POST", "/graphql").header("Accept", RESPONSE).json(body)
}

async fn a_get_only_reads(db: Db) {
    let server = Server::start(db).await;
    let get =
        |query: &str| server.call("GET", &format!("/graphql?{query}")).header("Accept", RESPONSE);
    let told = get(
        "query=query($n:Int)%7Bbrands(first:$n)%7Bnodes%7Bid%7D%7D%7D&variables=%7B%22n%22:2%7D",
    );
    let told = told.send().await.expect(200);
    assert_eq!(told["data"]["brands"]["nodes"].as_array().map(Vec::len), Some(2), "{told}");
    let before = server.number("SELECT COUNT(*) FROM brand").await;
    let changing =
        get("query=mutation%7BbrandCreate(input:%7Bname:%22x%22%7D)%7Bid%7D%7D").send().await;
    assert_eq!(changing.header("allow"), "POST, OPTIONS");
    changing.expect_problem(405, "method_not_allowed");
    assert_eq!(server.number("SELECT COUNT(*) FROM brand").await, before);
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = server.call(method, "/graphql").send().await;
        assert!(answer.header("allow").contains("GET, POST"), "{method}");
        answer.expect_problem(405, "method_not_allowed");
    }
}

async fn only_json_of_one_request_is_taken(db: Db) {
    let server = Server::start(db).await;
    let call = || server.call("POST", "/graphql");
    // What a form of another site could send without asking.
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let body = br#"{"query": "{ __typename }"}"#.to_vec();
        let answer = call().header("Content-Type", media).raw(body).send().await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    let batch = json!([{"query": "{ __typename }"}, {"query": "{ __typename }"}]);
    call().json(&batch).send().await.expect_problem(400, "malformed_request");
    let twice = r#"{"query": "{ __typename }", "query": "{ b }"}"#;
    call().bytes(twice).send().await.expect_problem(400, "malformed_json");
    for body in [json!({}), json!({"query": 1}), json!({"query": "{ a }", "sql": 1}), json!("x")] {
        call().json(&body).send().await.expect_problem(400, "malformed_request");
    }
    let refused = call().header("Accept", "text/html").json(&json!({"query": "{ __typename }"}));
    refused.send().await.expect_problem(406, "not_acceptable");
}

async fn a_status_says_how_it_went_to_whom_it_can(db: Db) {
    let server = Server::start(db).await;
    for (query, variables, status, code) in [
        ("{ __typename", json!({}), 400, "query_syntax"),
        ("{ nope }", json!({}), 400, "query_invalid"),
        ("query($n: Int!) { brands(first: $n) { totalCount } }", json!({}), 400, "query_invalid"),
        (
            "query($n: Int) { brands(first: $n) { totalCount } }",
            json!({"n": "x"}),
            400,
            "query_invalid",
        ),
        ("query a { __typename } query b { __typename }", json!({}), 400, "query_invalid"),
        (
            "{ a: product(id: \"1\") { id } a: product(id: \"2\") { id } }",
            json!({}),
            400,
            "query_invalid",
        ),
        ("subscription { __typename }", json!({}), 400, "query_invalid"),
        (
            "{ product(id: \"prod_01k78agk00e008000000000001\") { id } }",
            json!({}),
            200,
            "not_found",
        ),
    ] {
        let body = json!({"query": query, "variables": variables});
        let told = post(&server, &body).send().await;
        assert!(told.header("content-type").starts_with(RESPONSE), "{query}");
        let told = told.expect(status);
        assert_eq!(told["errors"][0]["extensions"]["code"], code, "{query}: {told}");
        assert_eq!(told.get("data").is_some(), status == 200, "{query}: {told}");
        let json = server.call("POST", "/graphql").header("Accept", "application/json").json(&body);
        let json = json.send().await;
        assert!(json.header("content-type").starts_with("application/json"), "{query}");
        assert_eq!(json.expect(200)["errors"][0]["extensions"]["code"], code, "{query}");
    }
    let spanish = json!({"query": "{ product(id: \"brand_01k78agk00e008000000000001\") { id } }"});
    let told = post(&server, &spanish).header("Accept-Language", "es").send().await.expect(200);
    let message = told["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("empieza con"), "{message}");
    // A part fails, the rest is there.
    let query = "{ a: brands(first: 1) { totalCount } b: brands(first: 0) { totalCount } }";
    let told = post(&server, &json!({"query": query})).send().await.expect(200);
    assert!(told["data"]["a"]["totalCount"].is_u64() && told["data"]["b"].is_null(), "{told}");
    assert_eq!(told["errors"][0]["path"], json!(["b"]));
}

async fn a_document_is_sent_once_then_its_hash(db: Db) {
    let server = Server::start(db).await;
    let query = "{ brands(first: 1) { totalCount } }";
    // `printf '{ brands(first: 1) { totalCount } }' | sha256sum`
    let hash = "61393fa1ba73da6deb10f0df5a1f354e882c03392a6d152e1a009ac098c90f1b";
    let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
    let short = json!({"extensions": extensions});
    let unknown = post(&server, &short).send().await.expect(404);
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "persisted_query_not_found");
    let wrong = json!({"query": "{ __typename }", "extensions": extensions});
    post(&server, &wrong).send().await.expect_problem(400, "malformed_request");
    post(&server, &short).send().await.expect(404);
    let whole = json!({"query": query, "extensions": extensions});
    let first = post(&server, &whole).send().await.expect(200);
    let again = post(&server, &short).send().await.expect(200);
    assert_eq!(first["data"], again["data"]);
    let get = format!(
        "/graphql?extensions=%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22{hash}%22%7D%7D"
    );
    assert_eq!(server.call("GET", &get).send().await.expect(200)["data"], first["data"]);
}

async fn what_is_asked_is_charged_and_noted(db: Db) {
    let server = Server::start(db).await;
    let (_, key) = server.key(&["catalog:read", "catalog:write", "audit:read"]).await;
    let send = async |query: &str| {
        let call = server.call_as(&key, "POST", "/graphql").header("Accept", RESPONSE);
        call.json(&json!({"query": query})).send().await
    };
    let left = |answer: &bodega_tests::Answer| -> i64 {
        let limits = answer.header("ratelimit");
        // The key's own or, where less is left of it, that of the keys it shares one with.
        let day = limits.split(", ").find(|one| one.contains("day\"")).expect("a day's limit");
        let rest = day.split("r=").nth(1).expect("what is left");
        rest.split(';').next().and_then(|rest| rest.parse().ok()).expect("a number")
    };
    let before = left(&send("{ __typename }").await);
    let small = send("{ brands(first: 1) { totalCount } }").await;
    assert_eq!(
        (small.body["extensions"]["cost"]["units"].as_i64(), left(&small)),
        (Some(1), before - 1)
    );
    let query = "{ products(first: 100) { nodes { variants { prices { id } } brand { id } } } }";
    let large = send(query).await;
    let units = large.body["extensions"]["cost"]["units"].as_i64().expect("units");
    // A unit for each hundred objects.
    let objects = large.body["extensions"]["cost"]["objects"].as_i64().expect("objects");
    assert_eq!(units, (objects + 99) / 100, "{}", large.body);
    assert!(objects > 100, "{}", large.body);
    assert_eq!(left(&large), before - 1 - units);
    // What is refused is not for nothing.
    let bad = send("{ nope }").await;
    assert_eq!(left(&bad), before - 2 - units);
    let request_id = large.header("request-id");
    for _ in 0..50 {
        let path = format!("/v1/requests/{request_id}");
        let noted = server.call("GET", &path).send().await;
        if noted.status == 200 {
            let noted = noted.body;
            assert_eq!(noted["operation"], "product.list", "{noted}");
            assert_eq!(noted["path"], "/graphql", "{noted}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{request_id} is not noted");
}

async fn the_schema_is_shown_only_where_it_may(db: Db) {
    let server = Server::start_with(db, &[("BODEGA_GRAPHQL_INTROSPECTION", "false")]).await;
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"Brand\") { name } }"] {
        let told = post(&server, &json!({"query": query})).send().await.expect(403);
        assert_eq!(told["errors"][0]["extensions"]["code"], "introspection_off", "{told}");
    }
    post(&server, &json!({"query": "{ __typename }"})).send().await.expect(200);
}

async fn the_headers_are_those_of_rest(db: Db) {
    let server = Server::start(db).await;
    let call = |method: &str, path: &str| {
        let call = server.call(method, path).header("Origin", "https://shop.example");
        call.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    };
    let rest = call("GET", "/v1/brands?limit=1").send().await;
    let graphql = call("POST", "/graphql").json(&json!({"query": "{ __typename }"})).send().await;
    let names = |answer: &bodega_tests::Answer| {
        let skip = ["content-length", "date", "etag", "link", "content-type", "transfer-encoding"];
        let names = answer.headers.keys().map(|name| name.as_str().to_owned());
        let mut names: Vec<_> = names.filter(|name| !skip.contains(&name.as_str())).collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(names(&graphql), names(&rest));
    for name in ["vary", "access-control-allow-origin", "content-security-policy", "bodega-version"]
    {
        assert_eq!(graphql.header(name), rest.header(name), "{name}");
    }
    let preflight = call("OPTIONS", "/graphql").send().await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
}

async fn the_page_to_try_it_comes_whole_from_the_program(db: Db) {
    let server = Server::start(db).await;
    let page = server.call_without_key("GET", "/graphiql").send().await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").to_owned();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self'"),
        "{policy}"
    );
    let html = String::from_utf8(page.bytes).expect("text");
    let mut files = 0;
    // The editor asks for these by itself.
    let workers =
        ["editor", "graphql", "json"].map(|name| format!("/graphiql/assets/{name}.worker.js"));
    let parts = html.split(['"']).filter(|part| part.starts_with('/') || part.contains("//"));
    for part in parts.chain(workers.iter().map(String::as_str)) {
        assert!(part.starts_with('/') && !part.starts_with("//"), "{part} is not ours");
        for encoding in ["gzip", "identity"] {
            let call = server.call_without_key("GET", part).header("Accept-Encoding", encoding);
            let file = call.send().await;
            assert_eq!(file.status, 200, "{part}");
            let packed = file.bytes.starts_with(&[0x1f, 0x8b]);
            assert_eq!(packed, file.header("content-encoding") == "gzip", "{part} as {encoding}");
            assert!(file.bytes.len() > 100 && !(packed && encoding == "identity"), "{part}");
        }
        files += 1;
    }
    assert!(files >= 8, "{files} files");
    let missing = server.call_without_key("GET", "/graphiql/assets/nope.js").send().await;
    missing.expect_problem(404, "not_found");
    server
        .call_without_key("POST", "/graphiql")
        .send()
        .await
        .expect_problem(405, "method_not_allowed");
}
