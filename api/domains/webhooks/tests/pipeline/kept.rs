//! What is kept goes away in time, and a hanging receiver takes nothing from others.

use std::time::{Duration, Instant};

use bodega_tests::{Db, both};
use bodega_worker::Stop;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, id};

both!(
    payloads_go_after_the_endpoints_days,
    all_goes_after_ninety_days_but_what_waits,
    one_that_hangs_holds_up_nobody,
    a_slow_one_does_not_slow_others,
);

async fn erase(shop: &Shop) {
    bodega_webhooks::erase(&shop.platform, &Stop::never()).await.unwrap();
}

async fn payloads_go_after_the_endpoints_days(db: Db) {
    let shop = Shop::open(db).await;
    let short = shop.endpoint("short.example", json!({"payload_days": 3})).await;
    let long = shop.endpoint("long.example", json!({"payload_days": 60})).await;
    shop.brand("A").await;
    shop.call("webhook_endpoint.test", id(&short), json!({"event_type": "brand.created"})).await;
    shop.settle().await;
    let kept = async |endpoint: &Value| {
        let mut kept = Vec::new();
        for delivery in shop.deliveries(endpoint).await {
            let attempt = shop.attempts(&delivery).await.remove(0);
            assert_eq!(attempt["outcome"], "delivered", "that it was delivered stays known");
            let gone = attempt["response_body"].is_null();
            assert_eq!(attempt["address"].is_null(), gone);
            assert_eq!(attempt["response_headers"] == json!({}), gone);
            kept.push(!gone);
        }
        kept
    };
    let samples = "SELECT count(*) FROM webhook_delivery WHERE payload IS NOT NULL";
    shop.pass(TimeDelta::days(2)).await;
    erase(&shop).await;
    assert_eq!((kept(&short).await, kept(&long).await), (vec![true, true], vec![true]));
    assert_eq!(shop.number(samples, Vec::new()).await, 1);
    shop.pass(TimeDelta::hours(25)).await;
    erase(&shop).await;
    assert_eq!((kept(&short).await, kept(&long).await), (vec![false, false], vec![true]));
    assert_eq!(shop.number(samples, Vec::new()).await, 0);
    // What it was made of is still in the log; a sample is not.
    let all = shop.deliveries(&short).await;
    let (event, sample): (Vec<_>, Vec<_>) = all.iter().partition(|d| d["reason"] == "event");
    shop.call("webhook_delivery.resend", id(event[0]), Value::Null).await;
    let refused = shop.try_call("webhook_delivery.resend", id(sample[0]), Value::Null).await;
    assert_eq!(refused.unwrap_err().code.code, "payload_gone");
}

async fn all_goes_after_ninety_days_but_what_waits(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("a.example", json!({})).await;
    shop.brand("A").await;
    shop.settle().await;
    let waiting = shop.endpoint("b.example", json!({})).await;
    shop.call("webhook_endpoint.pause", id(&waiting), Value::Null).await;
    shop.brand("B").await;
    shop.settle().await;
    shop.pass(TimeDelta::days(89)).await;
    shop.brand("C").await;
    shop.settle().await;
    erase(&shop).await;
    assert_eq!(shop.events("brand.created").await.len(), 3);
    shop.pass(TimeDelta::days(2)).await;
    erase(&shop).await;
    let names: Vec<_> = shop
        .events("brand.created")
        .await
        .iter()
        .map(|event| event["data"]["name"].clone())
        .collect();
    assert_eq!(names, ["B", "C"]);
    let attempts = "SELECT count(*) FROM webhook_attempt";
    assert_eq!(shop.number(attempts, Vec::new()).await, 1);
    shop.call("webhook_endpoint.resume", id(&waiting), Value::Null).await;
    shop.settle().await;
    assert_eq!(shop.carrier.sent("b.example").len(), 2, "what waited is sent, however old");
}

async fn one_that_hangs_holds_up_nobody(db: Db) {
    let shop = Shop::open(db).await;
    for number in 0..40 {
        let host = format!("hangs{number}.example");
        shop.endpoint(&host, json!({})).await;
        shop.carrier.always(&host, Answer::Hang);
    }
    shop.brand("A").await;
    // As many of the organization's as run at once.
    let running = "SELECT count(*) FROM job WHERE state = 'running'";
    shop.until(async || shop.number(running, Vec::new()).await == 32).await;
    let other = shop.another().await;
    shop.endpoint_in(other, "well.example", json!({})).await;
    let began = Instant::now();
    for name in ["B", "C", "D"] {
        shop.call_in(other, "brand.create", json!({"name": name})).await;
    }
    shop.until(async || shop.carrier.sent("well.example").len() == 3).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

async fn a_slow_one_does_not_slow_others(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("slow.example", json!({})).await;
    shop.endpoint("well.example", json!({})).await;
    shop.carrier.always("slow.example", Answer::Slow(Duration::from_secs(3)));
    for number in 0..5 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.until(async || shop.carrier.sent("well.example").len() == 5).await;
    let delivered = "SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'";
    shop.until(async || shop.number(delivered, Vec::new()).await == 5).await;
    shop.settle().await;
    assert_eq!(shop.number(delivered, Vec::new()).await, 10);
    assert_eq!(shop.carrier.sent("slow.example").len(), 5, "each once");
}
