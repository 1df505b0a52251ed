//! Nobody learns of what they may not read: every way to hear of a change, with every scope set, held
//! against what the key could get.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bodega_tests::{Db, Server, both};
use serde_json::{Value, json};

use crate::hook::Hook;
use crate::walk::fixtures::{self, FIXTURES, Fixture, Origin};
use crate::walk::operations::Operation;
use crate::walk::walker::Walk;

both!(no_door_shows_what_get_refuses, rights_that_were_taken_away_are_gone_at_delivery,);

const LOOPBACK: (&str, &str) = ("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8", "::1/128"]"#);

/// What the doors themselves take.
const DOORS: [&str; 3] = ["events:read", "webhooks:read", "webhooks:write"];

/// As long as nothing more comes of a stream that has given what it has.
const QUIET: Duration = Duration::from_millis(400);

/// Longer than any of this takes on a machine with much to do.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A key, and what it may read.
struct Reader {
    scopes: Vec<String>,
    key: String,
    readable: BTreeSet<String>,
    /// Its own endpoint, on `*`, where it may have one.
    endpoint: Option<String>,
}

impl Reader {
    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// Whether it may know of a delivery: a sample tells of nobody.
    fn knows(&self, delivery: &Value) -> bool {
        let kind = delivery["event_type"].as_str().unwrap_or_default();
        let (object, _) = kind.split_once('.').unwrap_or_default();
        delivery["sequence"].is_null() || self.readable.contains(object)
    }

    /// Whether it may know of an event; that of a delivery tells of another event.
    fn sees(&self, event: &Value) -> bool {
        let kind = event["object_type"].as_str().unwrap_or_default();
        let inner = kind != "webhook_delivery" || self.knows(&event["data"]);
        self.readable.contains(kind) && inner
    }
}

/// A server whose keys are tried.
struct Trial {
    walk: Walk,
    readers: Vec<Reader>,
    /// Of the key that may everything.
    endpoint: String,
    /// Every event there is, as that key sees them.
    log: Vec<Value>,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

async fn no_door_shows_what_get_refuses(db: Db) {
    let trial = Trial::prepare(db).await;
    let kinds: BTreeSet<_> = trial.log.iter().filter_map(|e| e["object_type"].as_str()).collect();
    assert!(kinds.len() >= 11, "events of few kinds of objects: {kinds:?}");
    for reader in &trial.readers {
        if reader.has("events:read") {
            trial.lists_and_gets(reader).await;
            trial.follows(reader).await;
            trial.graphql(reader).await;
            trial.samples(reader).await;
        }
        trial.messages(reader);
        if reader.has("webhooks:read") {
            trial.deliveries(reader).await;
            trial.explains(reader).await;
        }
    }
    let writers = || trial.readers.iter().filter(|reader| reader.has("webhooks:write"));
    for reader in writers() {
        trial.replays(reader).await;
    }
    // From here on, the log grows.
    for reader in writers() {
        trial.patterns(reader).await;
        trial.resends(reader).await;
    }
}

impl Trial {
    async fn prepare(db: Db) -> Self {
        let walk = Walk::with(db, &[LOOPBACK]).await;
        let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (hook, into) = (Hook::open().await, heard.clone());
        let url = hook.url.clone();
        tokio::spawn(async move {
            loop {
                let message = hook.take(204).await;
                let who = message.header("x-walk").to_owned();
                into.lock().expect("a lock").push((who, message.body));
            }
        });
        let endpoint = open(&walk.server, &walk.server.live_key, &url).await;
        let mut readers = Vec::new();
        for scopes in scope_sets(&walk.scopes()) {
            let held: Vec<_> = scopes.iter().map(String::as_str).collect();
            let (_, key) = walk.server.key(&held).await;
            let mut readable = BTreeSet::new();
            for get in walk.operations.iter().filter(|one| one.verb == "get") {
                if refused_at(&walk, get, &key).await.is_none() {
                    readable.insert(get.resource.clone());
                }
            }
            let endpoint = match held.contains(&"webhooks:write") {
                true => Some(open(&walk.server, &key, &url).await),
                false => None,
            };
            readers.push(Reader { scopes, key, readable, endpoint });
        }
        let mut trial = Self { walk, readers, endpoint, log: Vec::new(), heard };
        trial.happen().await;
        trial
    }

