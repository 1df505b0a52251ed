//! Attempts: each try to deliver, and what came of it.

use bodega_contract::Resource;
use bodega_kernel::{Cx, Id, Noun, Result};
use chrono::{DateTime, Utc};
use entity::webhooks::webhook_attempt::{Column, Entity, Model};
use entity::webhooks::webhook_delivery;
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::WEBHOOKS;
use crate::endpoint::WebhookEndpoint;
use crate::event::EventEntry;
use crate::sight::Sight;
use crate::webhook_delivery::WebhookDelivery;

pub(crate) fn resource() -> Resource<WebhookAttempt> {
    Resource::new(WEBHOOKS, "One try to deliver, and what came of it")
        .list()
        .filter(["endpoint_id", "delivery_id", "event_id", "outcome", "status"])
        .get()
        .belongs_to::<WebhookDelivery>("delivery", "delivery_id")
}

/// One try to deliver, and what came of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookAttempt {
    /// The object's id.
    pub id: Id<Self>,
    /// The delivery.
    pub delivery_id: Id<WebhookDelivery>,
    /// The endpoint.
    pub endpoint_id: Id<WebhookEndpoint>,
    /// The event.
    pub event_id: Id<EventEntry>,
    /// Which try of the delivery it was, from 1.
    #[schema(minimum = 1)]
    pub number: i32,
    /// What came of it: `delivered`, `refused`, `timeout`, `dns_failure`, `tls_expired`, …
    #[schema(max_length = 60)]
    pub outcome: String,
    /// The same, in words.
    #[schema(max_length = 500)]
    pub reason: String,
    /// The status that the receiver answered, if it did.
    #[schema(minimum = 100, maximum = 999)]
    pub status: Option<i32>,
    /// How long it took.
    #[schema(minimum = 0)]
    pub duration_us: i64,
    /// The address that was connected to.
    #[schema(max_length = 60)]
    pub address: Option<String>,
    /// The headers of the answer; empty once they are erased.
    #[schema(value_type = Object)]
    pub response_headers: Value,
    /// The first 16 KiB of the answer; null once it is erased.
    #[schema(max_length = 16384)]
    pub response_body: Option<String>,
    /// Whether there was more of it.
    pub response_truncated: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Noun for WebhookAttempt {
    type Entity = Entity;
    const NAME: &'static str = "webhook_attempt";
    const PLURAL: &'static str = "webhook_attempts";
    const PREFIX: &'static str = "wha";

    /// Those of the deliveries that the caller may see: what a receiver answers may tell of what it
    /// was sent.
    fn visible(cx: &Cx) -> Result<Option<Condition>> {
        let deliveries = Sight::of(&cx.platform, &cx.scopes)?.of_deliveries();
        Ok(deliveries.map(|visible| {
            let id = Expr::col((webhook_delivery::Entity, webhook_delivery::Column::Id));
            let delivery = Query::select()
                .expr(Expr::value(1))
                .from(webhook_delivery::Entity)
                .and_where(id.eq(Expr::col((Entity, Column::DeliveryId))))
                .cond_where(visible)
                .to_owned();
            Condition::all().add(Expr::exists(delivery))
        }))
    }
}

impl From<Model> for WebhookAttempt {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            delivery_id,
            endpoint_id,
            event_id,
            number,
            outcome,
            reason,
            status,
            duration_us,
            address,
            response_headers,
            response_body,
            response_truncated,
            created_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            delivery_id: Id::from_uuid(delivery_id),
            endpoint_id: Id::from_uuid(endpoint_id),
            event_id: Id::from_uuid(event_id),
            number,
            outcome,
            reason,
            status,
            duration_us,
            address,
            response_headers,
            response_body,
            response_truncated,
            created_at,
        }
    }
}
