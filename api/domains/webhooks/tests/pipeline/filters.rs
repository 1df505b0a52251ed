//! Filters that take too much hold up nobody, and lose nothing.

use std::sync::Arc;

use bodega_tests::{Db, both};
use bodega_webhooks::{FanOut, Replayer};
use bodega_worker::{Done, Handler, Stop, Taken};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::shop::{Shop, id, time};

both!(
    one_that_takes_too_much_is_disabled_and_loses_nothing,
    one_that_is_still_too_costly_waits_on,
    an_organization_has_its_share_of_a_round,
    a_row_that_is_no_filter_any_more_lets_nothing_through,
    a_replay_that_dies_goes_on_where_it_was,
    what_comes_while_filters_are_asked_is_numbered_after,
);

fn killer() -> String {
    format!("['x']{}[0].size() > 0", ".map(a,a+a+a+a)".repeat(17))
}

fn names(shop: &Shop, host: &str) -> Vec<String> {
    let name = |sent: &crate::carrier::Sent| sent.body["data"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = shop.carrier.sent(host).iter().map(name).collect();
    names.sort_unstable();
    names
}

async fn one_that_takes_too_much_is_disabled_and_loses_nothing(db: Db) {
    let shop = Shop::open(db).await;
    let filter = format!("event.data.name == 'A' || {}", killer());
    let endpoint = shop.endpoint("a.example", json!({"filter": filter})).await;
    shop.endpoint("b.example", json!({})).await;
    for name in ["A", "B", "C", "D"] {
        shop.brand(name).await;
        shop.settle().await;
    }
    assert_eq!(names(&shop, "a.example"), ["A"], "what it could decide is sent");
    assert_eq!(names(&shop, "b.example"), ["A", "B", "C", "D"], "the others are not held up");
    let row = shop.get(&endpoint).await;
    assert_eq!(
        (&row["state"], &row["disabled_reason"]),
        (&json!("disabled"), &json!("filter_too_costly"))
    );
    let told = shop.events("webhook_endpoint.disabled").await;
    assert_eq!(told.len(), 1, "once");
    let undecided = &shop.events("brand.created").await[1];
    assert_eq!(shop.health(&endpoint).await["undecided_since"], undecided["sequence"]);
    let (said, _) = shop.explain(&endpoint, id(undecided)).await;
    let check = said["checks"].as_array().unwrap().last().unwrap();
    assert!(check["detail"].as_str().unwrap().contains("more steps or memory"), "{check}");

    let mended = json!({"filter": "event.data.name != 'C'"});
    shop.call("webhook_endpoint.update", id(&endpoint), mended).await;
    shop.brand("E").await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["A"], "until it is resumed");
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.brand("F").await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["A", "B", "D", "E", "F"]);
    assert_eq!(shop.health(&endpoint).await["undecided_since"], Value::Null);
}

async fn one_that_is_still_too_costly_waits_on(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({"filter": killer()})).await;
    shop.brand("A").await;
    shop.settle().await;
    let since = shop.health(&endpoint).await["undecided_since"].clone();
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.settle().await;
    assert_eq!(shop.get(&endpoint).await["disabled_reason"], "filter_too_costly");
    assert_eq!(shop.health(&endpoint).await["undecided_since"], since);
    // A replay says so at once, and one by hand that was paused in between is told when it goes on.
    let at = json!({"from": "2020-01-01T00:00:00Z"});
    let refused = shop.try_call("webhook_endpoint.replay", id(&endpoint), at).await.unwrap_err();
    assert_eq!(refused.code.code, "filter_not_valid");
    shop.call("webhook_endpoint.pause", id(&endpoint), Value::Null).await;
    let mended = json!({"filter": "true"});
    shop.call("webhook_endpoint.update", id(&endpoint), mended).await;
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.settle().await;
    assert_eq!(names(&shop, "a.example"), ["A"]);
}

/// Thirty filters that each take just less than they may are more than a round's share.
async fn an_organization_has_its_share_of_a_round(db: Db) {
    let shop = Shop::idle(db).await;
    let tens = "[0,1,2,3,4,5,6,7,8,9]";
    let heavy = format!("{tens}.all(a,{tens}.all(b,{tens}.all(c,{tens}.all(d,true))))");
    for number in 0..30 {
        shop.endpoint(&format!("e{number}.example"), json!({"filter": heavy})).await;
    }
    let relay = shop.relay(Arc::new(FanOut::default()));
    while relay.round().await.unwrap() > 0 {}
    let other = shop.another().await;
    shop.brand("A").await;
    shop.call_in(other, "brand.create", json!({"name": "B"})).await;
    assert_eq!(relay.round().await.unwrap(), 1, "the other's");
    let mut rounds = 1;
    while relay.round().await.unwrap() == 0 {
        rounds += 1;
        assert!(rounds < 20, "it comes to an end");
    }
    assert!(rounds >= 2, "{rounds}");
    let deliveries = shop.number("SELECT count(*) FROM webhook_delivery", vec![]).await;
    assert_eq!(deliveries, 30, "and each is decided once");
}

