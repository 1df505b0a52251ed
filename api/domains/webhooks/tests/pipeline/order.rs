//! The events of one object, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bodega_tests::{Db, both};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::{Answer, Sent};
use crate::shop::{Shop, id};

both!(
    one_object_waits_and_others_go_on,
    a_dead_or_cancelled_one_lets_the_next_go,
    without_order_nothing_waits,
    order_given_up_lets_all_go,
    what_is_sent_again_keeps_the_waits_of_others,
    a_receiver_that_fails_at_random_gets_all_in_order,
);

fn per_object() -> Value {
    json!({"ordering": "per_object"})
}

fn failing(object: &Value) -> impl Fn(&Sent) -> Answer + Send + Sync + use<> {
    let object = id(object).to_owned();
    move |sent| Answer::Status(if sent.object() == object { 500 } else { 200 })
}

/// What each object's receiver has seen, tries and all: the names, in order.
fn seen(shop: &Shop) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sent in shop.carrier.sent("a.example") {
        let name = sent.body["data"]["name"].as_str().unwrap().to_owned();
        seen.entry(sent.object().to_owned()).or_default().push(name);
    }
    seen
}

async fn one_object_waits_and_others_go_on(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("a.example", per_object()).await;
    let (ill, well) = (shop.brand("X0").await, shop.brand("Y0").await);
    shop.settle().await;
    shop.carrier.take("a.example");
    shop.carrier.answers("a.example", failing(&ill));
    for number in 1..=3 {
        shop.rename(&ill, &format!("X{number}")).await;
        shop.rename(&well, &format!("Y{number}")).await;
        shop.settle().await;
    }
    assert_eq!(seen(&shop)[id(&ill)], ["X1"]);
    assert_eq!(seen(&shop)[id(&well)], ["Y1", "Y2", "Y3"]);
    shop.pass(TimeDelta::seconds(8)).await;
    assert_eq!(seen(&shop)[id(&ill)], ["X1", "X1"], "the same one again, not the next");
    shop.carrier.always("a.example", Answer::Status(200));
    shop.pass(TimeDelta::seconds(40)).await;
    assert_eq!(seen(&shop)[id(&ill)], ["X1", "X1", "X1", "X2", "X3"]);
    assert_eq!(seen(&shop)[id(&well)].len(), 3);
}

async fn a_dead_or_cancelled_one_lets_the_next_go(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", per_object()).await;
    let brand = shop.brand("X0").await;
    shop.settle().await;
    shop.carrier.answers("a.example", |sent| match sent.body["data"]["name"] == "X1" {
        true => Answer::Status(500),
        false => Answer::Status(200),
    });
    shop.rename(&brand, "X1").await;
    shop.rename(&brand, "X2").await;
    shop.settle().await;
    for _ in 0..10 {
        assert_eq!(seen(&shop)[id(&brand)].last().unwrap(), "X1");
        let waiting = shop.deliveries(&endpoint).await;
        let next =
            waiting.iter().find(|d| d["attempt_count"] != 0 && d["state"] == "pending").unwrap();
        shop.pass_to(&next["next_attempt_at"]).await;
    }
    assert_eq!(seen(&shop)[id(&brand)].iter().filter(|name| *name == "X1").count(), 11);
    assert_eq!(seen(&shop)[id(&brand)].last().unwrap(), "X2", "the dead hold up nobody");

    shop.rename(&brand, "X1").await;
    shop.rename(&brand, "X3").await;
    shop.settle().await;
    let waiting = shop.deliveries(&endpoint).await;
    let head = waiting.iter().find(|delivery| delivery["state"] == "pending").unwrap();
    shop.call("webhook_delivery.cancel", id(head), Value::Null).await;
    shop.settle().await;
    assert_eq!(seen(&shop)[id(&brand)].last().unwrap(), "X3", "at once, not when it was due");
}

async fn without_order_nothing_waits(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    let brand = shop.brand("X0").await;
    shop.settle().await;
    shop.rename(&brand, "X1").await;
    shop.settle().await;
    assert_eq!(seen(&shop)[id(&brand)], ["X0", "X1"]);
}

async fn order_given_up_lets_all_go(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", per_object()).await;
    shop.carrier.always("a.example", Answer::Status(500));
    let brand = shop.brand("X0").await;
    shop.rename(&brand, "X1").await;
    shop.settle().await;
    assert_eq!(seen(&shop)[id(&brand)], ["X0"]);
    let free = json!({"ordering": "none"});
    shop.call("webhook_endpoint.update", id(&endpoint), free).await;
    shop.settle().await;
    assert_eq!(seen(&shop)[id(&brand)], ["X0", "X1"]);
}

async fn what_is_sent_again_keeps_the_waits_of_others(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", per_object()).await;
    let brand = shop.brand("X0").await;
    shop.settle().await;
    let delivered = shop.delivery(&endpoint).await;
    shop.carrier.always("a.example", Answer::Status(500));
    shop.rename(&brand, "X1").await;
    shop.settle().await;
    shop.carrier.always("a.example", Answer::Status(200));
    shop.call("webhook_delivery.resend", id(&delivered), Value::Null).await;
    shop.settle().await;
    assert_eq!(seen(&shop)[id(&brand)], ["X0", "X1", "X0"], "X1 waits for its time");
    shop.pass(TimeDelta::seconds(8)).await;
    assert_eq!(seen(&shop)[id(&brand)], ["X0", "X1", "X0", "X1"]);
}

async fn a_receiver_that_fails_at_random_gets_all_in_order(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", per_object()).await;
    let calls = Arc::new(AtomicUsize::new(7));
    shop.carrier.answers("a.example", move |_| {
        // Every third or so, and never for long.
        let call = calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761) >> 7;
        Answer::Status(if call.is_multiple_of(3) { 500 } else { 200 })
    });
    let mut brands = Vec::new();
    for number in 0..6 {
        brands.push(shop.brand(&format!("B{number}")).await);
    }
    for round in 0..8 {
        for brand in &brands {
            shop.rename(brand, &format!("{} {round}", brand["name"])).await;
        }
        shop.pass(TimeDelta::seconds(3)).await;
    }
    for _ in 0..20 {
        shop.pass(TimeDelta::hours(6)).await;
    }
    assert!(shop.deliveries(&endpoint).await.iter().all(|d| d["state"] == "delivered"));
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for sent in shop.carrier.sent("a.example") {
        let last = last.entry(sent.object().to_owned()).or_default();
        // The same one again, or the next.
        let version = sent.body["object_version"].as_i64().unwrap();
        assert!(version == *last || version == *last + 1, "{version} after {last}");
        *last = version;
    }
    assert!(last.values().all(|last| *last == 9), "{last:?}");
}
