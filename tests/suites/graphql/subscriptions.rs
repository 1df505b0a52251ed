//! Changes followed as they happen: server-sent events and web sockets.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::walk::fixtures::fresh;

both!(
    events_come_to_who_asks_for_them,
    a_change_comes_with_its_object_and_links,
    a_follower_goes_on_where_it_was,
    a_key_that_ends_ends_what_it_follows,
    a_socket_keeps_to_the_protocol,
    a_stop_ends_what_is_followed,
    what_cannot_be_followed_is_refused,
);

/// Long enough for anything to arrive.
const SOON: Duration = Duration::from_secs(10);

/// A server of which the log is complete: what has no place in it yet comes to new followers too.
async fn started(db: Db) -> Server {
    let server = Server::start(db).await;
    for _ in 0..100 {
        if server.number("SELECT COUNT(*) FROM event WHERE sequence IS NULL").await == 0 {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("some events get no place in the log");
}

/// What comes as server-sent events.
struct Events {
    answer: reqwest::Response,
    rest: String,
}

impl Events {
    async fn of(server: &Server, key: &str, query: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let call = client.post(format!("{}/graphql", server.url)).bearer_auth(key);
        let call = call.header("Accept", "text/event-stream").json(&json!({"query": query}));
        let answer = call.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{query}");
        let kind = answer.headers()["content-type"].to_str().expect("a text");
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let mut events = Self { answer, rest: String::new() };
        // The first bytes say that it is followed.
        let first = events.answer.chunk().await.expect("bytes").expect("the first bytes");
        events.rest = String::from_utf8_lossy(&first).replace(":\n\n", "");
        events
    }

    /// The next event: its name and what it says.
    async fn next(&mut self) -> (String, Value) {
        let read = async {
            loop {
                if let Some((event, rest)) = self.rest.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.rest = rest;
                    let line = |name: &str| {
                        let found = event.lines().find_map(|line| line.strip_prefix(name));
                        found.unwrap_or_default().trim().to_owned()
                    };
                    if event.starts_with(':') {
                        continue;
                    }
                    let data = serde_json::from_str(&line("data:")).unwrap_or_default();
                    return (line("event:"), data);
                }
                match self.answer.chunk().await.expect("bytes") {
                    Some(bytes) => self.rest.push_str(&String::from_utf8_lossy(&bytes)),
                    None => return ("the end".to_owned(), Value::Null),
                }
            }
        };
        tokio::time::timeout(SOON, read).await.expect("an event within ten seconds")
    }
}

async fn brand(server: &Server) -> Value {
    let body = json!({"name": fresh("Casa")});
    server.call("POST", "/v1/brands").json(&body).send().await.expect(201)
}

async fn events_come_to_who_asks_for_them(db: Db) {
    let server = started(db).await;
    let all = "subscription { events { id type sequence objectId data } }";
    let some = "subscription { events(types: [\"category.*\", \"brand.updated\"]) { type } }";
    let mut all = Events::of(&server, &server.live_key, all).await;
    let mut some = Events::of(&server, &server.live_key, some).await;
    let made = brand(&server).await;
    let (name, told) = all.next().await;
    assert_eq!(name, "next", "{told}");
    let event = &told["data"]["events"];
    assert_eq!((&event["type"], &event["objectId"]), (&json!("brand.created"), &made["id"]));
    assert_eq!(event["data"], made);
    assert!(event["sequence"].is_u64(), "{event}");
    let path = format!("/v1/brands/{}", made["id"].as_str().expect("an id"));
    let patch = json!({"name": fresh("Casa")});
    server.call("PATCH", &path).json(&patch).send().await.expect(200);
    assert_eq!(some.next().await.1["data"]["events"]["type"], "brand.updated");
    assert_eq!(all.next().await.1["data"]["events"]["type"], "brand.updated");
    // Another organization's changes are its own.
    let (_, other) = server.organization("Otra").await;
    let body = json!({"name": fresh("Casa")});
    server.call_as(&other, "POST", "/v1/brands").json(&body).send().await.expect(201);
    let last = brand(&server).await;
    loop {
        let (_, told) = all.next().await;
        let event = &told["data"]["events"];
        assert_ne!(event["data"]["name"], body["name"], "another's brand");
        if event["objectId"] == last["id"] {
            break;
        }
    }
    // A query comes as one event, and the end.
    let mut once =
        Events::of(&server, &server.live_key, "{ brands(first: 1) { totalCount } }").await;
    let first = std::mem::take(&mut once.rest);
    assert!(first.contains("event: next") && first.contains("totalCount"), "{first}");
}

async fn a_change_comes_with_its_object_and_links(db: Db) {
    let server = started(db).await;
    let made = brand(&server).await;
    let query = "subscription { productChanged { event { type } object { title brand { name } \
                 variants { sku } } } }";
    let mut changes = Events::of(&server, &server.live_key, query).await;
    brand(&server).await;
    let body = json!({"title": fresh("Hammer"), "brand_id": made["id"]});
    server.call("POST", "/v1/products").json(&body).send().await.expect(201);
    let (_, told) = changes.next().await;
    let change = &told["data"]["productChanged"];
    assert_eq!(change["event"]["type"], "product.created", "{told}");
    assert_eq!(change["object"]["title"], body["title"]);
    assert_eq!(change["object"]["brand"]["name"], made["name"]);
    assert_eq!(change["object"]["variants"], json!([]));
}

async fn a_follower_goes_on_where_it_was(db: Db) {
    let server = started(db).await;
    let mut live =
        Events::of(&server, &server.live_key, "subscription { events { sequence } }").await;
    let first = brand(&server).await;
    let place = live.next().await.1["data"]["events"]["sequence"].as_i64().expect("a place");
    drop(live);
    let second = brand(&server).await;
    let query = format!("subscription {{ events(after: {}) {{ objectId }} }}", place - 1);
    let mut again = Events::of(&server, &server.live_key, &query).await;
    for made in [first, second] {
        assert_eq!(again.next().await.1["data"]["events"]["objectId"], made["id"]);
    }
}

async fn a_key_that_ends_ends_what_it_follows(db: Db) {
    let server = started(db).await;
    let (id, key) = server.key(&["events:read", "catalog:read"]).await;
    let mut events =
        Events::of(&server, &key, "subscription { events(types: [\"brand.*\"]) { type } }").await;
    let mut socket = connect(&server, Some(&key)).await;
    let query = "subscription { brandChanged { event { type } } }";
    tell(&mut socket, json!({"id": "1", "type": "subscribe", "payload": {"query": query}})).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    brand(&server).await;
    assert_eq!(events.next().await.0, "next");
    assert_eq!(hear(&mut socket).await["type"], "next");
    server.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);
    brand(&server).await;
    let revoked = Instant::now();
    let (name, told) = events.next().await;
    assert_eq!(told["errors"][0]["extensions"]["code"], "unauthenticated", "{name} {told}");
    assert_eq!(events.next().await.0, "complete");
    assert_eq!(events.next().await.0, "the end");
    let told = hear(&mut socket).await;
    assert_eq!(told["type"], "error", "{told}");
    assert_eq!(told["payload"][0]["extensions"]["code"], "unauthenticated", "{told}");
    assert!(revoked.elapsed() < Duration::from_secs(5), "{:?}", revoked.elapsed());
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(server: &Server, protocol: &str) -> Socket {
    let url = format!("{}/graphql", server.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a request");
    if !protocol.is_empty() {
        let protocol = protocol.parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
    }
    tokio_tungstenite::connect_async(request).await.expect("a web socket").0
}

/// A socket that is acknowledged.
async fn connect(server: &Server, key: Option<&str>) -> Socket {
    let mut socket = open(server, "graphql-transport-ws").await;
    let key = format!("Bearer {}", key.unwrap_or(&server.live_key));
    tell(&mut socket, json!({"type": "connection_init", "payload": {"Authorization": key}})).await;
    assert_eq!(hear(&mut socket).await, json!({"type": "connection_ack"}));
    socket
}

async fn tell(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.expect("sent");
}

/// The next message; what the other end closed with, where it did.
async fn hear(socket: &mut Socket) -> Value {
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).expect("JSON");
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    return json!({"closed": code});
                }
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed | Error::Protocol(_))) => {
                    return json!({"closed": null});
                }
                Some(Err(error)) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(SOON, read).await.expect("a message within ten seconds")
}

