//! How many calls each key and each organization has made today: counted here, written every second, read back at a start.

use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::{Platform, bounded};
use chrono::{DateTime, NaiveDate, Utc};
use dashmap::DashMap;
use entity::platform::key_usage;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::DAY_S;

/// A database that says nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Today's counts.
pub(crate) struct DailyCounts {
    platform: Arc<Platform>,
    counts: DashMap<Uuid, Count>,
}

#[derive(Clone, Copy)]
struct Count {
    day: NaiveDate,
    /// Written, by all nodes, as far as this one knows.
    stored: u64,
    /// Counted here and not written yet.
    pending: u64,
}

/// A day's count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Today {
    /// Calls so far.
    pub(crate) used: u64,
    /// When the day ends.
    pub(crate) ends_s: u32,
}

impl DailyCounts {
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self { platform, counts: DashMap::new() }
    }

    /// What has been counted under an id today, read from the database the first time it is seen.
    pub(crate) async fn today(&self, key: Uuid) -> Today {
        let now = self.platform.clock.now();
        let day = now.date_naive();
        let known = self.counts.get(&key).filter(|count| count.day == day).map(|count| *count);
        let count = match known {
            Some(count) => count,
            None => {
                // A database that does not answer must not stop the tills: the count starts at none,
                // and what was stored is added when it is next written.
                let asked = tokio::time::timeout(PATIENCE, self.stored(key, day)).await;
                let stored = asked.map_or(0, |answered| answered.unwrap_or(0));
                let fresh = Count { day, stored, pending: 0 };
                let mut slot = self.counts.entry(key).or_insert(fresh);
                if slot.day != day {
                    *slot = fresh;
                }
                *slot
            }
        };
        Today { used: count.stored + count.pending, ends_s: left_of(now) }
    }

    /// The day it is (UTC).
    pub(crate) fn day(&self) -> NaiveDate {
        self.platform.clock.now().date_naive()
    }

    /// Counts calls.
    pub(crate) fn add(&self, key: Uuid, calls: u32) {
        if let Some(mut count) = self.counts.get_mut(&key) {
            count.pending += u64::from(calls);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the platform's own row")]
    async fn stored(&self, key: Uuid, day: NaiveDate) -> Result<u64, DbErr> {
        let query = key_usage::Entity::find()
            .filter(key_usage::Column::KeyId.eq(key))
            .filter(key_usage::Column::Day.eq(day));
        let row = bounded(query.one(self.platform.db.reader())).await?;
        Ok(row.map_or(0, |row| u64::try_from(row.calls).unwrap_or(0)))
    }

    /// Writes what was counted since, and learns what other nodes have written.
    #[expect(clippy::disallowed_methods, reason = "the platform's own rows")]
    pub(crate) async fn flush(&self) -> Result<(), DbErr> {
        let today = self.platform.clock.now().date_naive();
        let pending: Vec<(Uuid, Count)> = self
            .counts
            .iter()
            .filter(|entry| entry.pending > 0)
            .map(|entry| (*entry.key(), *entry.value()))
            .collect();
        if !pending.is_empty() {
            let transaction = self.platform.db.begin().await?;
            let mut written = Vec::with_capacity(pending.len());
            for (key, count) in &pending {
                let calls = i64::try_from(count.pending).unwrap_or(i64::MAX);
                let row = key_usage::Model { key_id: *key, day: count.day, calls };
                let row = key_usage::Entity::insert(row.into_active_model())
                    .on_conflict(
                        OnConflict::columns([key_usage::Column::KeyId, key_usage::Column::Day])
                            .value(
                                key_usage::Column::Calls,
                                Expr::col((key_usage::Entity, key_usage::Column::Calls)).add(calls),
                            )
                            .to_owned(),
                    )
                    .exec_with_returning(&transaction)
                    .await?;
                written.push((*key, *count, u64::try_from(row.calls).unwrap_or(0)));
            }
            transaction.commit().await?;
            for (key, before, stored) in written {
                if let Some(mut count) = self.counts.get_mut(&key).filter(|c| c.day == before.day) {
                    count.pending = count.pending.saturating_sub(before.pending);
                    count.stored = stored;
                }
            }
        }
        self.counts.retain(|_, count| count.day == today || count.pending > 0);
        Ok(())
    }
}

fn left_of(now: DateTime<Utc>) -> u32 {
    let since = now.timestamp().rem_euclid(i64::from(DAY_S));
    DAY_S - u32::try_from(since).unwrap_or(0)
}
