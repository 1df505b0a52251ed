//! What a dead worker had in hand is taken from it.

use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::Job;
use bodega_tests::{Db, both};
use bodega_worker::{Done, Taken};
use chrono::TimeDelta;
use tokio::sync::Semaphore;

use crate::bench::Bench;

both!(
    taken_over_when_its_lease_has_run_out,
    left_alone_until_then,
    what_kills_its_workers_is_given_up,
    due_at_once_though_asked_for_later,
    a_stop_renews_what_is_in_hand,
);

async fn taken_over_when_its_lease_has_run_out(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let gate = Arc::new(Semaphore::new(0));
    let pass = gate.clone();
    // It hangs, and its heart stops for as long as the clock jumps.
    let _lost = bench.start(1, 9, move |_, _| {
        let pass = pass.clone();
        async move {
            pass.acquire().await.unwrap().forget();
            Ok(Done::Finished)
        }
    });
    bench.until(async || bench.names().len() == 1).await;
    let first = bench.row().await;
    bench.clock.turn(TimeDelta::seconds(31));
    let hang = |_: Taken, _| std::future::pending();
    let _heir = bench.start(1, 9, hang);
    bench.until(async || bench.names().len() == 2).await;
    let second = bench.row().await;
    assert_eq!((second.id, second.attempts), (first.id, 2));
    assert_ne!(second.worker, first.worker);
    assert_eq!(second.last_error.as_deref(), Some("its worker died"));
    // The first one was not dead: what it says in the end is not about its own job any more.
    gate.add_permits(1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let still = bench.row().await;
    assert_eq!((still.state.as_str(), still.worker), ("running", second.worker));
}

async fn left_alone_until_then(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let _slow = bench.start(1, 9, |_, _| std::future::pending());
    bench.until(async || bench.names().len() == 1).await;
    bench.clock.turn(TimeDelta::seconds(5));
    let idle = bench.start(1, 9, async |_, _| Ok(Done::Finished));
    tokio::time::sleep(Duration::from_millis(100)).await;
    idle.stop().await;
    assert_eq!(bench.names().len(), 1);
}

async fn what_kills_its_workers_is_given_up(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[Job { attempts_max: 2, ..bench.job("a") }]).await;
    let mut workers = Vec::new();
    for dead in 1..=2 {
        workers.push(bench.start(1, 9, |_, _| std::future::pending()));
        bench.until(async || bench.names().len() == dead).await;
        bench.clock.turn(TimeDelta::seconds(31));
    }
    workers.push(bench.start(1, 9, async |_, _| Ok(Done::Finished)));
    bench.until(async || bench.row().await.state == "dead").await;
    assert_eq!(bench.names().len(), 2);
}

async fn due_at_once_though_asked_for_later(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let _lost = bench.start(1, 9, |_, _| std::future::pending());
    bench.until(async || bench.names().len() == 1).await;
    let tomorrow = bench.now() + TimeDelta::days(1);
    bench.push(&[Job { run_at: tomorrow, ..bench.keyed("a") }]).await;
    bench.clock.turn(TimeDelta::seconds(31));
    let _heir = bench.start(1, 9, async |_, _| Ok(Done::Finished));
    bench.until(async || bench.names().len() == 2).await;
}

/// A worker that stops has 25 seconds to end what it has in hand; its lease lasts as long.
async fn a_stop_renews_what_is_in_hand(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.job("a")]).await;
    let slow = bench.start(1, 9, |_, _| std::future::pending());
    bench.until(async || bench.names().len() == 1).await;
    bench.clock.turn(TimeDelta::seconds(5));
    let stopping = tokio::spawn(slow.stop());
    bench
        .until(async || bench.row().await.lease_until > Some(bench.now() + TimeDelta::seconds(8)))
        .await;
    stopping.abort();
}
