//! Deliveries on their way.
//!
//! A delivery is a row, and its endpoint has one job that works off all that is due: so an endpoint
//! is sent by one worker at a time, which keeps the order and the rate it was promised, and one that
//! is slow or dead holds up its own deliveries only. Rows are written by the fan-out, in the
//! transaction that numbers the events, and what came of each try goes through one ledger a process,
//! many at a time.

pub(crate) mod breaker;
mod drain;
mod entry;
mod events;
mod health;
mod ledger;
mod pages;
mod payload;
mod retry;
mod shapes;
mod target;

use bodega_kernel::{Job, Problem, Result, Tx, in_powers_of_two};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::webhook_delivery::{DeliveryReason, DeliveryState};
use entity::webhooks::webhook_endpoint::EndpointState;
use entity::webhooks::{event, webhook_delivery, webhook_endpoint, webhook_health};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use crate::webhook_delivery::pending;

pub use drain::Deliverer;
pub(crate) use events::Events;
pub(crate) use health::lock;

/// The queue of the endpoints' jobs.
pub const DELIVER: &str = "webhooks";

/// Tried before those of endpoints that fail.
const HEALTHY: i32 = 10;

/// The job that works off an endpoint's deliveries.
pub(crate) fn job(endpoint: &webhook_endpoint::Model, run_at: DateTime<Utc>) -> Job {
    Job {
        key: Some(endpoint.id.to_string()),
        organization: Some(endpoint.organization_id),
        priority: if endpoint.state == EndpointState::Enabled { HEALTHY } else { 0 },
        // What a database does not take is no fault of the deliveries: they are never given up.
        attempts_max: i32::MAX,
        ..Job::new(DELIVER, json!({"endpoint_id": endpoint.id}), run_at)
    }
}

/// The row of a delivery that is due now.
pub(crate) fn new(
    endpoint: &webhook_endpoint::Model,
    event: &event::Model,
    previous_sequence: Option<i64>,
    reason: DeliveryReason,
    now: DateTime<Utc>,
) -> webhook_delivery::Model {
    let sample = Sample {
        id: event.id,
        kind: &event.r#type,
        object_id: event.object_id.clone(),
        payload: String::new(),
    };
    webhook_delivery::Model {
        sequence: event.sequence,
        previous_sequence,
        reason,
        payload: None,
        ..of_sample(endpoint, sample, now)
    }
}

/// What a delivery needs to know of a sample.
pub(crate) struct Sample<'a> {
    pub(crate) id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) object_id: String,
    pub(crate) payload: String,
}

/// The row of a delivery of a sample.
pub(crate) fn of_sample(
    endpoint: &webhook_endpoint::Model,
    sample: Sample<'_>,
    now: DateTime<Utc>,
) -> webhook_delivery::Model {
    webhook_delivery::Model {
        id: Uuid::now_v7(),
        organization_id: endpoint.organization_id,
        endpoint_id: endpoint.id,
        event_id: sample.id,
        event_type: sample.kind.to_owned(),
        object_id: sample.object_id,
        sequence: None,
        previous_sequence: None,
        reason: DeliveryReason::Test,
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: now,
        last_outcome: None,
        last_status: None,
        payload: Some(sample.payload),
        finished_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// Writes deliveries.
#[expect(clippy::disallowed_methods, reason = "deliveries follow from events and are none")]
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    rows: &[webhook_delivery::Model],
) -> Result<()> {
    for chunk in in_powers_of_two(rows) {
        let models = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
        webhook_delivery::Entity::insert_many(models).exec_without_returning(db).await?;
    }
    Ok(())
}

/// The health of a new endpoint.
pub(crate) fn healthy(endpoint: Uuid, organization: Uuid) -> webhook_health::ActiveModel {
    webhook_health::Model {
        id: endpoint,
        organization_id: organization,
        consecutive_failures: 0,
        last_success_at: None,
        last_failure_at: None,
        last_failure: None,
        probe_at: None,
        held_until: None,
        probes: 0,
        last_sequence: None,
        undecided_since: None,
    }
    .into_active_model()
}

/// Gives up what waits for an endpoint that goes away.
#[expect(clippy::disallowed_methods, reason = "the endpoint's own event tells of it")]
pub(crate) async fn cancel_all(tx: &Tx, endpoint: Uuid) -> Result<()> {
    use webhook_delivery::Column::{FinishedAt, OrganizationId, State, UpdatedAt};
    webhook_delivery::Entity::update_many()
        .filter(OrganizationId.eq(tx.organization))
        .filter(pending(endpoint))
        .col_expr(State, Expr::value("cancelled"))
        .col_expr(FinishedAt, Expr::value(tx.now))
        .col_expr(UpdatedAt, Expr::value(tx.now))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The event from which on the endpoint's filter has decided nothing, if it has not. Nothing is
/// fanned out to it any more until the end of the transaction.
pub(crate) async fn undecided_since(tx: &Tx, endpoint: Uuid) -> Result<Option<i64>> {
    use webhook_health::Column::{Id, UndecidedSince};
    lock(tx.db(), &[endpoint]).await?;
    let found: Option<Option<i64>> = webhook_health::Entity::of(tx.organization)
        .filter(Id.eq(endpoint))
        .select_only()
        .column(UndecidedSince)
        .into_tuple()
        .one(tx.db())
        .await?;
    Ok(found.flatten())
}

/// Forgets an endpoint's failures: somebody says that it works again.
#[expect(clippy::disallowed_methods, reason = "the endpoint's own event tells of it")]
pub(crate) async fn forgive(tx: &Tx, endpoint: Uuid) -> Result<()> {
    use webhook_health::Column::{
        ConsecutiveFailures, HeldUntil, Id, OrganizationId, ProbeAt, Probes, UndecidedSince,
    };
    webhook_health::Entity::update_many()
        .filter(OrganizationId.eq(tx.organization))
        .filter(Id.eq(endpoint))
        .col_expr(ConsecutiveFailures, Expr::value(0))
        .col_expr(Probes, Expr::value(0))
        .col_expr(ProbeAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(HeldUntil, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(UndecidedSince, Expr::value(Option::<i64>::None))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The endpoint that a job is about.
pub(crate) fn endpoint_of(args: &serde_json::Value) -> Result<Uuid> {
    let id = args["endpoint_id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Problem::internal("a webhook job without its endpoint"))
}
