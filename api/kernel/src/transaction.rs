//! A write transaction that is committed whole or not at all, whatever fails on the way.
//!
//! Where a statement fails, a database may undo the whole transaction by itself: SQLite does when the
//! disk is full, PostgreSQL answers the `COMMIT` of a failed one as if all were well. So a transaction
//! of which a statement has failed, or was left before it had an answer, is in doubt: it runs nothing
//! more and is never committed. Only what the database has confirmed for this very transaction counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, TryStreamExt};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    StreamTrait,
};

use crate::bounded;
use crate::source::Rows;
use crate::trouble::Noted;

/// An open write transaction of the platform. Dropped, it is undone.
pub struct Transaction {
    inner: DatabaseTransaction,
    in_doubt: AtomicBool,
    noted: Arc<Noted>,
}

/// Says that the transaction is in doubt unless it is told otherwise: also when whoever waited for
/// the statement has gone away.
struct Doubt<'a>(&'a AtomicBool);

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Transaction {
    pub(crate) fn new(inner: DatabaseTransaction, noted: Arc<Noted>) -> Self {
        Self { inner, in_doubt: AtomicBool::new(false), noted }
    }

    /// Commits, and returns when the database has confirmed it. After an error it is not known
    /// whether the change was made: a connection may be lost between the one and the other.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, in_doubt, noted } = self;
        if in_doubt.into_inner() {
            return Err(undone());
        }
        let done = bounded(inner.commit()).await;
        match &done {
            Ok(()) => noted.succeeded(),
            Err(error) => noted.failed(error),
        }
        done
    }

    /// Undoes everything.
    pub async fn rollback(self) -> Result<(), DbErr> {
        if self.in_doubt.load(Ordering::Acquire) {
            // There may be nothing left to undo; what there is, dropping it undoes.
            return Ok(());
        }
        bounded(self.inner.rollback()).await
    }

    /// Rows one by one. One that is left before its last row has failed in nothing.
    pub(crate) async fn rows(&self, statement: Statement) -> Result<Rows<'_>, DbErr> {
        let rows = self.run(self.inner.stream_raw(statement)).await?;
        let watched = rows.inspect_err(|error| {
            self.in_doubt.store(true, Ordering::Release);
            self.noted.failed(error);
        });
        Ok(watched.boxed())
    }

    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        if self.in_doubt.load(Ordering::Acquire) {
            return Err(undone());
        }
        let doubt = Doubt(&self.in_doubt);
        let done = statement.await;
        match &done {
            Ok(_) => std::mem::forget(doubt),
            Err(error) => self.noted.failed(error),
        }
        done
    }
}

fn undone() -> DbErr {
    DbErr::Custom("a statement of this transaction failed before, so it is undone".to_owned())
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.inner)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}
