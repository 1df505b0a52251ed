//! What is posted, how it is signed, and how fast.

use std::time::{Duration, Instant};

use bodega_courier::{Secret, SecretKind, verify};
use bodega_tests::{Db, both};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::{Answer, Sent};
use crate::shop::{Shop, id};

both!(
    the_event_whole_and_signed,
    both_secrets_sign_during_a_rotation,
    secrets_of_both_kinds,
    only_the_fields_that_were_asked_for,
    own_headers,
    each_says_what_was_sent_before_it,
    no_faster_than_asked,
    only_what_the_rules_let_through,
);

/// Whether a message was signed with this secret, shown when it was made.
fn signed(sent: &Sent, secret: &Value) -> bool {
    let secret = Secret::parse(secret.as_str().unwrap()).unwrap();
    let timestamp = sent.header("webhook-timestamp").parse().unwrap();
    let header = sent.header("webhook-signature");
    verify(&[&secret], sent.header("webhook-id"), timestamp, &sent.raw, header)
}

async fn the_event_whole_and_signed(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let brand = shop.brand("Peñón").await;
    let renamed = shop.rename(&brand, "Peña").await;
    shop.settle().await;
    let sent = shop.carrier.sent("a.example");
    assert_eq!(sent.len(), 2);
    for (sent, brand) in sent.iter().zip([&brand, &renamed]) {
        assert!(signed(sent, &endpoint["secret"]));
        assert_eq!(sent.header("webhook-id"), sent.event());
        assert!(sent.header("user-agent").starts_with("Bodega-Webhooks/"));
        assert_eq!(sent.body["data"], *brand);
        let mut logged = shop.call("event.get", sent.event(), Value::Null).await;
        logged["previous_sequence"] = sent.body["previous_sequence"].clone();
        assert_eq!(sent.body, logged, "as the log shows it");
        let at: i64 = sent.header("webhook-timestamp").parse().unwrap();
        assert!((at - sent.at.timestamp()).abs() <= 1);
    }
    assert_eq!(sent[0].body["previous"], Value::Null);
    assert_eq!(sent[1].body["previous"]["name"], "Peñón");
    assert!(!signed(&Sent { raw: sent[0].raw.clone(), ..sent[1].clone() }, &endpoint["secret"]));
    // What is tried again is signed again, at the time it is.
    shop.carrier.always("a.example", Answer::Status(500));
    shop.brand("B").await;
    shop.settle().await;
    shop.pass(TimeDelta::seconds(10)).await;
    let tries = &shop.carrier.sent("a.example")[2..];
    assert_eq!((tries.len(), &tries[0].raw), (2, &tries[1].raw));
    assert!(signed(&tries[0], &endpoint["secret"]) && signed(&tries[1], &endpoint["secret"]));
    assert_ne!(tries[0].header("webhook-timestamp"), tries[1].header("webhook-timestamp"));
}

async fn both_secrets_sign_during_a_rotation(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let rotate = json!({"overlap_seconds": 3_600});
    let rotated = shop.call("webhook_endpoint.rotate_secret", id(&endpoint), rotate).await;
    let (old, new) = (&endpoint["secret"], &rotated["secret"]);
    assert_ne!(old, new);
    let send = async |name: &str| {
        shop.brand(name).await;
        shop.settle().await;
        let sent = shop.carrier.take("a.example").pop().unwrap();
        (signed(&sent, old), signed(&sent, new), sent.header("webhook-signature").to_owned())
    };
    let (by_old, by_new, header) = send("During").await;
    assert!(by_old && by_new);
    assert_eq!(header.split(' ').count(), 2);
    shop.pass(TimeDelta::seconds(3_590)).await;
    assert!(send("Still").await.0);
    shop.pass(TimeDelta::seconds(20)).await;
    let (by_old, by_new, header) = send("After").await;
    assert!(!by_old && by_new);
    assert_eq!(header.split(' ').count(), 1);
    // Without an overlap the old one ends at once.
    let rotate = json!({"overlap_seconds": 0});
    shop.call("webhook_endpoint.rotate_secret", id(&endpoint), rotate).await;
    let (_, by_new, _) = send("At once").await;
    assert!(!by_new);
    assert_eq!(shop.get(&endpoint).await["secrets"].as_array().unwrap().len(), 1);
}

async fn secrets_of_both_kinds(db: Db) {
    let shop = Shop::open(db).await;
    let own = Secret::generate(SecretKind::Hmac).unwrap();
    let own = json!(own.reveal().as_str());
    let endpoint = shop.endpoint("a.example", json!({"secret": own})).await;
    assert_eq!(endpoint["secret"], own);
    let pair = json!({"signature": "ed25519"});
    let rotated = shop.call("webhook_endpoint.rotate_secret", id(&endpoint), pair).await;
    assert!(rotated["secret"].as_str().unwrap().starts_with("whpk_"), "only the public half");
    shop.brand("A").await;
    shop.settle().await;
    let sent = &shop.carrier.sent("a.example")[0];
    assert!(signed(sent, &own));
    let kinds: Vec<_> = sent
        .header("webhook-signature")
        .split(' ')
        .map(|one| one.split_once(',').unwrap().0)
        .collect();
    assert_eq!(kinds, ["v1a", "v1"]);
    // Neither is kept in the clear.
    let row = shop.get(&endpoint).await.to_string();
    assert!(!row.contains(own.as_str().unwrap()));
    for kind in ["whsec", "whsk"] {
        let leaked = format!(
            "SELECT count(*) FROM webhook_endpoint \
             WHERE CAST(secrets AS TEXT) LIKE '%{kind}!_%' ESCAPE '!'"
        );
        assert_eq!(shop.number(&leaked, Vec::new()).await, 0);
    }
}

