//! Random input to every reader of what comes from outside: GraphQL documents and variables, query
//! strings, JSON bodies, cursors, web socket frames. Whatever comes, the answer is no 5xx (a panic
//! is a 500), and the process stays small. `BODEGA_FUZZ_CASES` asks for more cases of each.

use std::time::Duration;

use bodega_tests::{Answer, Db, Server, both};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

both!(documents, query_strings, bodies, cursors, frames);

const CASES: u32 = 150;

/// What the process may take at most, whatever comes.
const PEAK_MIB_MAX: u64 = 320;

fn cases() -> u32 {
    let asked = std::env::var("BODEGA_FUZZ_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// Runs a check on many random values, and tells the smallest that fails.
fn fuzz<S: Strategy>(server: &Server, values: S, check: impl AsyncFn(S::Value)) {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(config);
        let run = |value| {
            Handle::current().block_on(check(value));
            Ok(())
        };
        runner.run(&values, run).unwrap_or_else(|error| panic!("{error}"));
    });
    assert!(server.peak_mib() < PEAK_MIB_MAX, "{} MiB", server.peak_mib());
}

fn survives(answer: &Answer) {
    assert!(answer.status < 500, "{}: {}", answer.status, String::from_utf8_lossy(&answer.bytes));
}

/// A change somewhere in a text: what is inserted, or how much is removed or doubled.
#[derive(Clone, Debug)]
enum Change {
    Insert(usize, String),
    Remove(usize, usize),
    Double(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "\"",
            "\\",
            "\\u",
            "\\ud83d\\ude00",
            "$a",
            "...",
            "...f",
            "@skip(if: true)",
            "@include(if: $a)",
            "#",
            "\u{feff}",
            "\0",
            "\u{1F600}",
            "null",
            "!",
            "-1",
            "1e999",
            "99999999999999999999",
            "on Brand",
            "fragment f on Brand { id }",
            ":",
            "query",
            "mutation",
            "subscription",
            "__schema { types { name } }",
            "__typename",
            ",",
            "first: 100",
            "filter: {}",
            "\"\"\"",
            "&",
            "|",
            "=",
            "%00",
            "%ff",
            "[in]",
            "[gte]",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    let change = prop_oneof![
        (any::<usize>(), piece).prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<usize>(), 1..12_usize).prop_map(|(at, size)| Change::Remove(at, size)),
        (any::<usize>(), 1..40_usize).prop_map(|(at, size)| Change::Double(at, size)),
    ];
    prop::collection::vec(change, 0..6)
}

fn changed(seed: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for change in changes {
        let (Change::Insert(at, _) | Change::Remove(at, _) | Change::Double(at, _)) = change;
        let at = at % (text.len() + 1);
        match change {
            Change::Insert(_, piece) => drop(text.splice(at..at, piece.chars())),
            Change::Remove(_, size) => drop(text.drain(at..(at + size).min(text.len()))),
            Change::Double(_, size) => {
                let piece = text[at..(at + size).min(text.len())].to_vec();
                drop(text.splice(at..at, piece));
            }
        }
    }
    text.into_iter().collect()
}

fn seeded(seeds: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::sample::select(seeds), changes()).prop_map(|(seed, all)| changed(seed, &all))
}

