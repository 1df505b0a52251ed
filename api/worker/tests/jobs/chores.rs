//! What recurs is started once, however many nodes look.

use std::sync::Arc;

use bodega_kernel::Platform;
use bodega_tests::{Db, both};
use bodega_worker::{Chore, tick};
use chrono::{TimeDelta, Timelike};
use futures::future::join_all;

use crate::bench::{Bench, QUEUE};

both!(started_once_by_many_nodes, missed_times_are_made_up_once, at_its_time);

const HOURLY: Chore = Chore { name: "hourly", cron: "17 * * * *", queue: QUEUE };

/// How many of the nodes started it.
async fn tick_all(nodes: &[Arc<Platform>]) -> usize {
    let ticks = nodes.iter().map(|node| {
        let node = node.clone();
        tokio::spawn(async move { tick(&node, &HOURLY).await.unwrap() })
    });
    join_all(ticks).await.into_iter().filter(|started| *started.as_ref().unwrap()).count()
}

async fn started_once_by_many_nodes(db: Db) {
    let bench = Bench::open(db).await;
    let mut nodes = Vec::new();
    for _ in 0..6 {
        nodes.push(bench.node().await);
    }
    assert_eq!(tick_all(&nodes).await, 0, "it is due later");
    for hour in 0..8 {
        assert_eq!(tick_all(&nodes).await, 0);
        assert_eq!(bench.rows().await.len(), hour.min(1), "one that waits is not doubled");
        bench.clock.turn(TimeDelta::hours(1));
        assert_eq!(tick_all(&nodes).await, 1);
    }
    let job = bench.row().await;
    assert_eq!((job.unique_key.as_deref(), job.queue.as_str()), (Some("hourly"), QUEUE));
    assert_eq!(job.args, serde_json::json!({"chore": "hourly"}));
}

async fn missed_times_are_made_up_once(db: Db) {
    let bench = Bench::open(db).await;
    tick(&bench.platform, &HOURLY).await.unwrap();
    bench.clock.turn(TimeDelta::days(9));
    assert!(tick(&bench.platform, &HOURLY).await.unwrap());
    assert!(!tick(&bench.platform, &HOURLY).await.unwrap());
}

async fn at_its_time(db: Db) {
    let bench = Bench::open(db).await;
    tick(&bench.platform, &HOURLY).await.unwrap();
    let mut started = Vec::new();
    for _ in 0..180 {
        bench.clock.turn(TimeDelta::minutes(1));
        if tick(&bench.platform, &HOURLY).await.unwrap() {
            started.push(bench.now().minute());
        }
    }
    assert_eq!(started, [17, 17, 17]);
}
