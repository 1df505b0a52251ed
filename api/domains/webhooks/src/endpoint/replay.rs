//! Sending events of a time again.

use std::collections::HashSet;

use bodega_kernel::{Id, Problem, Result, Tx, problem};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::{event, webhook_delivery};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{REPLAYED, ReplayOnly, WebhookEndpoint, WebhookReplay, WebhookReplayed};
use crate::deliver::{self, Reason};
use crate::event::EventEntry;
use crate::rules::{Rules, Seen, fits};

/// Events sent again by one call; a longer time is asked for in parts.
const EVENTS_MAX: usize = 10_000;

/// Events looked at by one call.
const LOOKED_AT_MAX: usize = 100_000;

/// Events looked at in one statement.
const PAGE: u64 = 500;

pub(super) async fn replay(
    tx: Tx,
    id: Id<WebhookEndpoint>,
    body: WebhookReplay,
) -> Result<WebhookReplayed> {
    let row = tx.load(id).await?;
    let rules = Rules::of(&tx.platform, &row)?;
    let to = body.to.unwrap_or(tx.now);
    let mut deliveries = Vec::new();
    let mut after: Option<(DateTime<Utc>, Uuid)> = None;
    let mut looked_at = 0;
    loop {
        let events = page(&tx, body.from, to, after).await?;
        let Some(last) = events.last() else { break };
        after = Some((last.created_at, last.id));
        looked_at += events.len();
        let full = events.len() as u64 == PAGE;
        let settled = match body.only {
            ReplayOnly::All => HashSet::new(),
            ReplayOnly::Undelivered => settled(&tx, id, &events).await?,
        };
        for event in events {
            let wanted = body.event_types.is_empty()
                || body.event_types.iter().any(|pattern| fits(&pattern.0, &event.r#type));
            if wanted
                && !settled.contains(&event.id)
                && rules.let_through(&event, &mut Seen::default())
            {
                deliveries.push(deliver::new(&row, &event, None, Reason::Replay, tx.now));
            }
        }
        if deliveries.len() > EVENTS_MAX || looked_at > LOOKED_AT_MAX {
            return Err(Problem::new(&problem::LIMIT_REACHED).with("limit", EVENTS_MAX));
        }
        if !full {
            break;
        }
    }
    let events = i64::try_from(deliveries.len()).unwrap_or(i64::MAX);
    if !body.dry_run {
        deliver::insert(tx.db(), &deliveries).await?;
        tx.enqueue(deliver::job(&row, tx.now));
        let now = tx.now;
        let _: WebhookEndpoint =
            tx.update(&REPLAYED, row, |next| next.replayed_at = Some(now)).await?;
    }
    Ok(WebhookReplayed { events, dry_run: body.dry_run })
}

async fn page(
    tx: &Tx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<event::Model>> {
    use event::Column::{CreatedAt, Id, Sequence};
    let mut query = tx
        .rows::<EventEntry>()?
        .filter(CreatedAt.gte(bodega_kernel::micros(from)))
        .filter(CreatedAt.lt(bodega_kernel::micros(to)))
        // What has no number yet is about to be sent anyway.
        .filter(Sequence.is_not_null());
    if let Some((time, id)) = after {
        query = query.filter(
            Condition::any()
                .add(CreatedAt.gt(time))
                .add(Condition::all().add(CreatedAt.eq(time)).add(Id.gt(id))),
        );
    }
    let ordered = query.order_by_asc(CreatedAt).order_by_asc(Id).limit(PAGE);
    Ok(ordered.all(tx.db()).await?)
}

/// Those of the events that this endpoint has, or is about to have.
async fn settled(
    tx: &Tx,
    id: Id<WebhookEndpoint>,
    events: &[event::Model],
) -> Result<HashSet<Uuid>> {
    use webhook_delivery::Column::{EndpointId, EventId, State};
    let found: Vec<Uuid> = webhook_delivery::Entity::of(tx.organization)
        .filter(EventId.is_in(events.iter().map(|event| event.id)))
        .filter(EndpointId.eq(id.uuid()))
        .filter(State.is_in(["delivered", "pending"]))
        .select_only()
        .column(EventId)
        .into_tuple()
        .all(tx.db())
        .await?;
    Ok(found.into_iter().collect())
}
