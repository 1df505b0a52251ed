//! `bodega listen`: the organization's events, forwarded to a URL of a developer's own.

use std::time::Duration;

use bodega_webhooks::fits;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::caller::{Caller, Trouble, WAIT_S};
use crate::cli::Listen;
use crate::forwarder::{Forwarder, say};
use crate::serve::told_to_stop;

/// How long to wait before a call is tried again; the last goes on.
const BACKOFF_S: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// An answer with nothing in it that comes sooner than this is not one that waited for news.
const SOON: Duration = Duration::from_secs(1);

/// Forwards until Ctrl-C.
pub(crate) async fn listen(options: Listen) -> Result<(), String> {
    let caller = Caller::new(&options.api)?;
    let forwarder = Forwarder::new(&options.forward, options.secret.as_deref())?;
    let place = begin(&caller, &options).await.map_err(Trouble::said)?;
    forwarder.introduce()?;
    say(&format!("Events         {} after {place}\n", options.events.join(", ")))?;
    tokio::select! {
        told = told_to_stop() => told.map_err(|error| error.to_string()),
        failed = follow(&caller, &forwarder, &options.events, place) => failed,
    }
}

/// Where in the log to begin. A misspelt pattern would be waited for in vain, so it is an error.
async fn begin(caller: &Caller, options: &Listen) -> Result<u64, Trouble> {
    let types = caller.get("/v1/event_types").await?;
    let types: Vec<&str> = all(&types).filter_map(|known| known["type"].as_str()).collect();
    for pattern in &options.events {
        if !types.iter().any(|kind| fits(pattern, kind)) {
            let said = format!("{pattern} fits no type of event; there are {}", types.join(", "));
            return Err(Trouble::Lasting(said));
        }
    }
    if let Some(place) = options.after {
        return Ok(place);
    }
    // The newest are not quite in the order of their places, but nearly.
    let newest = caller.get("/v1/events?sequence[gt]=0&limit=100&fields=id,sequence").await?;
    Ok(all(&newest).filter_map(|event| event["sequence"].as_u64()).max().unwrap_or(0))
}

/// Follows the log, through whatever befalls the API meanwhile.
async fn follow(
    caller: &Caller,
    forwarder: &Forwarder,
    patterns: &[String],
    mut place: u64,
) -> Result<(), String> {
    let mut previous = None;
    let mut failures = 0;
    loop {
        let asked = Instant::now();
        let path = format!("/v1/events?after={place}&wait_s={WAIT_S}&limit=100");
        let page = match caller.get(&path).await {
            Ok(page) => page,
            Err(Trouble::Lasting(said)) => return Err(said),
            Err(Trouble::Passing(said, after)) => {
                let wait = after.unwrap_or_else(|| backoff(failures));
                failures += 1;
                eprintln!("{said}; trying again in {} s", wait.as_secs());
                sleep(wait).await;
                continue;
            }
        };
        failures = 0;
        for event in all(&page) {
            let sequence = event["sequence"].as_u64();
            let kind = event["type"].as_str().unwrap_or_default();
            if patterns.iter().any(|pattern| fits(pattern, kind)) {
                forwarder.forward(&as_sent(event, previous)).await?;
                previous = sequence;
            }
            place = sequence.unwrap_or(place).max(place);
        }
        place = page["reached"].as_u64().unwrap_or(place).max(place);
        // One that is about to stop answers at once.
        if all(&page).next().is_none() && asked.elapsed() < SOON {
            sleep(SOON).await;
        }
    }
}

/// The event as a webhook carries it: with the place of the one that was sent before it.
fn as_sent(event: &Value, previous: Option<u64>) -> Value {
    let mut sent = serde_json::Map::new();
    for (name, value) in event.as_object().into_iter().flatten() {
        sent.insert(name.clone(), value.clone());
        if name == "sequence" {
            sent.insert("previous_sequence".to_owned(), previous.into());
        }
    }
    sent.into()
}

fn all(page: &Value) -> impl Iterator<Item = &Value> {
    page["data"].as_array().into_iter().flatten()
}

fn backoff(failures: usize) -> Duration {
    let last = BACKOFF_S.len() - 1;
    Duration::from_secs(BACKOFF_S[failures.min(last)])
}
