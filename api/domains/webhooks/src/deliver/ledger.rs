//! What came of each try, written many at a time: a process has one ledger, so that a thousand
//! deliveries a second are a few transactions. A try that is not written is made again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bodega_courier::Receipt;
use bodega_kernel::{
    Language, Platform, Problem, Result, in_padded_pieces, in_powers_of_two, problem,
};
use chrono::{DateTime, Utc};
use entity::webhooks::{webhook_attempt, webhook_delivery};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::health;

/// Tries written in one transaction.
const BATCH: usize = 256;

/// Tries that wait to be written; beyond them, sending waits.
const WAITING_MAX: usize = 2_048;

/// How long to wait before writing again, while others are in the way.
const PAUSES_MS: [u64; 3] = [20, 100, 500];

/// What happens to a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Again(DateTime<Utc>),
    Dead,
}

/// One try.
pub(super) struct Entry {
    pub(super) attempt: webhook_attempt::Model,
    pub(super) fate: Fate,
    /// Whether it says anything of the receiver.
    pub(super) sent: bool,
    /// Until when the receiver asked to be left alone.
    pub(super) held_until: Option<DateTime<Utc>>,
}

impl Entry {
    /// A try that could not be made, because there is nothing to send.
    pub(super) fn unsent(
        delivery: &webhook_delivery::Model,
        why: &Problem,
        fate: Fate,
        now: DateTime<Utc>,
    ) -> Self {
        let language = Language::default();
        let said = why.errors.first().map(|error| &error.detail).or(why.detail.as_ref());
        let reason = said.unwrap_or(&why.code.about).get(language);
        let attempt = webhook_attempt::Model {
            id: Uuid::now_v7(),
            organization_id: delivery.organization_id,
            delivery_id: delivery.id,
            endpoint_id: delivery.endpoint_id,
            event_id: delivery.event_id,
            number: delivery.attempts + 1,
            outcome: why.code.code.to_owned(),
            reason: reason.chars().take(500).collect(),
            status: None,
            duration_us: 0,
            address: None,
            response_headers: Value::Object(Map::new()),
            response_body: None,
            response_truncated: false,
            created_at: now,
        };
        Self { attempt, fate, sent: false, held_until: None }
    }
}

type Waiting = (Entry, oneshot::Sender<bool>);

/// Where tries are written.
#[derive(Clone)]
pub(super) struct Ledger(mpsc::Sender<Waiting>);

impl Ledger {
    /// Starts writing, for as long as somebody holds the ledger.
    pub(super) fn start(platform: Arc<Platform>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Waiting>(WAITING_MAX);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(BATCH);
            while receiver.recv_many(&mut waiting, BATCH).await > 0 {
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
        });
        Self(sender)
    }

    /// Writes a try down, and returns when it is there.
    pub(super) async fn record(&self, entry: Entry) -> Result<()> {
        let (told, written) = oneshot::channel();
        let lost = |_| Problem::internal("the ledger has ended");
        self.0.send((entry, told)).await.map_err(|_| Problem::internal("the ledger has ended"))?;
        match written.await.map_err(lost)? {
            true => Ok(()),
            false => Err(Problem::new(&problem::DATABASE_UNAVAILABLE)),
        }
    }
}

/// A try as it is kept.
pub(super) fn attempt(
    delivery: &webhook_delivery::Model,
    receipt: Receipt,
    now: DateTime<Utc>,
) -> webhook_attempt::Model {
    let Receipt { outcome, duration, connect: _, address, status, headers, body, truncated } =
        receipt;
    let headers: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name, no_nul(value).into())).collect();
    webhook_attempt::Model {
        id: Uuid::now_v7(),
        organization_id: delivery.organization_id,
        delivery_id: delivery.id,
        endpoint_id: delivery.endpoint_id,
        event_id: delivery.event_id,
        number: delivery.attempts + 1,
        outcome: outcome.code().to_owned(),
        reason: outcome.text().get(Language::default()).to_owned(),
        status: status.map(i32::from),
        duration_us: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
        address: address.map(|address| address.to_string()),
        response_headers: Value::Object(headers),
        response_body: Some(no_nul(String::from_utf8_lossy(&body).into_owned())),
        response_truncated: truncated,
        created_at: now,
    }
}

/// PostgreSQL keeps no NUL.
fn no_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
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
async fn delivered(tx: &DatabaseTransaction, entries: &[Entry], now: DateTime<Utc>) -> Result<()> {
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
                .col_expr(C::State, Expr::value("delivered"))
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
async fn failed(tx: &DatabaseTransaction, entry: &Entry, now: DateTime<Utc>) -> Result<()> {
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
        _ => {
            update.col_expr(C::State, Expr::value("dead")).col_expr(C::FinishedAt, Expr::value(now))
        }
    };
    update.exec(tx).await?;
    Ok(())
}
