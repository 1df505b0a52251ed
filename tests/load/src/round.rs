//! One round: so many connections that each ask, wait for the answer and ask again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep_until};

use crate::http::Connection;
use crate::process::{self, Threads};

/// Writes a request. It gets a random number and how many requests there were before, ever.
pub(crate) type Write = Arc<dyn Fn(&mut Vec<u8>, u64, u64) + Send + Sync>;

/// What is asked, and whom.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) write: Write,
}

/// How it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) server_core: usize,
    pub(crate) client_core: usize,
}

/// What was measured.
pub(crate) struct Round {
    /// Answers a second.
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processor time of the server a request.
    pub(crate) cpu_us: f64,
    /// The same, by kind of thread.
    pub(crate) threads_us: Threads,
    /// How busy each core was, of 1.
    pub(crate) server_core: f64,
    pub(crate) client_core: f64,
    /// How busy the client itself was, of 1.
    pub(crate) client: f64,
    /// Bytes of body an answer.
    pub(crate) bytes: f64,
    /// Requests, the warm-up's as well.
    pub(crate) sent: u64,
    pub(crate) failures: u64,
    /// The first failure, in words.
    pub(crate) failure: Option<String>,
}

/// What one connection noted.
struct Notes {
    latencies_us: Histogram<u32>,
    bytes: u64,
    sent: u64,
    failures: u64,
    failure: Option<String>,
}

/// Numbers all requests of the run, so that no two of them make the same thing.
static SERIAL: AtomicU64 = AtomicU64::new(0);

const LATENCY_MAX_US: u64 = 60_000_000;

/// Runs a round.
pub(crate) async fn run(work: &Work, pace: &Pace) -> Round {
    let begin = Instant::now() + pace.warm_up;
    let end = begin + pace.measured;
    let mut asking = Vec::new();
    for _ in 0..pace.connections {
        let connection = Connection::open(work.address).await.expect("a connection");
        asking.push(tokio::spawn(ask(connection, work.write.clone(), begin, end)));
    }
    sleep_until(begin).await;
    let before = Sample::of(work.pid, pace);
    sleep_until(end).await;
    let after = Sample::of(work.pid, pace);

    let mut all = Notes::new();
    for connection in asking {
        all.add(connection.await.expect("a connection's notes"));
    }
    round(&all, &before, &after)
}

async fn ask(mut connection: Connection, write: Write, begin: Instant, end: Instant) -> Notes {
    let mut notes = Notes::new();
    let mut request = Vec::with_capacity(1024);
    let mut random = SERIAL.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    loop {
        let asked = Instant::now();
        if asked >= end {
            return notes;
        }
        // Xorshift: good enough to choose a product, and free.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        request.clear();
        write(&mut request, random, SERIAL.fetch_add(1, Ordering::Relaxed));
        let answer = connection.call(&request).await;
        let answered = Instant::now();
        notes.sent += 1;
        match answer {
            Ok(answer) if answer.status < 300 => {
                if answered >= begin && answered < end {
                    let took = u64::try_from((answered - asked).as_micros()).unwrap_or(u64::MAX);
                    notes.latencies_us.saturating_record(took);
                    notes.bytes += answer.body.len() as u64;
                }
            }
            Ok(answer) => {
                let body = String::from_utf8_lossy(answer.body);
                notes.failed(format!("{} {body}", answer.status));
            }
            Err(error) => {
                // What a broken connection would still say says nothing.
                notes.failed(error.to_string());
                return notes;
            }
        }
    }
}

/// What the kernel had counted at one moment.
struct Sample {
    at: Instant,
    cpu_s: f64,
    threads_s: Threads,
    client_s: f64,
    server_core: (f64, f64),
    client_core: (f64, f64),
}

impl Sample {
    fn of(pid: u32, pace: &Pace) -> Self {
        Self {
            at: Instant::now(),
            cpu_s: process::cpu_s(pid),
            threads_s: process::threads(pid),
            client_s: process::cpu_s(std::process::id()),
            server_core: process::core_s(pace.server_core),
            client_core: process::core_s(pace.client_core),
        }
    }
}

fn round(all: &Notes, before: &Sample, after: &Sample) -> Round {
    let seconds = (after.at - before.at).as_secs_f64();
    let answers = all.latencies_us.len() as f64;
    let each_us = |spent_s: f64| spent_s * 1e6 / answers.max(1.0);
    let busy = |before: (f64, f64), after: (f64, f64)| {
        (after.0 - before.0) / (after.1 - before.1).max(0.01)
    };
    let kinds = after.threads_s.iter().map(|(kind, spent)| {
        (*kind, each_us(spent - before.threads_s.get(kind).copied().unwrap_or_default()))
    });
    Round {
        rate: answers / seconds,
        p50_us: all.latencies_us.value_at_quantile(0.50) as f64,
        p99_us: all.latencies_us.value_at_quantile(0.99) as f64,
        cpu_us: each_us(after.cpu_s - before.cpu_s),
        threads_us: kinds.collect(),
        server_core: busy(before.server_core, after.server_core),
        client_core: busy(before.client_core, after.client_core),
        client: (after.client_s - before.client_s) / seconds,
        bytes: all.bytes as f64 / answers.max(1.0),
        sent: all.sent,
        failures: all.failures,
        failure: all.failure.clone(),
    }
}

impl Notes {
    fn new() -> Self {
        let latencies_us = Histogram::new_with_max(LATENCY_MAX_US, 3).expect("valid bounds");
        Self { latencies_us, bytes: 0, sent: 0, failures: 0, failure: None }
    }

    fn failed(&mut self, what: String) {
        self.failures += 1;
        self.failure.get_or_insert(what);
    }

    fn add(&mut self, other: Self) {
        self.latencies_us.add(&other.latencies_us).expect("the same bounds");
        self.bytes += other.bytes;
        self.sent += other.sent;
        self.failures += other.failures;
        self.failure = self.failure.take().or(other.failure);
    }
}
