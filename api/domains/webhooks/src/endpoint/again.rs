//! Deliveries of events that happened before: those that were asked for again, and those that a
//! filter could not decide when they came. A job looks at them page by page, without a transaction,
//! and writes each page's deliveries, and how far it has come, in one short transaction: so nobody
//! waits for it, and one that dies between two pages is gone on with where it was.

use std::collections::HashSet;
use std::sync::Arc;

use bodega_kernel::{Job, Platform, Problem, Result};
use bodega_worker::{Done, Handler, Stop, Taken};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::webhooks::webhook_delivery::DeliveryReason;
use entity::webhooks::{event, webhook_delivery, webhook_endpoint};
use futures::future::BoxFuture;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::deliver::{self, DELIVER, breaker};
use crate::filter::{FUEL_MAX, Seen, Verdict};
use crate::rules::{Rules, fits, is_after};
use crate::sight::Sight;

/// The queue of these jobs.
pub const REPLAY: &str = "webhook_replays";

/// Events looked at in one statement, and the most deliveries written in one transaction.
const PAGE: u64 = 500;

/// Others run after the filter has used so much: a millisecond or two.
const TURN_FUEL: u64 = FUEL_MAX / 4;

/// Which events are sent again, and to whom: what such a job is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) endpoint_id: Uuid,
    pub(super) span: Span,
    /// Of these types; of all that the endpoint takes, where empty.
    pub(super) event_types: Vec<String>,
    pub(super) only: Only,
    /// The scopes of whoever asked: nothing is sent that they may not see.
    pub(super) scopes: Vec<String>,
}

/// Where events are looked for, from where the last page ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Span {
    Time {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<(DateTime<Utc>, Uuid)>,
    },
    /// All from this number on.
    Since(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Only {
    All,
    /// Those that were not delivered and are not on their way.
    Undelivered,
    /// Those of which there is no delivery at all.
    Unsent,
}

impl Span {
    /// The next page.
    pub(super) async fn page(
        &self,
        db: &impl ConnectionTrait,
        organization: Uuid,
    ) -> Result<Vec<event::Model>> {
        use event::Column::{CreatedAt, Id, Sequence};
        let query = event::Entity::of(organization).limit(PAGE);
        let query = match self {
            Self::Since(sequence) => query.filter(Sequence.gte(*sequence)).order_by_asc(Sequence),
            Self::Time { from, to, after } => {
                let mut query = query
                    .filter(CreatedAt.gte(bodega_kernel::micros(*from)))
                    .filter(CreatedAt.lt(bodega_kernel::micros(*to)))
                    // What has no number yet is about to be sent anyway.
                    .filter(Sequence.is_not_null());
                if let Some((time, id)) = after {
                    let same = Condition::all().add(CreatedAt.eq(*time)).add(Id.gt(*id));
                    query = query.filter(Condition::any().add(CreatedAt.gt(*time)).add(same));
                }
                query.order_by_asc(CreatedAt).order_by_asc(Id)
            }
        };
        Ok(query.all(db).await?)
    }

    /// Goes on to what comes after this page; false where nothing does.
    pub(super) fn goes_on(&mut self, page: &[event::Model]) -> bool {
        let Some(last) = page.last() else { return false };
        match self {
            Self::Time { after, .. } => *after = Some((last.created_at, last.id)),
            Self::Since(sequence) => *sequence = last.sequence.unwrap_or(i64::MAX - 1) + 1,
        }
        page.len() as u64 == PAGE
    }
}

/// What an endpoint's rules say of a page.
pub(super) struct Looked<'e> {
    pub(super) passing: Vec<&'e event::Model>,
    /// The fuel that it took.
    pub(super) used: u64,
    /// The event that the filter could not decide; nothing after it was looked at.
    pub(super) too_costly: Option<&'e event::Model>,
}

