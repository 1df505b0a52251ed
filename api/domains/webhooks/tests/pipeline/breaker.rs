//! An endpoint that only fails is left alone, probed, and goes on by itself.

use bodega_courier::RetryAfter;
use bodega_tests::{Db, both};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, Working, id, time};

both!(
    twenty_failures_open_it,
    it_is_probed_and_recovers_with_nothing_lost,
    probes_are_spread_and_kill_nothing,
    a_probe_honours_retry_after,
    a_probe_that_is_told_gone_ends_it,
    a_success_between_keeps_it_closed,
    what_could_not_be_sent_is_no_failure,
);

/// A shop whose endpoint `a.example` has refused 20 events, and its endpoint.
async fn broken(db: Db, more: Value) -> (Working, Value) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", more).await;
    shop.carrier.always("a.example", Answer::Status(500));
    for number in 0..20 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.settle().await;
    (shop, endpoint)
}

async fn twenty_failures_open_it(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.endpoint("owner.example", json!({"event_types": ["webhook_endpoint.*"]})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    for number in 1..20 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 19);
    assert_eq!(shop.health(&endpoint).await["consecutive_failures"], 19);
    assert_eq!(shop.get(&endpoint).await["state"], "enabled");
    assert!(shop.carrier.sent("owner.example").is_empty());

    shop.brand("The last straw").await;
    shop.settle().await;
    let after = shop.get(&endpoint).await;
    assert_eq!(after["state"], "disabled");
    assert_eq!(after["disabled_reason"], "failing");
    let told = shop.carrier.sent("owner.example");
    assert_eq!(told.len(), 1, "once");
    assert_eq!(told[0].body["type"], "webhook_endpoint.disabled");
    assert_eq!(told[0].body["object_id"], endpoint["id"]);
    assert_eq!(
        told[0].body["previous"],
        json!({"state": "enabled", "disabled_reason": null,
        "version": 1, "updated_at": endpoint["updated_at"]})
    );
    let wait = time(&shop.health(&endpoint).await["probe_at"]) - shop.now();
    assert!((50..=60).contains(&wait.num_seconds()), "{wait}");
    // Not even what is due is sent meanwhile.
    shop.pass(TimeDelta::seconds(45)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 20);
}

async fn it_is_probed_and_recovers_with_nothing_lost(db: Db) {
    let (shop, endpoint) = broken(db, json!({})).await;
    shop.endpoint("owner.example", json!({"event_types": ["webhook_endpoint.*"]})).await;
    shop.carrier.take("a.example");
    for (probes, minutes) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
        // What happens meanwhile waits too.
        shop.brand(&format!("Meanwhile {probes}")).await;
        shop.settle().await;
        let probe = shop.health(&endpoint).await["probe_at"].clone();
        let wait = time(&probe) - shop.now();
        assert!(wait <= TimeDelta::minutes(minutes), "{wait} {minutes}");
        assert!(wait > TimeDelta::minutes(minutes) - TimeDelta::seconds(20), "{wait} {minutes}");
        shop.pass(TimeDelta::seconds(minutes * 30)).await;
        assert_eq!(shop.carrier.sent("a.example").len(), probes);
        shop.pass_to(&probe).await;
        assert_eq!(shop.carrier.sent("a.example").len(), probes + 1, "one probe at a time");
    }
    shop.carrier.take("a.example");
    shop.carrier.always("a.example", Answer::Status(200));
    let probe = shop.health(&endpoint).await["probe_at"].clone();
    shop.pass_to(&probe).await;
    shop.settle().await;
    let sent = shop.carrier.sent("a.example");
    assert_eq!(sent.len(), 29, "all that waited, once");
    let after = shop.get(&endpoint).await;
    assert_eq!((&after["state"], &after["disabled_reason"]), (&json!("enabled"), &Value::Null));
    let health = shop.health(&endpoint).await;
    assert_eq!((&health["probe_at"], &health["consecutive_failures"]), (&Value::Null, &json!(0)));
    assert!(shop.deliveries(&endpoint).await.iter().all(|d| d["state"] == "delivered"));
    let told = shop.carrier.sent("owner.example");
    assert_eq!(told.last().unwrap().body["type"], "webhook_endpoint.recovered");
    assert_eq!(shop.events("webhook_endpoint.recovered").await.len(), 1);
}

