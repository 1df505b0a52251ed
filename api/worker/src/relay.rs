//! The relay: gives every event its number, without gaps, and hands it to its consumers.
//!
//! One transaction numbers a batch of an organization's events and lets the consumers write what
//! follows from them, so that each event is fanned out exactly once however often a process dies.
//! The row in `event_stream` is the organization's lock: only one relay holds it, and a dead one's
//! connection lets go of it, so no clock decides whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::{Platform, Problem, Result, Transaction};
use chrono::{DateTime, Utc};
use entity::platform::event_stream;
use entity::webhooks::event;
use futures::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, QueryResult,
    Statement, Value,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Events numbered in one transaction. With fifty endpoints it writes fifty times as many rows, and
/// nobody else writes meanwhile.
const BATCH: i64 = 128;

/// Organizations looked for at once; in a round, each is served once before any is twice.
const ROUND: usize = 100;

/// What another process has committed is found by looking this often.
const POLL: Duration = Duration::from_millis(25);

const PAUSE: Duration = Duration::from_secs(1);

/// Raised on every node when events have been numbered: whoever follows the log looks again.
pub const NUMBERED: &str = "events";

/// Events of one organization, just numbered, in order.
pub struct Batch<'a> {
    /// What lives as long as the process.
    pub platform: &'a Platform,
    /// Whose.
    pub organization: Uuid,
    /// The events, each with its `sequence`.
    pub events: &'a [event::Model],
    /// The transaction: what is written in it is there with the numbers, or not at all.
    pub tx: &'a Transaction,
    /// The instant of the batch.
    pub now: DateTime<Utc>,
}

/// Events of one organization that are about to be numbered.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    /// The process's platform; no transaction is open.
    pub platform: &'a Arc<Platform>,
    /// Whose.
    pub organization: Uuid,
    /// The events in order, each with the `sequence` that it is about to have.
    pub events: &'a [event::Model],
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// What follows is written.
    Written,
    /// The same, and with it jobs of this queue.
    Queued(&'static str),
    /// Something has to be worked out first, without a transaction: nothing of the batch stays, and
    /// the consumer looks ahead the next time.
    NotReady,
}

/// Something that follows from events.
pub trait Consumer: Send + Sync + 'static {
    /// Whether it is to see an organization's events before they are numbered.
    fn looks_ahead(&self, _organization: Uuid) -> bool {
        false
    }

    /// Works out, in a bounded time, what it needs of events that are about to be numbered; for how
    /// many of them, from the first, that is done. It goes on with the others in the next round.
    fn prepare<'a>(&'a self, ahead: Ahead<'a>) -> BoxFuture<'a, Result<usize>> {
        Box::pin(std::future::ready(Ok(ahead.events.len())))
    }

    /// Writes what follows.
    fn consume<'a>(&'a self, batch: Batch<'a>) -> BoxFuture<'a, Result<Consumed>>;
}

/// Numbers events for as long as the program runs.
pub struct Relay {
    platform: Arc<Platform>,
    consumers: Vec<Arc<dyn Consumer>>,
}

impl Relay {
    /// A relay to these consumers.
    pub fn new(platform: Arc<Platform>, consumers: Vec<Arc<dyn Consumer>>) -> Self {
        Self { platform, consumers }
    }

