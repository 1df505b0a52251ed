//! Work to be done beside the calls. A job is a row written in the transaction of the change that
//! asks for it, so that neither is there without the other; workers take it from there.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

/// How often a job is tried where nobody says otherwise.
const ATTEMPTS_MAX: i32 = 12;

/// Something to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The queue, and with it the function that does it.
    pub queue: &'static str,
    /// Of the jobs of a queue with the same key only one waits or runs. Asking again while it runs
    /// makes it run once more; while it waits, at the earlier of both times.
    pub key: Option<String>,
    /// What to do it with.
    pub args: serde_json::Value,
    /// Whose work it is.
    pub organization: Option<Uuid>,
    /// Not before.
    pub run_at: DateTime<Utc>,
    /// Higher first.
    pub priority: i32,
    /// After so many failures it is dead: kept and listed, but not tried again.
    pub attempts_max: i32,
}

impl Job {
    /// A job to do at `run_at`.
    pub fn new(queue: &'static str, args: serde_json::Value, run_at: DateTime<Utc>) -> Self {
        Self {
            queue,
            key: None,
            args,
            organization: None,
            run_at,
            priority: 0,
            attempts_max: ATTEMPTS_MAX,
        }
    }

    /// Writes jobs; those that are asked for already are not doubled.
    pub async fn push(
        db: &impl ConnectionTrait,
        jobs: &[Self],
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let backend = db.get_database_backend();
        let least = if backend == DbBackend::Postgres { "least" } else { "min" };
        let sql = format!(
            "INSERT INTO job (id, organization_id, queue, unique_key, args, priority, state, \
             attempts, attempts_max, run_at, again, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8, false, $9) \
             ON CONFLICT (queue, unique_key) \
             WHERE unique_key IS NOT NULL AND state IN ('pending', 'running') \
             DO UPDATE SET run_at = CASE WHEN job.state = 'running' AND NOT job.again \
             THEN excluded.run_at ELSE {least}(job.run_at, excluded.run_at) END, \
             priority = excluded.priority, again = job.state = 'running'"
        );
        // In the same order everywhere, so that no two transactions wait for each other's rows.
        let mut jobs: Vec<&Self> = jobs.iter().collect();
        jobs.sort_by(|a, b| (a.queue, &a.key).cmp(&(b.queue, &b.key)));
        for job in jobs {
            let values: [Value; 9] = [
                Uuid::now_v7().into(),
                job.organization.into(),
                job.queue.into(),
                job.key.clone().into(),
                job.args.clone().into(),
                job.priority.into(),
                job.attempts_max.into(),
                job.run_at.into(),
                now.into(),
            ];
            db.execute_raw(Statement::from_sql_and_values(backend, &sql, values)).await?;
        }
        Ok(())
    }
}
