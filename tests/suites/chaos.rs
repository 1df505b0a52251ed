//! Webhooks while everything fails: a receiver that fails at random, and `kill -9` of API and
//! worker processes every one to two seconds while changes go on. At the end nothing is lost.
//!
//! `BODEGA_TEST_CHAOS_S` makes it go on for so many seconds instead of 20.

mod receiver;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bodega_tests::{Api, Db, Server, Setup, both};
use receiver::{Dice, Message, Receiver};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::sleep;

both!(nothing_is_lost);

const CLIENTS: u64 = 4;

/// How long what has failed may wait for its turn once nothing fails any more: the third wait of the
/// schedule, two minutes, can have begun only where it goes on for longer than usual.
const SETTLE: Duration = Duration::from_secs(90);
const SETTLE_LONG: Duration = Duration::from_secs(240);

/// The two endpoints, by the paths they are sent to.
const IN_ORDER: &str = "/in-order";
const ANYHOW: &str = "/anyhow";

/// A change that was answered: an object and its version.
type Change = (String, i64);

/// A process that is killed and started again.
enum Node {
    Api(Box<Server>, watch::Sender<Api>),
    Worker(Child),
}

struct Nodes {
    setup: Setup,
    all: Vec<Node>,
    kills: usize,
}

impl Nodes {
    /// One process on SQLite; two that answer and two that work on PostgreSQL.
    async fn start(db: Db) -> (Self, Vec<watch::Receiver<Api>>) {
        let allowed = ("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#);
        let alone = db == Db::Sqlite;
        let work = ("BODEGA_WORKER", if alone { "true" } else { "false" });
        let setup = Setup::of(db, &[allowed, work]).await;
        let (mut all, mut apis) = (Vec::new(), Vec::new());
        for _ in 0..if alone { 1 } else { 2 } {
            let server = setup.start().await;
            let (place, api) = watch::channel(server.api());
            all.push(Node::Api(Box::new(server), place));
            apis.push(api);
        }
        for _ in 0..if alone { 0 } else { 2 } {
            all.push(Node::Worker(setup.begin_worker()));
        }
        (Self { setup, all, kills: 0 }, apis)
    }

    /// Kills one and starts it again.
    async fn kill(&mut self, which: u64) {
        let which = usize::try_from(which).expect("a small number") % self.all.len();
        self.kills += 1;
        match &mut self.all[which] {
            Node::Api(server, place) => {
                server.kill().await;
                **server = self.setup.start().await;
                place.send_replace(server.api());
            }
            Node::Worker(child) => {
                child.kill().await.expect("a kill");
                *child = self.setup.begin_worker();
            }
        }
    }

    /// All of them, before their database goes.
    async fn end(self) {
        for node in self.all {
            match node {
                Node::Api(mut server, _) => server.kill().await,
                Node::Worker(mut child) => child.kill().await.expect("a kill"),
            }
        }
    }

    fn server(&self) -> &Server {
        let servers = self.all.iter().find_map(|node| match node {
            Node::Api(server, _) => Some(server),
            Node::Worker(_) => None,
        });
        servers.expect("a node that answers")
    }
}

/// Makes brands and changes them again and again; gives the changes that were answered.
async fn client(
    number: u64,
    apis: Vec<watch::Receiver<Api>>,
    stop: Arc<AtomicBool>,
) -> Vec<Change> {
    let dice = Dice::new(number);
    let mut brands: Vec<String> = Vec::new();
    let mut changes = Vec::new();
    for step in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let api = apis[dice.roll(apis.len() as u64) as usize].borrow().clone();
        let old = &brands[brands.len().saturating_sub(12)..];
        let call = match step % 8 {
            0 => {
                let body = json!({ "name": format!("Chaos {number}-{step}") });
                api.call("POST", "/v1/brands").json(&body)
            }
            _ if old.is_empty() => continue,
            _ => {
                let brand = &old[dice.roll(old.len() as u64) as usize];
                let body = json!({ "description": format!("Step {step}") });
                api.call("PATCH", &format!("/v1/brands/{brand}")).json(&body)
            }
        };
        // Whoever gets no answer does not know, and goes on.
        if let Ok(answer) = call.try_send().await
            && answer.status != 503
        {
            assert!(answer.status < 300, "{} {}", answer.status, answer.body);
            let id = answer.body["id"].as_str().expect("an id").to_owned();
            changes.push((id.clone(), answer.body["version"].as_i64().expect("a version")));
            if answer.status == 201 {
                brands.push(id);
            }
        }
        sleep(Duration::from_millis(25)).await;
    }
    changes
}

