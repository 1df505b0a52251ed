//! What an owner does with an endpoint and its deliveries.

use std::sync::Arc;

use bodega_tests::{Db, both};
use bodega_webhooks::FanOut;
use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, Working, id};

both!(
    what_comes_while_paused_is_sent_when_resumed,
    a_pause_ends_what_the_breaker_did,
    resumed_while_events_are_numbered,
    resumed_after_the_relay_has_read_of_the_pause,
    cancelled_is_not_sent,
    resent_as_a_new_delivery,
    a_test_is_sent_whatever_the_endpoint_takes,
    removed_is_sent_nothing,
    an_endpoint_hears_nothing_from_before_it,
    replay_takes_a_window_types_and_a_dry_run,
    replay_of_a_disabled_endpoint_waits,
);

async fn act(shop: &Shop, operation: &str, object: &Value) -> Value {
    shop.call(operation, id(object), Value::Null).await
}

fn names(shop: &Shop, host: &str) -> Vec<String> {
    let name = |sent: &crate::carrier::Sent| sent.body["data"]["name"].as_str().unwrap().to_owned();
    shop.carrier.sent(host).iter().map(name).collect()
}

async fn what_comes_while_paused_is_sent_when_resumed(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    assert_eq!(act(&shop, "webhook_endpoint.pause", &endpoint).await["state"], "paused");
    let again = shop.try_call("webhook_endpoint.pause", id(&endpoint), Value::Null).await;
    assert_eq!(again.unwrap_err().code.code, "invalid_transition");
    shop.brand("A").await;
    shop.brand("B").await;
    shop.pass(TimeDelta::days(2)).await;
    assert!(shop.carrier.sent("a.example").is_empty());
    assert_eq!(shop.deliveries(&endpoint).await.len(), 2);
    act(&shop, "webhook_endpoint.resume", &endpoint).await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["A", "B"]);
    shop.brand("C").await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["A", "B", "C"]);
}

async fn a_pause_ends_what_the_breaker_did(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    for number in 0..20 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.settle().await;
    assert_eq!(shop.get(&endpoint).await["disabled_reason"], "failing");
    let paused = act(&shop, "webhook_endpoint.pause", &endpoint).await;
    assert_eq!((&paused["state"], &paused["disabled_reason"]), (&json!("paused"), &Value::Null));
    shop.pass(TimeDelta::hours(5)).await;
    assert_eq!(shop.carrier.take("a.example").len(), 20, "not probed either");
    shop.carrier.always("a.example", Answer::Status(200));
    act(&shop, "webhook_endpoint.resume", &endpoint).await;
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 20);
    assert_eq!(shop.health(&endpoint).await["consecutive_failures"], 0);
}

/// The relay may have read that the endpoint is paused, and commit after it was resumed.
async fn resumed_while_events_are_numbered(db: Db) {
    let mut shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    for number in 0..15 {
        act(&shop, "webhook_endpoint.pause", &endpoint).await;
        let (one, other) = (shop.share(), shop.share());
        let endpoint = endpoint.clone();
        tokio::join!(
            async move { drop(one.brand(&format!("Brand {number}")).await) },
            async move { drop(act(&other, "webhook_endpoint.resume", &endpoint).await) },
        );
    }
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 15);
    shop.stop().await;
}

/// The same, held at that very point.
async fn resumed_after_the_relay_has_read_of_the_pause(db: Db) {
    if db == Db::Sqlite {
        return; // One writer at a time: there is no such point.
    }
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    act(&shop, "webhook_endpoint.pause", &endpoint).await;
    shop.brand("A").await;
    let barrier = shop.platform.db.begin().await.unwrap();
    let lock = "LOCK TABLE webhook_delivery IN SHARE MODE";
    barrier.execute_unprepared(lock).await.unwrap();
    let relay = shop.relay(Arc::new(FanOut::default()));
    let numbering = tokio::spawn(async move { relay.round().await.unwrap() });
    let held = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                AND relation = 'webhook_delivery'::regclass";
    shop.until(async || shop.number(held, Vec::new()).await == 1).await;

    act(&shop, "webhook_endpoint.resume", &endpoint).await;
    let shop = shop.work();
    let jobs = "SELECT count(*) FROM job";
    shop.until(async || shop.number(jobs, Vec::new()).await == 0).await;
    barrier.commit().await.unwrap();
    assert!(numbering.await.unwrap() > 0);
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1);
}

