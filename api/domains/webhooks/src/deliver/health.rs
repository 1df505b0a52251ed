//! The health of endpoints, as tries tell it.

use std::collections::BTreeMap;

use bodega_kernel::{Result, Transaction, in_padded_pieces};
use chrono::{DateTime, TimeDelta, Utc};
use entity::Owned;
use entity::webhooks::webhook_health;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::entry::{Entry, Fate};

/// A success is no news so soon after another: an endpoint that is sent thousands of messages a
/// second is not to be written to, and locked, for each.
const NEWS: TimeDelta = TimeDelta::seconds(1);

/// Writes what these tries say of their endpoints.
pub(super) async fn note(tx: &Transaction, entries: &[Entry], now: DateTime<Utc>) -> Result<()> {
    let mut endpoints: BTreeMap<Uuid, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.sent) {
        endpoints.entry(entry.attempt.endpoint_id).or_default().push(entry);
    }
    let all_well = |entries: &[&Entry]| entries.iter().all(|entry| entry.fate == Fate::Delivered);
    let (well, failing): (BTreeMap<_, _>, BTreeMap<_, _>) =
        endpoints.into_iter().partition(|(_, entries)| all_well(entries));
    let well = news(tx, &well.into_keys().collect::<Vec<_>>(), now).await?;
    let touched: Vec<Uuid> = well.iter().chain(failing.keys()).copied().collect();
    lock(tx, &touched).await?;
    works(tx, &well, now).await?;
    for (endpoint, entries) in failing {
        fails(tx, endpoint, &entries, now).await?;
    }
    Ok(())
}

/// Locks the health of endpoints until the end of the transaction, everywhere in the order of their
/// ids, so that no two transactions wait for each other. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &impl ConnectionTrait, endpoints: &[Uuid]) -> Result<()> {
    use webhook_health::Column::Id;
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let mut endpoints = endpoints.to_vec();
    endpoints.sort_unstable();
    for ids in in_padded_pieces(&endpoints) {
        webhook_health::Entity::of_every_organization()
            .filter(Id.is_in(ids))
            .select_only()
            .column(Id)
            .order_by_asc(Id)
            .lock_exclusive()
            .into_tuple::<Uuid>()
            .all(tx)
            .await?;
    }
    Ok(())
}

/// Those of these endpoints of which it is news that they work.
async fn news(tx: &Transaction, endpoints: &[Uuid], now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    use webhook_health::Column::{ConsecutiveFailures, Id, LastSuccessAt};
    let mut all = Vec::new();
    for ids in in_padded_pieces(endpoints) {
        let is_news = Condition::any()
            .add(ConsecutiveFailures.gt(0))
            .add(LastSuccessAt.is_null())
            .add(LastSuccessAt.lt(now - NEWS));
        let found = webhook_health::Entity::of_every_organization()
            .filter(Id.is_in(ids))
            .filter(is_news)
            .select_only()
            .column(Id)
            .into_tuple::<Uuid>()
            .all(tx)
            .await?;
        all.extend(found);
    }
    Ok(all)
}

/// Every try was a success.
#[expect(clippy::disallowed_methods, reason = "health follows from tries and is no event")]
async fn works(tx: &Transaction, endpoints: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    use webhook_health::Column::{ConsecutiveFailures, Id, LastSuccessAt};
    for ids in in_padded_pieces(endpoints) {
        webhook_health::Entity::update_many()
            .filter(Id.is_in(ids))
            .col_expr(ConsecutiveFailures, Expr::value(0))
            .col_expr(LastSuccessAt, Expr::value(now))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Not every try was; they come in the order they were made.
#[expect(clippy::disallowed_methods, reason = "health follows from tries and is no event")]
async fn fails(
    tx: &Transaction,
    endpoint: Uuid,
    entries: &[&Entry],
    now: DateTime<Utc>,
) -> Result<()> {
    use webhook_health::Column as C;
    let trailing = entries.iter().rev().take_while(|e| e.fate != Fate::Delivered).count();
    let failures = i64::try_from(trailing).unwrap_or(i64::MAX);
    let mut update = webhook_health::Entity::update_many().filter(C::Id.eq(endpoint));
    update = match trailing == entries.len() {
        true => {
            update.col_expr(C::ConsecutiveFailures, Expr::col(C::ConsecutiveFailures).add(failures))
        }
        false => update
            .col_expr(C::ConsecutiveFailures, Expr::value(failures))
            .col_expr(C::LastSuccessAt, Expr::value(now)),
    };
    if let Some(last) = entries.iter().rev().find(|entry| entry.fate != Fate::Delivered) {
        update = update
            .col_expr(C::LastFailureAt, Expr::value(now))
            .col_expr(C::LastFailure, Expr::value(last.attempt.outcome.as_str()));
    }
    if let Some(until) = entries.iter().filter_map(|entry| entry.held_until).max() {
        update = update.col_expr(C::HeldUntil, Expr::value(until));
    }
    update.exec(tx).await?;
    Ok(())
}
