//! Of the jobs of a queue with the same key, only one waits or runs.

use std::sync::Arc;

use bodega_kernel::{Job, Problem};
use bodega_tests::{Db, both};
use bodega_worker::Done;
use chrono::TimeDelta;
use tokio::sync::Semaphore;

use crate::bench::Bench;

both!(
    asked_again_while_waiting,
    asked_again_while_running,
    asked_again_for_later_while_running,
    asked_again_while_running_and_failing,
    that_runs_again_by_itself,
    without_a_key_each_runs,
);

/// Lets jobs begin one by one.
fn gate() -> (Arc<Semaphore>, impl Fn() -> BoxedPass) {
    let gate = Arc::new(Semaphore::new(0));
    let pass = gate.clone();
    (gate, move || {
        let pass = pass.clone();
        Box::pin(async move { pass.acquire().await.unwrap().forget() })
    })
}

type BoxedPass = futures::future::BoxFuture<'static, ()>;

async fn asked_again_while_waiting(db: Db) {
    let bench = Bench::open(db).await;
    let at =
        |minutes| Job { run_at: bench.now() + TimeDelta::minutes(minutes), ..bench.keyed("a") };
    let (later, sooner) = (at(10), at(5));
    bench.push(&[later.clone(), Job { key: Some("b".to_owned()), ..later.clone() }]).await;
    bench.push(std::slice::from_ref(&sooner)).await;
    bench.push(&[later]).await;
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 2, "another key is another job");
    assert_eq!(rows[0].run_at, sooner.run_at, "the earlier of all times");
    let _worker = bench.start(4, 9, async |_, _| Ok(Done::Finished));
    bench.pass(TimeDelta::minutes(6)).await;
    assert_eq!(bench.names(), ["a"]);
    bench.pass(TimeDelta::minutes(6)).await;
    assert_eq!(bench.names().len(), 2);
    assert!(bench.rows().await.is_empty(), "what is done leaves nothing");
}

async fn asked_again_while_running(db: Db) {
    let bench = Bench::open(db).await;
    let (gate, pass) = gate();
    bench.push(&[bench.keyed("a")]).await;
    let _worker = bench.start(4, 9, move |_, _| {
        let pass = pass();
        async move {
            pass.await;
            Ok(Done::Finished)
        }
    });
    bench.until(async || bench.names().len() == 1).await;
    for _ in 0..3 {
        bench.push(&[bench.keyed("a")]).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(bench.names().len(), 1, "not while it runs");
    gate.add_permits(1);
    bench.until(async || bench.names().len() == 2).await;
    gate.add_permits(1);
    bench.settle().await;
    assert_eq!(bench.names().len(), 2, "once more, however often it was asked for");
    assert!(bench.rows().await.is_empty());
}

async fn asked_again_for_later_while_running(db: Db) {
    let bench = Bench::open(db).await;
    let (gate, pass) = gate();
    bench.push(&[bench.keyed("a")]).await;
    let _worker = bench.start(4, 9, move |_, _| {
        let pass = pass();
        async move {
            pass.await;
            Ok(Done::Finished)
        }
    });
    bench.until(async || bench.names().len() == 1).await;
    let in_an_hour = bench.now() + TimeDelta::hours(1);
    bench.push(&[Job { run_at: in_an_hour, ..bench.keyed("a") }]).await;
    gate.add_permits(2);
    bench.settle().await;
    assert_eq!((bench.names().len(), bench.row().await.run_at), (1, in_an_hour));
    bench.pass(TimeDelta::minutes(61)).await;
    assert_eq!(bench.names().len(), 2);
}

/// Even if this was its last try: what was asked for since is owed.
async fn asked_again_while_running_and_failing(db: Db) {
    let bench = Bench::open(db).await;
    let (gate, pass) = gate();
    bench.push(&[Job { attempts_max: 1, ..bench.keyed("a") }]).await;
    let _worker = bench.start(4, 9, move |_, _| {
        let pass = pass();
        async move {
            pass.await;
            Err(Problem::internal("no"))
        }
    });
    bench.until(async || bench.names().len() == 1).await;
    bench.push(&[bench.keyed("a")]).await;
    gate.add_permits(1);
    bench.settle().await;
    let row = bench.row().await;
    assert_eq!((row.state.as_str(), row.attempts), ("pending", 0));
    gate.add_permits(1);
    bench.pass(TimeDelta::seconds(2)).await;
    assert_eq!((bench.names().len(), bench.row().await.state.as_str()), (2, "dead"));
}

async fn that_runs_again_by_itself(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let clock = bench.clock.clone();
    let _worker = bench.start(4, 9, move |job, _| {
        assert_eq!(job.attempts, 1, "a success begins the count again");
        let at = bodega_kernel::Clock::now(&*clock) + TimeDelta::hours(1);
        async move { Ok(Done::Again(at)) }
    });
    bench.settle().await;
    bench.pass(TimeDelta::minutes(30)).await;
    assert_eq!(bench.names().len(), 1);
    // Asked for in between, it runs at once, and goes on from there.
    bench.push(&[bench.keyed("a")]).await;
    bench.settle().await;
    assert_eq!(bench.names().len(), 2);
    bench.pass(TimeDelta::minutes(31)).await;
    assert_eq!(bench.names().len(), 2);
    bench.pass(TimeDelta::minutes(31)).await;
    assert_eq!(bench.names().len(), 3);
}

async fn without_a_key_each_runs(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.job("a"), bench.job("a"), bench.job("a")]).await;
    let _worker = bench.start(4, 9, async |_, _| Ok(Done::Finished));
    bench.settle().await;
    assert_eq!(bench.names(), ["a", "a", "a"]);
}
