//! Whatever happens in whatever order: every event is delivered at least once, in order where that
//! was asked for.

use std::collections::{BTreeMap, BTreeSet};

use bodega_tests::{Db, both};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, id};

both!(every_event_arrives);

const CASES: usize = 6;
const STEPS: usize = 25;

#[derive(Clone, Debug)]
enum Step {
    Rename(usize),
    /// The receiver answers so from now on.
    Answers(u16),
    Pass(i64),
    Pause,
    Resume,
    /// The process dies, or stops, and another begins.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize).prop_map(Step::Rename),
        3 => prop_oneof![Just(200_u16), Just(500), Just(503), Just(404)].prop_map(Step::Answers),
        3 => (1..4_000_i64).prop_map(Step::Pass),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => Just(Step::Restart),
    ]
}

async fn every_event_arrives(db: Db) {
    let mut runner = TestRunner::default();
    for _ in 0..CASES {
        let steps = prop::collection::vec(step(), STEPS).new_tree(&mut runner).unwrap().current();
        for ordering in ["none", "per_object"] {
            play(db, &steps, ordering).await;
        }
    }
}

async fn play(db: Db, steps: &[Step], ordering: &str) {
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({"ordering": ordering})).await;
    let mut brands = Vec::new();
    for number in 0..3 {
        brands.push(shop.brand(&format!("B{number}")).await);
    }
    let mut worker = shop.worker();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Rename(brand) => drop(shop.rename(&brands[*brand], &format!("N{index}")).await),
            Step::Answers(status) => shop.carrier.always("a.example", Answer::Status(*status)),
            Step::Pass(seconds) => shop.pass(TimeDelta::seconds(*seconds)).await,
            Step::Pause | Step::Resume => {
                let verb = if matches!(step, Step::Pause) { "pause" } else { "resume" };
                let operation = format!("webhook_endpoint.{verb}");
                // It may be so already.
                let _ = shop.try_call(&operation, id(&endpoint), Value::Null).await;
            }
            Step::Restart => {
                worker.stop().await;
                worker = shop.worker();
            }
        }
    }
    shop.carrier.always("a.example", Answer::Status(200));
    let _ = shop.try_call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.settle().await;
    for _ in 0..6 {
        shop.pass(TimeDelta::hours(25)).await;
    }
    worker.stop().await;
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for kind in ["brand.created", "brand.updated"] {
        expected.extend(shop.events(kind).await.iter().map(|event| id(event).to_owned()));
    }
    let states: BTreeSet<_> =
        shop.deliveries(&endpoint).await.iter().map(|d| d["state"].to_string()).collect();
    assert_eq!(states, BTreeSet::from([r#""delivered""#.to_owned()]), "{ordering} {steps:?}");
    let sent = shop.carrier.sent("a.example");
    let arrived: BTreeSet<String> = sent.iter().map(|sent| sent.event().to_owned()).collect();
    assert_eq!(arrived, expected, "{ordering} {steps:?}");
    if ordering == "per_object" {
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for sent in &sent {
            let version = sent.body["object_version"].as_i64().unwrap();
            let before = last.insert(sent.object(), version).unwrap_or_default();
            assert!(version == before || version == before + 1, "{steps:?}");
        }
    }
}