/// Any JSON, also deeper than is taken.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec!["name", "title", "id", "metadata", "options", "operations"])
            .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(40, 120, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

async fn documents(db: Db) {
    let server = Server::start(db).await;
    let seeds: &[&str] = &[
        "{ products(first: 3, sort: TITLE_ASC, filter: { status: { in: [ACTIVE] } }) { nodes { id \
         title brand { name } variants { sku prices { unitPrice { amount } } } } pageInfo { endCursor } } }",
        "query q($a: Boolean!, $n: Int = 3) { brands(first: $n) { edges { cursor node { ...f @skip\
         (if: $a) } } } } fragment f on Brand { id name }",
        "mutation { brandCreate(input: { name: \"\\ud83d\\ude00 x\", metadata: { a: \"b\" } }) { id } }",
        "{ __schema { types { name fields { name type { name ofType { name } } } } } }",
        "{ a: category(id: \"cat_01h455vb4pex5vsknk084sn02q\") { parent { children(first: 2, after: \"x\", \
         filter: { name: { contains: \"a\" } }) { totalCount nodes { id } } } } }",
        "subscription { events(types: [\"brand.*\"]) { id type } }",
        "{ node(id: \"brand_01h455vb4pex5vsknk084sn02q\") { id ... on Brand { name } } nodes(ids: \
         [\"cat_01h455vb4pex5vsknk084sn02q\", \"x\"]) { __typename ...f } } fragment f on Node { id }",
    ];
    let document = (seeded(seeds), any_json(), prop::option::of("[a-z]{1,3}"));
    fuzz(&server, document, async |(query, variables, name)| {
        let body = json!({"query": query, "variables": variables, "operationName": name});
        survives(&server.call("POST", "/graphql").json(&body).send().await);
        let stream = server.call("POST", "/graphql").header("Accept", "application/json");
        survives(&stream.json(&json!({"query": query, "variables": {"a": true}})).send().await);
    });
}

async fn query_strings(db: Db) {
    let server = Server::start(db).await;
    let seeds: &[&str] = &[
        "status=active&created_at[gte]=2026-01-01T00:00:00Z&sort=-title&limit=50&fields=id,title",
        "expand=variants.prices,brand,categories.parent.children&count=true&cursor=abc",
        "id[in]=prod_01h455vb4pex5vsknk084sn02q,prod_01h455vb4pex5vsknk084sn02r&title[contains]=%25_",
        "category_id[in]=cat_01h455vb4pex5vsknk084sn02q&sort=title&count=true&expand=categories.products",
        "after=0&wait_s=0&type[starts_with]=brand.&sequence[gte]=1",
    ];
    let paths = vec!["/v1/products", "/v1/events", "/v1/brands", "/v1/webhook_deliveries"];
    fuzz(&server, (prop::sample::select(paths), seeded(seeds)), async |(path, query)| {
        // What a client library would not send as it is, it encodes.
        let query: String = query.replace('#', "%23").replace("wait_s=", "x=");
        survives(&server.call("GET", &format!("{path}?{query}")).send().await);
    });
}

async fn bodies(db: Db) {
    let server = Server::start(db).await;
    let seeds: &[&str] = &[
        r#"{"title": "Taladro", "options": [{"name": "Talla", "values": ["CH", "G"]}], "metadata": {}}"#,
        r#"{"name": "Casa Norte", "external_id": "x-1", "website": "https://example.com"}"#,
        r#"{"url": "https://shop.example.com/h", "event_types": ["product.*"], "filter": "event.data.price > 3"}"#,
        r#"{"atomic": true, "operations": [{"method": "GET", "path": "/v1/brands?limit=1"}]}"#,
        r#"{"name": "Key", "preset": "read", "allowed_ips": ["::/0"], "expires_at": "2027-01-01T00:00:00Z"}"#,
        r#"{"name": "D", "text": "{ brands { totalCount } }"}"#,
    ];
    let paths = vec![
        "/v1/products",
        "/v1/brands",
        "/v1/webhook_endpoints",
        "/v1/batch",
        "/v1/api_keys",
        "/v1/trusted_documents",
        "/v1/prices",
        "/v1/variants",
        "/v1/collections",
        "/graphql",
    ];
    let text = prop_oneof![seeded(seeds), any_json().prop_map(|value| value.to_string())];
    fuzz(&server, (prop::sample::select(paths), text), async |(path, text)| {
        let call = server.call("POST", path).header("Content-Type", "application/json");
        survives(&call.raw(text).send().await);
    });
}

async fn cursors(db: Db) {
    let server = Server::start(db).await;
    let first = server.call("GET", "/v1/products?limit=1").send().await.expect(200);
    let cursor: &'static str = first["next_cursor"].as_str().expect("a cursor").to_owned().leak();
    let seeds: &'static [&'static str] = vec![cursor].leak();
    fuzz(&server, seeded(seeds), async |text| {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/products?limit=1&cursor={encoded}");
        let answer = server.call("GET", &path).send().await;
        survives(&answer);
        assert_eq!(answer.status == 200, text == cursor, "{text}: {}", answer.status);
    });
}

/// A frame of a client, or bytes that are none.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        (0..126_u8).prop_map(|length| vec![0x80 | length]),
        any::<u16>().prop_map(|length| [vec![0xfe], length.to_be_bytes().to_vec()].concat()),
        any::<u64>().prop_map(|length| [vec![0xff], length.to_be_bytes().to_vec()].concat()),
        any::<u8>().prop_map(|length| vec![length]),
    ];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        Just(br#"{"type":"connection_init"}"#.to_vec()),
    ];
    let framed = (any::<u8>(), length, any::<[u8; 4]>(), payload).prop_map(
        |(first, length, mask, payload)| [vec![first], length, mask.to_vec(), payload].concat(),
    );
    prop_oneof![framed, prop::collection::vec(any::<u8>(), 0..64)]
}

async fn frames(db: Db) {
    let server = Server::start(db).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let hello = format!(
        "GET /graphql HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    );
    fuzz(&server, prop::collection::vec(frame(), 1..6), async |frames| {
        let mut socket = TcpStream::connect(&address).await.expect("a connection");
        socket.write_all(hello.as_bytes()).await.expect("a request");
        let mut heard = [0; 1024];
        let _ = socket.read(&mut heard).await;
        for frame in frames {
            if socket.write_all(&frame).await.is_err() {
                break;
            }
        }
        // It is closed, or waits for the rest of what was announced.
        let _ = tokio::time::timeout(Duration::from_millis(20), socket.read(&mut heard)).await;
    });
    server.call("GET", "/v1/brands?limit=1").send().await.expect(200);
}
