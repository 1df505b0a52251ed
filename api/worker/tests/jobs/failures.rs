//! What fails is tried again, later each time, and is kept when it is given up.

use bodega_kernel::{Job, Problem};
use bodega_tests::{Db, both};
use bodega_worker::{Done, Figures, Handler, Listed, Stop, Taken};
use chrono::TimeDelta;
use futures::future::BoxFuture;

use crate::bench::{Bench, start};

both!(
    each_wait_is_longer,
    the_dead_are_kept_and_revived,
    the_dead_make_way_for_the_same_asked_again,
    a_panic_is_a_failure,
    a_panic_before_it_begins_is_one_too,
    a_success_begins_anew,
);

async fn each_wait_is_longer(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[Job { attempts_max: 11, ..bench.job("a") }]).await;
    let _worker = bench.start(4, 9, async |job: Taken, _| {
        Err(Problem::internal(format!("{} try {}", "é".repeat(2_000), job.attempts)))
    });
    bench.settle().await;
    let waits = [1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 7_200, 7_200];
    for (index, wait_s) in waits.into_iter().enumerate() {
        let row = bench.row().await;
        assert_eq!((row.state.as_str(), row.attempts as usize), ("pending", index + 1));
        assert_eq!((row.worker, row.lease_until), (None, None));
        assert_eq!(row.last_error.unwrap().chars().count(), 1_000);
        let left = row.run_at - bench.now();
        assert!(left <= TimeDelta::seconds(wait_s), "{left} {wait_s}");
        assert!(left > TimeDelta::milliseconds(wait_s * 1_000 - 900), "{left} {wait_s}");
        bench.pass(left / 2).await;
        assert_eq!(bench.names().len(), index + 1, "not before its time");
        bench.pass(left).await;
        assert_eq!(bench.names().len(), index + 2);
    }
    assert_eq!(bench.row().await.state, "dead");
}

async fn the_dead_are_kept_and_revived(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[Job { attempts_max: 2, ..bench.job("a") }]).await;
    let worker = bench.start(4, 9, async |_, _| Err(Problem::internal("no")));
    bench.settle().await;
    bench.pass(TimeDelta::seconds(2)).await;
    bench.pass(TimeDelta::days(30)).await;
    assert_eq!(bench.names().len(), 2);
    let listed = Listed::read(&bench.platform, "dead").await.unwrap();
    assert_eq!((listed.len(), listed[0].attempts), (1, 2));
    assert!(listed[0].last_error.is_some());
    let figures = Figures::read(&bench.platform).await.unwrap();
    assert_eq!((figures[0].state.as_str(), figures[0].jobs), ("dead", 1));
    worker.stop().await;

    let _worker = bench.start(4, 9, async |_, _| Ok(Done::Finished));
    assert!(Listed::revive(&bench.platform, listed[0].id).await.unwrap());
    bench.settle().await;
    assert_eq!(bench.names().len(), 3);
    assert!(!Listed::revive(&bench.platform, listed[0].id).await.unwrap(), "it is done");
}

async fn the_dead_make_way_for_the_same_asked_again(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[Job { attempts_max: 1, ..bench.keyed("a") }]).await;
    let worker = bench.start(4, 9, async |_, _| Err(Problem::internal("no")));
    bench.settle().await;
    let dead = bench.row().await;
    assert_eq!(dead.state, "dead");
    worker.stop().await;
    bench.push(&[bench.keyed("a")]).await;
    assert_eq!(bench.rows().await.len(), 2);
    assert!(!Listed::revive(&bench.platform, dead.id).await.unwrap(), "the other one runs");
    let _worker = bench.start(4, 9, async |_, _| Ok(Done::Finished));
    bench.settle().await;
    assert!(Listed::revive(&bench.platform, dead.id).await.unwrap());
}

async fn a_panic_is_a_failure(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.job("bad"), bench.job("good")]).await;
    let _worker = bench.start(1, 9, async |job: Taken, _| {
        assert_ne!(job.args["name"], "bad", "on purpose");
        Ok(Done::Finished)
    });
    bench.settle().await;
    let row = bench.row().await;
    assert_eq!((row.state.as_str(), row.attempts), ("pending", 1));
    assert!(row.last_error.as_ref().unwrap().contains("on purpose"), "{row:?}");
    assert_eq!(bench.names(), ["bad", "good"], "the worker goes on");
    bench.pass(TimeDelta::seconds(2)).await;
    assert_eq!(bench.row().await.attempts, 2);
}

/// Panics before there is anything to wait for.
struct Careless;

impl Handler for Careless {
    fn run(&self, job: Taken, _: Stop) -> BoxFuture<'static, bodega_kernel::Result<Done>> {
        assert_ne!(job.args["name"], "bad", "on purpose");
        Box::pin(async { Ok(Done::Finished) })
    }
}

async fn a_panic_before_it_begins_is_one_too(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.job("bad"), bench.job("good")]).await;
    let _worker = start(bench.platform.clone(), 1, 9, Careless);
    bench.settle().await;
    let row = bench.row().await;
    assert_eq!((row.state.as_str(), row.attempts), ("pending", 1));
    assert!(row.last_error.unwrap().contains("on purpose"));
}

async fn a_success_begins_anew(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let clock = bench.clock.clone();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let _worker = bench.start(1, 9, move |_, _| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = bodega_kernel::Clock::now(&*clock);
        async move {
            match nth {
                0 | 1 => Err(Problem::internal("no")),
                _ => Ok(Done::Again(now + TimeDelta::days(1))),
            }
        }
    });
    bench.settle().await;
    bench.pass(TimeDelta::seconds(2)).await;
    assert_eq!(bench.row().await.attempts, 2);
    bench.pass(TimeDelta::seconds(6)).await;
    let row = bench.row().await;
    assert_eq!((row.attempts, row.last_error), (0, None));
}
