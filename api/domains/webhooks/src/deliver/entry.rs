//! One try at a delivery, as the ledger writes it.

use bodega_courier::Receipt;
use bodega_kernel::{Language, Problem};
use chrono::{DateTime, Utc};
use entity::webhooks::{webhook_attempt, webhook_delivery};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The most of a reason that is kept.
const REASON_CHARS_MAX: usize = 500;

/// What happens to a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Again(DateTime<Utc>),
    Dead,
    /// It is not to be sent there.
    Cancelled,
}

/// One try.
pub(super) struct Entry {
    pub(super) attempt: webhook_attempt::Model,
    pub(super) fate: Fate,
    /// Whether it says anything of the receiver.
    pub(super) sent: bool,
    /// Until when the receiver asked to be left alone.
    pub(super) held_until: Option<DateTime<Utc>>,
}

impl Entry {
    /// A try that was made.
    pub(super) fn sent(
        delivery: &webhook_delivery::Model,
        receipt: Receipt,
        (fate, held_until): (Fate, Option<DateTime<Utc>>),
        now: DateTime<Utc>,
    ) -> Self {
        let Receipt { outcome, duration, connect: _, address, status, headers, body, truncated } =
            receipt;
        let headers: Map<String, Value> =
            headers.into_iter().map(|(name, value)| (name, no_nul(value).into())).collect();
        let reason = outcome.text().get(Language::default()).to_owned();
        let attempt = webhook_attempt::Model {
            status: status.map(i32::from),
            duration_us: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
            address: address.map(|address| address.to_string()),
            response_headers: Value::Object(headers),
            response_body: Some(no_nul(String::from_utf8_lossy(&body).into_owned())),
            response_truncated: truncated,
            ..attempt(delivery, outcome.code(), reason, now)
        };
        Self { attempt, fate, sent: true, held_until }
    }

    /// A try that could not be made, because there is nothing to send.
    pub(super) fn unsent(
        delivery: &webhook_delivery::Model,
        why: &Problem,
        fate: Fate,
        now: DateTime<Utc>,
    ) -> Self {
        let said = why.errors.first().map(|error| &error.detail).or(why.detail.as_ref());
        let said = said.unwrap_or(&why.code.about).get(Language::default());
        let reason = said.chars().take(REASON_CHARS_MAX).collect();
        let attempt = attempt(delivery, why.code.code, reason, now);
        Self { attempt, fate, sent: false, held_until: None }
    }
}

/// A try that nobody answered.
fn attempt(
    delivery: &webhook_delivery::Model,
    outcome: &str,
    reason: String,
    now: DateTime<Utc>,
) -> webhook_attempt::Model {
    webhook_attempt::Model {
        id: Uuid::now_v7(),
        organization_id: delivery.organization_id,
        delivery_id: delivery.id,
        endpoint_id: delivery.endpoint_id,
        event_id: delivery.event_id,
        number: delivery.attempts + 1,
        outcome: outcome.to_owned(),
        reason,
        status: None,
        duration_us: 0,
        address: None,
        response_headers: Value::Object(Map::new()),
        response_body: None,
        response_truncated: false,
        created_at: now,
    }
}

/// PostgreSQL keeps no NUL.
fn no_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
