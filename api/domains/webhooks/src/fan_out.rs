//! From events to deliveries: what the relay has numbered is written down for every endpoint whose
//! rules let it through, in the same transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bodega_kernel::{Job, Platform, Result, in_padded_pieces};
use bodega_worker::{Batch, Consumer};
use entity::Owned;
use entity::webhooks::{webhook_endpoint, webhook_health};
use futures::future::BoxFuture;
use moka::sync::Cache;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::deliver::{self, Deliverer, Events, Reason};
use crate::rules::{Rules, Seen, is_after};

const RULES_KEPT: u64 = 1_000;

/// Writes deliveries for what has happened.
pub struct FanOut {
    /// Compiled rules, by endpoint and version.
    rules: Cache<(Uuid, i64), Arc<Rules>>,
    events: Events,
}

impl Default for FanOut {
    fn default() -> Self {
        Self { rules: Cache::new(RULES_KEPT), events: Events::default() }
    }
}

impl FanOut {
    /// One that hands what it has seen to who sends it.
    pub fn beside(deliverer: &Deliverer) -> Self {
        Self { events: deliverer.events(), ..Self::default() }
    }
}

impl Consumer for FanOut {
    fn consume<'a>(&'a self, batch: Batch<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.fan_out(batch))
    }
}

impl FanOut {
    async fn fan_out(&self, batch: Batch<'_>) -> Result<()> {
        // A receiver that wants no more is kept nothing either; one that only fails or is paused is.
        let endpoints: Vec<_> = webhook_endpoint::Entity::of(batch.organization)
            .all(batch.tx)
            .await?
            .into_iter()
            .filter(|endpoint| endpoint.disabled_reason.as_deref() != Some("gone"))
            .map(|endpoint| Ok((self.rules(batch.platform, &endpoint)?, endpoint)))
            .collect::<Result<_>>()?;
        if endpoints.is_empty() {
            return Ok(());
        }
        let mut last = last_sequences(&batch).await?;
        let mut deliveries = Vec::new();
        let mut sent: HashMap<Uuid, i64> = HashMap::new();
        for event in batch.events {
            let Some(sequence) = event.sequence else { continue };
            let (mut seen, before) = (Seen::default(), deliveries.len());
            for (rules, endpoint) in &endpoints {
                if !is_after(endpoint, event) || !rules.let_through(event, &mut seen) {
                    continue;
                }
                let previous = last.insert(endpoint.id, sequence);
                let reason = Reason::Event;
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
        Ok(())
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

/// The last event that each endpoint was sent.
async fn last_sequences(batch: &Batch<'_>) -> Result<HashMap<Uuid, i64>> {
    use webhook_health::Column::{Id, LastSequence};
    let rows: Vec<(Uuid, i64)> = webhook_health::Entity::of(batch.organization)
        .filter(LastSequence.is_not_null())
        .select_only()
        .columns([Id, LastSequence])
        .into_tuple()
        .all(batch.tx)
        .await?;
    Ok(rows.into_iter().collect())
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
