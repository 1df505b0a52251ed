//! How an endpoint has been answering; its UUID is the endpoint's.

use bodega_contract::Resource;
use bodega_kernel::{Id, Noun};
use chrono::{DateTime, Utc};
use entity::webhooks::webhook_health::{Entity, Model};
use serde::Serialize;
use utoipa::ToSchema;

use crate::WEBHOOKS;

pub(crate) fn resource() -> Resource<WebhookHealth> {
    Resource::new(WEBHOOKS, "How an endpoint has been answering")
        .get()
        .note("Each endpoint has one: `expand=health` embeds it.")
}

/// How an endpoint has been answering.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookHealth {
    /// The object's id.
    pub id: Id<Self>,
    /// How many tries have failed since the last that did not; 20 disable the endpoint.
    #[schema(minimum = 0)]
    pub consecutive_failures: i64,
    /// When it last took a message, give or take a second.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it last did not.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// What came of that try.
    #[schema(max_length = 60)]
    pub last_failure: Option<String>,
    /// While it is disabled because it only failed: when one delivery is tried again.
    pub probe_at: Option<DateTime<Utc>>,
    /// Until when it asked, by `Retry-After`, to be left alone.
    pub held_until: Option<DateTime<Utc>>,
    /// The `sequence` of the first event that its filter could not decide, because it used too many
    /// steps or too much memory. That event and all after it wait until the endpoint is resumed.
    #[schema(minimum = 1)]
    pub undecided_since: Option<i64>,
}

impl Noun for WebhookHealth {
    type Entity = Entity;
    const NAME: &'static str = "webhook_health";
    const PLURAL: &'static str = "webhook_health";
    const PREFIX: &'static str = "whh";
}

impl From<Model> for WebhookHealth {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            consecutive_failures,
            last_success_at,
            last_failure_at,
            last_failure,
            probe_at,
            held_until,
            probes: _,
            last_sequence: _,
            undecided_since,
        } = row;
        Self {
            id: Id::from_uuid(id),
            consecutive_failures,
            last_success_at,
            last_failure_at,
            last_failure,
            probe_at,
            held_until,
            undecided_since,
        }
    }
}
