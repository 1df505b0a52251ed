//! Following the log: asked with a wait, and as a stream.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use serde_json::{Value, json};

both!(
    a_wait_ends_with_the_next_event,
    a_batch_waits_for_nothing,
    a_stream_goes_on_where_it_was_left,
    a_key_ends_its_streams,
);

/// Long enough for a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(20);

async fn a_wait_ends_with_the_next_event(db: Db) {
    let server = Server::start(db).await;
    let last = settled(&server).await;
    let none = server.call("GET", &format!("/v1/events?after={last}")).send().await.expect(200);
    assert_eq!(none["data"], json!([]), "nothing comes after the end");
    let began = Instant::now();
    let waited = format!("/v1/events?after={last}&wait_s=1");
    server.call("GET", &waited).send().await.expect(200);
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not wait");

    let waiting = server.call("GET", &format!("/v1/events?after={last}&wait_s=30"));
    let waiting = tokio::spawn(waiting.send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "there was nothing to answer with");
    brand(&server, "Uno").await;
    let page = tokio::time::timeout(PATIENCE, waiting).await.expect("in time").expect("an answer");
    let page = page.expect(200);
    assert_eq!(page["data"][0]["sequence"], last + 1);
    assert_eq!(page["data"][0]["type"], "brand.created");

    let beyond = format!("/v1/events?after={}&wait_s=30", last + 1_000);
    server.call("GET", &beyond).send().await.expect_problem(409, "ahead_of_log");
}

async fn a_batch_waits_for_nothing(db: Db) {
    let server = Server::start(db).await;
    let last = settled(&server).await;
    for atomic in [true, false] {
        let wait = json!({"method": "GET", "path": format!("/v1/events?after={last}&wait_s=30")});
        let batch = json!({"atomic": atomic, "operations": [wait, wait, wait]});
        let began = Instant::now();
        let done = server.call("POST", "/v1/batch").json(&batch).send().await.expect(200);
        assert!(began.elapsed() < Duration::from_secs(10), "it waited, and all writers with it");
        assert_eq!(done["results"][2]["body"]["data"], json!([]), "{done}");
    }
}

async fn a_stream_goes_on_where_it_was_left(db: Db) {
    let server = Server::start(db).await;
    let last = settled(&server).await;
    let mut stream = Stream::open(&server, &server.live_key, "?type=brand.created", None).await;
    brand(&server, "Uno").await;
    category(&server).await;
    let (first, event) = stream.event().await;
    assert_eq!((event["type"].as_str(), first), (Some("brand.created"), last + 1));
    drop(stream);

    brand(&server, "Dos").await;
    let mut stream = Stream::open(&server, &server.live_key, "", Some(first)).await;
    let (second, event) = stream.event().await;
    assert_eq!((event["type"].as_str(), second), (Some("category.created"), last + 2));
    let (third, event) = stream.event().await;
    assert_eq!((&event["data"]["name"], third), (&json!("Dos"), last + 3));

    for (query, status) in [("?nope=1", 422), ("?limit=3", 422), ("?after=x", 422)] {
        let path = format!("/v1/events/stream{query}");
        assert_eq!(server.call("GET", &path).send().await.status, status, "{query}");
    }
    let bare = server.call_without_key("GET", "/v1/events/stream").send().await;
    bare.expect_problem(401, "unauthenticated");
    let (_, key) = server.key(&["catalog:read"]).await;
    let poor = server.call_as(&key, "GET", "/v1/events/stream").send().await;
    poor.expect_problem(403, "insufficient_scope");
}

async fn a_key_ends_its_streams(db: Db) {
    let server = Server::start(db).await;
    settled(&server).await;
    let (id, key) = server.key(&["events:read", "catalog:read"]).await;
    let mut stream = Stream::open(&server, &key, "", None).await;
    server.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);
    brand(&server, "Secret").await;
    let rest = tokio::time::timeout(PATIENCE, stream.rest()).await.expect("the stream ends");
    assert!(!rest.contains("Secret"), "{rest}");
}

/// The last place of the log, once every event has one.
async fn settled(server: &Server) -> i64 {
    for _ in 0..200 {
        let open = "/v1/events?sequence[is_null]=true&limit=1";
        let newest = "/v1/events?sequence[is_null]=false&limit=1";
        let open = server.call("GET", open).send().await.expect(200);
        let newest = server.call("GET", newest).send().await.expect(200);
        if let (Some(0), Some(last)) =
            (open["data"].as_array().map(Vec::len), newest["data"][0]["sequence"].as_i64())
        {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the log does not come to rest");
}

async fn brand(server: &Server, name: &str) {
    server.call("POST", "/v1/brands").json(&json!({"name": name})).send().await.expect(201);
}

async fn category(server: &Server) {
    let body = json!({"name": "Tools"});
    server.call("POST", "/v1/categories").json(&body).send().await.expect(201);
}

/// A stream of events.
struct Stream {
    answer: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(server: &Server, key: &str, query: &str, after: Option<i64>) -> Self {
        let mut request = reqwest::Client::new()
            .get(format!("{}/v1/events/stream{query}", server.url))
            .bearer_auth(key);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let answer = request.send().await.expect("a stream");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = Self { answer, read: String::new() };
        // The first bytes say that it is followed from now on.
        stream.more().await.expect("a beginning");
        stream
    }

    async fn more(&mut self) -> Option<()> {
        let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("in time");
        let chunk = chunk.expect("a chunk")?;
        self.read.push_str(std::str::from_utf8(&chunk).expect("text"));
        Some(())
    }

    /// The next event: its id and its data.
    async fn event(&mut self) -> (i64, Value) {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let line = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let found = line("id: ").zip(line("data: "));
                self.read = rest.to_owned();
                if let Some((id, data)) = found {
                    let data = serde_json::from_str(&data).expect("JSON");
                    return (id.parse().expect("a number"), data);
                }
                continue;
            }
            self.more().await.expect("more of the stream");
        }
    }

    /// All that comes until it ends.
    async fn rest(&mut self) -> String {
        while self.more().await.is_some() {}
        std::mem::take(&mut self.read)
    }
}