async fn cancelled_is_not_sent(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    shop.brand("A").await;
    shop.settle().await;
    let delivery = shop.delivery(&endpoint).await;
    let cancelled = act(&shop, "webhook_delivery.cancel", &delivery).await;
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled["finished_at"].is_string());
    shop.pass(TimeDelta::days(5)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1);
    let again = shop.try_call("webhook_delivery.cancel", id(&delivery), Value::Null).await;
    assert_eq!(again.unwrap_err().code.code, "invalid_transition");
}

async fn resent_as_a_new_delivery(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(410));
    shop.brand("A").await;
    shop.settle().await;
    let dead = shop.delivery(&endpoint).await;
    assert_eq!(dead["state"], "dead");
    act(&shop, "webhook_endpoint.resume", &endpoint).await;
    shop.carrier.always("a.example", Answer::Status(200));
    let resent = act(&shop, "webhook_delivery.resend", &dead).await;
    assert_ne!(resent["id"], dead["id"]);
    assert_eq!((&resent["reason"], &resent["attempt_count"]), (&json!("resend"), &json!(0)));
    shop.settle().await;
    // What was delivered can be sent again too.
    act(&shop, "webhook_delivery.resend", &resent).await;
    shop.settle().await;
    let sent = shop.carrier.sent("a.example");
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|s| s.raw == sent[0].raw), "the same event, the same id");
    let states: Vec<_> =
        shop.deliveries(&endpoint).await.iter().map(|d| d["state"].clone()).collect();
    assert_eq!(states, ["dead", "delivered", "delivered"]);
}

async fn a_test_is_sent_whatever_the_endpoint_takes(db: Db) {
    let shop = Shop::open(db).await;
    let more = json!({"event_types": ["product.deleted"], "filter": "false"});
    let endpoint = shop.endpoint("a.example", more).await;
    let test = json!({"event_type": "brand.created"});
    let first = shop.call("webhook_endpoint.test", id(&endpoint), test.clone()).await;
    shop.call("webhook_endpoint.test", id(&endpoint), test).await;
    shop.settle().await;
    assert_eq!((&first["reason"], &first["sequence"]), (&json!("test"), &Value::Null));
    let sent = shop.carrier.sent("a.example");
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].event(), sent[1].event(), "each is a message of its own");
    assert_eq!(sent[0].body["data"]["name"], "Sample");
    assert_eq!(sent[0].header("webhook-id"), sent[0].event());
}

async fn removed_is_sent_nothing(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    shop.brand("A").await;
    shop.settle().await;
    act(&shop, "webhook_endpoint.delete", &endpoint).await;
    act(&shop, "webhook_endpoint.delete", &endpoint).await;
    shop.brand("B").await;
    shop.pass(TimeDelta::days(1)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1);
    assert_eq!(shop.delivery(&endpoint).await["state"], "cancelled");
}

async fn an_endpoint_hears_nothing_from_before_it(db: Db) {
    let shop = Shop::idle(db).await;
    shop.brand("Before").await;
    let endpoint = shop.endpoint("a.example", json!({"event_types": ["*"]})).await;
    shop.brand("After").await;
    let shop = shop.work();
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["After"], "nor of its own making");
    drop(endpoint);
}

