//! Webhooks: how fast events go from the commit to the receiver, against what the same HTTP client
//! does when nothing is kept.

pub(crate) mod poster;
mod report;
mod shop;
mod sink;

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::Cli;
use crate::process::{self, Memory};
use crate::stage::{Db, Program, Stage};
use shop::Shop;
use sink::Sink;

/// Events made in a round, by how many endpoints each is sent to.
const FLOODS: [(u64, u64); 3] = [(1, 10_000), (5, 6_000), (50, 2_000)];
/// Events committed in a round with nobody to send them to.
const COMMITTED: u64 = 10_000;
/// What is called a moderate load, events a second.
const MODERATE: u64 = 100;
/// What a message's body has, roughly.
const BODY_BYTES: usize = 750;
/// Two rounds of this many seconds tell the p99 of the same thing.
const LATENCY_S: u64 = 10;
/// Calls of the moderate load that may wait for their answer at once.
const CALLS_AT_ONCE: usize = 8;
/// A dead endpoint is given this long to hold what it can hold.
const DEAD_FOR: Duration = Duration::from_secs(3);
/// Nothing takes longer, unless it never ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was measured, a number a round.
#[derive(Default)]
pub(crate) struct Figures {
    bare: Vec<Rate>,
    committed: Vec<Rate>,
    /// Deliveries, by endpoints.
    delivered: [Vec<Rate>; 3],
    alone: Vec<Latency>,
    beside_dead: Vec<Latency>,
    idle: Option<Memory>,
    loaded: Option<Memory>,
    /// What a message weighs, with its headers.
    message_bytes: f64,
    /// Messages that came more often than once.
    doubled: u64,
}

/// How fast something went.
struct Rate {
    per_second: f64,
    /// Processor time of whoever did it, for each: what does not depend on who else is at work.
    cpu_us: f64,
}

struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures one database and prints it.
pub(crate) async fn measure(db: Db, cli: &Cli) {
    let stage = Stage::set(db).await.small();
    stage.server(None).stop().await;
    let server = stage.server(Some(cli.server_core));
    let mut shop = Shop::enter(&server);
    let sink = Sink::open();
    let mut figures = Figures::default();
    println!("\n── {db:?}: webhooks, {} rounds ──\n", cli.rounds);
    shop.make(2_000).await;
    sleep(Duration::from_secs(2)).await;
    figures.idle = Some(process::memory(server.pid()));
    for _ in 0..cli.rounds {
        let poster = stage.poster(cli.server_core, &sink.address, BODY_BYTES, cli.seconds);
        let figure = |name: &str| poster.banner[name].as_f64().expect("a figure");
        figures.bare.push(Rate { per_second: figure("rate"), cpu_us: figure("cpu_us") });
        drop(poster);
        let watch = Watch::start(&server);
        shop.make(COMMITTED).await;
        figures.committed.push(watch.rate(COMMITTED));
        // The numbering goes on for a moment.
        sleep(Duration::from_secs(1)).await;
        for (of, (endpoints, events)) in FLOODS.iter().enumerate() {
            let (rate, doubled) = flood(&server, &mut shop, &sink, *endpoints, *events).await;
            figures.delivered[of].push(rate);
            figures.doubled += doubled;
        }
    }
    figures.loaded = Some(process::memory(server.pid()));
    let (bytes, count) = (sink.bytes(), sink.count());
    dead_or_alive(&mut shop, &sink, usize::from(cli.rounds), &mut figures).await;
    figures.message_bytes = (sink.bytes() - bytes) as f64 / (sink.count() - count).max(1) as f64;
    report::print(&figures);
    server_ends(server, stage).await;
}

async fn server_ends(server: Program, stage: Stage) {
    server.stop().await;
    stage.clear().await;
}

