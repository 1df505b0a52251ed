//! When what failed is tried again.

use bodega_courier::RetryAfter;
use bodega_tests::{Db, both};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, id, time};

both!(
    the_schedule_is_kept_to_the_end,
    retry_after_in_seconds_holds_the_whole_endpoint,
    retry_after_as_a_date_holds_the_whole_endpoint,
    retry_after_has_a_limit,
    gone_disables,
    attempts_say_what_happened,
);

const WAITS_S: [i64; 10] = [5, 30, 120, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];

async fn the_schedule_is_kept_to_the_end(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    shop.brand("A").await;
    shop.settle().await;
    let mut first = None;
    for (index, wait_s) in WAITS_S.into_iter().enumerate() {
        let sent = shop.carrier.sent("a.example");
        assert_eq!(sent.len(), index + 1);
        let last = &sent[index];
        let first = first.get_or_insert_with(|| last.clone());
        assert_eq!(last.raw, first.raw, "the same message each time");
        assert_eq!(last.header("webhook-id"), first.header("webhook-id"));

        let delivery = shop.delivery(&endpoint).await;
        assert_eq!(
            (&delivery["state"], &delivery["attempt_count"]),
            (&json!("pending"), &json!(index + 1))
        );
        let next = &delivery["next_attempt_at"];
        let wait_ms = (time(next) - last.at).num_milliseconds();
        // The time in which it was sent and written down is part of the wait.
        assert!((wait_s * 800..=wait_s * 1_200 + 2_000).contains(&wait_ms), "{wait_ms} {wait_s}");
        shop.pass(TimeDelta::milliseconds(wait_ms / 2)).await;
        assert_eq!(shop.carrier.sent("a.example").len(), index + 1, "not before its time");
        shop.pass_to(next).await;
    }
    assert_eq!(shop.carrier.sent("a.example").len(), 11);
    let delivery = shop.delivery(&endpoint).await;
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("dead"), &json!(11)));
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    assert!(delivery["finished_at"].is_string());
    shop.pass(TimeDelta::days(30)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 11, "the dead are left alone");
    assert_eq!(shop.get(&endpoint).await["state"], "enabled", "11 failures are not 20");
}

async fn retry_after_in_seconds_holds_the_whole_endpoint(db: Db) {
    for status in [429, 503] {
        let wait = RetryAfter::Wait(std::time::Duration::from_secs(600));
        held(db, Answer::After(status, wait), 600).await;
    }
}

async fn retry_after_as_a_date_holds_the_whole_endpoint(db: Db) {
    let shop = Shop::idle(db).await;
    let date = RetryAfter::At(shop.now() + TimeDelta::seconds(900));
    drop(shop);
    held(db, Answer::After(503, date), 900).await;
}

/// An endpoint that asks for time gets it, for what it refused and for all else.
async fn held(db: Db, answer: Answer, wait_s: i64) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.endpoint("b.example", json!({})).await;
    shop.carrier.always("a.example", answer);
    shop.brand("A").await;
    shop.settle().await;
    shop.brand("B").await;
    shop.settle().await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1, "the other event is held too");
    assert_eq!(shop.carrier.sent("b.example").len(), 2, "another endpoint is not");
    let until = shop.health(&endpoint).await["held_until"].clone();
    let off = (time(&until) - shop.now()).num_seconds() - wait_s;
    assert!((-15..=1).contains(&off), "{off}");
    let due = time(&shop.deliveries(&endpoint).await[0]["next_attempt_at"]);
    assert!(due >= time(&until), "{due} {until}");

    shop.carrier.always("a.example", Answer::Status(204));
    shop.pass(TimeDelta::seconds(wait_s - 60)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1);
    shop.pass_to(&until).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 3);
    assert!(shop.deliveries(&endpoint).await.iter().all(|d| d["state"] == "delivered"));
}

async fn retry_after_has_a_limit(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let far = RetryAfter::At(shop.now() + TimeDelta::days(400));
    shop.carrier.always("a.example", Answer::After(429, far));
    shop.brand("A").await;
    shop.settle().await;
    let until = time(&shop.health(&endpoint).await["held_until"]);
    assert!(until <= shop.now() + TimeDelta::hours(24));
    // One that has passed is no wish at all.
    let past = RetryAfter::At(shop.now() - TimeDelta::days(1));
    shop.carrier.always("a.example", Answer::After(429, past));
    shop.pass(TimeDelta::hours(25)).await;
    let delivery = shop.delivery(&endpoint).await;
    assert_eq!(delivery["attempt_count"], 2);
    assert!(time(&delivery["next_attempt_at"]) < shop.now() + TimeDelta::seconds(37));
}

async fn gone_disables(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let other = shop.endpoint("b.example", json!({"event_types": ["webhook_endpoint.*"]})).await;
    shop.carrier.always("a.example", Answer::Status(410));
    shop.brand("A").await;
    shop.settle().await;
    let after = shop.get(&endpoint).await;
    assert_eq!((&after["state"], &after["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    assert_eq!(shop.delivery(&endpoint).await["state"], "dead");
    let told = shop.carrier.sent("b.example");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body["type"], "webhook_endpoint.disabled");
    assert_eq!(told[0].body["data"]["disabled_reason"], "gone");

    shop.brand("B").await;
    shop.pass(TimeDelta::days(3)).await;
    assert_eq!(shop.carrier.sent("a.example").len(), 1, "it wants no more, and is kept none");
    assert_eq!(shop.deliveries(&endpoint).await.len(), 1);
    // Its owner brings it back; only what comes is sent.
    shop.carrier.always("a.example", Answer::Status(200));
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.brand("C").await;
    shop.settle().await;
    let names: Vec<_> = shop
        .carrier
        .sent("a.example")
        .iter()
        .map(|sent| sent.body["data"]["name"].clone())
        .collect();
    assert_eq!(names, ["A", "C"]);
    drop(other);
}

async fn attempts_say_what_happened(db: Db) {
    use bodega_courier::{ConnectFault, Outcome};
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let answers = [
        (Answer::Status(500), "refused", Some(500)),
        (Answer::Status(302), "redirect", Some(302)),
        (Answer::Outcome(Outcome::Timeout), "timeout", None),
        (
            Answer::Outcome(Outcome::ConnectionFailed(ConnectFault::Refused)),
            "connection_refused",
            None,
        ),
        (Answer::Status(201), "delivered", Some(201)),
    ];
    shop.carrier.always("a.example", answers[0].0);
    shop.brand("A").await;
    shop.settle().await;
    for (answer, ..) in &answers[1..] {
        shop.carrier.always("a.example", *answer);
        let next = shop.delivery(&endpoint).await["next_attempt_at"].clone();
        shop.pass_to(&next).await;
    }
    let delivery = shop.delivery(&endpoint).await;
    assert_eq!((&delivery["state"], &delivery["last_status"]), (&json!("delivered"), &json!(201)));
    let attempts = shop.attempts(&delivery).await;
    assert_eq!(attempts.len(), answers.len());
    for (index, (attempt, (_, outcome, status))) in attempts.iter().zip(answers).enumerate() {
        assert_eq!(attempt["number"], index + 1);
        assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!(outcome), &json!(status)));
        assert!(attempt["reason"].as_str().unwrap().ends_with('.'), "{attempt}");
        assert_eq!(attempt["duration_us"], 7_000);
        assert_eq!(attempt["response_headers"], json!({"server": "test\u{fffd}"}));
        assert_eq!(attempt["response_body"], "said \u{fffd} \u{fffd}");
    }
}