    pub(crate) async fn run(&self, wake: &Notify, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match self.round().await {
                Ok(0) => POLL,
                Ok(_) => continue,
                Err(problem) => {
                    tracing::warn!(%problem, "events cannot be numbered; trying again");
                    PAUSE
                }
            };
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// One batch of every organization that has events without a number; how many there were. One
    /// whose events cannot be numbered does not keep the others from it.
    pub async fn round(&self) -> Result<usize> {
        let (mut done, mut failed, mut after) = (0, None, Uuid::nil());
        loop {
            let waiting = self.waiting(after).await?;
            let mut numbered = 0;
            for &organization in &waiting {
                match self.relay(organization).await {
                    Ok(events) => numbered += events,
                    Err(problem) => {
                        tracing::warn!(%problem, %organization, "its events are not numbered");
                        failed = Some(problem);
                    }
                }
            }
            if numbered > 0 {
                self.tell().await?;
            }
            done += numbered;
            match waiting.last() {
                Some(last) if waiting.len() == ROUND => after = *last,
                _ => break,
            }
        }
        match failed {
            Some(problem) if done == 0 => Err(problem),
            _ => Ok(done),
        }
    }

    /// The organizations whose events wait, found by skipping through the index from one to the
    /// next: it takes as many steps as there are organizations, however long the log is.
    async fn waiting(&self, after: Uuid) -> Result<Vec<Uuid>> {
        let db = &self.platform.db;
        // Left to itself, SQLite walks the whole log by an index that it takes for smaller.
        let by = match db.backend() {
            DbBackend::Postgres => "",
            _ => "INDEXED BY event_unnumbered_idx",
        };
        let sql = format!(
            "WITH RECURSIVE waiting(id) AS (\
             SELECT (SELECT organization_id FROM event {by} WHERE sequence IS NULL \
             AND organization_id > $2 ORDER BY organization_id LIMIT 1) UNION ALL \
             SELECT (SELECT organization_id FROM event {by} WHERE sequence IS NULL \
             AND organization_id > waiting.id ORDER BY organization_id LIMIT 1) \
             FROM waiting WHERE waiting.id IS NOT NULL) \
             SELECT id FROM waiting WHERE id IS NOT NULL LIMIT $1"
        );
        let values: [Value; 2] = [i64::try_from(ROUND).unwrap_or(i64::MAX).into(), after.into()];
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        let rows = db.reader().query_all_raw(statement).await?;
        rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
    }

    /// Numbers a batch of one organization's events; none where another relay is at it, or where
    /// what follows from them is not worked out yet.
    async fn relay(&self, organization: Uuid) -> Result<usize> {
        // Twice: that it has to be looked ahead is found out by trying.
        for _ in 0..2 {
            let ready = match self.consumers.iter().any(|one| one.looks_ahead(organization)) {
                true => Some(self.prepare(organization).await?),
                false => None,
            };
            if ready.as_ref().is_some_and(Vec::is_empty) {
                return Ok(0);
            }
            if let Some(numbered) = self.number(organization, ready).await? {
                return Ok(numbered);
            }
        }
        Ok(0)
    }

    /// Lets the consumers look at what is about to be numbered; the events that may be.
    async fn prepare(&self, organization: Uuid) -> Result<Vec<Uuid>> {
        let events = waiting(&self.platform, organization).await?;
        let mut ready = events.len();
        for consumer in &self.consumers {
            let ahead = Ahead { platform: &self.platform, organization, events: &events };
            ready = ready.min(consumer.prepare(ahead).await?);
        }
        Ok(events.iter().take(ready).map(|event| event.id).collect())
    }

    /// Numbers what waits, or these events of it, and lets the consumers write what follows; `None`
    /// where one of them is not ready.
    async fn number(&self, organization: Uuid, ready: Option<Vec<Uuid>>) -> Result<Option<usize>> {
        let now = bodega_kernel::micros(self.platform.clock.now());
        let tx = self.platform.db.begin().await?;
        let Some(last) = lock(&tx, organization).await? else {
            tx.rollback().await?;
            return Ok(Some(0));
        };
        let events = number(&tx, organization, last, ready).await?;
        let Some(next) = events.last().and_then(|event| event.sequence) else {
            tx.rollback().await?;
            return Ok(Some(0));
        };
        let sql = "UPDATE event_stream SET last_sequence = $1 WHERE organization_id = $2";
        run(&tx, sql, [next.into(), organization.into()]).await?;
        let mut queues = Vec::new();
        for consumer in &self.consumers {
            let (platform, events) = (&*self.platform, &events);
            let batch = Batch { platform, organization, events, tx: &tx, now };
            match consumer.consume(batch).await? {
                Consumed::Written => {}
                Consumed::Queued(queue) => queues.push(queue),
                Consumed::NotReady => {
                    tx.rollback().await?;
                    return Ok(None);
                }
            }
        }
        tx.commit().await?;
        queues.iter().for_each(|queue| self.platform.signals.raise(queue));
        metrics::counter!("bodega_events_numbered_total").increment(events.len() as u64);
        Ok(Some(events.len()))
    }

    /// Wakes whoever follows the log, here and on other nodes.
    async fn tell(&self) -> Result<()> {
        let Platform { db, signals, .. } = &*self.platform;
        signals.raise(NUMBERED);
        if db.backend() == DbBackend::Postgres {
            let sql = "SELECT pg_notify('bodega_signal', $1)";
            let values = [NUMBERED.into()];
            let notify = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            db.writer().execute_raw(notify).await?;
        }
        Ok(())
    }
}

async fn run(
    tx: &Transaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>> {
    let backend = tx.get_database_backend();
    Ok(tx.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?)
}

/// The organization's last number, locked; `None` where another relay has the lock.
#[expect(clippy::disallowed_methods, reason = "the relay's own row")]
async fn lock(tx: &Transaction, organization: Uuid) -> Result<Option<i64>> {
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT last_sequence FROM event_stream WHERE organization_id = $1 \
             FOR UPDATE SKIP LOCKED"
        }
        _ => "SELECT last_sequence FROM event_stream WHERE organization_id = $1",
    };
    let last = async || -> Result<Option<i64>> {
        let rows = run(tx, sql, [organization.into()]).await?;
        rows.first().map(|row| Ok(row.try_get("", "last_sequence")?)).transpose()
    };
    if let Some(last) = last().await? {
        return Ok(Some(last));
    }
    // The organization's first events, or a row that another relay has: inserting tells which.
    let row = event_stream::Model { organization_id: organization, last_sequence: 0 };
    let made = event_stream::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing()
        .exec_without_returning(tx)
        .await?;
    if matches!(made, sea_orm::TryInsertResult::Inserted(1)) { Ok(Some(0)) } else { last().await }
}

