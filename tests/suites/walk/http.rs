//! HTTP as it should be: methods, browsers, addresses, languages.

use std::collections::{BTreeMap, BTreeSet};

use bodega_tests::{Answer, Db, both};
use serde_json::{Value, json};

use super::operations::Operation;
use super::seen::Seen;
use super::walker::Walk;

both!(
    head_is_get_without_the_body,
    options_and_405_tell_the_methods,
    what_is_nowhere_is_a_problem,
    origins_are_held_to_the_key,
    addresses_are_held_to_the_key,
    problems_speak_spanish,
);

async fn head_is_get_without_the_body(db: Db) {
    let walk = Walk::start(db).await;
    for operation in walk.operations.iter().filter(|one| one.method == "GET") {
        let id = &operation.id;
        let path = walk.ready(operation).await.path;
        let bad = format!("{path}?nope=1");
        for path in [&path, &bad] {
            let get = walk.server.call("GET", path).send().await;
            let head = walk.server.call("HEAD", path).send().await;
            assert_eq!((head.status, head.bytes.len()), (get.status, 0), "{id}: HEAD {path}");
            let mut names = vec!["content-type", "bodega-version", "cache-control", "vary"];
            // The log of calls has one more by now.
            names.extend((operation.resource != "request").then_some("etag"));
            for name in names.into_iter().filter(|_| !operation.id.starts_with("api_key.")) {
                assert_eq!(head.header(name), get.header(name), "{id}: {name} of HEAD {path}");
            }
            assert!(head.header("request-id").starts_with("req_"), "{id}: HEAD {path}");
        }
        let bare = walk.server.call_without_key("HEAD", &path).send().await;
        assert_eq!((bare.status, bare.bytes.len()), (401, 0), "{id}: HEAD without a key");
    }
}

async fn options_and_405_tell_the_methods(db: Db) {
    let walk = Walk::start(db).await;
    let mut paths: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in &walk.operations {
        paths.entry(&operation.path).or_default().insert(&operation.method);
    }
    for (path, mut methods) in paths {
        let path = path.replace("{id}", "x");
        let taken = methods.clone();
        methods.extend(taken.contains("GET").then_some("HEAD"));
        methods.insert("OPTIONS");
        let allowed = |answer: &Answer| -> BTreeSet<String> {
            answer.header("allow").split(", ").map(str::to_owned).collect()
        };
        let wanted: BTreeSet<String> = methods.iter().map(|method| (*method).to_owned()).collect();

        // A browser asks without a key.
        let ask = walk.server.call_without_key("OPTIONS", &path);
        let ask = ask.header("Origin", "https://shop.example");
        let ask = ask.header("Access-Control-Request-Method", "POST").send().await;
        assert_eq!((ask.status, ask.bytes.len()), (204, 0), "OPTIONS {path}");
        assert_eq!(allowed(&ask), wanted, "OPTIONS {path}");
        assert_eq!(ask.header("access-control-allow-origin"), "https://shop.example", "{path}");
        assert_eq!(ask.header("access-control-allow-methods"), ask.header("allow"), "{path}");
        let sendable = ask.header("access-control-allow-headers").to_ascii_lowercase();
        for name in ["authorization", "content-type", "idempotency-key", "if-match"] {
            assert!(sendable.contains(name), "{path}: {sendable}");
        }

        let all = ["GET", "POST", "PATCH", "DELETE", "PUT", "TRACE", "QUERY", "BREW"];
        for method in all.into_iter().filter(|method| !taken.contains(method)) {
            let refused = walk.server.call(method, &path).send().await;
            assert_eq!(allowed(&refused), wanted, "{method} {path}");
            refused.expect_problem(405, "method_not_allowed");
        }
    }
}

async fn what_is_nowhere_is_a_problem(db: Db) {
    let walk = Walk::start(db).await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nope",
        "/v1/brands/",
        "/v1//brands",
        "/v1/brands/x/y",
        "/v1/brands/x/y/z",
        "/v1/Brands",
        "/v2/brands",
        "/nope",
        "/v1/products/x/nope",
        "/v1/brands%2f",
        "/v1/%62rands/",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            let answer = walk.server.call(method, path).send().await;
            assert!([404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
            let problem = answer.expect_problem(404, "not_found");
            let instance = problem["instance"].as_str().unwrap_or_default();
            assert!(instance.starts_with("/"), "{method} {path}: {problem}");
        }
    }
    // What a percent sign stands for is what it is.
    let answer = walk.server.call("GET", "/v1/%62rands").send().await;
    answer.expect(200);
}

