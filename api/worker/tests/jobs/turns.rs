//! Who comes first, and how many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bodega_kernel::Job;
use bodega_tests::{Db, both};
use bodega_worker::Done;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::bench::Bench;

both!(
    the_urgent_first,
    organizations_take_turns,
    no_more_than_its_share,
    no_more_than_there_is_room_for,
    one_that_is_full_does_not_stop_another,
);

async fn the_urgent_first(db: Db) {
    let bench = Bench::open(db).await;
    let at = |name: &str, priority, seconds| Job {
        priority,
        run_at: bench.now() - TimeDelta::seconds(seconds),
        ..bench.job(name)
    };
    bench.push(&[at("low", -1, 99), at("new", 0, 1), at("old", 0, 9), at("high", 5, 0)]).await;
    bench.push(&[at("not yet", 9, -60)]).await;
    let _worker = bench.start(1, 9, async |_, _| Ok(Done::Finished));
    bench.settle().await;
    assert_eq!(bench.names(), ["high", "old", "new", "low"]);
}

async fn organizations_take_turns(db: Db) {
    let bench = Bench::open(db).await;
    let (flood, other) = (Uuid::now_v7(), Uuid::now_v7());
    let jobs: Vec<Job> = (0..50).map(|_| bench.of(flood, "flood")).collect();
    bench.push(&jobs).await;
    bench.push(&[bench.of(other, "other"), bench.of(other, "other")]).await;
    let _worker = bench.start(3, 99, async |_, _| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(Done::Finished)
    });
    bench.settle().await;
    let names = bench.names();
    let last = names.iter().rposition(|name| name == "other").unwrap();
    assert!(last < 6, "{last}");
    assert_eq!(names.len(), 52);
}

/// How many run, and how many at most.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    async fn run(self: Arc<Self>) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn no_more_than_its_share(db: Db) {
    let bench = Bench::open(db).await;
    let organization = Uuid::now_v7();
    let jobs: Vec<Job> = (0..20).map(|_| bench.of(organization, "a")).collect();
    bench.push(&jobs).await;
    let gauge = Arc::new(Gauge::default());
    let counted = gauge.clone();
    let _worker = bench.start(16, 3, move |_, _| {
        let counted = counted.clone();
        async move {
            counted.run().await;
            Ok(Done::Finished)
        }
    });
    bench.settle().await;
    assert_eq!((bench.names().len(), gauge.most.load(Ordering::SeqCst)), (20, 3));
}

async fn no_more_than_there_is_room_for(db: Db) {
    let bench = Bench::open(db).await;
    let jobs: Vec<Job> = (0..9).map(|_| bench.job("a")).collect();
    bench.push(&jobs).await;
    let _worker = bench.start(2, 99, |_, _| std::future::pending());
    bench.until(async || bench.names().len() == 2).await;
    // Time enough to take more, were it to.
    for _ in 0..20 {
        bench.platform.signals.raise(crate::bench::QUEUE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let running = bench.rows().await.iter().filter(|job| job.state == "running").count();
    assert_eq!(running, 2, "another process could begin the rest");
}

async fn one_that_is_full_does_not_stop_another(db: Db) {
    let bench = Bench::open(db).await;
    let (full, other) = (Uuid::now_v7(), Uuid::now_v7());
    let jobs: Vec<Job> = (0..40).map(|_| bench.of(full, "hangs")).collect();
    bench.push(&jobs).await;
    let _worker = bench.start(16, 4, |job, _| async move {
        if job.args["name"] == "hangs" {
            std::future::pending::<()>().await;
        }
        Ok(Done::Finished)
    });
    bench.until(async || bench.names().len() == 4).await;
    bench.push(&[bench.of(other, "b"), bench.job("nobody's")]).await;
    bench.until(async || bench.names().len() == 6 && bench.rows().await.len() == 40).await;
    let running = bench.rows().await.iter().filter(|job| job.state == "running").count();
    assert_eq!(running, 4);
}
