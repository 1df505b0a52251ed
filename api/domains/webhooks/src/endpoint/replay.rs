//! Sending events of a time again. They are counted before the transaction of the call is opened,
//! and written by a job, in short steps.

use bodega_kernel::{Cx, FieldError, Id, Problem, Result, Tx, problem, text};
use entity::Owned;
use entity::webhooks::webhook_endpoint;
use sea_orm::{ColumnTrait, QueryFilter};

use super::again::{self, Looked, Only, Span, Wanted};
use super::{REPLAYED, ReplayOnly, WebhookEndpoint, WebhookReplay, WebhookReplayed};
use crate::filter::FUEL_MAX;
use crate::rules::Rules;
use crate::sight::Sight;

/// Events sent again by one call; a longer time is asked for in parts.
const EVENTS_MAX: usize = 10_000;

/// Events looked at by one call.
const LOOKED_AT_MAX: usize = 100_000;

/// The fuel that the filter gets for all of them: some two seconds.
const REPLAY_FUEL_MAX: u64 = 400 * FUEL_MAX;

/// What a replay is about to send.
pub(crate) struct Counted {
    events: usize,
    wanted: Wanted,
}

/// Counts, from a reader, what is to be sent again.
pub(super) async fn count(cx: Cx, id: Id<WebhookEndpoint>, body: WebhookReplay) -> Result<Counted> {
    let row = webhook_endpoint::Entity::of(cx.organization)
        .filter(webhook_endpoint::Column::Id.eq(id.uuid()))
        .one(cx.db())
        .await?
        .ok_or_else(|| Problem::new(&problem::NOT_FOUND))?;
    let rules = Rules::of(&cx.platform, &row)?;
    let sight = Sight::of(&cx.platform, &cx.scopes)?;
    let wanted = Wanted {
        endpoint_id: row.id,
        span: Span::Time { from: body.from, to: body.to.unwrap_or(cx.now), after: None },
        event_types: body.event_types.into_iter().map(|pattern| pattern.0).collect(),
        only: match body.only {
            ReplayOnly::Undelivered => Only::Undelivered,
            ReplayOnly::All => Only::All,
        },
        scopes: cx.scopes.names().map(str::to_owned).collect(),
    };
    let (mut span, mut looked_at, mut fuel) = (wanted.span.clone(), 0, 0);
    let mut events = 0;
    loop {
        let page = span.page(cx.db(), cx.organization).await?;
        looked_at += page.len();
        let Looked { passing, used, too_costly } =
            again::look(&wanted, &sight, &row, &rules, &page).await;
        if let Some(event) = too_costly {
            return Err(costly(event.id));
        }
        fuel += used;
        let ids: Vec<_> = passing.iter().map(|event| event.id).collect();
        let settled = again::settled(cx.db(), cx.organization, row.id, wanted.only, &ids).await?;
        events += ids.iter().filter(|id| !settled.contains(id)).count();
        if events > EVENTS_MAX || looked_at > LOOKED_AT_MAX || fuel > REPLAY_FUEL_MAX {
            return Err(Problem::new(&problem::LIMIT_REACHED).with("limit", EVENTS_MAX));
        }
        if !span.goes_on(&page) {
            return Ok(Counted { events, wanted });
        }
    }
}

fn costly(event: uuid::Uuid) -> Problem {
    let event = bodega_kernel::tagged("evt", event);
    let said = text(
        format!("takes more steps or memory than it may for {event}: mend it first"),
        format!("usa más pasos o memoria de los permitidos con {event}: corríjalo antes"),
    );
    Problem::new(&problem::FILTER_NOT_VALID).at(FieldError::body("", "filter_too_costly", said))
}

/// Asks for what was counted to be sent.
pub(super) async fn replay(
    tx: Tx,
    id: Id<WebhookEndpoint>,
    body: WebhookReplay,
    counted: Counted,
) -> Result<WebhookReplayed> {
    let row = tx.load(id).await?;
    let events = i64::try_from(counted.events).unwrap_or(i64::MAX);
    if !body.dry_run {
        if counted.events > 0 {
            tx.enqueue(again::job(&row, &counted.wanted, tx.now)?);
        }
        let now = tx.now;
        let _: WebhookEndpoint = tx
            .update(&REPLAYED, row, |next| {
                next.replayed_at = Some(now);
                Ok(())
            })
            .await?;
    }
    Ok(WebhookReplayed { events, dry_run: body.dry_run })
}
