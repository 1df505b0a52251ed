//! Documents that are made to hurt: each is answered at once, with a problem.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bodega_tests::{Answer, Db, Server, both};
use serde_json::json;

both!(what_is_made_to_hurt_is_refused_at_once, what_is_large_but_honest_is_answered);

/// No attack keeps the server busy for longer.
const WORK: Duration = Duration::from_millis(50);

async fn what_is_made_to_hurt_is_refused_at_once(db: Db) {
    let server = Server::start(db).await;
    ask(&server, "{ __typename }").await.expect(200);
    for (what, document, code) in documents() {
        let mut took = Vec::new();
        for _ in 0..3 {
            let started = Instant::now();
            let answer = ask(&server, &document).await;
            took.push(started.elapsed());
            let told = answer.body["errors"][0]["extensions"]["code"].as_str();
            let told = told.or(answer.body["code"].as_str()).unwrap_or_default().to_owned();
            assert_eq!(told, code, "{what}: {}", String::from_utf8_lossy(&answer.bytes));
            assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
            assert!(answer.body.get("data").is_none(), "{what} is run");
        }
        // The quickest of three: the machine may have other things to do.
        let quickest = took.into_iter().min().expect("three");
        assert!(quickest < WORK, "{what}: {quickest:?}");
    }
    // And none of it has hurt.
    ask(&server, "{ products(first: 1) { nodes { id } } }").await.expect(200);
}

async fn ask(server: &Server, document: &str) -> Answer {
    let call = server.call("POST", "/graphql").json(&json!({"query": document}));
    call.header("Accept", "application/graphql-response+json").send().await
}

/// What it is, the document, and the code that it is refused with.
fn documents() -> Vec<(&'static str, String, &'static str)> {
    let large = "query_too_large";
    let deep = |open: &str, times: usize| open.repeat(times) + "id" + &"}".repeat(times);
    let many = |times: usize, each: &dyn Fn(usize) -> String| {
        (0..times).map(each).collect::<Vec<_>>().join(" ")
    };
    let products = |inner: &str| format!("{{ products(first: 1) {{ nodes {{ {inner} }} }} }}");
    let narrow =
        many(30, &|n| format!("fragment f{n} on Product {{ ...f{m} ...f{m} }}", m = n + 1));
    let wide = {
        let spreads = |next: usize| many(20, &|_| format!("...g{next}"));
        many(6, &|n| format!("fragment g{n} on Product {{ {} }}", spreads(n + 1)))
    };
    let chain = many(400, &|n| format!("fragment c{n} on Product {{ ...c{} }}", n + 1));
    let flood = "a: __schema { types { name fields { type { name fields { type { name fields { \
                 type { name fields { name } } } } } } } } }";
    vec![
        ("deep braces", deep("{a", 20_000), large),
        ("deep brackets", format!("{{ a(b: {}) }}", "[".repeat(50_000)), large),
        (
            "deep inputs",
            format!("{{ a(b: {}1{}) }}", "{c:".repeat(9_000), "}".repeat(9_000)),
            large,
        ),
        ("deep types", format!("query($a: {}) {{ b }}", "[".repeat(60_000)), large),
        (
            "deep links",
            products(&deep("variants { product {", 6).replace("}}}}}}", "}}}}}}}}}}}}")),
            large,
        ),
        (
            "10,000 aliases",
            format!("{{ {} }}", many(10_000, &|n| format!("a{n}:b"))),
            "payload_too_large",
        ),
        ("6,000 aliases", format!("{{ {} }}", many(6_000, &|n| format!("a{n}:b"))), large),
        (
            "1,000 aliases",
            format!("{{ {} }}", many(1_000, &|n| format!("a{n}: __typename"))),
            large,
        ),
        ("10,000 fields", format!("{{ {} }}", "__typename ".repeat(5_500)), large),
        (
            "many root fields",
            format!("{{ {} }}", many(30, &|n| format!("product(id: {n}) {{ id }}"))),
            large,
        ),
        ("10,000 directives", format!("{{ id {} }}", "@skip(if:false)".repeat(4_000)), large),
        ("a narrow bomb", products("...f0") + &narrow + "fragment f30 on Product { id }", large),
        ("a wide bomb", products("...g0") + &wide + "fragment g6 on Product { id }", large),
        (
            "a bomb of operations",
            many(40, &|n| format!("query q{n} {}", products("...f0")))
                + &narrow
                + "fragment f30 on Product { id }",
            large,
        ),
        (
            "a chain of fragments",
            products("...c0") + &chain + "fragment c400 on Product { id }",
            large,
        ),
        (
            "a circle",
            products("...a") + "fragment a on Product { ...b } fragment b on Product { ...a }",
            "query_invalid",
        ),
        (
            "a circle of links",
            products("...a") + "fragment a on Product { variants { product { ...a } } }",
            "query_invalid",
        ),
        (
            "huge lists",
            products("variants { prices { variant { prices { variant { prices { id } } } } } }")
                .replace("first: 1", "first: 100"),
            large,
        ),
        (
            "huge lists, many times",
            format!(
                "{{ {} }}",
                many(18, &|n| format!(
                    "a{n}: products(first: 100) {{ nodes {{ variants {{ prices {{ id }} }} }} }}"
                ))
            ),
            large,
        ),
        ("an introspection flood", format!("{{ {flood} }}"), large),
        (
            "introspection, many times",
            format!("{{ {} }}", many(20, &|n| format!("a{n}: __schema {{ types {{ name }} }}"))),
            large,
        ),
        ("an unended text", format!("{{ a(b: \"{}", "x".repeat(60_000)), "query_syntax"),
        ("an unended block", format!("{{ a(b: \"\"\"{}", "\\\"\"\"".repeat(5_000)), "query_syntax"),
        ("only commas", ",".repeat(60_000), "query_syntax"),
        ("only comments", "#\n".repeat(20_000), "query_syntax"),
        ("long numbers", format!("{{ a(b: {}) }}", "9".repeat(60_000)), "query_syntax"),
        ("unknown names", format!("{{ {} }}", many(900, &|n| format!("nope{n}"))), large),
        ("unknown fields", products(&many(900, &|n| format!("nope{n}"))), "query_invalid"),
        (
            "many variables",
            format!("query({}) {{ __typename }}", many(700, &|n| format!("$v{n}: Int"))),
            "query_invalid",
        ),
        (
            "a body that is too large",
            format!("{{ __typename }} {}", " ".repeat(70_000)),
            "payload_too_large",
        ),
    ]
}

async fn what_is_large_but_honest_is_answered(db: Db) {
    let server = Server::start(db).await;
    let mut document = String::from("{");
    for n in 0..10 {
        let _ = write!(
            document,
            " a{n}: products(first: 10) {{ nodes {{ ...p variants {{ sku prices {{ unitPrice {{ amount }} }} }} }} }}"
        );
    }
    document.push_str(
        " } fragment p on Product { id title slug status brand { name } categories { name } }",
    );
    let told = ask(&server, &document).await.expect(200);
    assert!(told.get("errors").is_none(), "{told}");
    assert_eq!(told["data"]["a9"], told["data"]["a0"]);
    assert!(told["extensions"]["cost"]["units"].as_u64() >= Some(10), "{told}");
}
