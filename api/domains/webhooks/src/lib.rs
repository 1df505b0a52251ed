//! The event log: every change, as it was committed; and from it, webhooks.
//!
//! An event is numbered by the relay, which hands it to [`FanOut`]; what that writes is sent by a
//! [`Deliverer`]. What is kept of it goes away after a while, by [`erase`].

mod deliver;
mod endpoint;
mod erase;
mod event;
mod event_type;
mod fan_out;
mod filter;
mod rules;
mod sample;
mod selection;
mod sight;
mod webhook_attempt;
mod webhook_delivery;
mod webhook_health;

use bodega_contract::{Access, Declared};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use deliver::{DELIVER, Deliverer};
pub use endpoint::WebhookEndpoint;
pub use endpoint::again::{REPLAY, Replayer};
pub use erase::erase;
pub use event::EventEntry;
pub use event_type::{EventCatalog, KnownEvent};
pub use fan_out::FanOut;
pub use rules::fits;
pub use sample::fresh_sample;
pub use selection::{Selections, Selector};
pub use sight::ReadScopes;

const WEBHOOKS: Access = Access { read: "webhooks:read", write: "webhooks:write" };
/// Only to be read: an event follows from a change.
const EVENTS: Access = Access { read: "events:read", write: "events:read" };

/// What this domain offers, beside what the others have declared.
pub fn resources(others: &[Declared]) -> Vec<Declared> {
    let mut own: Vec<Declared> = vec![
        event::resource().into(),
        event_type::resource(),
        endpoint::resource().into(),
        webhook_health::resource().into(),
        webhook_delivery::resource().into(),
        webhook_attempt::resource().into(),
    ];
    let mut names: Vec<_> =
        others.iter().chain(&own).flat_map(Declared::events).map(|event| event.name).collect();
    names.sort_unstable();
    names.dedup();
    own.iter_mut().for_each(|resource| event_type::complete(resource.schemas_mut(), &names));
    own
}

/// What is stored as JSON.
fn stored<T: DeserializeOwned + Default>(json: &Value) -> T {
    T::deserialize(json).unwrap_or_default()
}
