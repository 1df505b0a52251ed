//! `bodega trigger`: a sample of an event, to a URL of a developer's own or to an endpoint.

use std::time::Duration;

use bodega_kernel::{Clock, SystemClock};
use bodega_webhooks::fresh_sample;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::app;
use crate::caller::{Caller, Trouble};
use crate::cli::Trigger;
use crate::forwarder::{Forwarder, say};

/// How long the endpoint's first answer is waited for: longer than an attempt may take.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);

/// Sends one sample; fails where it was not taken.
pub(crate) async fn trigger(options: Trigger) -> Result<(), String> {
    match (&options.forward, &options.endpoint) {
        (Some(url), _) => forward(url, &options).await,
        (None, Some(endpoint)) => {
            let caller = Caller::new(&options.api)?;
            test(&caller, endpoint, &options.event_type).await.map_err(Trouble::said)
        }
        // The command line wants one of the two.
        (None, None) => Ok(()),
    }
}

async fn forward(url: &str, options: &Trigger) -> Result<(), String> {
    let forwarder = Forwarder::new(url, options.secret.as_deref())?;
    let event = sample(&options.event_type)?;
    forwarder.introduce()?;
    let receipt = forwarder.forward(&event).await?;
    match receipt.outcome.is_delivered() {
        true => Ok(()),
        false => Err(receipt.outcome.to_string()),
    }
}

/// A sample of the type, from the program itself: no API is asked.
fn sample(kind: &str) -> Result<Value, String> {
    let (registry, versions) = (app::registry(), app::versions());
    let known = bodega_docs::event_doc(&registry, &versions, kind).ok_or_else(|| {
        let names: Vec<_> = registry.events().keys().copied().collect();
        format!("{kind} is no type of event; there are {}", names.join(", "))
    })?;
    Ok(fresh_sample(&known.sample, Uuid::now_v7(), versions.latest(), SystemClock.now()))
}

/// Has the API send the sample, and waits for what comes of the first attempt.
async fn test(caller: &Caller, endpoint: &str, kind: &str) -> Result<(), Trouble> {
    let path = format!("/v1/webhook_endpoints/{endpoint}/test");
    let delivery = caller.post(&path, &json!({ "event_type": kind })).await?;
    let id = delivery["id"].as_str().unwrap_or_default();
    let tried = format!("/v1/webhook_attempts?delivery_id={id}&limit=1");
    let until = Instant::now() + PATIENCE;
    let attempt = loop {
        let attempts = caller.get(&tried).await?;
        let attempt = &attempts["data"][0];
        if attempt.is_object() || Instant::now() > until {
            break attempt.clone();
        }
        sleep(PAUSE).await;
    };
    let outcome = match &attempt["status"] {
        Value::Null => attempt["outcome"].as_str().unwrap_or("waiting").to_owned(),
        status => status.to_string(),
    };
    let ms = attempt["duration_us"].as_i64().unwrap_or(0) / 1_000;
    let event = delivery["event_id"].as_str().unwrap_or_default();
    say(&format!("{kind:<32} {event} {outcome} {ms} ms")).map_err(Trouble::Lasting)?;
    match attempt["outcome"].as_str() {
        Some("delivered") => Ok(()),
        _ => {
            let reason = attempt["reason"].as_str().unwrap_or("It has not been tried yet.");
            Err(Trouble::Lasting(format!("{reason} See /v1/webhook_deliveries/{id}")))
        }
    }
}
