//! The database: one writer and many readers on SQLite, one pool on PostgreSQL.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, watch};

use crate::trouble::Noted;
use crate::{Transaction, Trouble};

const SQLITE_READERS: u32 = 4;
/// Calls of one organization that read from SQLite at once: twice its readers, so that none is idle.
const SQLITE_READS_OF_ONE: usize = 2 * SQLITE_READERS as usize;
/// Calls of one organization that write to SQLite at once: one does, two are ready when it is done,
/// and no call of others stands behind more than these.
const SQLITE_WRITES_OF_ONE: usize = 3;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// No statement takes longer.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a connection to SQLite keeps of the file in memory: the hot end of every index.
const PAGES_KEPT_KIB: &str = "-8192";
/// Pages that SQLite writes twice, once for good, at a time: the more, the more of them are the same.
const PAGES_PER_CHECKPOINT: &str = "4000";
/// Rows that SQLite reads before somebody takes the first: each wait is a switch between threads.
const ROWS_AHEAD: usize = 512;
/// Prepared statements a connection keeps.
const STATEMENTS_KEPT: usize = 100;
/// What a log of changes that has grown for once is cut to: rarely reached, as it is begun anew after
/// some thousand pages.
const WAL_KEPT_BYTES: &str = "67108864";
/// Free pages that stay in the file for what comes next, and pages given back in one short step: about
/// four mebibytes and one.
const FREE_PAGES_KEPT: i64 = 1_024;
const FREE_PAGES_A_STEP: i64 = 256;
/// Steps in one run, a gibibyte in all; the rest waits for the next.
const STEPS_MAX: usize = 1_024;
/// Tables that SQLite had better know nothing of: they grow a hundredfold between two looks, and what
/// it took for small then it would read from end to end for a few rows. Unknown tables it takes for
/// large.
const LOGS: [&str; 7] = [
    "audit_entry",
    "event",
    "idempotency_record",
    "job",
    "request_log",
    "webhook_attempt",
    "webhook_delivery",
];
/// While the database takes no changes, sessions are not used for longer.
const READ_ONLY_SESSION_MAX: Duration = Duration::from_secs(2);
const IDLE_BEFORE_TEST: Duration = Duration::from_secs(30);

/// The connections of one process.
#[derive(Clone)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    connections_max: u32,
    /// Statements that calls have run, for the figures.
    statements: Arc<AtomicU64>,
    /// Why the last change failed, where the database itself was the reason.
    noted: Arc<Noted>,
    /// Held while a change is tried, so that it is tried once however many ask.
    probing: Arc<Mutex<()>>,
}

impl Database {
    /// Opens `sqlite://…` or `postgres://…`.
    pub async fn open(url: &str, connections_max: u32) -> Result<Self, DbErr> {
        let (statements, noted, probing): (_, Arc<Noted>, _) = Default::default();
        let connect = async |size: u32, eager: bool| {
            let mut options = ConnectOptions::new(url);
            options
                .max_connections(size)
                .min_connections(u32::from(eager))
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_timeout(ACQUIRE_TIMEOUT)
                // A ping before each use would double the round trips of a primary-key read.
                .test_before_acquire(false)
                .test_before_acquire_if_idle_for(IDLE_BEFORE_TEST)
                .sqlx_logging(false)
                .map_sqlx_sqlite_opts(|sqlite| {
                    sqlite
                        .create_if_missing(true)
                        .journal_mode(SqliteJournalMode::Wal)
                        .pragma("journal_size_limit", WAL_KEPT_BYTES)
                        .synchronous(SqliteSynchronous::Normal)
                        .busy_timeout(BUSY_TIMEOUT)
                        .foreign_keys(true)
                        .pragma("cache_size", PAGES_KEPT_KIB)
                        .pragma("wal_autocheckpoint", PAGES_PER_CHECKPOINT)
                        // What undoes a statement over many rows goes to memory, not to a file.
                        .pragma("temp_store", "MEMORY")
                        .row_buffer_size(ROWS_AHEAD)
                        .statement_cache_capacity(STATEMENTS_KEPT)
                })
                .map_sqlx_sqlite_pool_opts(|pool| {
                    pool.after_release(|connection, _| Box::pin(is_at_rest(connection)))
                });
            let of_pool = noted.clone();
            options.map_sqlx_postgres_pool_opts(move |pool| {
                let noted = of_pool.clone();
                // A session keeps what it was told at its beginning: only a new one can find a server
                // that takes changes again.
                pool.after_release(move |_, session| {
                    let stale = noted.now() == Some(Trouble::ReadOnly)
                        && session.age >= READ_ONLY_SESSION_MAX;
                    Box::pin(async move { Ok(!stale) })
                })
            });
            sea_orm::Database::connect(options).await
        };
        if url.starts_with("sqlite:") {
            let writer = connect(1, true).await?;
            let reader = connect(SQLITE_READERS, true).await?;
            return Ok(Self { writer, reader, connections_max, statements, noted, probing });
        }
        let pool = connect(connections_max, true).await?;
        Ok(Self { writer: pool.clone(), reader: pool, connections_max, statements, noted, probing })
    }

