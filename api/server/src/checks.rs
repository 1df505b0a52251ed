//! Whether a database is whole: a backup, one that was restored, or the one in use.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bodega_kernel::{Clock, Retention, SystemClock};
use chrono::TimeDelta;
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, Value,
};

/// How many of the last changes are looked up one by one.
const CHANGES_MAX: i64 = 10_000;
/// A program that writes is waited for so long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a whole database holds.
pub(crate) struct Whole {
    tables: i64,
    events: i64,
    waiting: i64,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tables, events, waiting } = self;
        write!(f, "{tables} tables, {events} events, {waiting} of them not numbered yet")
    }
}

/// One connection to a database, as it is.
pub(crate) async fn open(url: &str) -> Result<DatabaseConnection, String> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(BUSY_TIMEOUT));
    sea_orm::Database::connect(options).await.map_err(|error| format!("cannot open {url}: {error}"))
}

/// One connection to a file of SQLite, for reading.
pub(crate) async fn open_file(file: &Path) -> Result<DatabaseConnection, String> {
    let (path, mut options) = (file.to_owned(), ConnectOptions::new("sqlite://file?mode=ro"));
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| sqlite.filename(&path).read_only(true));
    let opened = sea_orm::Database::connect(options).await;
    opened.map_err(|error| format!("cannot open {}: {error}", file.display()))
}

/// Reads a database and says what it holds, or what it lacks: pages and references (SQLite), the
/// migrations, numbers of events without a gap, and an event for each of the last changes.
pub(crate) async fn whole(db: &DatabaseConnection, kept: &Retention) -> Result<Whole, String> {
    let unreadable = |error: DbErr| format!("the database cannot be read: {error}");
    if db.get_database_backend() == DbBackend::Sqlite {
        pages(db).await.map_err(unreadable)??;
    }
    // Also fails where a migration ran that this program does not know.
    Migrator::get_pending_migrations(db).await.map_err(unreadable)?;
    // Older events are being erased, the last of a day sooner than the first of the next.
    let since = SystemClock.now() - TimeDelta::days(kept.events_days.into()) + TimeDelta::days(1);
    let since = Value::from(since);
    let gaps = number(db, GAPS, vec![since.clone()]).await.map_err(unreadable)?;
    if gaps > 0 {
        return Err(format!("the events of {gaps} organizations are not numbered without a gap"));
    }
    let values = vec![since, CHANGES_MAX.into()];
    let lost = number(db, CHANGES_WITHOUT_EVENT, values).await.map_err(unreadable)?;
    if lost > 0 {
        return Err(format!("{lost} of the last changes have no event"));
    }
    let tables = match db.get_database_backend() {
        DbBackend::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'",
        _ => "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()",
    };
    let events = "SELECT COUNT(*) FROM event";
    let waiting = "SELECT COUNT(*) FROM event WHERE sequence IS NULL";
    Ok(Whole {
        tables: number(db, tables, Vec::new()).await.map_err(unreadable)?,
        events: number(db, events, Vec::new()).await.map_err(unreadable)?,
        waiting: number(db, waiting, Vec::new()).await.map_err(unreadable)?,
    })
}

/// How many organizations' events have a gap since then, or end before or after their last number.
const GAPS: &str = "SELECT COUNT(*) FROM (\
    SELECT since.organization_id FROM (\
    SELECT organization_id, MIN(sequence) AS lowest FROM event \
    WHERE sequence IS NOT NULL AND created_at >= $1 GROUP BY organization_id) AS since \
    JOIN event_stream ON event_stream.organization_id = since.organization_id \
    JOIN event ON event.organization_id = since.organization_id \
    AND event.sequence >= since.lowest \
    GROUP BY since.organization_id, since.lowest, event_stream.last_sequence \
    HAVING COUNT(*) <> event_stream.last_sequence - since.lowest + 1 \
    OR MAX(event.sequence) <> event_stream.last_sequence) AS gaps";

/// How many of the last changes that the audit log tells of have no event. Who founds an organization
/// is told so in its own audit log; the event is in the log of what was founded.
const CHANGES_WITHOUT_EVENT: &str = "SELECT COUNT(*) FROM (\
    SELECT organization_id, object_id, request_id, created_at FROM audit_entry \
    ORDER BY id DESC LIMIT $2) AS change \
    WHERE change.created_at >= $1 AND NOT EXISTS (SELECT 1 FROM event \
    WHERE event.organization_id = change.organization_id \
    AND event.object_id = change.object_id AND event.request_id = change.request_id) \
    AND NOT EXISTS (SELECT 1 FROM event WHERE event.object_id = change.object_id \
    AND event.organization_id <> change.organization_id)";

/// What SQLite itself can tell of its file.
async fn pages(db: &DatabaseConnection) -> Result<Result<(), String>, DbErr> {
    let pragma = |sql: &str| Statement::from_string(DbBackend::Sqlite, sql);
    let said = db.query_all_raw(pragma("PRAGMA integrity_check(3)")).await?;
    let said: Vec<String> =
        said.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    if said != ["ok"] {
        return Ok(Err(format!("the file is damaged: {}", said.join("; "))));
    }
    match db.query_one_raw(pragma("PRAGMA foreign_key_check")).await? {
        None => Ok(Ok(())),
        Some(_) => Ok(Err("a row points at one that is not there".to_owned())),
    }
}

/// The one number that a query gives.
pub(crate) async fn number(
    db: &DatabaseConnection,
    sql: &str,
    values: Vec<Value>,
) -> Result<i64, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}