/// Brands at four times, a minute apart, of which the receiver did not take the second and third;
/// the instants between them.
async fn history(shop: &Working, endpoint: &Value) -> Vec<String> {
    let mut instants = Vec::new();
    for (number, status) in [200, 400, 400, 200].into_iter().enumerate() {
        shop.carrier.always("a.example", Answer::Status(status));
        instants.push(shop.now().to_rfc3339());
        shop.clock.turn(TimeDelta::minutes(1));
        let brand = shop.brand(&format!("Brand {number}")).await;
        shop.settle().await;
        if status == 400 {
            let delivery = shop.deliveries(endpoint).await.pop().unwrap();
            act(shop, "webhook_delivery.cancel", &delivery).await;
        }
        if number == 3 {
            shop.rename(&brand, "Brand 3 again").await;
            shop.settle().await;
        }
    }
    instants.push(shop.now().to_rfc3339());
    shop.carrier.always("a.example", Answer::Status(200));
    shop.carrier.take("a.example");
    instants
}

async fn replay_takes_a_window_types_and_a_dry_run(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.endpoint("b.example", json!({})).await;
    let at = history(&shop, &endpoint).await;
    shop.carrier.take("b.example");
    let replay = async |body: Value| {
        let answer = shop.call("webhook_endpoint.replay", id(&endpoint), body.clone()).await;
        shop.settle().await;
        let sent = names(&shop, "a.example");
        shop.carrier.take("a.example");
        assert_eq!(answer["dry_run"], body["dry_run"] == true);
        (answer["events"].as_i64().unwrap(), sent)
    };
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();

    assert_eq!(replay(json!({"from": at[0], "dry_run": true})).await, (2, vec![]));
    assert_eq!(replay(json!({"from": at[2], "dry_run": true})).await, (1, vec![]));
    assert_eq!(replay(json!({"from": at[0], "to": at[2]})).await, (1, own(&["Brand 1"])));
    // What a replay has delivered is delivered.
    assert_eq!(replay(json!({"from": at[0]})).await, (1, own(&["Brand 2"])));
    assert_eq!(replay(json!({"from": at[0]})).await, (0, vec![]));
    let all = json!({"from": at[1], "to": at[3], "only": "all"});
    assert_eq!(replay(all).await, (2, own(&["Brand 1", "Brand 2"])));
    let types = json!({"from": at[0], "only": "all", "event_types": ["brand.updated"]});
    assert_eq!(replay(types).await, (1, own(&["Brand 3 again"])));
    // Only what the endpoint takes.
    let filter = json!({"filter": "event.data.name.endsWith('0')"});
    shop.call("webhook_endpoint.update", id(&endpoint), filter).await;
    assert_eq!(replay(json!({"from": at[0], "only": "all"})).await, (1, own(&["Brand 0"])));
    let nothing = json!({"from": at[4], "only": "all", "event_types": ["product.*"]});
    assert_eq!(replay(nothing).await, (0, vec![]));
    assert!(shop.carrier.sent("b.example").is_empty(), "only to this endpoint");
    assert!(shop.get(&endpoint).await["replayed_at"].is_string());
    let deliveries = shop.deliveries(&endpoint).await;
    assert_eq!(deliveries.iter().filter(|d| d["reason"] == "replay").count(), 6);
}

async fn replay_of_a_disabled_endpoint_waits(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let at = history(&shop, &endpoint).await;
    act(&shop, "webhook_endpoint.pause", &endpoint).await;
    shop.call("webhook_endpoint.replay", id(&endpoint), json!({"from": at[0]})).await;
    shop.settle().await;
    assert!(shop.carrier.sent("a.example").is_empty());
    // What waits is on its way: it is not asked for twice.
    let again = json!({"from": at[0], "dry_run": true});
    let again = shop.call("webhook_endpoint.replay", id(&endpoint), again).await;
    assert_eq!(again["events"], 0);
    act(&shop, "webhook_endpoint.resume", &endpoint).await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["Brand 1", "Brand 2"]);
}
