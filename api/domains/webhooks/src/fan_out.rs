//! From events to deliveries: what the relay has numbered is written down for every endpoint whose
//! rules let it through, in the same transaction.
//!
//! Filters are not evaluated there, where everybody waits: what they say is worked out before, for
//! events that are about to be numbered, and looked up. An organization gets a bounded share of each
//! round, so that its filters, however costly, hold up its own events only.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bodega_kernel::{Job, Platform, Result, in_padded_pieces};
use bodega_worker::{Ahead, Batch, Consumed, Consumer};
use entity::Owned;
use entity::webhooks::webhook_delivery::DeliveryReason;
use entity::webhooks::webhook_endpoint::DisabledReason;
use entity::webhooks::{webhook_endpoint, webhook_health};
use futures::future::BoxFuture;
use moka::sync::Cache;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::deliver::{self, DELIVER, Deliverer, Events, breaker};
use crate::filter::{FUEL_MAX, Seen, Verdict};
use crate::rules::{Rules, is_after};

/// Rules kept compiled, by their weight; see [`Rules::weight`].
const RULES_WEIGHT_MAX: u64 = 4_000;

/// The fuel that an organization's filters get in one round: some tens of milliseconds. What is
/// left is done in the next round, when the others have had theirs.
const ROUND_FUEL_MAX: u64 = 8 * FUEL_MAX;

/// Others run after so much fuel: a millisecond or two.
const TURN_FUEL: u64 = FUEL_MAX / 4;

/// What compiling a filter counts for.
const COMPILING_FUEL: u64 = FUEL_MAX;

/// Organizations that are known to have filters; one too many, and all are found out again.
const KNOWN_MAX: usize = 10_000;

/// What an endpoint's filter says of an event: by event and endpoint, with the endpoint's version.
type Verdicts = HashMap<(Uuid, Uuid), (i64, bool)>;

/// Writes deliveries for what has happened.
pub struct FanOut {
    /// Compiled rules, by endpoint and version.
    rules: Cache<(Uuid, i64), Arc<Rules>>,
    /// What filters say of events that are about to be numbered, by organization; an organization
    /// with filters has an entry, even if it is empty.
    verdicts: Mutex<HashMap<Uuid, Verdicts>>,
    events: Events,
}

impl Default for FanOut {
    fn default() -> Self {
        let rules = Cache::builder()
            .weigher(|_, rules: &Arc<Rules>| rules.weight())
            .max_capacity(RULES_WEIGHT_MAX)
            .build();
        Self { rules, verdicts: Mutex::default(), events: Events::default() }
    }
}

impl FanOut {
    /// One that hands what it has seen to who sends it.
    pub fn beside(deliverer: &Deliverer) -> Self {
        Self { events: deliverer.events(), ..Self::default() }
    }
}

impl Consumer for FanOut {
    fn looks_ahead(&self, organization: Uuid) -> bool {
        self.known().contains_key(&organization)
    }

    fn prepare<'a>(&'a self, ahead: Ahead<'a>) -> BoxFuture<'a, Result<usize>> {
        Box::pin(self.decide(ahead))
    }

    fn consume<'a>(&'a self, batch: Batch<'a>) -> BoxFuture<'a, Result<Consumed>> {
        Box::pin(self.fan_out(batch))
    }
}

impl FanOut {
    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, Verdicts>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on its events are looked at before they are numbered.
    fn has_filters(&self, organization: Uuid, verdicts: Verdicts) {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(organization, verdicts);
    }

