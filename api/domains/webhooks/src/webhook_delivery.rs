//! Deliveries: one event on its way to one endpoint.

use bodega_contract::Resource;
use bodega_kernel::{Cx, Event, Id, Noun, Problem, Result, Stateful, Tx, problem};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::webhook_delivery::{Column, DeliveryReason, DeliveryState, Entity, Model};
use entity::webhooks::{event, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::WEBHOOKS;
use crate::deliver;
use crate::endpoint::WebhookEndpoint;
use crate::event::EventEntry;
use crate::sight::{self, Sight};
use crate::webhook_attempt::WebhookAttempt;

pub(crate) fn resource() -> Resource<WebhookDelivery> {
    Resource::new(WEBHOOKS, "One event on its way to one endpoint")
        .list()
        .filter(["endpoint_id", "event_id", "event_type", "state", "reason"])
        .get()
        .action(
            "resend",
            "Sends the event to the endpoint again, as a new delivery, whatever became of this one.",
            resend,
        )
        .emits(&RESENT)
        .fails(&problem::PAYLOAD_GONE)
        .states([DeliveryState::Pending])
        .automatic([DeliveryState::Delivered, DeliveryState::Dead])
        .transition_with(
            "cancel",
            "Gives up a delivery that is not delivered yet.",
            [DeliveryState::Pending],
            [DeliveryState::Cancelled],
            cancel,
        )
        .emits(&CANCELLED)
        .belongs_to::<WebhookEndpoint>("endpoint", "endpoint_id")
        .belongs_to::<EventEntry>("event", "event_id")
        .has_pages::<WebhookAttempt>("attempts", "delivery_id")
}

static RESENT: Event = Event::new("webhook_delivery.resent", "An event is sent again.");
static CANCELLED: Event = Event::new("webhook_delivery.cancelled", "A delivery was given up.");

/// One event on its way to one endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// The object's id.
    pub id: Id<Self>,
    /// The endpoint.
    pub endpoint_id: Id<WebhookEndpoint>,
    /// The event; `webhook-id` of every message.
    pub event_id: Id<EventEntry>,
    /// The event's type.
    #[schema(max_length = 100)]
    pub event_type: String,
    /// The event's object.
    #[schema(max_length = 60)]
    pub object_id: String,
    /// The event's place in the log; null for a sample.
    #[schema(minimum = 1)]
    pub sequence: Option<i64>,
    /// Why it is sent.
    pub reason: DeliveryReason,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    #[schema(minimum = 0)]
    pub attempt_count: i32,
    /// When it is tried next, while it is pending and its endpoint takes events.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What came of the last try: `delivered`, `refused`, `timeout`, …
    #[schema(max_length = 60)]
    pub last_outcome: Option<String>,
    /// The status that the receiver answered last.
    #[schema(minimum = 100, maximum = 999)]
    pub last_status: Option<i32>,
    /// When it ended, however it did.
    pub finished_at: Option<DateTime<Utc>>,
    /// The number of the object's version: 1 when it is made, one more with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Stateful for WebhookDelivery {
    type State = DeliveryState;
    const FIELD: &'static str = "state";

    fn state(row: &Model) -> DeliveryState {
        row.state
    }

    fn set_state(row: &mut Model, state: DeliveryState) {
        row.state = state;
    }
}

impl Noun for WebhookDelivery {
    type Entity = Entity;
    const NAME: &'static str = "webhook_delivery";
    const PLURAL: &'static str = "webhook_deliveries";
    const PREFIX: &'static str = "whd";

    fn visible(cx: &Cx) -> Result<Option<Condition>> {
        Ok(Sight::of(&cx.platform, &cx.scopes)?.of_deliveries())
    }
}

impl From<Model> for WebhookDelivery {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            endpoint_id,
            event_id,
            event_type,
            object_id,
            sequence,
            previous_sequence: _,
            reason,
            state,
            attempts,
            due_at,
            last_outcome,
            last_status,
            payload: _,
            finished_at,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            endpoint_id: Id::from_uuid(endpoint_id),
            event_id: Id::from_uuid(event_id),
            event_type,
            object_id,
            sequence,
            reason,
            state,
            attempt_count: attempts,
            next_attempt_at: (state == DeliveryState::Pending).then_some(due_at),
            last_outcome,
            last_status,
            finished_at,
            version,
            created_at,
            updated_at,
        }
    }
}

async fn resend(tx: Tx, id: Id<WebhookDelivery>) -> Result<WebhookDelivery> {
    let old = tx.load(id).await?;
    let endpoint = tx.load(Id::<WebhookEndpoint>::from_uuid(old.endpoint_id)).await?;
    if old.payload.is_none() {
        // What is sent is made of the event again, so it has to be there, and both the caller and
        // whoever set what the endpoint is sent have to see it.
        let event = tx.rows::<EventEntry>()?.filter(event::Column::Id.eq(old.event_id));
        let event =
            event.one(tx.db()).await?.ok_or_else(|| Problem::new(&problem::PAYLOAD_GONE))?;
        sight::may_be_sent(&tx.platform, &endpoint, &event)?;
    }
    let row = Model {
        id: tx.new_id::<WebhookDelivery>().uuid(),
        reason: DeliveryReason::Resend,
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: tx.now,
        last_outcome: None,
        last_status: None,
        finished_at: None,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
        ..old
    };
    tx.enqueue(deliver::job(&endpoint, tx.now));
    tx.create(&RESENT, row).await
}

async fn cancel(tx: Tx, row: Model) -> Result<WebhookDelivery> {
    // The next one of the same object may have waited for this one.
    let endpoint = webhook_endpoint::Entity::of(tx.organization)
        .filter(webhook_endpoint::Column::Id.eq(row.endpoint_id))
        .one(tx.db())
        .await?;
    endpoint.iter().for_each(|endpoint| tx.enqueue(deliver::job(endpoint, tx.now)));
    let now = tx.now;
    tx.update(&CANCELLED, row, |next| {
        next.state = DeliveryState::Cancelled;
        next.finished_at = Some(now);
        Ok(())
    })
    .await
}

/// The rows of an endpoint that wait. Their state is written out rather than bound: only so can a
/// database tell, before it knows the values, that a partial index will do.
pub(crate) fn pending(endpoint: uuid::Uuid) -> Condition {
    let is_pending = Expr::col((Entity, Column::State)).eq(Expr::cust("'pending'"));
    Condition::all().add(Column::EndpointId.eq(endpoint)).add(is_pending)
}
