//! The table of jobs as a queue: taking, keeping, giving back. Every step is one statement, so that
//! nothing is half done when the process dies between two of them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bodega_kernel::{Database, Platform, Problem, Retention, in_padded_pieces};
use chrono::{DateTime, TimeDelta, Utc};
use entity::platform::job;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    QueryResult, Statement, Value,
};
use uuid::Uuid;

/// A worker that says nothing for so long has lost its jobs.
const LEASE_S: i64 = 10;

/// How often a worker says that it lives: it may fail to twice.
pub(crate) const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(3);

/// Dead jobs removed in one run.
const DEAD_PURGED_MAX: i64 = 5_000;

/// The most of an error that is kept.
const ERROR_CHARS_MAX: usize = 1_000;

/// Waits between tries of a job that fails, in seconds; the last goes on.
const BACKOFF_S: [i64; 8] = [1, 5, 30, 120, 600, 1_800, 3_600, 7_200];

/// A job as a worker has it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Taken {
    /// The job.
    pub id: Uuid,
    /// Whose work it is.
    pub organization_id: Option<Uuid>,
    /// What to do it with.
    pub args: serde_json::Value,
    /// Which try this is, from 1.
    pub attempts: i32,
    /// How many there are.
    pub attempts_max: i32,
}

impl Taken {
    /// Writes down how far the job has come, with what it has done so far: whoever takes it up again
    /// goes on from there. False where another worker has it meanwhile; then nothing is to stay.
    pub async fn keep(
        &self,
        tx: &impl ConnectionTrait,
        args: &serde_json::Value,
    ) -> Result<bool, DbErr> {
        let sql = "UPDATE job SET args = $1 WHERE id = $2 AND state = 'running' AND attempts = $3";
        let values: [Value; 3] = [args.clone().into(), self.id.into(), self.attempts.into()];
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
    }
}

/// What a job came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing is left of it.
    Finished,
    /// It succeeded, and is to run again at this time.
    Again(DateTime<Utc>),
}

/// One queue of the table, as one worker sees it.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) platform: Arc<Platform>,
    pub(crate) name: &'static str,
    /// The process, under which jobs are leased.
    pub(crate) worker: String,
    /// How many jobs of one organization run at once, everywhere.
    pub(crate) share_max: i64,
    /// What this process has taken.
    pub(crate) hands: Hands,
}

/// The jobs that a process has in hand. Only these are kept by its heartbeat: one whose taking or
/// whose end was lost on the way to the database comes back when its lease runs out.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<HashSet<Uuid>>>);

impl Hands {
    fn jobs(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn db(&self) -> &Database {
        &self.platform.db
    }

    fn now(&self) -> DateTime<Utc> {
        bodega_kernel::micros(self.platform.clock.now())
    }

    fn statement(&self, sql: String, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.db().backend(), sql, values)
    }

    async fn write(
        &self,
        sql: String,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, DbErr> {
        let done = self.db().writer().execute_raw(self.statement(sql, values)).await?;
        Ok(done.rows_affected())
    }

    /// Whether a job is due, asked of a reader: an idle queue writes nothing.
    async fn is_due(&self, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let sql = "SELECT 1 FROM job WHERE queue = $1 AND state = 'pending' AND run_at <= $2 \
                   LIMIT 1";
        let row = self.statement(sql.to_owned(), [self.name.into(), now.into()]);
        Ok(self.db().reader().query_one_raw(row).await?.is_some())
    }

    /// Takes up to `limit` jobs that are due: an organization's second one only when every other
    /// organization has its first, and none beyond the organization's share.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Taken>, DbErr> {
        let now = self.now();
        if limit == 0 || !self.is_due(now).await? {
            return Ok(Vec::new());
        }
        let skip = match self.db().backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "UPDATE job SET state = 'running', worker = $1, lease_until = $2, \
             attempts = attempts + 1, again = false WHERE id IN (\
             SELECT id FROM job WHERE state = 'pending' AND id IN (\
             SELECT id FROM (SELECT id, organization_id, priority, run_at, row_number() OVER (\
             PARTITION BY organization_id ORDER BY priority DESC, run_at) \
             + (SELECT count(*) FROM job AS busy WHERE busy.queue = $3 \
             AND busy.state = 'running' AND busy.organization_id = waiting.organization_id) \
             AS turn FROM job AS waiting WHERE queue = $3 AND state = 'pending' \
             AND run_at <= $4) AS ranked WHERE organization_id IS NULL OR turn <= $5 \
             ORDER BY turn, priority DESC, run_at LIMIT $6) {skip}) \
             RETURNING id, organization_id, args, attempts, attempts_max"
        );
        let values: [Value; 6] = [
            self.worker.clone().into(),
            (now + TimeDelta::seconds(LEASE_S)).into(),
            self.name.into(),
            now.into(),
            self.share_max.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let rows = self.db().writer().query_all_raw(self.statement(sql, values)).await?;
        let taken = rows.iter().map(|row: &QueryResult| Taken::from_query_result(row, ""));
        let taken = taken.collect::<Result<Vec<_>, DbErr>>()?;
        self.hands.jobs().extend(taken.iter().map(|job| job.id));
        Ok(taken)
    }

    /// Writes down what a job came to. One that was asked for again meanwhile runs once more.
    pub(crate) async fn finish(&self, job: &Taken, done: &Result<Done, Problem>) {
        let wrote = match done {
            Ok(Done::Finished) => self.end(job, None).await,
            Ok(Done::Again(at)) => self.end(job, Some(*at)).await,
            Err(problem) => self.fail(job, &problem.to_string()).await,
        };
        // The lease runs out then, and another worker takes it up.
        if let Err(error) = wrote {
            tracing::warn!(%error, queue = self.name, job = %job.id, "a job's end was not written");
        }
        self.hands.jobs().remove(&job.id);
    }