    /// Something happens to each kind of object, deliveries among them.
    async fn happen(&mut self) {
        let (walk, key) = (&self.walk, &self.walk.server.live_key);
        for fixture in FIXTURES.iter().filter(|one| is_made(one)) {
            walk.object(key, fixture.resource).await;
        }
        let update = walk.ready(walk.operation("organization.update")).await;
        walk.send(update.operation, walk.call(&update)).await.done();
        settled(&walk.server).await;
        for kind in ["api_key.created", "brand.created", "organization.updated"] {
            let own = format!("&endpoint_id={}&event_type={kind}", self.endpoint);
            let sent = walk.all(key, walk.operation("webhook_delivery.list"), &own).await;
            let id = text(&sent.first().unwrap_or_else(|| panic!("no {kind} was sent"))["id"]);
            let path = format!("/v1/webhook_deliveries/{id}/resend");
            assert!(walk.server.call("POST", &path).send().await.status < 300, "{kind}");
        }
        settled(&walk.server).await;
        self.log = walk.all(key, walk.operation("event.list"), "").await;
    }

    /// The ids of the events that a key may see.
    fn seen(&self, reader: &Reader) -> BTreeSet<String> {
        self.log.iter().filter(|event| reader.sees(event)).map(|event| text(&event["id"])).collect()
    }

    async fn get(&self, reader: &Reader, path: &str) -> Value {
        self.walk.server.call_as(&reader.key, "GET", path).send().await.expect(200)
    }

    async fn lists_and_gets(&self, reader: &Reader) {
        let (scopes, seen) = (&reader.scopes, self.seen(reader));
        let list = self.walk.operation("event.list");
        let all = self.walk.all(&reader.key, list, "").await;
        assert_eq!(ids(&all), seen, "{scopes:?}: the list");
        let page = self.get(reader, "/v1/events?count=true&limit=1").await;
        assert_eq!(page["total_count"], seen.len(), "{scopes:?}: the count");
        let mut kinds = BTreeMap::new();
        for event in &self.log {
            kinds.entry((text(&event["type"]), reader.sees(event))).or_insert(event);
        }
        for ((kind, sees), event) in kinds {
            let of = format!("/v1/events/{}", text(&event["id"]));
            let got = self.walk.server.call_as(&reader.key, "GET", &of).send().await.status;
            assert_eq!(got, if sees { 200 } else { 404 }, "{scopes:?}: {kind}");
            let by = format!("/v1/events?object_id={}&limit=100", text(&event["object_id"]));
            for found in rows(&self.get(reader, &by).await) {
                assert!(reader.sees(&found), "{scopes:?}: {by} shows {found}");
            }
        }
    }

    async fn follows(&self, reader: &Reader) {
        let (scopes, seen) = (&reader.scopes, self.seen(reader));
        let last = self.log.iter().filter_map(|event| event["sequence"].as_i64()).max();
        let (mut after, mut polled) = (0, BTreeSet::new());
        loop {
            let page = self.get(reader, &format!("/v1/events?after={after}&limit=100")).await;
            polled.extend(ids(&rows(&page)));
            let reached = page["reached"].as_i64().expect("how far it has come");
            if reached == after {
                break;
            }
            after = reached;
        }
        assert_eq!((polled, Some(after)), (seen.clone(), last), "{scopes:?}: polled");
        let call = client().get(format!("{}/v1/events/stream?after=0", self.walk.server.url));
        let streamed = streamed(call.bearer_auth(&reader.key), seen.len()).await;
        assert_eq!(ids(&streamed), seen, "{scopes:?}: streamed");
    }