async fn origins_are_held_to_the_key(db: Db) {
    let walk = Walk::start(db).await;
    let key = made(&walk, json!({"allowed_origins": ["https://shop.example"]})).await;
    for operation in &walk.operations {
        let id = &operation.id;
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        for origin in
            ["https://evil.example", "http://shop.example", "https://shop.example:8443", "null"]
        {
            let call = walk.call_as(&key, &ready).header("Origin", origin);
            walk.send(operation, call).await.refused(403, "origin_not_allowed");
        }
        assert_eq!(walk.rows().await, rows, "{id}: wrote something");
        let call = walk.call_as(&key, &ready).header("Origin", "https://shop.example");
        let seen = walk.send(operation, call).await;
        held(&seen, operation);
        assert_eq!(seen.header("access-control-allow-origin"), "https://shop.example", "{id}");
        assert!(seen.header("access-control-expose-headers").contains("Request-Id"), "{id}");
        assert!(seen.header("vary").contains("Origin"), "{id}");
        // What is no browser sends none, and a key without origins is held to none.
        let again = walk.ready(operation).await;
        held(&walk.send(operation, walk.call_as(&key, &again)).await, operation);
    }
}

async fn addresses_are_held_to_the_key(db: Db) {
    let walk = Walk::start(db).await;
    let elsewhere = made(&walk, json!({"allowed_ips": ["203.0.113.7", "2001:db8::/32"]})).await;
    let here = made(&walk, json!({"allowed_ips": ["198.51.100.0/24", "127.0.0.0/8"]})).await;
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        let call = || walk.call_as(&elsewhere, &ready);
        walk.send(operation, call()).await.refused(403, "address_not_allowed");
        // Nobody is believed to be a proxy.
        let claims = call().header("X-Forwarded-For", "203.0.113.7");
        walk.send(operation, claims).await.refused(403, "address_not_allowed");
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        held(&walk.send(operation, walk.call_as(&here, &ready)).await, operation);
    }
}

/// The call is done, or refused because a key that is held to something makes none that is not.
fn held(seen: &Seen, operation: &Operation) {
    match ["api_key.create", "api_key.update", "api_key.rotate"].contains(&operation.id.as_str()) {
        true => drop(seen.refused(403, "beyond_own_rights")),
        false => drop(seen.done()),
    }
}

async fn problems_speak_spanish(db: Db) {
    let walk = Walk::start(db).await;
    for operation in &walk.operations {
        let id = &operation.id;
        let mut ready = walk.ready(operation).await;
        ready.path.push_str("?nope=1");
        let speak = async |language: &str, key: &str| {
            let call = walk.call_as(key, &ready).header("Accept-Language", language);
            let seen = walk.send(operation, call).await;
            (seen.header("content-language").to_owned(), seen.body.clone())
        };
        for key in [walk.server.live_key.as_str(), "bdg_live_unknown"] {
            let (tag, english) = speak("en", key).await;
            assert_eq!(tag, "en", "{id}");
            for spanish in ["es", "es-MX, en;q=0.5", "fr;q=0.9, es;q=0.8, en;q=0.1"] {
                let (tag, problem) = speak(spanish, key).await;
                assert_eq!(tag, "es", "{id}: {spanish}");
                for same in ["code", "type", "status"] {
                    assert_eq!(problem[same], english[same], "{id}: {spanish}");
                }
                for other in ["title", "detail"] {
                    assert_ne!(problem[other], english[other], "{id}: {spanish}: {other}");
                }
                let detail = |problem: &Value| problem["errors"][0]["detail"].clone();
                let told = detail(&english) != detail(&problem) || detail(&english).is_null();
                assert!(told, "{id}: {spanish}: {problem}");
            }
            for other in ["fr", "es;q=0", "*", "", "¡"] {
                assert_eq!(speak(other, key).await.0, "en", "{id}: {other:?}");
            }
        }
    }
}

/// A key with every scope and something more; its secret.
async fn made(walk: &Walk, more: Value) -> String {
    let mut body = json!({"name": "Held", "plan": "scale", "scopes": walk.scopes()});
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    let create = walk.operation("api_key.create");
    let made = walk.send(create, walk.server.call("POST", &create.path).json(&body)).await.done();
    made["secret"].as_str().expect("a secret").to_owned()
}