async fn a_row_that_is_no_filter_any_more_lets_nothing_through(db: Db) {
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({"filter": "true"})).await;
    shop.execute("UPDATE webhook_endpoint SET filter = 'event.data.name.matches(''(a{99}){99}'')'")
        .await;
    let shop = shop.work();
    shop.brand("aaa").await;
    shop.settle().await;
    assert!(shop.carrier.sent("a.example").is_empty());
    assert_eq!(shop.get(&endpoint).await["state"], "enabled");
    let event = shop.events("brand.created").await.remove(0);
    let (said, spanish) = shop.explain(&endpoint, id(&event)).await;
    let summary = said["summary"].as_str().unwrap();
    assert!(summary.starts_with("Not sent: The filter is not valid any more"), "{summary}");
    assert!(spanish.starts_with("No se envió: El filtro ya no es válido"), "{spanish}");
}

async fn a_replay_that_dies_goes_on_where_it_was(db: Db) {
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    for number in 0..520 {
        shop.brand(&format!("Brand {number:03}")).await;
    }
    let relay = shop.relay(Arc::new(FanOut::default()));
    while relay.round().await.unwrap() > 0 {}
    let from = time(&shop.events("brand.created").await[0]["created_at"]);
    let body = json!({"from": from, "only": "all"});
    let answer = shop.call("webhook_endpoint.replay", id(&endpoint), body).await;
    assert_eq!(answer["events"], 520);
    let deliveries = async || {
        let sql = "SELECT count(*) FROM webhook_delivery WHERE reason = 'replay'";
        shop.number(sql, vec![]).await
    };
    assert_eq!(deliveries().await, 0, "they are written by a job");
    shop.execute("UPDATE job SET state = 'running', attempts = 1 WHERE queue = 'webhook_replays'")
        .await;
    let replayer = Replayer::new(shop.platform.clone());
    let taken = taken(&shop).await;
    // The first page is written by one that dies then: its memory of where it was is the row.
    let done = replayer.run(taken.clone(), Stop::never()).await.unwrap();
    assert_eq!((done, deliveries().await), (Done::Finished, 520));
    // One that has lost the job writes nothing, and one that takes it up goes on after the end.
    let lost = Taken { attempts: 0, ..taken };
    assert_eq!(replayer.run(lost, Stop::never()).await.unwrap(), Done::Finished);
    assert_eq!(deliveries().await, 520);
    let again = self::taken(&shop).await;
    assert_eq!(replayer.run(again, Stop::never()).await.unwrap(), Done::Finished);
    assert_eq!(deliveries().await, 520, "nothing twice");
}

/// The replay's job, as a worker has it.
async fn taken(shop: &Shop) -> Taken {
    let db = &shop.platform.db;
    let sql = "SELECT id, args, attempts FROM job WHERE queue = 'webhook_replays'";
    let row = db.reader().query_one_raw(Statement::from_string(db.backend(), sql));
    let row = row.await.unwrap().unwrap();
    Taken {
        id: row.try_get("", "id").unwrap(),
        organization_id: Some(shop.organization),
        args: row.try_get("", "args").unwrap(),
        attempts: row.try_get("", "attempts").unwrap(),
        attempts_max: 12,
    }
}

/// Order and exactly-once hold with filters too, whoever writes meanwhile.
async fn what_comes_while_filters_are_asked_is_numbered_after(db: Db) {
    let shop = Shop::open(db).await;
    let mut second = Some(shop.worker());
    for number in 0..4 {
        let filter = format!("!event.data.name.endsWith('{number}')");
        shop.endpoint(&format!("e{number}.example"), json!({"filter": filter})).await;
    }
    let writers = (0..4).map(|writer| {
        let shop = shop.share();
        tokio::spawn(async move {
            for number in 0..20 {
                shop.brand(&format!("Writer {writer} {number:02}")).await;
            }
        })
    });
    for done in futures::future::join_all(writers.collect::<Vec<_>>()).await {
        done.unwrap();
    }
    shop.settle().await;
    second.take().unwrap().stop().await;
    for number in 0..4 {
        let sent = names(&shop, &format!("e{number}.example"));
        let mut once = sent.clone();
        once.dedup();
        assert_eq!((sent.len(), once.len()), (72, 72), "e{number}");
        assert!(sent.iter().all(|name| !name.ends_with(&number.to_string())));
    }
    let gaps = "SELECT coalesce(max(sequence), 0) - count(DISTINCT sequence) FROM event";
    assert_eq!(shop.number(gaps, vec![]).await, 0);
}
