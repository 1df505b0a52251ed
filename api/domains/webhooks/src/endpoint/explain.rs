//! Why an event was sent to an endpoint or was not: the checks themselves, told.

use bodega_kernel::{Cx, Id, Problem, Result, Row, Text, problem, text};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::webhook_delivery::DeliveryState;
use entity::webhooks::webhook_endpoint::{DisabledReason, EndpointState};
use entity::webhooks::{event, webhook_delivery, webhook_endpoint, webhook_health};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{WebhookCheck, WebhookEndpoint, WebhookExplain, WebhookExplanation};
use crate::event::EventEntry;
use crate::rules::{Check, Rules};
use crate::webhook_delivery::{WebhookDelivery, pending};
use entity::webhooks::webhook_endpoint::Ordering;

const DELIVERIES_SHOWN: u64 = 20;

pub(super) async fn explain(
    cx: Cx,
    id: Id<WebhookEndpoint>,
    body: WebhookExplain,
) -> Result<WebhookExplanation> {
    let endpoint = webhook_endpoint::Entity::of(cx.organization)
        .filter(webhook_endpoint::Column::Id.eq(id.uuid()))
        .one(cx.db())
        .await?
        .ok_or_else(|| Problem::new(&problem::NOT_FOUND))?;
    let event = cx
        .rows::<EventEntry>()?
        .filter(event::Column::Id.eq(body.event_id.uuid()))
        .one(cx.db())
        .await?
        .ok_or_else(|| Problem::no_such::<EventEntry>("/event_id"))?;
    let health = webhook_health::Entity::of(cx.organization)
        .filter(webhook_health::Column::Id.eq(id.uuid()))
        .one(cx.db())
        .await?;
    let deliveries = cx
        .rows::<WebhookDelivery>()?
        .filter(webhook_delivery::Column::EventId.eq(event.id))
        .filter(webhook_delivery::Column::EndpointId.eq(id.uuid()))
        .order_by_desc(webhook_delivery::Column::Id)
        .limit(DELIVERIES_SHOWN)
        .all(cx.db())
        .await?;
    let checks = Rules::of(&cx.platform, &endpoint)?.explain(&endpoint, &event);
    let passes = checks.iter().all(|check| check.passed);
    let (probe_at, held_until) = health.map(|h| (h.probe_at, h.held_until)).unwrap_or_default();
    let earlier = earlier(&cx, &endpoint, &deliveries).await?;
    let deliveries: Vec<WebhookDelivery> = deliveries.into_iter().map(Into::into).collect();
    let due = next_attempt(&endpoint, probe_at, held_until, &deliveries);
    // Not before the one that it waits for.
    let next_attempt_at =
        due.map(|due| earlier.as_ref().map_or(due, |other| other.due_at.max(due)));
    let said = match earlier.filter(|_| endpoint.state == EndpointState::Enabled) {
        Some(earlier) => waits_for(&earlier),
        None => summary(&endpoint, &event, &checks, deliveries.first(), next_attempt_at),
    };
    let language = cx.origin.language;
    Ok(WebhookExplanation {
        passes,
        summary: said.get(language).to_owned(),
        checks: checks
            .into_iter()
            .map(|check| WebhookCheck {
                check: check.name,
                passed: check.passed,
                detail: check.said.get(language).chars().take(2_000).collect(),
            })
            .collect(),
        deliveries,
        next_attempt_at,
    })
}

/// Where order is kept: the delivery of the same object that comes before the newest one.
async fn earlier(
    cx: &Cx,
    endpoint: &Row<WebhookEndpoint>,
    deliveries: &[webhook_delivery::Model],
) -> Result<Option<webhook_delivery::Model>> {
    use webhook_delivery::Column as C;
    let ordered = endpoint.ordering == Ordering::PerObject;
    let newest =
        deliveries.first().filter(|newest| ordered && newest.state == DeliveryState::Pending);
    let Some(newest) = newest else { return Ok(None) };
    let first = cx
        .rows::<WebhookDelivery>()?
        .filter(pending(endpoint.id))
        .filter(C::ObjectId.eq(&newest.object_id))
        .order_by_asc(C::Sequence)
        .order_by_asc(C::Id)
        .one(cx.db())
        .await?;
    Ok(first.filter(|first| first.id != newest.id))
}

