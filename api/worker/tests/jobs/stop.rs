//! A worker that is told to stop.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bodega_kernel::Job;
use bodega_tests::{Db, both};
use bodega_worker::{Done, Stop};

use crate::bench::Bench;

both!(
    what_is_in_hand_ends,
    what_listens_ends_early,
    nothing_is_lost_or_left_by_many_stops,
    dropped_is_stopped,
);

async fn what_is_in_hand_ends(db: Db) {
    let bench = Bench::open(db).await;
    let jobs: Vec<Job> = (0..8).map(|_| bench.job("a")).collect();
    bench.push(&jobs).await;
    let worker = bench.start(3, 99, async |_, _| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(Done::Finished)
    });
    bench.until(async || bench.names().len() == 3).await;
    worker.stop().await;
    assert_eq!(bench.names().len(), 3, "nothing new is begun");
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 5);
    let back = |job: &&entity::platform::job::Model| {
        job.state == "pending" && job.attempts == 0 && job.worker.is_none()
    };
    assert_eq!(rows.iter().filter(back).count(), 5, "{rows:?}");
}

async fn what_listens_ends_early(db: Db) {
    let bench = Bench::open(db).await;
    bench.push(&[bench.keyed("a")]).await;
    let now = bench.now();
    let worker = bench.start(3, 99, move |_, mut stop: Stop| async move {
        assert!(!stop.is_set());
        stop.set().await;
        Ok(Done::Again(now))
    });
    bench.until(async || bench.names().len() == 1).await;
    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(bench.row().await.state, "pending", "another one goes on with it");
}

async fn nothing_is_lost_or_left_by_many_stops(db: Db) {
    let bench = Bench::open(db).await;
    let jobs: Vec<Job> = (0..300).map(|number| bench.job(&number.to_string())).collect();
    bench.push(&jobs).await;
    let mut round = 0;
    while !bench.rows().await.is_empty() {
        let worker = bench.start(8, 99, async |_, _| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Done::Finished)
        });
        // Stopped at any point of what it does.
        tokio::time::sleep(Duration::from_millis(round % 13 * 2)).await;
        worker.stop().await;
        round += 1;
        let running = bench.rows().await.iter().filter(|job| job.state == "running").count();
        assert_eq!(running, 0, "round {round}");
        assert!(round < 300, "it goes on");
    }
    let mut times: HashMap<String, usize> = HashMap::new();
    bench.names().into_iter().for_each(|name| *times.entry(name).or_default() += 1);
    assert_eq!(times.len(), 300);
    assert!(times.values().all(|times| *times == 1), "each once");
}

async fn dropped_is_stopped(db: Db) {
    let bench = Bench::open(db).await;
    drop(bench.start(3, 99, async |_, _| Ok(Done::Finished)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.push(&[bench.job("a")]).await;
    for _ in 0..10 {
        bench.platform.signals.raise(crate::bench::QUEUE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(bench.names().is_empty());
}