async fn nothing_is_lost(db: Db) {
    let chaos_s: u64 =
        std::env::var("BODEGA_TEST_CHAOS_S").map_or(20, |text| text.parse().expect("seconds"));
    let seed = std::process::id().into();
    let (mut nodes, apis) = Nodes::start(db).await;
    let receiver = Receiver::open(seed).await;
    for (path, ordering) in [(IN_ORDER, "per_object"), (ANYHOW, "none")] {
        let url = format!("http://{}{path}", receiver.address);
        let body = json!({ "url": url, "event_types": ["*"], "ordering": ordering });
        nodes.server().call("POST", "/v1/webhook_endpoints").json(&body).send().await.expect(201);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(number, apis.clone(), stop.clone())))
        .collect();

    let (dice, began) = (Dice::new(seed), Instant::now());
    while began.elapsed() < Duration::from_secs(chaos_s) {
        sleep(Duration::from_millis(1_000 + dice.roll(1_000))).await;
        nodes.kill(dice.roll(1_000)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut changes = Vec::new();
    for client in clients {
        changes.extend(client.await.expect("a client"));
    }
    receiver.recover();
    let recovered = Instant::now();
    let patience = if chaos_s > 20 { SETTLE_LONG } else { SETTLE };
    let events = loop {
        let events = log(nodes.server()).await;
        if lost(&events, &receiver.messages()).is_empty() || recovered.elapsed() > patience {
            break events;
        }
        sleep(Duration::from_millis(500)).await;
    };
    let settled = recovered.elapsed();
    // What is sent twice may still be under way.
    sleep(Duration::from_secs(1)).await;
    let messages = receiver.messages();
    let kills = nodes.kills;
    nodes.end().await;
    let lost = lost(&events, &messages);
    println!(
        "{db:?}: {} kills in {chaos_s} s (seed {seed}), {} changes answered, {} events, {} \
         messages, {} taken, {} duplicates, {} lost; settled {:.1} s after the last fault",
        kills,
        changes.len(),
        events.len(),
        messages.len(),
        messages.iter().filter(|message| message.taken).count(),
        duplicates(&messages),
        lost.len(),
        settled.as_secs_f64(),
    );
    assert!(lost.is_empty(), "never delivered: {:?}", &lost[..lost.len().min(10)]);
    assert!(changes.len() > 100, "hardly anything was changed");
    all_in_the_log(&changes, &events);
    in_order(&events, &messages);
    chained(&events, &messages);
}

/// The whole log, in its order, and without a gap.
async fn log(server: &Server) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let path = format!("/v1/events?after={}&limit=100", all.len());
        let page = server.call("GET", &path).send().await.expect(200);
        let page = page["data"].as_array().expect("a page").clone();
        if page.is_empty() {
            return all;
        }
        for event in page {
            assert_eq!(event["sequence"], all.len() + 1, "a gap");
            all.push(event);
        }
    }
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().expect("text")
}

/// The events that an endpoint has to be sent: all after its own making.
fn owed<'a>(events: &'a [Value], endpoint: &str) -> &'a [Value] {
    let suffix = format!("{endpoint}\"");
    let made = events.iter().position(|event| {
        text(event, "type") == "webhook_endpoint.created"
            && event["data"]["url"].to_string().ends_with(&suffix)
    });
    &events[made.expect("the endpoint's own event") + 1..]
}

/// What an endpoint was owed and has never taken.
fn lost<'a>(events: &'a [Value], messages: &[Message]) -> Vec<(&'static str, &'a str)> {
    let mut lost = Vec::new();
    for endpoint in [IN_ORDER, ANYHOW] {
        let taken: HashSet<&str> = messages
            .iter()
            .filter(|message| message.taken && message.endpoint == endpoint)
            .map(|message| message.event.as_str())
            .collect();
        let owed = owed(events, endpoint).iter().map(|event| text(event, "id"));
        lost.extend(owed.filter(|id| !taken.contains(id)).map(|id| (endpoint, id)));
    }
    lost
}

/// How often something came that had been taken before.
fn duplicates(messages: &[Message]) -> usize {
    let (mut taken, mut again) = (HashSet::new(), 0);
    for message in messages {
        let key = (message.endpoint.as_str(), message.event.as_str());
        again += usize::from(taken.contains(&key));
        if message.taken {
            taken.insert(key);
        }
    }
    again
}

fn all_in_the_log(changes: &[Change], events: &[Value]) {
    let logged: HashSet<Change> = events
        .iter()
        .map(|event| (text(event, "object_id").to_owned(), event["object_version"].as_i64()))
        .filter_map(|(object, version)| Some((object, version?)))
        .collect();
    let missing: Vec<_> = changes.iter().filter(|change| !logged.contains(*change)).collect();
    assert!(missing.is_empty(), "answered and not in the log: {missing:?}");
}

/// No event of an object comes before all earlier ones of it have been taken.
fn in_order(events: &[Value], messages: &[Message]) {
    let mut histories: HashMap<&str, BTreeMap<i64, &str>> = HashMap::new();
    for event in owed(events, IN_ORDER) {
        let sequence = event["sequence"].as_i64().expect("a number");
        let history = histories.entry(text(event, "object_id")).or_default();
        history.insert(sequence, text(event, "id"));
    }
    let mut taken = HashSet::new();
    for message in messages.iter().filter(|message| message.endpoint == IN_ORDER) {
        let history = &histories[message.object.as_str()];
        let early = history.range(..message.sequence).find(|(_, id)| !taken.contains(*id));
        assert!(early.is_none(), "{message:?} came before {early:?} was taken");
        if message.taken {
            taken.insert(message.event.as_str());
        }
    }
    assert!(histories.values().any(|history| history.len() > 5), "no object changed often");
}

/// Each message names the event that the same endpoint was sent before it.
fn chained(events: &[Value], messages: &[Message]) {
    for endpoint in [IN_ORDER, ANYHOW] {
        let owed = owed(events, endpoint);
        let first = owed.first().and_then(|event| event["sequence"].as_i64());
        for message in messages.iter().filter(|message| message.endpoint == endpoint) {
            let before = (Some(message.sequence) != first).then_some(message.sequence - 1);
            assert_eq!(message.previous, before, "{message:?}");
        }
    }
}