async fn only_the_fields_that_were_asked_for(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("a.example", json!({"fields": ["id", "name"]})).await;
    let brand = shop.brand("A").await;
    shop.rename(&brand, "B").await;
    shop.settle().await;
    let sent = shop.carrier.sent("a.example");
    assert_eq!(sent[0].body["data"], json!({"id": brand["id"], "name": "A"}));
    assert_eq!(sent[1].body["data"], json!({"id": brand["id"], "name": "B"}));
    assert_eq!(sent[1].body["previous"], json!({"name": "A"}));
    assert_eq!(sent[1].body["object_version"], 2, "what is around the object stays");
}

async fn own_headers(db: Db) {
    let shop = Shop::open(db).await;
    let headers = json!([{"name": "X-Shop", "value": "norte"}, {"name": "Authorization",
        "value": "Bearer abc"}]);
    let endpoint = shop.endpoint("a.example", json!({"custom_headers": headers})).await;
    assert_eq!(endpoint["custom_header_names"], json!(["X-Shop", "Authorization"]));
    assert!(!endpoint.to_string().contains("norte"));
    shop.brand("A").await;
    shop.settle().await;
    let sent = shop.carrier.take("a.example").remove(0);
    assert_eq!((sent.header("x-shop"), sent.header("authorization")), ("norte", "Bearer abc"));
    let other = json!({"custom_headers": [{"name": "X-Shop", "value": "sur"}]});
    shop.call("webhook_endpoint.update", id(&endpoint), other).await;
    shop.brand("B").await;
    shop.settle().await;
    let sent = shop.carrier.take("a.example").remove(0);
    assert_eq!((sent.header("x-shop"), sent.header("authorization")), ("sur", ""));
    for name in ["Host", "webhook-signature", "Content-Length"] {
        let body = json!({"custom_headers": [{"name": name, "value": "x"}]});
        let refused = shop.try_call("webhook_endpoint.update", id(&endpoint), body).await;
        assert_eq!(refused.unwrap_err().code.code, "header_not_allowed", "{name}");
    }
}

async fn each_says_what_was_sent_before_it(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("a.example", json!({"filter": "event.data.name != 'skipped'"})).await;
    shop.endpoint("all.example", json!({"event_types": ["*"]})).await;
    for name in ["A", "skipped", "B", "C", "skipped", "D"] {
        shop.brand(name).await;
        if name == "B" {
            shop.settle().await;
        }
    }
    shop.settle().await;
    let chain = |host: &str| {
        let mut sent = shop.carrier.sent(host);
        sent.sort_by_key(Sent::sequence);
        assert_eq!(sent[0].body["previous_sequence"], Value::Null);
        for pair in sent.windows(2) {
            assert_eq!(pair[1].body["previous_sequence"], pair[0].body["sequence"], "{host}");
        }
        sent
    };
    assert_eq!(chain("a.example").len(), 4);
    let all = chain("all.example");
    // It was made second: the event of the first endpoint, and its own, are not sent to it.
    assert_eq!(all.iter().map(Sent::sequence).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
}

/// Real time, because the rate is: ten a second, one after the other.
async fn no_faster_than_asked(db: Db) {
    let mut shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({"rate_limit_per_second": 10})).await;
    shop.endpoint("b.example", json!({})).await;
    for number in 0..40 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.until(async || shop.carrier.sent("a.example").len() >= 8).await;
    let sent = shop.carrier.sent("a.example");
    let span = (sent.last().unwrap().at - sent[0].at).num_milliseconds();
    let least = (i64::try_from(sent.len()).unwrap() - 1) * 100;
    assert!(span >= least - 20, "{} in {span} ms", sent.len());
    shop.until(async || shop.carrier.sent("b.example").len() == 40).await;
    assert!(shop.carrier.sent("a.example").len() < 35, "the other one is not slowed");
    // A graceful stop does not wait for the turns of those that wait.
    let began = Instant::now();
    shop.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(shop.deliveries(&endpoint).await.iter().any(|delivery| delivery["state"] == "pending"));
    let running = "SELECT count(*) FROM job WHERE state = 'running'";
    assert_eq!(shop.number(running, Vec::new()).await, 0);
}

async fn only_what_the_rules_let_through(db: Db) {
    let shop = Shop::open(db).await;
    shop.endpoint("made.example", json!({"event_types": ["brand.created"]})).await;
    shop.endpoint("shop.example", json!({"changed_fields": ["website"]})).await;
    shop.endpoint("big.example", json!({"filter": "event.data.name.size() > 3"})).await;
    shop.endpoint("other.example", json!({"event_types": ["product.*", "brand.deleted"]})).await;
    let brand = shop.brand("Abc").await;
    shop.rename(&brand, "Abcd").await;
    shop.call("brand.update", id(&brand), json!({"website": "https://x.example"})).await;
    shop.call("brand.delete", id(&brand), Value::Null).await;
    shop.settle().await;
    let took = |host: &str| {
        let mut sent = shop.carrier.sent(host);
        sent.sort_by_key(Sent::sequence);
        sent.iter().map(|sent| sent.body["object_version"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(took("made.example"), [1]);
    assert_eq!(took("shop.example"), [1, 3, 4], "making and removing change every field");
    assert_eq!(took("big.example"), [2, 3, 4]);
    assert_eq!(took("other.example"), [4]);
}