/// A day of an endpoint that is down: its probes are tries, but none of them is the last.
async fn probes_are_spread_and_kill_nothing(db: Db) {
    for ordering in ["none", "per_object"] {
        let (shop, endpoint) = broken(db, json!({"ordering": ordering})).await;
        for _ in 0..30 {
            let probe = shop.health(&endpoint).await["probe_at"].clone();
            shop.pass_to(&probe).await;
        }
        assert_eq!(shop.carrier.sent("a.example").len(), 50);
        let all = shop.deliveries(&endpoint).await;
        assert!(all.iter().all(|delivery| delivery["state"] == "pending"), "{all:?}");
        // One that the receiver never takes does not keep the others from being tried.
        let poison = all[0]["event_id"].as_str().unwrap().to_owned();
        shop.carrier.answers("a.example", move |sent| match sent.event() == poison {
            true => Answer::Status(500),
            false => Answer::Status(200),
        });
        for _ in 0..3 {
            let probe = shop.health(&endpoint).await["probe_at"].clone();
            if probe.is_string() {
                shop.pass_to(&probe).await;
            }
        }
        let all = shop.deliveries(&endpoint).await;
        assert_eq!(all.iter().filter(|delivery| delivery["state"] == "delivered").count(), 19);
        assert_eq!(shop.get(&endpoint).await["state"], "enabled");
    }
}

async fn a_probe_honours_retry_after(db: Db) {
    let (shop, endpoint) = broken(db, json!({})).await;
    let hours = RetryAfter::Wait(std::time::Duration::from_secs(2 * 3_600));
    shop.carrier.always("a.example", Answer::After(503, hours));
    shop.pass(TimeDelta::seconds(70)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 21);
    shop.pass(TimeDelta::minutes(110)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 21, "it asked for two hours");
    let event = shop.deliveries(&endpoint).await[0]["event_id"].as_str().unwrap().to_owned();
    let (said, _) = shop.explain(&endpoint, &event).await;
    let next = time(&said["next_attempt_at"]);
    assert!(next > shop.now() + TimeDelta::minutes(5), "{next} {}", shop.now());
    shop.pass(TimeDelta::minutes(12)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 22);
}

async fn a_probe_that_is_told_gone_ends_it(db: Db) {
    let (shop, endpoint) = broken(db, json!({})).await;
    shop.carrier.always("a.example", Answer::Status(410));
    shop.pass(TimeDelta::seconds(70)).await;
    let after = shop.get(&endpoint).await;
    assert_eq!((&after["state"], &after["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    shop.pass(TimeDelta::days(1)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 21, "it wants no more");
}

async fn a_success_between_keeps_it_closed(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.answers("a.example", |sent| match sent.sequence() % 15 {
        0 => Answer::Status(200),
        _ => Answer::Status(500),
    });
    for number in 0..45 {
        shop.brand(&format!("Brand {number}")).await;
        shop.settle().await;
        // Those that failed are not tried again in between.
        shop.execute("UPDATE webhook_delivery SET state = 'cancelled' WHERE state = 'pending'")
            .await;
    }
    assert_eq!(shop.get(&endpoint).await["state"], "enabled");
    assert!(shop.events("webhook_endpoint.disabled").await.is_empty());
}

/// A sample that was erased before it could be sent says nothing about its receiver.
async fn what_could_not_be_sent_is_no_failure(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({"payload_days": 1})).await;
    shop.call("webhook_endpoint.pause", id(&endpoint), Value::Null).await;
    for _ in 0..25 {
        let body = json!({"event_type": "brand.created"});
        shop.call("webhook_endpoint.test", id(&endpoint), body).await;
    }
    shop.pass(TimeDelta::days(2)).await;
    bodega_webhooks::erase(&shop.platform, &bodega_worker::Stop::never()).await.unwrap();
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.settle().await;
    assert!(shop.carrier.sent("a.example").is_empty());
    assert!(shop.deliveries(&endpoint).await.iter().all(|d| d["last_outcome"] == "payload_gone"));
    shop.brand("A").await;
    shop.settle().await;
    assert_eq!(shop.health(&endpoint).await["consecutive_failures"], 0);
    assert_eq!(shop.get(&endpoint).await["state"], "enabled");
    assert_eq!(shop.carrier.sent("a.example").len(), 1);
}
