//! What an operator wants to know of the queues.

use bodega_kernel::{Platform, Result};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde::Serialize;
use uuid::Uuid;

/// Jobs listed at once.
const LISTED_MAX: i64 = 200;

/// How a queue stands.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Figures {
    /// The queue.
    pub queue: String,
    /// `pending`, `running`, `dead`.
    pub state: String,
    /// How many jobs.
    pub jobs: i64,
    /// When the oldest was to run.
    pub oldest: Option<DateTime<Utc>>,
}

/// A job, for an operator.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct Listed {
    /// The job.
    pub id: Uuid,
    /// The queue.
    pub queue: String,
    /// Its key in the queue.
    pub unique_key: Option<String>,
    /// Whose.
    pub organization_id: Option<Uuid>,
    /// `pending`, `running`, `dead`.
    pub state: String,
    /// How often it was begun.
    pub attempts: i32,
    /// When it runs, or ran.
    pub run_at: DateTime<Utc>,
    /// The process that runs it.
    pub worker: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

impl Figures {
    /// Every queue and state there is.
    pub async fn read(platform: &Platform) -> Result<Vec<Self>> {
        let sql = "SELECT queue, state, count(*) AS jobs, min(run_at) AS oldest FROM job \
                   GROUP BY queue, state ORDER BY queue, state";
        let db = &platform.db;
        let statement = Statement::from_string(db.backend(), sql);
        Ok(Self::find_by_statement(statement).all(db.reader()).await?)
    }
}

impl Listed {
    /// The jobs in a state, the oldest first.
    pub async fn read(platform: &Platform, state: &str) -> Result<Vec<Self>> {
        let sql = "SELECT id, queue, unique_key, organization_id, state, attempts, run_at, \
                   worker, last_error FROM job WHERE state = $1 ORDER BY run_at LIMIT $2";
        let db = &platform.db;
        let values = [state.into(), LISTED_MAX.into()];
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        Ok(Self::find_by_statement(statement).all(db.reader()).await?)
    }

    /// Lets a dead job run again; whether there was one. Where the same was asked for again since,
    /// that one runs instead.
    pub async fn revive(platform: &Platform, id: Uuid) -> Result<bool> {
        let db = &platform.db;
        let now = bodega_kernel::micros(platform.clock.now());
        let sql = "UPDATE job SET state = 'pending', attempts = 0, run_at = $1 \
                   WHERE id = $2 AND state = 'dead' AND NOT EXISTS (SELECT 1 FROM job AS other \
                   WHERE other.queue = job.queue AND other.unique_key = job.unique_key \
                   AND other.state IN ('pending', 'running'))";
        let values = [now.into(), id.into()];
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        Ok(db.writer().execute_raw(statement).await?.rows_affected() == 1)
    }
}
