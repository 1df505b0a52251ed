//! Somebody else, of another organization, who reads and writes while others attack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bodega_tests::{Api, Server};
use serde_json::json;

/// Between two pairs of calls: a standard plan allows 600 a minute.
const PAUSE: Duration = Duration::from_millis(210);

/// A shop that goes on with its business.
pub struct Bystander {
    api: Api,
}

/// How long its calls took, shortest first.
pub struct Times(Vec<Duration>);

/// A bystander at work.
pub struct AtWork {
    stop: Arc<AtomicBool>,
    calls: JoinHandle<Times>,
}

impl Bystander {
    pub async fn of(server: &Server) -> Self {
        let (_, key) = server.organization("Bystander").await;
        Self { api: server.api().with_key(&key) }
    }

    /// Reads and writes, one after the other with a pause, until it is told to stop. Every call has
    /// to succeed. It has a thread and connections of its own: what an attacker of the same process
    /// does with its answers is not to be measured here.
    pub fn begin(&self) -> AtWork {
        let stop = Arc::new(AtomicBool::new(false));
        let (api, stopped) = (self.api.clone(), stop.clone());
        let calls = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work(&api.apart(), &stopped))
        });
        AtWork { stop, calls }
    }
}

async fn work(api: &Api, stopped: &AtomicBool) -> Times {
    let mut times = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        let body = json!({"name": format!("Marca {}", times.len())});
        let began = Instant::now();
        let made = api.call("POST", "/v1/brands").json(&body).send().await.expect(201);
        let wrote = Instant::now();
        let path = format!("/v1/brands/{}", made["id"].as_str().expect("an id"));
        api.call("GET", &path).send().await.expect(200);
        times.extend([wrote - began, wrote.elapsed()]);
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_unstable();
    Times(times)
}

impl AtWork {
    /// Stops it; how long its calls took.
    pub async fn end(self) -> Times {
        self.stop.store(true, Ordering::Relaxed);
        let ended = tokio::task::spawn_blocking(|| self.calls.join()).await.expect("a thread");
        ended.expect("every call of a bystander succeeds")
    }
}

impl Times {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that all but one in a hundred stayed under.
    pub fn p99(&self) -> Duration {
        let at = (self.0.len() * 99 / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }
}
