//! Why an event was sent or was not, and when it is tried next.

use bodega_courier::RetryAfter;
use bodega_tests::{Db, both};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::carrier::Answer;
use crate::shop::{Shop, Working, id, time};

both!(
    never_sent,
    on_its_way_and_delivered,
    given_up,
    paused_failing_and_held,
    behind_an_earlier_one,
    not_known,
);

/// The id of the last event of a type.
async fn last(shop: &Working, kind: &str) -> String {
    id(shop.events(kind).await.last().unwrap()).to_owned()
}

/// Which checks fail, and what is said.
async fn said(
    shop: &Working,
    endpoint: &Value,
    event: &str,
) -> (Vec<Value>, String, String, Value) {
    let (answer, spanish) = shop.explain(endpoint, event).await;
    let checks = answer["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 6);
    let failed: Vec<_> =
        checks.iter().filter(|c| c["passed"] == false).map(|c| c["check"].clone()).collect();
    assert_eq!(answer["passes"], failed.is_empty());
    let english = answer["summary"].as_str().unwrap().to_owned();
    (failed, english, spanish, answer["next_attempt_at"].clone())
}

/// Whether the summaries begin so.
fn begins(said: &(Vec<Value>, String, String, Value), english: &str, spanish: &str) {
    assert!(said.1.starts_with(english), "{}", said.1);
    assert!(said.2.starts_with(spanish), "{}", said.2);
}

async fn never_sent(db: Db) {
    let shop = Shop::open(db).await;
    let brand = shop.brand("Early").await;
    let early = last(&shop, "brand.created").await;
    let more = json!({"event_types": ["brand.updated", "product.*"], "changed_fields": ["website"],
        "filter": "event.data.name != 'Other'"});
    let endpoint = shop.endpoint("a.example", more).await;
    shop.rename(&brand, "Other").await;
    let renamed = last(&shop, "brand.updated").await;
    shop.call("brand.update", id(&brand), json!({"website": "https://x.example"})).await;
    let filtered = last(&shop, "brand.updated").await;
    shop.settle().await;
    assert!(shop.deliveries(&endpoint).await.is_empty());

    let answer = said(&shop, &endpoint, &early).await;
    assert_eq!(answer.0, ["existed", "event_type"]);
    begins(&answer, "Not sent: The endpoint was made at 2", "No se envió: El destino se creó el 2");
    let answer = said(&shop, &endpoint, &renamed).await;
    assert_eq!(answer.0, ["changed_fields", "filter"]);
    let english = "Not sent: name, version, updated_at changed; the endpoint waits for website.";
    begins(
        &answer,
        english,
        "No se envió: Cambió name, version, updated_at; el destino espera website.",
    );
    let answer = said(&shop, &endpoint, &filtered).await;
    assert_eq!(answer.0, ["filter"]);
    begins(&answer, "Not sent: The filter is false.", "No se envió: El filtro es falso.");
    assert_eq!(answer.3, Value::Null);

    // A filter that cannot be worked out lets nothing through, and says why.
    let broken = json!({"filter": "event.data.nothing > 1", "changed_fields": []});
    shop.call("webhook_endpoint.update", id(&endpoint), broken).await;
    let answer = said(&shop, &endpoint, &filtered).await;
    begins(&answer, "Not sent: The filter could not be worked", "No se envió: No se pudo evaluar");
    // One that lets it through now did not then.
    shop.call("webhook_endpoint.update", id(&endpoint), json!({"filter": null})).await;
    let answer = said(&shop, &endpoint, &filtered).await;
    assert!(answer.0.is_empty());
    begins(&answer, "Not sent: it passes every check now", "No se envió: ahora pasa");
    let types = json!({"event_types": ["product.*"]});
    shop.call("webhook_endpoint.update", id(&endpoint), types).await;
    let answer = said(&shop, &endpoint, &filtered).await;
    let english = "Not sent: The event is brand.updated; the endpoint takes product.*.";
    begins(
        &answer,
        english,
        "No se envió: El evento es brand.updated; el destino acepta product.*.",
    );
}

async fn on_its_way_and_delivered(db: Db) {
    let shop = Shop::idle(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.brand("A").await;
    let event = shop.events("brand.created").await.remove(0);
    let (answer, spanish) = shop.explain(&endpoint, id(&event)).await;
    assert_eq!(event["sequence"], Value::Null);
    assert_eq!(answer["summary"], "It has just happened, and is about to be sent.");
    assert_eq!(spanish, "Acaba de ocurrir y está por enviarse.");

    shop.carrier.always("a.example", Answer::Status(500));
    let shop = shop.work();
    shop.settle().await;
    let answer = said(&shop, &endpoint, id(&event)).await;
    begins(&answer, "On its way: 1 attempts so far, the next at 2", "En camino: 1 intentos, el pr");
    assert_eq!(answer.3, shop.delivery(&endpoint).await["next_attempt_at"]);
    shop.carrier.always("a.example", Answer::Status(200));
    shop.pass_to(&answer.3).await;
    let answer = said(&shop, &endpoint, id(&event)).await;
    begins(&answer, "Delivered, at attempt 2.", "Entregado, en el intento 2.");
    assert_eq!(answer.3, Value::Null);
}

async fn given_up(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    shop.brand("A").await;
    shop.settle().await;
    let event = last(&shop, "brand.created").await;
    for _ in 0..10 {
        let next = shop.delivery(&endpoint).await["next_attempt_at"].clone();
        shop.pass_to(&next).await;
    }
    let answer = said(&shop, &endpoint, &event).await;
    assert!(answer.0.is_empty());
    begins(&answer, "Given up after 11 attempts; it can", "Abandonado tras 11 intentos; se puede");
    assert_eq!(answer.3, Value::Null);

    shop.brand("B").await;
    shop.settle().await;
    let delivery = shop.deliveries(&endpoint).await.pop().unwrap();
    shop.call("webhook_delivery.cancel", id(&delivery), Value::Null).await;
    let answer = said(&shop, &endpoint, &last(&shop, "brand.created").await).await;
    begins(&answer, "Its delivery was cancelled.", "Su entrega se canceló.");

    shop.carrier.always("a.example", Answer::Status(410));
    shop.brand("C").await;
    shop.settle().await;
    shop.brand("D").await;
    shop.settle().await;
    let answer = said(&shop, &endpoint, &last(&shop, "brand.created").await).await;
    assert_eq!(answer.0, ["state"]);
    begins(&answer, "Not sent: The endpoint is disabled.", "No se envió: El estado del destino");
}

async fn paused_failing_and_held(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    shop.call("webhook_endpoint.pause", id(&endpoint), Value::Null).await;
    shop.brand("A").await;
    shop.settle().await;
    let event = last(&shop, "brand.created").await;
    let answer = said(&shop, &endpoint, &event).await;
    begins(&answer, "It waits, because the endpoint is paused.", "Espera, porque el estado del");
    assert_eq!(answer.3, Value::Null);

    // Held by what it answered to the one is also held for the other.
    let wait = RetryAfter::Wait(std::time::Duration::from_secs(1_000));
    shop.carrier.always("a.example", Answer::After(503, wait));
    shop.call("webhook_endpoint.resume", id(&endpoint), Value::Null).await;
    shop.settle().await;
    shop.brand("B").await;
    shop.settle().await;
    let second = last(&shop, "brand.created").await;
    let answer = said(&shop, &endpoint, &second).await;
    assert_eq!(answer.3, shop.health(&endpoint).await["held_until"]);
    begins(&answer, "On its way: 0 attempts so far, the next at 2", "En camino: 0 intentos");

    shop.carrier.always("a.example", Answer::Status(500));
    shop.pass(TimeDelta::seconds(1_300)).await;
    for number in 0..19 {
        shop.brand(&format!("Brand {number}")).await;
    }
    shop.settle().await;
    let answer = said(&shop, &endpoint, &event).await;
    begins(
        &answer,
        "It waits: the endpoint only fails, and is probed at 2",
        "Espera: el destino s",
    );
    assert_eq!(answer.3, shop.health(&endpoint).await["probe_at"]);
    assert!(time(&answer.3) > shop.now());
}

async fn behind_an_earlier_one(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({"ordering": "per_object"})).await;
    shop.carrier.always("a.example", Answer::Status(500));
    let brand = shop.brand("A").await;
    shop.rename(&brand, "B").await;
    shop.settle().await;
    let first = last(&shop, "brand.created").await;
    let answer = said(&shop, &endpoint, &last(&shop, "brand.updated").await).await;
    let english = format!("It waits for an earlier event of the same object, {first}, next tried ");
    let spanish = format!("Espera a un evento anterior del mismo objeto, {first}; próximo ");
    begins(&answer, &english, &spanish);
    assert_eq!(answer.3, shop.deliveries(&endpoint).await[0]["next_attempt_at"]);
    let answer = said(&shop, &endpoint, &first).await;
    begins(&answer, "On its way: 1 attempts", "En camino: 1 intentos");
}

async fn not_known(db: Db) {
    let shop = Shop::open(db).await;
    let endpoint = shop.endpoint("a.example", json!({})).await;
    let body = json!({"event_id": "evt_01k78agk00e008000000000001"});
    let refused = shop.try_call("webhook_endpoint.explain", id(&endpoint), body).await.unwrap_err();
    assert_eq!(refused.code.code, "not_found");
    assert_eq!(refused.errors[0].pointer, "/event_id");
}
