//! What came of each try, written many at a time, so that a thousand deliveries a second are a few
//! transactions. A try that is not written is made again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::{
    Platform, Problem, Result, Transaction, in_padded_pieces, in_powers_of_two, problem,
};
use chrono::{DateTime, Utc};
use entity::webhooks::webhook_delivery::DeliveryState;
use entity::webhooks::{webhook_attempt, webhook_delivery};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::entry::{Entry, Fate};
use super::health;

/// Tries written in one transaction.
const BATCH: usize = 256;

/// Tries that wait to be written, in all; beyond them, sending waits.
const WAITING_MAX: usize = 2_048;

/// Transactions at once on PostgreSQL: while one is made ready here, others are worked off there.
/// SQLite has one writer.
const LANES: usize = 4;

/// How long to wait before writing again, while others are in the way.
const PAUSES_MS: [u64; 3] = [20, 100, 500];

type Waiting = (Entry, oneshot::Sender<bool>);

/// Where tries are written. The tries of one endpoint go by one lane, so that they stay in order.
#[derive(Clone)]
pub(super) struct Ledger(Vec<mpsc::Sender<Waiting>>);

impl Ledger {
    /// Starts writing, for as long as somebody holds the ledger.
    pub(super) fn start(platform: &Arc<Platform>) -> Self {
        let lanes = if platform.db.backend() == DbBackend::Postgres { LANES } else { 1 };
        let lane = |_| {
            let (sender, receiver) = mpsc::channel(WAITING_MAX / lanes);
            tokio::spawn(keep(platform.clone(), receiver));
            sender
        };
        Self((0..lanes).map(lane).collect())
    }

    /// Writes a try down, and returns when it is there.
    pub(super) async fn record(&self, entry: Entry) -> Result<()> {
        let (told, written) = oneshot::channel();
        let lost = |_| Problem::internal("the ledger has ended");
        let endpoint = entry.attempt.endpoint_id.as_u128();
        let lane = self.0.get((endpoint % self.0.len() as u128) as usize);
        let lane = lane.ok_or_else(|| Problem::internal("a ledger without a lane"))?;
        lane.send((entry, told)).await.map_err(|_| Problem::internal("the ledger has ended"))?;
        match written.await.map_err(lost)? {
            true => Ok(()),
            false => Err(Problem::new(&problem::DATABASE_UNAVAILABLE)),
        }
    }
}

async fn keep(platform: Arc<Platform>, mut lane: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while lane.recv_many(&mut waiting, BATCH).await > 0 {
        let (entries, told): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let written = match persist(&platform, &entries).await {
            Ok(()) => true,
            Err(problem) => {
                tracing::warn!(%problem, tries = entries.len(), "tries were not written");
                false
            }
        };
        for told in told {
            let _ = told.send(written);
        }
    }
}

/// Writes them, again where others were in the way: what is not written is sent twice.
async fn persist(platform: &Platform, entries: &[Entry]) -> Result<()> {
    for pause_ms in PAUSES_MS {
        match write(platform, entries).await {
            Err(busy) if busy.code.code == problem::BUSY.code => {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            written => return written,
        }
    }
    write(platform, entries).await
}

#[expect(clippy::disallowed_methods, reason = "tries follow from events and are none")]
async fn write(platform: &Platform, entries: &[Entry]) -> Result<()> {
    let now = bodega_kernel::micros(platform.clock.now());
    let tx = platform.db.begin().await?;
    for chunk in in_powers_of_two(entries) {
        let models = chunk.iter().map(|entry| entry.attempt.clone().into_active_model());
        webhook_attempt::Entity::insert_many(models).exec_without_returning(&tx).await?;
    }
    delivered(&tx, entries, now).await?;
    for entry in entries.iter().filter(|entry| entry.fate != Fate::Delivered) {
        failed(&tx, entry, now).await?;
    }
    health::note(&tx, entries, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Those that were delivered, a statement for each status they were answered with. That they wait is
/// not said by their state here: a database would look through all that wait, by their index.
#[expect(clippy::disallowed_methods, reason = "deliveries follow from events and are none")]
async fn delivered(tx: &Transaction, entries: &[Entry], now: DateTime<Utc>) -> Result<()> {
    use webhook_delivery::Column as C;
    let mut by_status: HashMap<Option<i32>, Vec<Uuid>> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.fate == Fate::Delivered) {
        by_status.entry(entry.attempt.status).or_default().push(entry.attempt.delivery_id);
    }
    for (status, ids) in by_status {
        for chunk in in_padded_pieces(&ids) {
            webhook_delivery::Entity::update_many()
                .filter(C::Id.is_in(chunk))
                .filter(C::FinishedAt.is_null())
                .col_expr(C::State, Expr::value(DeliveryState::Delivered.to_string()))
                .col_expr(C::Attempts, Expr::col(C::Attempts).add(1))
                .col_expr(C::LastOutcome, Expr::value("delivered"))
                .col_expr(C::LastStatus, Expr::value(status))
                .col_expr(C::FinishedAt, Expr::value(now))
                .col_expr(C::UpdatedAt, Expr::value(now))
                .col_expr(C::Version, Expr::col(C::Version).add(1))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "deliveries follow from events and are none")]
async fn failed(tx: &Transaction, entry: &Entry, now: DateTime<Utc>) -> Result<()> {
    use webhook_delivery::Column as C;
    let mut update = webhook_delivery::Entity::update_many()
        .filter(C::Id.eq(entry.attempt.delivery_id))
        .filter(C::FinishedAt.is_null())
        .col_expr(C::Attempts, Expr::col(C::Attempts).add(1))
        .col_expr(C::LastOutcome, Expr::value(entry.attempt.outcome.as_str()))
        .col_expr(C::LastStatus, Expr::value(entry.attempt.status))
        .col_expr(C::UpdatedAt, Expr::value(now))
        .col_expr(C::Version, Expr::col(C::Version).add(1));
    update = match entry.fate {
        Fate::Again(due) => update.col_expr(C::DueAt, Expr::value(due)),
        ended => {
            let state = match ended {
                Fate::Cancelled => DeliveryState::Cancelled,
                _ => DeliveryState::Dead,
            };
            update
                .col_expr(C::State, Expr::value(state.to_string()))
                .col_expr(C::FinishedAt, Expr::value(now))
        }
    };
    update.exec(tx).await?;
    Ok(())
}