    async fn graphql(&self, reader: &Reader) {
        let (scopes, seen) = (&reader.scopes, self.seen(reader));
        let query = "{ events(first: 100) { totalCount nodes { id } } }";
        let call = self.walk.server.call_as(&reader.key, "POST", "/graphql");
        let told = call.json(&json!({ "query": query })).send().await.expect(200);
        let events = &told["data"]["events"];
        assert_eq!(events["totalCount"], seen.len(), "{scopes:?}: {told}");
        let nodes = events["nodes"].as_array().expect("nodes");
        assert!(ids(nodes).is_subset(&seen), "{scopes:?}: {told}");

        let all = "subscription { events(after: 0) { id } }";
        let told = self.subscribed(reader, all, seen.len()).await;
        let told: Vec<_> = told.iter().map(|one| one["data"]["events"].clone()).collect();
        assert_eq!(ids(&told), seen, "{scopes:?}: subscribed");
        for (field, kind) in [("apiKeyChanged", "api_key"), ("organizationChanged", "organization")]
        {
            let of_kind = |event: &&Value| event["object_type"] == kind && reader.sees(event);
            let count = self.log.iter().filter(of_kind).count();
            let query = format!("subscription {{ {field}(after: 0) {{ object {{ id }} }} }}");
            let told = self.subscribed(reader, &query, count).await;
            assert_eq!(told.len(), count, "{scopes:?}: {field} {told:?}");
        }
    }

    async fn subscribed(&self, reader: &Reader, query: &str, wanted: usize) -> Vec<Value> {
        let call = client().post(format!("{}/graphql", self.walk.server.url));
        let call = call.bearer_auth(&reader.key).header("Accept", "text/event-stream");
        streamed(call.json(&json!({ "query": query })), wanted).await
    }

    async fn samples(&self, reader: &Reader) {
        let kinds: BTreeSet<_> = self.log.iter().map(|event| text(&event["type"])).collect();
        for kind in kinds {
            let told = self.get(reader, &format!("/v1/event_types/{kind}/samples")).await;
            let (mut live, known) = (rows(&told), ids(&self.log));
            let same = text(&live.pop().expect("the one that is always the same")["id"]);
            assert!(!known.contains(&same), "{kind}: an event of the log for all to see");
            for event in live {
                assert!(reader.sees(&event), "{:?}: {kind} shows {event}", reader.scopes);
            }
        }
    }

    /// What the key's own endpoint was sent: all that it may see of what came after, and only that.
    fn messages(&self, reader: &Reader) {
        let Some(endpoint) = &reader.endpoint else { return };
        let heard = self.heard.lock().expect("a lock");
        let mut kinds = BTreeSet::new();
        for (_, event) in heard.iter().filter(|(who, _)| *who == reader.key_name()) {
            assert!(reader.sees(event), "{:?}: {endpoint} was sent {event}", reader.scopes);
            kinds.insert(text(&event["object_type"]));
        }
        let made = FIXTURES.iter().filter(|one| is_made(one));
        for fixture in made.filter(|one| reader.readable.contains(one.resource)) {
            assert!(
                kinds.contains(fixture.resource),
                "{:?}: no {}",
                reader.scopes,
                fixture.resource
            );
        }
    }

    async fn deliveries(&self, reader: &Reader) {
        let (walk, scopes) = (&self.walk, &reader.scopes);
        let list = walk.operation("webhook_delivery.list");
        let all = walk.all(&walk.server.live_key, list, "").await;
        let known: Vec<_> = all.into_iter().filter(|one| reader.knows(one)).collect();
        let shown = walk.all(&reader.key, list, "").await;
        assert_eq!(ids(&shown), ids(&known), "{scopes:?}: deliveries");
        let tried = walk.all(&reader.key, walk.operation("webhook_attempt.list"), "").await;
        let known = ids(&known);
        for attempt in &tried {
            assert!(known.contains(&text(&attempt["delivery_id"])), "{scopes:?}: {attempt}");
        }
        assert!(!tried.is_empty() || known.is_empty(), "{scopes:?}: no attempt is shown");
        if reader.has("events:read") {
            let query = "{ webhookDeliveries(first: 50) { nodes { sequence event_type: eventType \
                         event { object_type: objectType data } attempts(first: 5) { nodes { id } } } } }";
            let call = walk.server.call_as(&reader.key, "POST", "/graphql");
            let told = call.json(&json!({ "query": query })).send().await.expect(200);
            let nodes = told["data"]["webhookDeliveries"]["nodes"].as_array().cloned();
            for node in nodes.unwrap_or_else(|| panic!("{scopes:?}: {told}")) {
                let event = &node["event"];
                assert!(reader.knows(&node), "{scopes:?}: {node}");
                assert!(event.is_null() || reader.sees(event), "{scopes:?}: {node}");
            }
        }
    }