/// Events at full speed to so many endpoints: deliveries a second from the first call until the last
/// message has come, and how many came twice.
async fn flood(
    server: &Program,
    shop: &mut Shop,
    sink: &Sink,
    endpoints: u64,
    events: u64,
) -> (Rate, u64) {
    let mut paths = Vec::new();
    for number in 0..endpoints {
        paths.push(shop.add_endpoint(&format!("http://{}/{number}", sink.address)).await);
    }
    sleep(Duration::from_millis(500)).await;
    let (before, expected) = (sink.count(), endpoints * events);
    let watch = Watch::start(server);
    let both = async { tokio::join!(shop.make(events), sink.wait_for(before + expected)) };
    if tokio::time::timeout(PATIENCE, both).await.is_err() {
        panic!("{} of {expected} messages came in {PATIENCE:?}", sink.count() - before);
    }
    let rate = watch.rate(expected);
    // What comes now comes twice.
    sleep(Duration::from_secs(1)).await;
    let doubled = sink.count() - before - expected;
    for path in paths {
        shop.remove(&path).await;
    }
    (rate, doubled)
}

/// The clock on the wall and the server's own.
struct Watch {
    pid: u32,
    began: Instant,
    cpu_s: f64,
}

impl Watch {
    fn start(server: &Program) -> Self {
        let pid = server.pid();
        Self { pid, began: Instant::now(), cpu_s: process::cpu_s(pid) }
    }

    fn rate(&self, count: u64) -> Rate {
        let each_us = |seconds: f64| seconds * 1e6 / count as f64;
        let cpu_us = each_us(process::cpu_s(self.pid) - self.cpu_s);
        Rate { per_second: 1e6 / each_us(self.began.elapsed().as_secs_f64()), cpu_us }
    }
}

/// The moderate load to one endpoint, alone and beside a dead one, in turns.
async fn dead_or_alive(shop: &mut Shop, sink: &Sink, rounds: usize, figures: &mut Figures) {
    let alive = shop.add_endpoint(&format!("http://{}/alive", sink.address)).await;
    let nowhere = sink::dead().await;
    moderate(shop, sink, 1).await;
    for _ in 0..rounds {
        figures.alone.push(moderate(shop, sink, LATENCY_S).await);
        let dead = shop.add_endpoint(&format!("http://{nowhere}/dead")).await;
        // What is dead must have something to be dead to.
        shop.make(2_000).await;
        sleep(DEAD_FOR).await;
        figures.beside_dead.push(moderate(shop, sink, LATENCY_S).await);
        shop.remove(&dead).await;
        sleep(DEAD_FOR).await;
    }
    shop.remove(&alive).await;
}

/// So many seconds of events, evenly: from the API's answer to the first byte at the receiver.
async fn moderate(shop: &mut Shop, sink: &Sink, seconds: u64) -> Latency {
    let (answered, mut answers) = mpsc::unbounded_channel();
    let (free, mut idle) = mpsc::unbounded_channel();
    for connection in shop.connections(CALLS_AT_ONCE).await {
        let _ = free.send(connection);
    }
    sink.note();
    let mut ticks = interval(Duration::from_micros(1_000_000 / MODERATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 0..MODERATE * seconds {
        ticks.tick().await;
        let request = shop.create();
        let mut connection = idle.recv().await.expect("a connection");
        let (free, answered) = (free.clone(), answered.clone());
        tokio::spawn(async move {
            let made = connection.json(&request).await;
            let at = Instant::now();
            let id = made["id"].as_str().expect("an id").to_owned();
            let _ = (answered.send((id, at)), free.send(connection));
        });
    }
    drop(answered);
    let mut committed = Vec::new();
    while let Some(answer) = answers.recv().await {
        committed.push(answer);
    }
    sleep(Duration::from_secs(1)).await;
    let seen = sink.noted();
    let mut waits_us = Histogram::<u32>::new_with_max(60_000_000, 3).expect("valid bounds");
    for (id, at) in committed {
        let came = seen.get(&id).unwrap_or_else(|| panic!("{id} did not come"));
        // It may come before the answer: both are on their way at once.
        let wait = came.saturating_duration_since(at).as_micros();
        waits_us.saturating_record(u64::try_from(wait).unwrap_or(u64::MAX));
    }
    let at = |quantile| waits_us.value_at_quantile(quantile) as f64 / 1e3;
    Latency { p50_ms: at(0.50), p99_ms: at(0.99) }
}
