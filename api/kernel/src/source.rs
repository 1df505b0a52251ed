//! The connection that handlers read from: the pool, or the open transaction. It counts what runs
//! through it, for the figures and against the call's budget.

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, StreamTrait};

use crate::budget::Opened;
use crate::{Budget, Database, Result, Transaction, bounded};

/// Said by the database's errors where it was us who stopped: read back by `Problem::from`.
pub(crate) const TOO_MANY_STATEMENTS: &str = "the call runs too many statements";
pub(crate) const OPEN_TOO_LONG: &str = "the transaction was open for too long";

/// A connection that counts its statements.
#[derive(Clone)]
pub struct Source {
    db: Database,
    transaction: Option<(Arc<Transaction>, Opened)>,
    budget: Arc<Budget>,
}

impl Source {
    pub(crate) fn pool(db: Database, budget: Arc<Budget>) -> Self {
        Self { db, transaction: None, budget }
    }

    pub(crate) fn within(&self, transaction: Arc<Transaction>) -> Self {
        Self { transaction: Some((transaction, Opened::now())), ..self.clone() }
    }

    pub(crate) fn within_budget(&self, budget: Arc<Budget>) -> Self {
        Self { budget, ..self.clone() }
    }

    /// Whether it reads from an open transaction.
    pub(crate) fn is_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// How many statements the call has run.
    pub fn statements(&self) -> u32 {
        self.budget.statements()
    }

    fn counted(&self) -> Result<(), DbErr> {
        self.db.count(1);
        if !self.budget.statement() {
            return Err(DbErr::Custom(TOO_MANY_STATEMENTS.to_owned()));
        }
        let late = |(_, opened): &(_, Opened)| self.budget.is_of_call() && opened.is_late();
        match self.transaction.as_ref().is_some_and(late) {
            true => Err(DbErr::Custom(OPEN_TOO_LONG.to_owned())),
            false => Ok(()),
        }
    }
}

macro_rules! through {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {{
        $self.counted()?;
        match &$self.transaction {
            Some((transaction, _)) => bounded(transaction.$method($($argument),*)).await,
            None => bounded($self.db.reader().$method($($argument),*)).await,
        }
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for Source {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        through!(self.execute_raw(statement))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        through!(self.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        through!(self.query_one_raw(statement))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        through!(self.query_all_raw(statement))
    }
}

pub(crate) type Rows<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

/// Rows one by one, for those who may have to stop before the last.
impl StreamTrait for Source {
    type Stream<'a> = Rows<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Rows<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            self.counted()?;
            match &self.transaction {
                Some((transaction, _)) => transaction.rows(statement).await,
                None => self.db.reader().stream_raw(statement).map_ok(StreamExt::boxed).await,
            }
        })
    }
}