    /// Works out what filters say of events that are about to be numbered; how many of them, from
    /// the first, are decided.
    async fn decide(&self, ahead: Ahead<'_>) -> Result<usize> {
        let Ahead { platform, organization, events } = ahead;
        let endpoints: Vec<_> = webhook_endpoint::Entity::of(organization)
            .filter(webhook_endpoint::Column::Filter.is_not_null())
            .all(platform.db.reader())
            .await?
            .into_iter()
            .filter(takes_events)
            .map(|endpoint| Ok((self.rules(platform, &endpoint)?, endpoint)))
            .collect::<Result<_>>()?;
        let waiting: HashSet<Uuid> = events.iter().map(|event| event.id).collect();
        let mut verdicts = self.known().remove(&organization).unwrap_or_default();
        if endpoints.is_empty() {
            return Ok(events.len());
        }
        verdicts.retain(|(event, _), _| waiting.contains(event));
        let mut undecided: HashSet<Uuid> =
            undecided(platform.db.reader(), organization).await?.into_iter().collect();
        let (mut fuel, mut turn, mut decided) = (0, 0, 0);
        'events: for event in events {
            let seen = Seen::of(event);
            for (rules, endpoint) in &endpoints {
                if undecided.contains(&endpoint.id) {
                    continue;
                }
                let key = (event.id, endpoint.id);
                let known = verdicts.get(&key).is_some_and(|(of, _)| *of == endpoint.version);
                if known || !is_after(endpoint, event) || !rules.concerns(event) {
                    continue;
                }
                if fuel >= ROUND_FUEL_MAX {
                    break 'events;
                }
                let compiling = if rules.is_compiled() { 0 } else { COMPILING_FUEL };
                let (verdict, used) = rules.verdict(&seen);
                fuel += used + compiling;
                turn += used + compiling;
                if verdict == Verdict::TooCostly {
                    // Before the event has its number: it waits, with all that come after it.
                    let sequence = event.sequence.unwrap_or_default();
                    breaker::too_costly(platform, endpoint, sequence).await?;
                    undecided.insert(endpoint.id);
                } else {
                    verdicts.insert(key, (endpoint.version, verdict == Verdict::Passes));
                }
                if turn >= TURN_FUEL {
                    turn = 0;
                    tokio::task::yield_now().await;
                }
            }
            decided += 1;
        }
        self.has_filters(organization, verdicts);
        Ok(decided)
    }

    async fn fan_out(&self, batch: Batch<'_>) -> Result<Consumed> {
        // A receiver that wants no more is kept nothing either; one that only fails or is paused is.
        let endpoints: Vec<_> = webhook_endpoint::Entity::of(batch.organization)
            .all(batch.tx)
            .await?
            .into_iter()
            .filter(takes_events)
            .map(|endpoint| Ok((self.rules(batch.platform, &endpoint)?, endpoint)))
            .collect::<Result<_>>()?;
        if endpoints.is_empty() {
            return Ok(Consumed::Written);
        }
        let Health { mut last, undecided } = health(&batch, &endpoints).await?;
        let verdicts = self.known().get_mut(&batch.organization).map(std::mem::take);
        let verdicts = verdicts.unwrap_or_default();
        let mut deliveries = Vec::new();
        let mut sent: HashMap<Uuid, i64> = HashMap::new();
        for event in batch.events {
            let Some(sequence) = event.sequence else { continue };
            let before = deliveries.len();
            for (rules, endpoint) in &endpoints {
                if undecided.contains(&endpoint.id)
                    || !is_after(endpoint, event)
                    || !rules.concerns(event)
                {
                    continue;
                }
                if rules.has_filter() {
                    match verdicts.get(&(event.id, endpoint.id)) {
                        Some((of, passes)) if *of == endpoint.version => {
                            if !passes {
                                continue;
                            }
                        }
                        _ => {
                            self.has_filters(batch.organization, verdicts);
                            return Ok(Consumed::NotReady);
                        }
                    }
                }
                let previous = last.insert(endpoint.id, sequence);
                let reason = DeliveryReason::Event;
                deliveries.push(deliver::new(endpoint, event, previous, reason, batch.now));
                sent.insert(endpoint.id, sequence);
            }
            if deliveries.len() > before {
                self.events.keep(event);
            }
        }
        deliver::insert(batch.tx, &deliveries).await?;
        note_last(&batch, &sent).await?;
        let jobs: Vec<Job> = endpoints
            .iter()
            .map(|(_, endpoint)| endpoint)
            // Also one that is paused: it may have been resumed since it was read here.
            .filter(|endpoint| sent.contains_key(&endpoint.id))
            .map(|endpoint| deliver::job(endpoint, batch.now))
            .collect();
        Job::push(batch.tx, &jobs, batch.now).await?;
        Ok(if jobs.is_empty() { Consumed::Written } else { Consumed::Queued(DELIVER) })
    }

    fn rules(&self, platform: &Platform, endpoint: &webhook_endpoint::Model) -> Result<Arc<Rules>> {
        let key = (endpoint.id, endpoint.version);
        if let Some(rules) = self.rules.get(&key) {
            return Ok(rules);
        }
        let rules = Arc::new(Rules::of(platform, endpoint)?);
        self.rules.insert(key, rules.clone());
        Ok(rules)
    }
}