    async fn end(&self, job: &Taken, next: Option<DateTime<Utc>>) -> Result<(), DbErr> {
        let mine = "id = $1 AND worker = $2 AND state = 'running'";
        let me: [Value; 2] = [job.id.into(), self.worker.clone().into()];
        if next.is_none() {
            let sql = format!("DELETE FROM job WHERE {mine} AND NOT again");
            if self.write(sql, me.clone()).await? > 0 {
                return Ok(());
            }
        }
        let least = if self.db().backend() == DbBackend::Postgres { "least" } else { "min" };
        let next = next.unwrap_or_else(|| self.now() + TimeDelta::days(3_650));
        let sql = format!(
            "UPDATE job SET state = 'pending', worker = NULL, lease_until = NULL, attempts = 0, \
             run_at = CASE WHEN again THEN {least}(run_at, $3) ELSE $3 END, \
             again = false, last_error = NULL WHERE {mine}"
        );
        self.write(sql, me.into_iter().chain([next.into()])).await?;
        Ok(())
    }

    async fn fail(&self, job: &Taken, error: &str) -> Result<(), DbErr> {
        let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
        let dead = job.attempts >= job.attempts_max;
        if dead {
            tracing::error!(queue = self.name, job = %job.id, error, "a job is dead");
        } else {
            tracing::warn!(queue = self.name, job = %job.id, error, "a job failed");
        }
        let failed = usize::try_from(job.attempts.max(1) - 1).unwrap_or(0);
        let wait_s = BACKOFF_S.get(failed).or(BACKOFF_S.last()).copied().unwrap_or(60);
        // One that was asked for again is not dead: it has all its tries before it.
        let sql = "UPDATE job SET state = CASE WHEN again THEN 'pending' ELSE $3 END, \
                   attempts = CASE WHEN again AND $3 = 'dead' THEN 0 ELSE attempts END, \
                   worker = NULL, lease_until = NULL, run_at = $4, again = false, \
                   last_error = $5 WHERE id = $1 AND worker = $2 AND state = 'running'";
        let values: [Value; 5] = [
            job.id.into(),
            self.worker.clone().into(),
            if dead { "dead" } else { "pending" }.into(),
            (self.now() + TimeDelta::seconds(wait_s)).into(),
            error.into(),
        ];
        self.write(sql.to_owned(), values).await?;
        Ok(())
    }

    /// Gives back what this worker has taken and not begun.
    pub(crate) async fn give_back(&self) -> Result<u64, DbErr> {
        let sql = "UPDATE job SET state = 'pending', worker = NULL, lease_until = NULL, \
                   attempts = attempts - 1, run_at = $3, again = false \
                   WHERE worker = $1 AND queue = $2 AND state = 'running'";
        let values: [Value; 3] = [self.worker.clone().into(), self.name.into(), self.now().into()];
        self.write(sql.to_owned(), values).await
    }
}

/// Says that a worker lives: what it has in hand stays its own.
#[expect(clippy::disallowed_methods, reason = "the platform's own rows")]
pub(crate) async fn heartbeat(
    platform: &Platform,
    worker: &str,
    hands: &Hands,
) -> Result<(), DbErr> {
    let now = bodega_kernel::micros(platform.clock.now());
    let mut jobs: Vec<Uuid> = hands.jobs().iter().copied().collect();
    jobs.sort_unstable();
    for chunk in in_padded_pieces(&jobs) {
        job::Entity::update_many()
            .filter(job::Column::Id.is_in(chunk))
            .filter(job::Column::Worker.eq(worker))
            .filter(job::Column::State.eq("running"))
            .col_expr(job::Column::LeaseUntil, Expr::value(now + TimeDelta::seconds(LEASE_S)))
            .exec(platform.db.writer())
            .await?;
    }
    Ok(())
}

/// Takes from the dead what they were doing: what has no lease any more. A job that was begun as
/// often as it may be, and never ended, is dead itself: it may be what kills its workers.
pub(crate) async fn reclaim(platform: &Platform) -> Result<u64, DbErr> {
    let now = bodega_kernel::micros(platform.clock.now());
    let backend = platform.db.backend();
    let lost = "state = 'running' AND lease_until < $1";
    let values: [Value; 1] = [now.into()];
    let any = format!("SELECT 1 FROM job WHERE {lost} LIMIT 1");
    let any = Statement::from_sql_and_values(backend, any, values.clone());
    if platform.db.reader().query_one_raw(any).await?.is_none() {
        return Ok(0);
    }
    // Due at once, even if it was asked for again meanwhile, and for later.
    let sql = format!(
        "UPDATE job SET worker = NULL, lease_until = NULL, again = false, run_at = $1, \
         last_error = 'its worker died', \
         state = CASE WHEN attempts >= attempts_max THEN 'dead' ELSE 'pending' END WHERE {lost}"
    );
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(platform.db.writer().execute_raw(statement).await?.rows_affected())
}

/// Removes dead jobs that are kept no longer, the oldest first and some thousand a run; says how many.
pub async fn purge_dead(platform: &Platform) -> Result<u64, DbErr> {
    let days = Retention::of(platform).dead_jobs_days;
    let Some(before) = Retention::before(platform.clock.now(), days) else { return Ok(0) };
    let sql = "DELETE FROM job WHERE id IN (\
               SELECT id FROM job WHERE state = 'dead' AND run_at < $1 ORDER BY run_at LIMIT $2)";
    let values: [Value; 2] = [before.into(), DEAD_PURGED_MAX.into()];
    let statement = Statement::from_sql_and_values(platform.db.backend(), sql, values);
    Ok(platform.db.writer().execute_raw(statement).await?.rows_affected())
}

#[cfg(test)]
mod tests;
