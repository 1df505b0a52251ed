//! Notes beside the calls: the request log, a key's last use, and uses of what is deprecated.
//!
//! A call leaves its note in a bounded queue and goes; a task writes the notes in batches. When the
//! queue is full a note is dropped and counted: the log may lose, a call may not wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bodega_contract::{Entry, Recorder};
use bodega_kernel::{Platform, Retention, Transaction, in_powers_of_two, micros};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::identity::{api_key, deprecated_use, request};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

const QUEUE_MAX: usize = 8_192;
const ROWS_PER_BATCH: usize = 1_000;
const EVERY: Duration = Duration::from_millis(250);
const PURGE_ROWS: u64 = 5_000;

/// What became of the notes.
#[derive(Debug, Default)]
pub struct Figures {
    /// Written.
    pub written: AtomicU64,
    /// Dropped, because the queue was full or the database refused.
    pub lost: AtomicU64,
}

/// Takes notes.
pub struct LogRecorder {
    queue: mpsc::Sender<Entry>,
    figures: Arc<Figures>,
}

/// The task that writes the notes.
pub struct Writing {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Writing {
    /// Takes no more notes, and returns when those taken are written.
    pub async fn finish(self) {
        let _ = self.close.send(());
        let _ = self.task.await;
    }
}

impl LogRecorder {
    /// Starts the task that writes.
    pub fn start(platform: Arc<Platform>) -> (Self, Writing) {
        let (queue, notes) = mpsc::channel(QUEUE_MAX);
        let (close, closed) = oneshot::channel();
        let figures = Arc::new(Figures::default());
        let task = tokio::spawn(write(platform, notes, figures.clone(), closed));
        (Self { queue, figures }, Writing { close, task })
    }

    /// What became of the notes so far.
    pub fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
    }
}

impl Recorder for LogRecorder {
    fn record(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.figures.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn write(
    platform: Arc<Platform>,
    mut notes: mpsc::Receiver<Entry>,
    figures: Arc<Figures>,
    mut closed: oneshot::Receiver<()>,
) {
    let mut batch = Vec::with_capacity(ROWS_PER_BATCH);
    loop {
        tokio::select! {
            taken = notes.recv_many(&mut batch, ROWS_PER_BATCH) => if taken == 0 { return },
            _ = &mut closed, if !notes.is_closed() => {
                notes.close();
                continue;
            }
        }
        let count = batch.len();
        let outcome = write_batch(&platform, std::mem::take(&mut batch)).await;
        let counter = if outcome.is_ok() { &figures.written } else { &figures.lost };
        counter.fetch_add(count as u64, Ordering::Relaxed);
        if let Err(error) = outcome {
            tracing::warn!(%error, lost = count, "the request log could not be written");
        }
        if count < ROWS_PER_BATCH && !notes.is_closed() {
            tokio::time::sleep(EVERY).await;
        }
    }
}

async fn write_batch(platform: &Platform, batch: Vec<Entry>) -> Result<(), DbErr> {
    let mut used: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
    let mut deprecated: HashMap<(Uuid, String), deprecated_use::Model> = HashMap::new();
    for entry in &batch {
        let last = used.entry(entry.key).or_insert(entry.created_at);
        *last = Ord::max(*last, entry.created_at);
        note_deprecated(&mut deprecated, entry);
    }
    let transaction = platform.db.begin().await?;
    for chunk in in_powers_of_two(&batch) {
        insert_requests(&transaction, chunk).await?;
    }
    for (key, at) in used {
        set_last_used(&transaction, key, micros(at)).await?;
    }
    for row in deprecated.into_values() {
        add_deprecated(&transaction, row).await?;
    }
    transaction.commit().await
}

fn note_deprecated(all: &mut HashMap<(Uuid, String), deprecated_use::Model>, entry: &Entry) {
    for (subject, deprecation) in &entry.deprecated {
        let at = micros(entry.created_at);
        let row =
            all.entry((entry.key, subject.clone())).or_insert_with(|| deprecated_use::Model {
                id: Uuid::now_v7(),
                organization_id: entry.organization,
                key_id: entry.key,
                subject: subject.clone(),
                sunset: deprecation.sunset.to_owned(),
                instead: deprecation.instead.to_owned(),
                calls: 0,
                created_at: at,
                last_used_at: at,
            });
        row.calls += 1;
        row.last_used_at = Ord::max(row.last_used_at, at);
    }
}

#[expect(clippy::disallowed_methods, reason = "a log, not an object: no event tells of it")]
async fn insert_requests(transaction: &Transaction, entries: &[Entry]) -> Result<(), DbErr> {
    let rows = entries.iter().map(|entry| {
        request::Model {
            id: entry.id,
            organization_id: entry.organization,
            key_id: Some(entry.key),
            door: entry.door.to_owned(),
            operation: entry.operation.to_owned(),
            method: entry.method.to_owned(),
            path: entry.path.clone(),
            status: entry.status.into(),
            code: entry.code.clone(),
            duration_us: entry.duration_us,
            ip: entry.ip.map(|ip| ip.to_string()),
            user_agent: entry.user_agent.clone(),
            api_version: entry.api_version.clone(),
            idempotency_key: entry.idempotency_key.clone(),
            created_at: micros(entry.created_at),
        }
        .into_active_model()
    });
    request::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "not a change that anyone made: no event tells of it"
)]
async fn set_last_used(
    transaction: &Transaction,
    key: Uuid,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::LastUsedAt, Expr::value(at))
        .filter(api_key::Column::Id.eq(key))
        .exec(transaction)
        .await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a log, not an object: no event tells of it")]
async fn add_deprecated(
    transaction: &Transaction,
    row: deprecated_use::Model,
) -> Result<(), DbErr> {
    use deprecated_use::{Column, Entity};
    let (calls, at) = (row.calls, row.last_used_at);
    Entity::insert(row.into_active_model())
        .on_conflict(
            OnConflict::columns([Column::OrganizationId, Column::KeyId, Column::Subject])
                .value(Column::Calls, Expr::col((Entity, Column::Calls)).add(calls))
                .value(Column::LastUsedAt, Expr::value(at))
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Removes from the request log what is kept no longer, some thousand rows at a time; says how many.
#[expect(clippy::disallowed_methods, reason = "retention, over all organizations")]
pub async fn purge_requests(platform: &Platform) -> Result<u64, DbErr> {
    let days = Retention::of(platform).requests_days;
    let Some(before) = Retention::before(platform.clock.now(), days) else { return Ok(0) };
    let old: Vec<Uuid> = request::Entity::of_every_organization()
        .filter(request::Column::CreatedAt.lt(before))
        .select_only()
        .column(request::Column::Id)
        .limit(PURGE_ROWS)
        .into_tuple()
        .all(platform.db.reader())
        .await?;
    let mut removed = 0;
    for chunk in old.chunks(1_000) {
        let gone = request::Entity::delete_many()
            .filter(request::Column::Id.is_in(chunk.iter().copied()))
            .exec(platform.db.writer())
            .await?;
        removed += gone.rows_affected;
    }
    Ok(removed)
}
