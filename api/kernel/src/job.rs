//! Work to be done beside the calls. A job is a row written in the transaction of the change that
//! asks for it, so that neither is there without the other; workers take it from there.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

use crate::in_powers_of_two;

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
        // In the same order everywhere, so that no two transactions wait for each other's rows; and
        // each once, because one statement asks for many.
        let mut jobs: Vec<&Self> = jobs.iter().collect();
        jobs.sort_by(|a, b| (a.queue, &a.key, a.run_at).cmp(&(b.queue, &b.key, b.run_at)));
        jobs.dedup_by(|b, a| a.key.is_some() && (a.queue, &a.key) == (b.queue, &b.key));
        for jobs in in_powers_of_two(&jobs) {
            let row = |at: usize| {
                let [a, b, c, d, e, f, g, h, i] = std::array::from_fn(|column| at * 9 + column + 1);
                format!(
                    "(${a}, ${b}, ${c}, ${d}, ${e}, ${f}, 'pending', 0, ${g}, ${h}, false, ${i})"
                )
            };
            let rows: Vec<String> = (0..jobs.len()).map(row).collect();
            let sql = format!(
                "INSERT INTO job (id, organization_id, queue, unique_key, args, priority, state, \
                 attempts, attempts_max, run_at, again, created_at) VALUES {} \
                 ON CONFLICT (queue, unique_key) \
                 WHERE unique_key IS NOT NULL AND state IN ('pending', 'running') \
                 DO UPDATE SET run_at = CASE WHEN job.state = 'running' AND NOT job.again \
                 THEN excluded.run_at ELSE {least}(job.run_at, excluded.run_at) END, \
                 priority = excluded.priority, again = job.state = 'running'",
                rows.join(", ")
            );
            let values = jobs.iter().flat_map(|job| job.values(now));
            db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        Ok(())
    }

    fn values(&self, now: DateTime<Utc>) -> [Value; 9] {
        [
            Uuid::now_v7().into(),
            self.organization.into(),
            self.queue.into(),
            self.key.clone().into(),
            self.args.clone().into(),
            self.priority.into(),
            self.attempts_max.into(),
            self.run_at.into(),
            now.into(),
        ]
    }
}
