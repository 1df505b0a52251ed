use bodega_kernel::{Clock, Job, Keys, TurnedClock, Versions};
use bodega_tests::{Db, Setup, both};
use migration::MigratorTrait;
use serde_json::json;

use super::*;

both!(only_what_is_in_hand_is_kept);

/// The taking of the second job was lost on its way back: nobody does it, and nobody must keep it.
async fn only_what_is_in_hand_is_kept(db: Db) {
    let setup = Setup::of(db, &[]).await;
    let clock = Arc::new(TurnedClock::default());
    let db = Database::open(&setup.database_url, 4).await.unwrap();
    migration::Migrator::up(db.writer(), None).await.unwrap();
    let keys = Keys { sealing: b"test", encryption: b"test" };
    let versions = Versions::new("2026-11-20", Vec::new());
    let platform = Arc::new(Platform::new(db, clock.clone(), versions, keys));
    let queue = |worker: &str| Queue {
        platform: platform.clone(),
        name: "test",
        worker: worker.to_owned(),
        share_max: 9,
        hands: Hands::default(),
    };
    let jobs = ["a", "b"].map(|name| Job::new("test", json!({"name": name}), clock.now()));
    Job::push(platform.db.writer(), &jobs, clock.now()).await.unwrap();
    let (one, other) = (queue("one"), queue("other"));
    let taken = one.take(2).await.unwrap();
    assert_eq!(taken.len(), 2);
    let lost = taken.iter().find(|job| job.args["name"] == "b").unwrap();
    one.hands.jobs().remove(&lost.id);

    for _ in 0..3 {
        clock.turn(TimeDelta::seconds(20));
        heartbeat(&platform, "one", &one.hands).await.unwrap();
        reclaim(&platform).await.unwrap();
    }
    let again = other.take(2).await.unwrap();
    assert_eq!(again.iter().map(|job| job.id).collect::<Vec<_>>(), [lost.id]);
    assert_eq!(again[0].attempts, 2);
}
