//! Many workers, many jobs, all at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bodega_kernel::{Job, Result};
use bodega_tests::{Db, both};
use bodega_worker::{Done, Handler, Stop, Taken};
use futures::future::BoxFuture;
use serde_json::json;

use crate::bench::{Bench, QUEUE, start};

both!(no_job_runs_twice_at_once, nothing_asked_for_is_forgotten);

/// Counts, for each name, what runs and what was done.
#[derive(Clone, Default)]
struct Watch(Arc<Counts>);

#[derive(Default)]
struct Counts {
    running: Mutex<HashMap<String, usize>>,
    /// What each name had been asked for when its last run began.
    seen: Mutex<HashMap<String, usize>>,
    asked: Mutex<HashMap<String, usize>>,
    runs: AtomicUsize,
    overlaps: AtomicUsize,
}

impl Handler for Watch {
    fn run(&self, job: Taken, _: Stop) -> BoxFuture<'static, Result<Done>> {
        let counts = self.0.clone();
        Box::pin(async move {
            let name = job.args["name"].as_str().unwrap().to_owned();
            let asked = counts.asked.lock().unwrap().get(&name).copied().unwrap_or_default();
            counts.seen.lock().unwrap().insert(name.clone(), asked);
            counts.runs.fetch_add(1, Ordering::SeqCst);
            let running = {
                let mut running = counts.running.lock().unwrap();
                let running = running.entry(name.clone()).or_default();
                *running += 1;
                *running
            };
            counts.overlaps.fetch_add(running - 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            *counts.running.lock().unwrap().get_mut(&name).unwrap() -= 1;
            Ok(Done::Finished)
        })
    }
}

async fn no_job_runs_twice_at_once(db: Db) {
    let bench = Bench::open(db).await;
    let jobs: Vec<Job> = (0..400).map(|number| bench.job(&number.to_string())).collect();
    bench.push(&jobs).await;
    let watch = Watch::default();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(start(bench.node().await, 8, 99, watch.clone()));
    }
    bench.settle().await;
    assert_eq!(watch.0.runs.load(Ordering::SeqCst), 400, "each once");
    assert_eq!(watch.0.overlaps.load(Ordering::SeqCst), 0);
    for worker in workers {
        worker.stop().await;
    }
}

/// Keys are asked for all the time by many: each runs after it was last asked for, and never
/// beside itself.
async fn nothing_asked_for_is_forgotten(db: Db) {
    let bench = Arc::new(Bench::open(db).await);
    let watch = Watch::default();
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(start(bench.node().await, 8, 99, watch.clone()));
    }
    let askers = (0..4).map(|asker: usize| {
        let (bench, watch) = (bench.clone(), watch.clone());
        tokio::spawn(async move {
            let node = bench.node().await;
            for round in 0..60 {
                // Several at once, in different orders.
                let mut names = [round % 7, (round + asker) % 7, (round * asker) % 7];
                if asker.is_multiple_of(2) {
                    names.reverse();
                }
                let jobs: Vec<Job> = names
                    .iter()
                    .map(|name| Job {
                        key: Some(name.to_string()),
                        ..Job::new(QUEUE, json!({"name": name.to_string()}), bench.now())
                    })
                    .collect();
                for name in names {
                    *watch.0.asked.lock().unwrap().entry(name.to_string()).or_default() += 1;
                }
                let tx = node.db.begin().await.unwrap();
                Job::push(&tx, &jobs, bench.now()).await.unwrap();
                tx.commit().await.unwrap();
            }
        })
    });
    for asked in futures::future::join_all(askers).await {
        asked.unwrap();
    }
    bench.settle().await;
    assert_eq!(watch.0.overlaps.load(Ordering::SeqCst), 0);
    assert_eq!(*watch.0.seen.lock().unwrap(), *watch.0.asked.lock().unwrap());
    for worker in workers {
        worker.stop().await;
    }
}