/// The column that tells in which order events were written: of two changes of which one could know
/// of the other, the other comes first.
fn written(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "position",
        _ => "rowid",
    }
}

/// The next batch of events without a number, each with the number that it is about to have.
async fn waiting(platform: &Platform, organization: Uuid) -> Result<Vec<event::Model>> {
    let (db, backend) = (platform.db.reader(), platform.db.backend());
    let statement = |sql, values: Vec<Value>| Statement::from_sql_and_values(backend, sql, values);
    let last = "SELECT last_sequence FROM event_stream WHERE organization_id = $1";
    let last = db.query_one_raw(statement(last, vec![organization.into()])).await?;
    let last: i64 = last.map(|row| row.try_get("", "last_sequence")).transpose()?.unwrap_or(0);
    let sql = format!(
        "SELECT * FROM event WHERE organization_id = $1 AND sequence IS NULL \
         ORDER BY {} LIMIT $2",
        written(backend)
    );
    let rows = db.query_all_raw(statement(&sql, vec![organization.into(), BATCH.into()])).await?;
    let mut events = models(&rows)?;
    for (event, place) in events.iter_mut().zip(1..) {
        event.sequence = Some(last + place);
    }
    Ok(events)
}

fn models(rows: &[QueryResult]) -> Result<Vec<event::Model>> {
    let model = |row| event::Model::from_query_result(row, "").map_err(Problem::from);
    rows.iter().map(model).collect()
}

/// Numbers what waits, or these events of it, in the order it was written.
async fn number(
    tx: &Transaction,
    organization: Uuid,
    last: i64,
    ready: Option<Vec<Uuid>>,
) -> Result<Vec<event::Model>> {
    let backend = tx.get_database_backend();
    let (written, whole) =
        (written(backend), if backend == DbBackend::Postgres { "event.*" } else { "*" });
    let mut values: Vec<Value> = vec![last.into(), organization.into(), BATCH.into()];
    let ready = ready.unwrap_or_default();
    let among = match ready.len() {
        0 => String::new(),
        ids => {
            let places: Vec<_> = (4..4 + ids).map(|place| format!("${place}")).collect();
            format!("AND id IN ({})", places.join(", "))
        }
    };
    values.extend(ready.into_iter().map(Value::from));
    let sql = format!(
        "UPDATE event SET sequence = $1 + numbered.place FROM (\
         SELECT id, row_number() OVER (ORDER BY {written}) AS place FROM (\
         SELECT id, {written} FROM event WHERE organization_id = $2 AND sequence IS NULL {among} \
         ORDER BY {written} LIMIT $3) AS waiting) AS numbered \
         WHERE event.id = numbered.id RETURNING {whole}"
    );
    let mut events = models(&run(tx, &sql, values).await?)?;
    events.sort_unstable_by_key(|event| event.sequence);
    Ok(events)
}