fn takes_events(endpoint: &webhook_endpoint::Model) -> bool {
    endpoint.disabled_reason != Some(DisabledReason::Gone)
}

/// Endpoints for which nothing is decided any more, because their filters took too much.
async fn undecided(db: &impl ConnectionTrait, organization: Uuid) -> Result<Vec<Uuid>> {
    use webhook_health::Column::{Id, UndecidedSince};
    let rows = webhook_health::Entity::of(organization)
        .filter(UndecidedSince.is_not_null())
        .select_only()
        .column(Id)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows)
}

/// What is known of the endpoints' events.
struct Health {
    /// The last event that each was sent.
    last: HashMap<Uuid, i64>,
    /// Those for which nothing is decided.
    undecided: HashSet<Uuid>,
}

async fn health(
    batch: &Batch<'_>,
    endpoints: &[(Arc<Rules>, webhook_endpoint::Model)],
) -> Result<Health> {
    let first = read_health(batch).await?;
    if first.undecided.is_empty() {
        return Ok(first);
    }
    // Whoever resumes such an endpoint waits until this batch is written, or is waited for here: of
    // each event it is certain who decides it.
    let all: Vec<Uuid> = endpoints.iter().map(|(_, endpoint)| endpoint.id).collect();
    deliver::lock(batch.tx, &all).await?;
    read_health(batch).await
}

async fn read_health(batch: &Batch<'_>) -> Result<Health> {
    use webhook_health::Column::{Id, LastSequence, UndecidedSince};
    let rows: Vec<(Uuid, Option<i64>, Option<i64>)> =
        webhook_health::Entity::of(batch.organization)
            .filter(
                Condition::any().add(LastSequence.is_not_null()).add(UndecidedSince.is_not_null()),
            )
            .select_only()
            .columns([Id, LastSequence, UndecidedSince])
            .into_tuple()
            .all(batch.tx)
            .await?;
    Ok(Health {
        last: rows.iter().filter_map(|(id, last, _)| Some((*id, (*last)?))).collect(),
        undecided: rows.iter().filter_map(|(id, _, since)| since.map(|_| *id)).collect(),
    })
}

/// Endpoints that were sent up to the same event take one statement together.
#[expect(clippy::disallowed_methods, reason = "health follows from events and is none")]
async fn note_last(batch: &Batch<'_>, sent: &HashMap<Uuid, i64>) -> Result<()> {
    use webhook_health::Column::{Id, LastSequence};
    deliver::lock(batch.tx, &sent.keys().copied().collect::<Vec<_>>()).await?;
    let mut by_sequence: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for (endpoint, sequence) in sent {
        by_sequence.entry(*sequence).or_default().push(*endpoint);
    }
    for (sequence, endpoints) in by_sequence {
        for chunk in in_padded_pieces(&endpoints) {
            webhook_health::Entity::update_many()
                .filter(Id.is_in(chunk))
                .col_expr(LastSequence, Expr::value(sequence))
                .exec(batch.tx)
                .await?;
        }
    }
    Ok(())
}