async fn a_socket_keeps_to_the_protocol(db: Db) {
    let server = started(db).await;
    let closed = |code: u16| json!({"closed": code});
    let mut socket = open(&server, "").await;
    assert_eq!(hear(&mut socket).await, closed(4406), "no protocol");

    let query =
        |id: &str, query: &str| json!({"id": id, "type": "subscribe", "payload": {"query": query}});
    for (what, message, code) in [
        ("no init", query("1", "{ __typename }"), 4401),
        (
            "nobody's key",
            json!({"type": "connection_init", "payload": {"authorization": "Bearer x"}}),
            4403,
        ),
        ("no key", json!({"type": "connection_init"}), 4403),
        ("no message", json!({"type": "nonsense"}), 4400),
        ("no object", json!([1]), 4400),
    ] {
        let mut socket = open(&server, "graphql-transport-ws").await;
        tell(&mut socket, message).await;
        assert_eq!(hear(&mut socket).await, closed(code), "{what}");
    }
    let mut socket = connect(&server, None).await;
    tell(&mut socket, json!({"type": "connection_init"})).await;
    assert_eq!(hear(&mut socket).await, closed(4429), "twice");
    let mut socket = connect(&server, None).await;
    socket.send(Message::text("x".repeat(70_000))).await.expect("sent");
    assert_eq!(hear(&mut socket).await, closed(1009), "too large");

    let mut socket = connect(&server, None).await;
    tell(&mut socket, json!({"type": "ping"})).await;
    assert_eq!(hear(&mut socket).await, json!({"type": "pong"}));
    tell(&mut socket, query("q", "{ brands(first: 1) { nodes { name } } }")).await;
    let told = hear(&mut socket).await;
    assert_eq!((&told["id"], &told["type"]), (&json!("q"), &json!("next")), "{told}");
    assert!(told["payload"]["data"]["brands"]["nodes"][0]["name"].is_string(), "{told}");
    assert_eq!(hear(&mut socket).await, json!({"id": "q", "type": "complete"}));
    tell(
        &mut socket,
        query("m", "mutation { brandCreate(input: {name: \"Por enchufe\"}) { name } }"),
    )
    .await;
    assert_eq!(hear(&mut socket).await["payload"]["data"]["brandCreate"]["name"], "Por enchufe");
    assert_eq!(hear(&mut socket).await["type"], "complete");
    tell(&mut socket, query("bad", "{ nope }")).await;
    let told = hear(&mut socket).await;
    assert_eq!(told["payload"][0]["extensions"]["code"], "query_invalid", "{told}");
    // One that is given up is over, and its name free again; one that runs keeps it.
    let follow = "subscription { brandChanged { object { name } } }";
    tell(&mut socket, query("s", follow)).await;
    tell(&mut socket, json!({"id": "s", "type": "complete"})).await;
    tell(&mut socket, query("s", follow)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let made = brand(&server).await;
    // What had no place in the log yet when it began comes as well.
    while hear(&mut socket).await["payload"]["data"]["brandChanged"]["object"]["name"]
        != made["name"]
    {}
    tell(&mut socket, query("s", follow)).await;
    assert_eq!(hear(&mut socket).await, closed(4409), "the same name twice");
}

async fn a_stop_ends_what_is_followed(db: Db) {
    let mut server = started(db).await;
    let mut events = Events::of(&server, &server.live_key, "subscription { events { id } }").await;
    let mut socket = connect(&server, None).await;
    let started = Instant::now();
    server.signal("TERM").await;
    assert_eq!(events.next().await.0, "complete");
    assert_eq!(hear(&mut socket).await, json!({"closed": 1001}));
    assert!(server.ended().await.success());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

async fn what_cannot_be_followed_is_refused(db: Db) {
    let server = started(db).await;
    let (_, key) = server.key(&["catalog:read"]).await;
    let ask = async |key: &str, query: &str| {
        let call = server.call_as(key, "POST", "/graphql").header("Accept", "text/event-stream");
        call.json(&json!({"query": query})).send().await
    };
    let refused = ask(&key, "subscription { events { id } }").await;
    refused.expect_problem(403, "insufficient_scope");
    let unknown = "subscription { events(types: [\"brand.exploded\"]) { id } }";
    ask(&server.live_key, unknown).await.expect_problem(422, "validation_failed");
    let two = "subscription { events { id } brandChanged { object { id } } }";
    let told = ask(&server.live_key, two).await.expect(400);
    assert_eq!(told["errors"][0]["extensions"]["code"], "query_invalid", "{told}");
    let (_, reader) = server.key(&["events:read", "audit:read"]).await;
    // The links of what changes take the scopes that they take anywhere.
    let linked = "subscription { productChanged { object { brand { name } } } }";
    ask(&reader, linked).await.expect_problem(403, "insufficient_scope");
}