    /// How many calls of one organization may work on it at once: those that read, and those that
    /// write where these are counted apart. On PostgreSQL, where both take the same connections, as
    /// many as half of them, so that the other half is there for others.
    pub fn share_of_one(&self) -> (usize, Option<usize>) {
        match self.backend() {
            DbBackend::Sqlite => (SQLITE_READS_OF_ONE, Some(SQLITE_WRITES_OF_ONE)),
            _ => ((self.connections_max / 2).max(1) as usize, None),
        }
    }

    /// SQLite or PostgreSQL.
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// For reading. Writing through it breaks the one-writer rule of SQLite.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For the platform's own writes that are no operation: migrations, batched logs, retention.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Opens a write transaction; on SQLite it has the write lock from its first statement, so it
    /// can never fail half way because a reader became a writer.
    /// Opened by [`Tx::open`](crate::Tx::open) for operations, and by the workers for what is none.
    #[expect(clippy::disallowed_methods, reason = "the one place where transactions begin")]
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        let begun = bounded(self.writer.begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        }))
        .await;
        match begun {
            Ok(transaction) => Ok(Transaction::new(transaction, self.noted.clone())),
            Err(error) => {
                self.noted.failed(&error);
                Err(error)
            }
        }
    }

    /// What keeps the database from taking changes, if anything does. Where the last change failed,
    /// tries one: so that it is known when there is room again, even if nobody else asks for a change.
    pub async fn trouble(&self) -> Result<Option<Trouble>, DbErr> {
        let alone = self.probing.try_lock();
        if self.noted.now().is_some() && alone.is_ok() {
            let transaction = self.begin().await?;
            let sql = "INSERT INTO setting (name, value) VALUES ('write_probe', $1) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            let value = uuid::Uuid::now_v7().to_string();
            let probe = Statement::from_sql_and_values(self.backend(), sql, [value.into()]);
            transaction.execute_raw(probe).await?;
            transaction.commit().await?;
        }
        Ok(self.noted.now())
    }

    /// Lets SQLite look at how its tables are filled, so that it picks the right index; PostgreSQL
    /// does so by itself.
    pub async fn optimize(&self) -> Result<(), DbErr> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(());
        }
        self.writer.execute_unprepared("PRAGMA optimize=0x10002").await?;
        let stats = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'";
        let stats = Statement::from_string(DbBackend::Sqlite, stats);
        if self.writer.query_one_raw(stats).await?.is_some() {
            let forget = format!("DELETE FROM sqlite_stat1 WHERE tbl IN ('{}')", LOGS.join("', '"));
            self.writer.execute_unprepared(&forget).await?;
            self.writer.execute_unprepared("ANALYZE sqlite_schema").await?;
        }
        Ok(())
    }

    /// Gives back to the disk what is free inside SQLite's file, in short steps between which others
    /// write; says how many pages. PostgreSQL does so by itself; a file that was made before this was
    /// possible keeps its size until it is restored from a backup.
    pub async fn shrink(&self) -> Result<i64, DbErr> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(0);
        }
        let mut given = 0;
        for _ in 0..STEPS_MAX {
            let free = self.free_pages().await?;
            let step = (free - FREE_PAGES_KEPT).min(FREE_PAGES_A_STEP);
            if step <= 0 {
                break;
            }
            self.writer.execute_unprepared(&format!("PRAGMA incremental_vacuum({step})")).await?;
            let now = self.free_pages().await?;
            if now >= free {
                // A file of the old kind.
                break;
            }
            given += free - now;
            tokio::task::yield_now().await;
        }
        Ok(given)
    }

    async fn free_pages(&self) -> Result<i64, DbErr> {
        let sql = Statement::from_string(DbBackend::Sqlite, "PRAGMA freelist_count");
        let row = self.reader.query_one_raw(sql).await?;
        row.map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    pub(crate) fn count(&self, statements: u64) {
        self.statements.fetch_add(statements, Ordering::Relaxed);
    }

    /// How many statements calls have run so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// Whether a connection that was given back to the pool may be used again. SQLite ends a transaction by
/// itself when it cannot write, and the driver goes on counting it as open: what others then begin on
/// that connection would be a part of something that is never committed. Such a connection is closed.
async fn is_at_rest(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // What was dropped is undone by a statement that is still on its way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Waits for a statement, but not for ever: a network that is lost, rather than closed, says nothing.
pub async fn bounded<T>(statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = |_| DbErr::Conn(RuntimeErr::Internal("a statement took too long".to_owned()));
    tokio::time::timeout(STATEMENT_TIMEOUT, statement).await.map_err(late)?
}

type Listener = Box<dyn Fn() + Send + Sync>;

/// "Something you may have cached has changed": raised after the commit, here and on every node.
#[derive(Default)]
pub struct Signals {
    listeners: RwLock<Vec<(&'static str, Listener)>>,
    /// For those who wait: how often each topic was raised.
    waited: RwLock<HashMap<String, watch::Sender<u64>>>,
    closed: AtomicBool,
}

impl Signals {
    /// Calls `listener` whenever `topic` is raised; it must be quick.
    pub fn on(&self, topic: &'static str, listener: impl Fn() + Send + Sync + 'static) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        listeners.push((topic, Box::new(listener)));
    }

    /// Tells the listeners, and returns when they have been told.
    pub fn raise(&self, topic: &str) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().filter(|(name, _)| *name == topic).for_each(|(_, listener)| listener());
        let waited = self.waited.read().unwrap_or_else(PoisonError::into_inner);
        waited.get(topic).into_iter().for_each(|raised| raised.send_modify(|count| *count += 1));
    }

    /// Waits until a topic is raised after this call, or the program is to stop.
    pub fn next(&self, topic: &str) -> impl Future<Output = ()> + Send + 'static {
        let mut waited = self.waited.write().unwrap_or_else(PoisonError::into_inner);
        let raised = waited.entry(topic.to_owned()).or_insert_with(|| watch::channel(0).0);
        let mut receiver = raised.subscribe();
        async move {
            // A sender that is gone means that the program ends.
            let _ = receiver.changed().await;
        }
    }

    /// Nobody is to wait any more: the program stops.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let waited = self.waited.read().unwrap_or_else(PoisonError::into_inner);
        waited.values().for_each(|raised| raised.send_modify(|count| *count += 1));
    }

    /// Whether the program stops.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Every topic someone listens to.
    pub fn topics(&self) -> Vec<&'static str> {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let mut topics: Vec<_> = listeners.iter().map(|(name, _)| *name).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}