    async fn explains(&self, reader: &Reader) {
        let mut kinds = BTreeMap::new();
        for event in &self.log {
            kinds.entry((text(&event["type"]), reader.sees(event))).or_insert(event);
        }
        let path = format!("/v1/webhook_endpoints/{}/explain", self.endpoint);
        for ((kind, sees), event) in kinds {
            let body = json!({"event_id": event["id"]});
            let call = self.walk.server.call_as(&reader.key, "POST", &path).json(&body);
            let told = call.send().await;
            assert_eq!(told.status, if sees { 200 } else { 404 }, "{:?}: {kind}", reader.scopes);
            for delivery in told.body["deliveries"].as_array().into_iter().flatten() {
                assert!(reader.knows(delivery), "{:?}: {delivery}", reader.scopes);
            }
        }
    }

    /// A key causes no more to be sent than it may see, also not to another's endpoint.
    async fn replays(&self, reader: &Reader) {
        let body = json!({"from": "2020-01-01T00:00:00Z", "only": "all", "dry_run": true});
        let seen = self.seen(reader).len();
        let own = reader.endpoint.as_ref();
        for endpoint in own.into_iter().chain([&self.endpoint]) {
            let path = format!("/v1/webhook_endpoints/{endpoint}/replay");
            let call = self.walk.server.call_as(&reader.key, "POST", &path).json(&body);
            let told = call.send().await.expect(200);
            assert_eq!(told["events"], seen, "{:?}: {endpoint}", reader.scopes);
        }
    }

    async fn patterns(&self, reader: &Reader) {
        let kinds: BTreeSet<_> = self.log.iter().map(|event| text(&event["object_type"])).collect();
        for kind in kinds {
            let body = json!({"url": "https://shop.example.com/hook",
                "event_types": ["*", format!("{kind}.*")]});
            let call = self.walk.server.call_as(&reader.key, "POST", "/v1/webhook_endpoints");
            let told = call.json(&body).send().await;
            let get = self.walk.operation(&format!("{kind}.get"));
            match refused_at(&self.walk, get, &reader.key).await {
                None => {
                    let path = format!("/v1/webhook_endpoints/{}", text(&told.expect(201)["id"]));
                    let gone = self.walk.server.call_as(&reader.key, "DELETE", &path).send().await;
                    assert!(gone.status < 300, "{:?}: {kind}", reader.scopes);
                }
                Some(scope) => {
                    let problem = told.expect_problem(403, "insufficient_scope");
                    assert_eq!(problem["scope"], scope, "{kind}: {problem}");
                    assert_eq!(problem["errors"][0]["pointer"], "/event_types/1", "{problem}");
                }
            }
        }
    }

