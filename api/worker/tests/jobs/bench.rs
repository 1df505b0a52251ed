//! A table of jobs, workers over it, and a clock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bodega_kernel::{
    COMMITTED, Clock, Database, Job, Keys, Platform, Result, TurnedClock, Versions,
};
use bodega_tests::{Db, Setup};
use bodega_worker::{Done, Handler, Parts, Relay, Stop, Taken, Work, Worker};
use chrono::{DateTime, TimeDelta, Utc};
use entity::platform::job::{Column, Entity, Model};
use futures::FutureExt;
use futures::future::BoxFuture;
use migration::MigratorTrait;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use uuid::Uuid;

pub const QUEUE: &str = "test";

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Bench {
    pub platform: Arc<Platform>,
    pub clock: Arc<TurnedClock>,
    /// The names of the jobs that were begun, in order.
    pub begun: Arc<Mutex<Vec<String>>>,
    setup: Setup,
}

/// What a job does, after its name was noted.
pub struct Doer<F>(Arc<Mutex<Vec<String>>>, F);

impl<F, R> Handler for Doer<F>
where
    F: Fn(Taken, Stop) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Done>> + Send + 'static,
{
    fn run(&self, job: Taken, stop: Stop) -> BoxFuture<'static, Result<Done>> {
        self.0.lock().unwrap().push(job.args["name"].as_str().unwrap().to_owned());
        self.1(job, stop).boxed()
    }
}

impl Bench {
    pub async fn open(db: Db) -> Self {
        let setup = Setup::of(db, &[]).await;
        let clock = Arc::new(TurnedClock::default());
        let platform = platform(&setup.database_url, clock.clone()).await;
        migration::Migrator::up(platform.db.writer(), None).await.unwrap();
        Self { platform, clock, begun: Arc::default(), setup }
    }

    /// Another node: connections of its own.
    pub async fn node(&self) -> Arc<Platform> {
        platform(&self.setup.database_url, self.clock.clone()).await
    }

    pub fn now(&self) -> DateTime<Utc> {
        bodega_kernel::micros(self.clock.now())
    }

    /// A job that is due now.
    pub fn job(&self, name: &str) -> Job {
        Job::new(QUEUE, json!({"name": name}), self.now())
    }

    pub fn keyed(&self, name: &str) -> Job {
        Job { key: Some(name.to_owned()), ..self.job(name) }
    }

    pub fn of(&self, organization: Uuid, name: &str) -> Job {
        Job { organization: Some(organization), ..self.job(name) }
    }

    pub async fn push(&self, jobs: &[Job]) {
        Job::push(self.platform.db.writer(), jobs, self.now()).await.unwrap();
    }

    /// The jobs there are, the oldest first.
    #[expect(clippy::disallowed_methods, reason = "the platform's own rows")]
    pub async fn rows(&self) -> Vec<Model> {
        Entity::find().order_by_asc(Column::Id).all(self.platform.db.reader()).await.unwrap()
    }

    /// The only one.
    pub async fn row(&self) -> Model {
        let mut rows = self.rows().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// A process that does so many jobs at once, up to `share_max` of an organization's.
    pub fn start<F, R>(&self, concurrency: usize, share_max: i64, run: F) -> Worker
    where
        F: Fn(Taken, Stop) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Done>> + Send + 'static,
    {
        start(self.platform.clone(), concurrency, share_max, Doer(self.begun.clone(), run))
    }

    /// The names of what was begun so far.
    pub fn names(&self) -> Vec<String> {
        self.begun.lock().unwrap().clone()
    }

    /// Waits until something holds; the workers look at once.
    pub async fn until(&self, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < PATIENCE, "it never came to be: {:?}", self.rows().await);
            for topic in [COMMITTED, QUEUE] {
                self.platform.signals.raise(topic);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until nothing runs, and nothing is due.
    pub async fn settle(&self) {
        let idle = |job: &Model| match job.state.as_str() {
            "pending" => job.run_at > self.now(),
            state => state == "dead",
        };
        self.until(async || self.rows().await.iter().all(idle)).await;
    }

    pub async fn pass(&self, time: TimeDelta) {
        self.clock.turn(time);
        self.settle().await;
    }
}

/// A process over a platform.
pub fn start(
    platform: Arc<Platform>,
    concurrency: usize,
    share_max: i64,
    handler: impl Handler,
) -> Worker {
    let work = Work { queue: QUEUE, handler: Arc::new(handler), concurrency, share_max };
    let relay = Relay::new(platform.clone(), Vec::new());
    Worker::start(platform, Parts { work: vec![work], chores: Vec::new(), relay })
}

async fn platform(url: &str, clock: Arc<TurnedClock>) -> Arc<Platform> {
    let db = Database::open(url, 8).await.unwrap();
    let keys = Keys { sealing: b"test", encryption: b"test" };
    let versions = Versions::new("2026-11-20", Vec::new());
    Arc::new(Platform::new(db, clock, versions, keys))
}