fn waits_for(earlier: &webhook_delivery::Model) -> Text {
    let event = bodega_kernel::tagged("evt", earlier.event_id);
    let at = earlier.due_at.to_rfc3339();
    text(
        format!("It waits for an earlier event of the same object, {event}, next tried at {at}."),
        format!("Espera a un evento anterior del mismo objeto, {event}; próximo intento: {at}."),
    )
}

/// When the newest delivery that waits is tried; not while the endpoint is paused.
fn next_attempt(
    endpoint: &Row<WebhookEndpoint>,
    probe_at: Option<DateTime<Utc>>,
    held_until: Option<DateTime<Utc>>,
    deliveries: &[WebhookDelivery],
) -> Option<DateTime<Utc>> {
    let waiting = deliveries.iter().find(|delivery| delivery.state == DeliveryState::Pending)?;
    let due = waiting.next_attempt_at?;
    match (endpoint.state, endpoint.disabled_reason) {
        (EndpointState::Enabled, _) => held_until.max(Some(due)),
        (EndpointState::Disabled, Some(DisabledReason::Failing)) => {
            probe_at.max(held_until).or(Some(due))
        }
        _ => None,
    }
}

fn summary(
    endpoint: &Row<WebhookEndpoint>,
    event: &event::Model,
    checks: &[Check],
    delivery: Option<&WebhookDelivery>,
    next: Option<DateTime<Utc>>,
) -> Text {
    let at = next.map(|at| at.to_rfc3339()).unwrap_or_default();
    match (delivery, checks.iter().find(|check| !check.passed)) {
        (Some(delivery), _) => match delivery.state {
            DeliveryState::Delivered => text(
                format!("Delivered, at attempt {}.", delivery.attempt_count),
                format!("Entregado, en el intento {}.", delivery.attempt_count),
            ),
            DeliveryState::Dead => text(
                format!(
                    "Given up after {} attempts; it can be sent again.",
                    delivery.attempt_count
                ),
                format!("Abandonado tras {} intentos; se puede reenviar.", delivery.attempt_count),
            ),
            DeliveryState::Cancelled => {
                text("Its delivery was cancelled.", "Su entrega se canceló.")
            }
            DeliveryState::Pending if next.is_none() => text(
                format!("It waits, because the endpoint is {}.", endpoint.state),
                format!("Espera, porque el estado del destino es {}.", endpoint.state),
            ),
            DeliveryState::Pending if endpoint.state == EndpointState::Disabled => text(
                format!("It waits: the endpoint only fails, and is probed at {at}."),
                format!("Espera: el destino sólo falla, y se vuelve a probar el {at}."),
            ),
            DeliveryState::Pending => text(
                format!(
                    "On its way: {} attempts so far, the next at {at}.",
                    delivery.attempt_count
                ),
                format!("En camino: {} intentos, el próximo el {at}.", delivery.attempt_count),
            ),
        },
        (None, Some(failed)) => text(
            format!("Not sent: {}", failed.said.get(bodega_kernel::Language::English)),
            format!("No se envió: {}", failed.said.get(bodega_kernel::Language::Spanish)),
        ),
        (None, None) if event.sequence.is_none() => text(
            "It has just happened, and is about to be sent.",
            "Acaba de ocurrir y está por enviarse.",
        ),
        (None, None) => text(
            "Not sent: it passes every check now, but did not when it happened. It can be replayed.",
            "No se envió: ahora pasa todas las reglas, pero no cuando ocurrió. Se puede reenviar.",
        ),
    }
}