    async fn resends(&self, reader: &Reader) {
        let (walk, mut kinds) = (&self.walk, BTreeMap::new());
        let own = format!("&endpoint_id={}&reason=event", self.endpoint);
        let list = walk.operation("webhook_delivery.list");
        for delivery in walk.all(&walk.server.live_key, list, &own).await {
            kinds.entry(text(&delivery["event_type"])).or_insert(delivery);
        }
        for (kind, delivery) in
            kinds.iter().filter(|(kind, _)| !kind.starts_with("webhook_delivery"))
        {
            let path = format!("/v1/webhook_deliveries/{}/resend", text(&delivery["id"]));
            let status = walk.server.call_as(&reader.key, "POST", &path).send().await.status;
            let wanted = if reader.knows(delivery) { 200 } else { 404 };
            assert_eq!(status, wanted, "{:?}: {kind}", reader.scopes);
        }
    }
}

impl Reader {
    /// What the messages to its endpoint say whose they are.
    fn key_name(&self) -> String {
        name_of(&self.key)
    }
}

/// Whether something happens to such objects; of endpoints there are enough.
fn is_made(fixture: &Fixture) -> bool {
    fixture.origin == Origin::Made && fixture.resource != "webhook_endpoint"
}

/// The end of a key is enough to tell it by.
fn name_of(key: &str) -> String {
    key.chars().rev().take(12).collect()
}

/// Each scope alone beside the doors', the doors' in every combination, and all.
fn scope_sets(all: &[String]) -> Vec<Vec<String>> {
    let doors = DOORS.map(str::to_owned);
    let mut sets: Vec<Vec<String>> = (1..1 << doors.len())
        .map(|bits: usize| {
            let held = doors.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
            held.map(|(_, scope)| scope.clone()).collect()
        })
        .collect();
    for scope in all.iter().filter(|scope| !doors.contains(scope)) {
        sets.push(doors.iter().chain([scope]).cloned().collect());
    }
    sets.push(all.to_vec());
    sets
}

/// The scope that a key lacks to get objects of a kind, if it does.
async fn refused_at(walk: &Walk, get: &Operation, key: &str) -> Option<String> {
    let path = get.at(&get.nowhere());
    let answer = walk.server.call_as(key, "GET", &path).send().await;
    (answer.status == 403).then(|| text(&answer.body["scope"]))
}

/// An endpoint on `*`, made with this key; its messages tell whose they are.
async fn open(server: &Server, key: &str, url: &str) -> String {
    let body = json!({"url": url, "event_types": ["*"],
        "custom_headers": [{"name": "X-Walk", "value": name_of(key)}]});
    let made = server.call_as(key, "POST", "/v1/webhook_endpoints").json(&body).send().await;
    text(&made.expect(201)["id"])
}

/// Waits until every event has its place and what it is sent to has it.
async fn settled(server: &Server) {
    let waits = "SELECT (SELECT COUNT(*) FROM event WHERE sequence IS NULL) + \
                 (SELECT COUNT(*) FROM webhook_delivery AS delivery JOIN webhook_endpoint AS to_ \
                 ON to_.id = delivery.endpoint_id WHERE delivery.state = 'pending' \
                 AND to_.url LIKE 'http://localhost%')";
    let quiet = async {
        while server.number(waits).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, quiet).await.expect("all is delivered in time");
}

pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// What a stream of events gives: as much as is wanted, and what comes soon after.
async fn streamed(call: reqwest::RequestBuilder, wanted: usize) -> Vec<Value> {
    let mut answer = call.send().await.expect("a stream");
    assert_eq!(answer.status(), 200);
    // Bytes: a chunk may end within a character.
    let (mut read, mut found) = (Vec::<u8>::new(), Vec::new());
    loop {
        let patience = if found.len() < wanted { PATIENCE } else { QUIET };
        match tokio::time::timeout(patience, answer.chunk()).await {
            Ok(chunk) => {
                let chunk = chunk.expect("bytes").expect("more of the stream");
                read.extend_from_slice(&chunk);
            }
            Err(_) if found.len() >= wanted => return found,
            Err(_) => panic!("{} of {wanted} came", found.len()),
        }
        while let Some(end) = read.windows(2).position(|two| two == b"\n\n") {
            let rest = read.split_off(end + 2);
            let block = String::from_utf8(std::mem::replace(&mut read, rest)).expect("text");
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            found.extend(data.map(|data| serde_json::from_str::<Value>(data).expect("JSON")));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn rows(page: &Value) -> Vec<Value> {
    page["data"].as_array().expect("rows").clone()
}

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| text(&row["id"])).collect()
}

async fn make(server: &Server, path: &str, body: &Value) -> Value {
    server.call("POST", path).json(body).send().await.expect(201)
}

pub(super) async fn brand(server: &Server) -> Value {
    make(server, "/v1/brands", &json!({"name": fixtures::fresh("Casa")})).await
}

async fn rights_that_were_taken_away_are_gone_at_delivery(db: Db) {
    let server = Server::start_with(db, &[LOOPBACK]).await;
    let hook = Hook::open().await;
    let endpoint = json!({"url": hook.url, "event_types": ["*"]});
    let endpoint = make(&server, "/v1/webhook_endpoints", &endpoint).await;
    let path = format!("/v1/webhook_endpoints/{}", text(&endpoint["id"]));
    server.call("POST", &format!("{path}/pause")).send().await.expect(200);
    let hidden = brand(&server).await;
    let of_brands = "SELECT COUNT(*) FROM webhook_delivery WHERE event_type = 'brand.created'";
    while server.number(of_brands).await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Whoever cannot read brands changes the endpoint: what waits for it is sent no more.
    let (_, poor) = server.key(&["webhooks:read", "webhooks:write"]).await;
    let change = json!({"description": "Mine"});
    let changed = server.call_as(&poor, "PATCH", &path).json(&change).send().await.expect(200);
    assert_eq!(changed["scopes"], json!(["webhooks:read", "webhooks:write"]));
    server.call("POST", &format!("{path}/resume")).send().await.expect(200);
    let list = "/v1/webhook_deliveries?event_type=brand.created";
    let delivery = loop {
        let found = server.call("GET", list).send().await.expect(200)["data"][0].clone();
        if found["state"] != "pending" {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(delivery["state"], "cancelled", "{delivery}");
    assert_eq!(delivery["last_outcome"], "insufficient_scope", "{delivery}");
    let tried = format!("/v1/webhook_attempts?delivery_id={}", text(&delivery["id"]));
    let attempt = server.call("GET", &tried).send().await.expect(200)["data"][0].clone();
    let reason = text(&attempt["reason"]);
    assert!(reason.contains("may not read brand objects"), "{attempt}");

    // It is told, and cannot be sent again, nor by another way.
    let ask = json!({"event_id": delivery["event_id"]});
    let explain = server.call("POST", &format!("{path}/explain")).json(&ask).send().await;
    let explained = explain.expect(200);
    assert_eq!(explained["checks"][0]["check"], "scope", "{explained}");
    assert_eq!(
        (&explained["passes"], &explained["checks"][0]["passed"]),
        (&json!(false), &json!(false))
    );
    let resend = format!("/v1/webhook_deliveries/{}/resend", text(&delivery["id"]));
    server.call("POST", &resend).send().await.expect_problem(403, "insufficient_scope");
    let again = json!({"from": "2020-01-01T00:00:00Z", "only": "all",
        "event_types": ["brand.*"]});
    let replayed = server.call("POST", &format!("{path}/replay")).json(&again).send().await;
    assert_eq!(replayed.expect(200)["events"], 0);
    let body = json!({"name": fixtures::fresh("Casa")});
    let quiet = server.call("POST", "/v1/brands").json(&body).send().await.expect(201);

    // Another description gives nothing back; whoever sets where it goes lends it their rights.
    let shared = json!({"description": "Ours"});
    let shared = server.call("PATCH", &path).json(&shared).send().await.expect(200);
    assert_eq!(shared["scopes"], changed["scopes"]);
    settled_log(&server).await;
    let own = json!({"url": hook.url});
    let own = server.call("PATCH", &path).json(&own).send().await.expect(200);
    assert_eq!(own["scopes"], json!(["*"]));
    let shown = brand(&server).await;
    loop {
        let sent = hook.take(204).await.body;
        assert_ne!(sent["object_id"], hidden["id"]);
        assert_ne!(sent["object_id"], quiet["id"]);
        if sent["object_id"] == shown["id"] {
            break;
        }
    }
}

pub(super) async fn settled_log(server: &Server) {
    while server.number("SELECT COUNT(*) FROM event WHERE sequence IS NULL").await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
