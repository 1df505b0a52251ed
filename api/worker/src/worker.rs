//! A process's share of the work: a worker of apalis for each queue, the relay, the schedule, and
//! the heartbeat that keeps its jobs its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Data, Monitor, WorkerBuilder};
use apalis_core::error::BoxDynError;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use bodega_kernel::{COMMITTED, Platform, Problem, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::backend::{Feed, Held};
use crate::queue::{self, Hands, Queue};
use crate::schedule::{self, Chore};
use crate::{Done, Relay, Taken};

/// What is in hand gets this long to end before it is left to its lease.
const STOP: Duration = Duration::from_secs(25);

/// Tells a job that runs long that it should come to an end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether to stop.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is set.
    pub async fn set(&mut self) {
        // A sender that is gone means the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// One that is never set, for tests and commands.
    pub fn never() -> Self {
        let (sender, receiver) = watch::channel(false);
        std::mem::forget(sender);
        Self(receiver)
    }
}

/// Does the jobs of a queue.
pub trait Handler: Send + Sync + 'static {
    /// Does one. An error is tried again later.
    fn run(&self, job: Taken, stop: Stop) -> BoxFuture<'static, Result<Done>>;
}

/// A queue, who does its jobs, and how many at once.
pub struct Work {
    /// The queue.
    pub queue: &'static str,
    /// Who does them.
    pub handler: Arc<dyn Handler>,
    /// How many at once, here.
    pub concurrency: usize,
    /// How many of one organization at once, everywhere.
    pub share_max: i64,
}

/// All that a process works on.
pub struct Parts {
    /// The queues.
    pub work: Vec<Work>,
    /// What recurs.
    pub chores: Vec<Chore>,
    /// The relay.
    pub relay: Relay,
}

/// The process's workers, running.
pub struct Worker {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Goes on until what is in hand has ended.
    heartbeat: JoinHandle<()>,
}

/// What one of apalis's workers runs a job with.
#[derive(Clone)]
struct Crew {
    queue: Queue,
    handler: Arc<dyn Handler>,
    wake: Arc<Notify>,
    stop: Stop,
}

impl Worker {
    /// Starts working.
    pub fn start(platform: Arc<Platform>, parts: Parts) -> Self {
        let (stop, stopping) = watch::channel(false);
        let name = format!("worker-{}", Uuid::now_v7().simple());
        let mut monitor = Monitor::new().shutdown_timeout(STOP).should_restart(|_, _| true);
        let mut queues = Vec::new();
        let hands = Hands::default();
        for Work { queue, handler, concurrency, share_max } in parts.work {
            let wake = Arc::new(Notify::new());
            let (platform, woken) = (platform.clone(), wake.clone());
            platform.signals.on(queue, move || woken.notify_one());
            queues.push(queue);
            let (worker, hands) = (name.clone(), hands.clone());
            let queue = Queue { platform, name: queue, worker, share_max, hands };
            let room = Arc::new(Semaphore::new(concurrency));
            let crew = Crew { queue, handler, wake, stop: Stop(stopping.clone()) };
            monitor = monitor.register(move |_| {
                let Crew { queue, wake, stop, .. } = crew.clone();
                WorkerBuilder::new(queue.name)
                    .backend(Feed::new(queue, wake, room.clone(), stop.0))
                    .data(crew.clone())
                    .parallelize(tokio::spawn)
                    .build(work)
            });
        }
        let relayed = Arc::new(Notify::new());
        let wake = relayed.clone();
        platform.signals.on(COMMITTED, move || wake.notify_one());

        let until = Stop(stopping.clone());
        let jobs = tokio::spawn(async move {
            let mut until = until;
            let told = async move {
                until.set().await;
                Ok(())
            };
            if let Err(error) = monitor.run_with_signal(told).await {
                tracing::error!(%error, "the workers ended");
            }
        });
        let beat = platform.clone();
        let heartbeat = tokio::spawn(async move { keep(&beat, &name, &hands, &queues).await });
        let (clock, until) = (platform, stopping.clone());
        let chores = tokio::spawn(async move { schedule::run(&clock, &parts.chores, until).await });
        let relay = tokio::spawn(async move { parts.relay.run(&relayed, stopping).await });
        Self { stop, tasks: vec![relay, chores, jobs], heartbeat }
    }

    /// Takes nothing new, ends what is in hand or gives it back.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = futures::future::join_all(std::mem::take(&mut self.tasks));
        if tokio::time::timeout(STOP, ended).await.is_err() {
            tracing::warn!("some jobs took too long to end; they will be taken up again");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.heartbeat.abort();
    }
}

/// Runs one job and writes down what it came to.
async fn work(held: Held, crew: Data<Crew>) -> Result<(), BoxDynError> {
    let job = &held.job;
    let began = std::time::Instant::now();
    let running = async { crew.handler.run(job.clone(), crew.stop.clone()).await };
    let running = AssertUnwindSafe(running);
    let done = running.catch_unwind().await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Problem::internal(format!("panic: {}", said.unwrap_or("?"))))
    });
    let outcome = if done.is_ok() { "done" } else { "failed" };
    let labels = [("queue", crew.queue.name), ("outcome", outcome)];
    metrics::counter!("bodega_jobs_total", &labels).increment(1);
    metrics::histogram!("bodega_job_seconds", "queue" => crew.queue.name)
        .record(began.elapsed().as_secs_f64());
    crew.queue.finish(job, &done).await;
    // It may be due again already; there is room for it only now.
    drop(held);
    crew.wake.notify_one();
    Ok(())
}

/// Keeps what this process has in hand its own, and takes up what dead ones had.
async fn keep(platform: &Platform, worker: &str, hands: &Hands, queues: &[&str]) {
    loop {
        let kept = async {
            queue::heartbeat(platform, worker, hands).await?;
            queue::reclaim(platform).await
        };
        match kept.await {
            Ok(0) => {}
            Ok(jobs) => {
                tracing::warn!(jobs, "taken from workers that died");
                queues.iter().for_each(|queue| platform.signals.raise(queue));
            }
            Err(error) => tracing::warn!(%error, "the heartbeat was not written"),
        }
        tokio::time::sleep(queue::HEARTBEAT).await;
    }
}
