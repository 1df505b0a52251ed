//! What each process has to do for itself from time to time: counts written, memory tidied.

use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::{Platform, Retention};
use chrono::TimeDelta;
use entity::Owned;
use entity::platform::idempotency_record;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::limits::{DailyCounts, InMemory};

const COUNTS_EVERY: Duration = Duration::from_secs(1);
const TIDY_EVERY: u32 = 60;
const GIVE_BACK_EVERY: u32 = 5;
const PURGE_ROWS: u64 = 1_000;

/// Runs for as long as the program does.
pub(crate) async fn run(counts: Arc<DailyCounts>, memory: Arc<InMemory>) {
    let mut every = tokio::time::interval(COUNTS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tick = 0_u32;
    loop {
        every.tick().await;
        tick = tick.wrapping_add(1);
        if let Err(error) = counts.flush().await {
            tracing::warn!(%error, "the daily counts were not written; they will be");
        }
        if tick.is_multiple_of(TIDY_EVERY) {
            memory.tidy();
        }
        if tick.is_multiple_of(GIVE_BACK_EVERY) {
            give_back();
        }
    }
}

/// Lets the allocator return what has been free for a while: it looks for that only when it needs a
/// fresh page, and a process that does nothing needs none. Nothing of the block is ever touched.
fn give_back() {
    const LARGE: usize = 4 * 1024 * 1024;
    std::hint::black_box(Vec::<u8>::with_capacity(LARGE));
}

/// Removes what is too old to answer a retry with.
#[expect(clippy::disallowed_methods, reason = "retention, over all organizations")]
pub(crate) async fn purge_records(platform: &Platform) -> Result<(), DbErr> {
    use idempotency_record::{Column, Entity};
    let before =
        platform.clock.now() - TimeDelta::hours(Retention::of(platform).idempotency_hours.into());
    loop {
        let old: Vec<(uuid::Uuid, String)> = Entity::of_every_organization()
            .filter(Column::CreatedAt.lt(before))
            .select_only()
            .columns([Column::OrganizationId, Column::IdempotencyKey])
            .limit(PURGE_ROWS)
            .into_tuple()
            .all(platform.db.reader())
            .await?;
        let done = (old.len() as u64) < PURGE_ROWS;
        for (organization, key) in old {
            Entity::delete_by_id((organization, key)).exec(platform.db.writer()).await?;
        }
        if done {
            return Ok(());
        }
    }
}