/// Asks the rules, giving way to others in between.
pub(super) async fn look<'e>(
    wanted: &Wanted,
    sight: &Sight,
    endpoint: &webhook_endpoint::Model,
    rules: &Rules,
    page: &'e [event::Model],
) -> Looked<'e> {
    let mut looked = Looked { passing: Vec::new(), used: 0, too_costly: None };
    let mut turn = 0;
    for event in page {
        let types = &wanted.event_types;
        let asked = types.is_empty() || types.iter().any(|pattern| fits(pattern, &event.r#type));
        let late = wanted.only == Only::Unsent && !is_after(endpoint, event);
        if !asked || late || !sight.covers(event) || !rules.concerns(event) {
            continue;
        }
        let (verdict, used) = match rules.has_filter() {
            true => rules.verdict(&Seen::of(event)),
            false => (Verdict::Passes, 0),
        };
        (looked.used, turn) = (looked.used + used, turn + used);
        match verdict {
            Verdict::Passes => looked.passing.push(event),
            Verdict::Fails | Verdict::Broken(_) => {}
            Verdict::TooCostly => {
                looked.too_costly = Some(event);
                break;
            }
        }
        if turn >= TURN_FUEL {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    looked
}

/// Those of the events that are not to be sent to this endpoint again.
pub(super) async fn settled(
    db: &impl ConnectionTrait,
    organization: Uuid,
    endpoint: Uuid,
    only: Only,
    events: &[Uuid],
) -> Result<HashSet<Uuid>> {
    use webhook_delivery::Column::{EndpointId, EventId, State};
    if only == Only::All || events.is_empty() {
        return Ok(HashSet::new());
    }
    let mut query = webhook_delivery::Entity::of(organization)
        .filter(EventId.is_in(events.iter().copied()))
        .filter(EndpointId.eq(endpoint));
    if only == Only::Undelivered {
        query = query.filter(State.is_in(["delivered", "pending"]));
    }
    let found: Vec<Uuid> = query.select_only().column(EventId).into_tuple().all(db).await?;
    Ok(found.into_iter().collect())
}

/// The job that sends them.
pub(super) fn job(
    endpoint: &webhook_endpoint::Model,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<Job> {
    let args = serde_json::to_value(wanted).map_err(Problem::internal)?;
    Ok(Job { organization: Some(endpoint.organization_id), ..Job::new(REPLAY, args, now) })
}

/// The job that decides what an endpoint's filter could not, once it is mended.
pub(super) fn catch_up(
    endpoint: &webhook_endpoint::Model,
    since: i64,
    now: DateTime<Utc>,
) -> Result<Job> {
    let (span, only) = (Span::Since(since), Only::Unsent);
    let (endpoint_id, event_types, scopes) = (endpoint.id, Vec::new(), vec!["*".to_owned()]);
    let wanted = Wanted { endpoint_id, span, event_types, only, scopes };
    job(endpoint, &wanted, now)
}

/// Writes deliveries of events that happened before.
pub struct Replayer(Arc<Platform>);

impl Replayer {
    /// One for this process.
    pub fn new(platform: Arc<Platform>) -> Self {
        Self(platform)
    }
}

impl Handler for Replayer {
    fn run(&self, job: Taken, stop: Stop) -> BoxFuture<'static, Result<Done>> {
        let platform = self.0.clone();
        Box::pin(async move { send(&platform, &job, &stop).await })
    }
}

async fn send(platform: &Arc<Platform>, job: &Taken, stop: &Stop) -> Result<Done> {
    let mut wanted = Wanted::deserialize(&job.args).map_err(Problem::internal)?;
    while !stop.is_set() {
        let endpoint = webhook_endpoint::Entity::of_every_organization()
            .filter(webhook_endpoint::Column::Id.eq(wanted.endpoint_id))
            .one(platform.db.reader())
            .await?;
        // Its owner may have removed it.
        let Some(endpoint) = endpoint else { return Ok(Done::Finished) };
        let rules = Rules::of(platform, &endpoint)?;
        let sight = Sight::of(platform, &wanted.scopes.iter().cloned().collect())?;
        let page = wanted.span.page(platform.db.reader(), endpoint.organization_id).await?;
        let looked = look(&wanted, &sight, &endpoint, &rules, &page).await;
        let goes_on = wanted.span.goes_on(&page);
        if !write(platform, job, &wanted, &endpoint, &looked.passing).await? {
            return Ok(Done::Finished);
        }
        if let Some(event) = looked.too_costly {
            // Of a replay the rest is not sent; of what waits anyway, it goes on waiting.
            if wanted.only == Only::Unsent {
                let sequence = event.sequence.unwrap_or_default();
                breaker::too_costly(platform, &endpoint, sequence).await?;
            }
            return Ok(Done::Finished);
        }
        if !goes_on {
            return Ok(Done::Finished);
        }
        tokio::task::yield_now().await;
    }
    Ok(Done::Again(bodega_kernel::micros(platform.clock.now())))
}

/// Writes what is sent of a page, and that the page is done; false where another worker does it.
async fn write(
    platform: &Platform,
    job: &Taken,
    wanted: &Wanted,
    endpoint: &webhook_endpoint::Model,
    passing: &[&event::Model],
) -> Result<bool> {
    let now = bodega_kernel::micros(platform.clock.now());
    let tx = platform.db.begin().await?;
    let args = serde_json::to_value(wanted).map_err(Problem::internal)?;
    if !job.keep(&tx, &args).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    // Of two that send the same, one waits for the other.
    deliver::lock(&tx, &[endpoint.id]).await?;
    let ids: Vec<_> = passing.iter().map(|event| event.id).collect();
    let settled = settled(&tx, endpoint.organization_id, endpoint.id, wanted.only, &ids).await?;
    let deliveries: Vec<_> = passing
        .iter()
        .filter(|event| !settled.contains(&event.id))
        .map(|event| deliver::new(endpoint, event, None, DeliveryReason::Replay, now))
        .collect();
    deliver::insert(&tx, &deliveries).await?;
    if !deliveries.is_empty() {
        Job::push(&tx, &[deliver::job(endpoint, now)], now).await?;
    }
    tx.commit().await?;
    platform.signals.raise(DELIVER);
    Ok(true)
}
