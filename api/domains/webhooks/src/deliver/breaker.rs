//! The breaker: an endpoint that only fails is left alone, its owner is told, and one delivery is
//! tried from time to time, until it works and all that waited goes on.

use std::sync::Arc;

use bodega_kernel::{Event, Id, Platform, Result, Tx};
use chrono::{DateTime, TimeDelta, Utc};
use entity::webhooks::webhook_endpoint::{DisabledReason, EndpointState};
use entity::webhooks::{webhook_endpoint, webhook_health};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};

use crate::endpoint::{DISABLED, RECOVERED, WebhookEndpoint};

/// Failures one after the other that disable an endpoint. More than the tries of one delivery, so
/// that one event that the receiver cannot take is not enough.
pub(super) const FAILURES_MAX: i64 = 20;

/// What the audit trail says was done.
const OPERATION: &str = "webhook_endpoint.breaker";

/// The first wait for a probe; each one that fails doubles it.
const PROBE_S: i64 = 60;

/// The longest wait for a probe.
const PROBE_S_MAX: i64 = 3_600;

/// When an endpoint is probed after so many probes failed.
pub(super) fn next_probe(now: DateTime<Utc>, probes: i32) -> DateTime<Utc> {
    let doubled = PROBE_S << probes.clamp(0, 10);
    now + TimeDelta::seconds(doubled.min(PROBE_S_MAX))
}

/// Disables an endpoint that only fails; when it is probed.
pub(super) async fn open(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
) -> Result<DateTime<Utc>> {
    let probe_at = next_probe(bodega_kernel::micros(platform.clock.now()), 0);
    change(
        platform,
        endpoint,
        &DISABLED,
        Change {
            from: EndpointState::Enabled,
            state: EndpointState::Disabled,
            reason: Some(DisabledReason::Failing),
            probe: Some((probe_at, 1)),
        },
    )
    .await?;
    Ok(probe_at)
}

/// Writes down that a probe failed; when the next one is made.
#[expect(clippy::disallowed_methods, reason = "health follows from tries and is no event")]
pub(super) async fn put_off(
    platform: &Platform,
    health: &webhook_health::Model,
) -> Result<DateTime<Utc>> {
    use webhook_health::Column as C;
    let probe_at = next_probe(bodega_kernel::micros(platform.clock.now()), health.probes);
    webhook_health::Entity::update_many()
        .filter(C::Id.eq(health.id))
        .col_expr(C::ProbeAt, Expr::value(probe_at))
        .col_expr(C::Probes, Expr::value(health.probes + 1))
        .exec(platform.db.writer())
        .await?;
    Ok(probe_at)
}

/// Lets an endpoint that works again go on.
pub(super) async fn close(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
) -> Result<()> {
    change(
        platform,
        endpoint,
        &RECOVERED,
        Change {
            from: EndpointState::Disabled,
            state: EndpointState::Enabled,
            reason: None,
            probe: None,
        },
    )
    .await
}

/// Disables an endpoint that answered 410, to a delivery or to a probe.
pub(super) async fn gone(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
) -> Result<()> {
    let from = endpoint.state;
    let state = EndpointState::Disabled;
    let reason = Some(DisabledReason::Gone);
    change(platform, endpoint, &DISABLED, Change { from, state, reason, probe: None }).await
}

/// Disables an endpoint whose filter takes more than it may for an event. Neither this event nor any
/// that comes after it is decided until the endpoint is resumed.
#[expect(clippy::disallowed_methods, reason = "the endpoint's own event tells of it")]
pub(crate) async fn too_costly(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
    sequence: i64,
) -> Result<()> {
    use webhook_health::Column as C;
    Tx::act(platform, endpoint.organization_id, OPERATION, async |tx| {
        let row = match tx.load(Id::<WebhookEndpoint>::from_uuid(endpoint.id)).await {
            // Its owner has removed it meanwhile.
            Err(problem) if problem.code.status == 404 => return Ok(()),
            row => row?,
        };
        // A filter that was mended meanwhile is asked again.
        if row.filter != endpoint.filter {
            return Ok(());
        }
        let earlier = Condition::any().add(C::UndecidedSince.is_null());
        webhook_health::Entity::update_many()
            .filter(C::OrganizationId.eq(tx.organization))
            .filter(C::Id.eq(row.id))
            .filter(earlier.add(C::UndecidedSince.gt(sequence)))
            .col_expr(C::UndecidedSince, Expr::value(sequence))
            .exec(tx.db())
            .await?;
        let (state, reason) = (EndpointState::Disabled, DisabledReason::FilterTooCostly);
        let told = row.disabled_reason == Some(reason);
        // What its owner has paused stays so; the reason is told when it is resumed.
        if told || row.state == EndpointState::Paused {
            return Ok(());
        }
        let _: WebhookEndpoint = tx
            .update(&DISABLED, row, |next| {
                next.state = state;
                next.disabled_reason = Some(reason);
                Ok(())
            })
            .await?;
        Ok(())
    })
    .await
}

/// What becomes of an endpoint.
struct Change {
    /// Only if it is this: the owner may have paused it meanwhile.
    from: EndpointState,
    state: EndpointState,
    reason: Option<DisabledReason>,
    /// When it is probed, and how often it has been.
    probe: Option<(DateTime<Utc>, i32)>,
}

async fn change(
    platform: &Arc<Platform>,
    endpoint: &webhook_endpoint::Model,
    event: &'static Event,
    change: Change,
) -> Result<()> {
    Tx::act(platform, endpoint.organization_id, OPERATION, async |tx| {
        let row = match tx.load(Id::<WebhookEndpoint>::from_uuid(endpoint.id)).await {
            // Its owner has removed it meanwhile.
            Err(problem) if problem.code.status == 404 => return Ok(()),
            row => row?,
        };
        // Whoever answers well again mends no filter.
        let costly = DisabledReason::FilterTooCostly;
        if row.state != change.from || row.disabled_reason == Some(costly) {
            return Ok(());
        }
        probe(tx, &row, change.probe).await?;
        let _: WebhookEndpoint = tx
            .update(event, row, |next| {
                next.state = change.state;
                next.disabled_reason = change.reason;
                Ok(())
            })
            .await?;
        Ok(())
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "the endpoint's own event tells of it")]
async fn probe(
    tx: &Tx,
    row: &webhook_endpoint::Model,
    probe: Option<(DateTime<Utc>, i32)>,
) -> Result<()> {
    use webhook_health::Column as C;
    webhook_health::Entity::update_many()
        .filter(C::OrganizationId.eq(tx.organization))
        .filter(C::Id.eq(row.id))
        .col_expr(C::ProbeAt, Expr::value(probe.map(|(at, _)| at)))
        .col_expr(C::Probes, Expr::value(probe.map_or(0, |(_, probes)| probes)))
        .exec(tx.db())
        .await?;
    Ok(())
}
