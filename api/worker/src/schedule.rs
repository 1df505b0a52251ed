//! What recurs: each chore has a cron line, and a row that says when it is next due. The node that
//! moves the row on enqueues the job, in one transaction, so that it is started once.

use std::time::Duration;

use bodega_kernel::{Job, Platform, Problem, Result};
use chrono::{DateTime, Utc};
use croner::Cron;
use entity::platform::job_schedule;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, Statement};
use tokio::sync::watch;

const TICK: Duration = Duration::from_secs(1);

/// A chore that recurs.
#[derive(Clone, Copy, Debug)]
pub struct Chore {
    /// What it is called, in the table and in its job's arguments.
    pub name: &'static str,
    /// When, as cron has it, in UTC; six fields where it has seconds.
    pub cron: &'static str,
    /// The queue that does it.
    pub queue: &'static str,
}

impl Chore {
    fn next(&self, after: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let parser =
            croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional);
        let cron: Cron = parser.build().parse(self.cron).map_err(Problem::internal)?;
        cron.find_next_occurrence(&after, false).map_err(Problem::internal)
    }
}

pub(crate) async fn run(platform: &Platform, chores: &[Chore], mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        for chore in chores {
            if let Err(problem) = tick(platform, chore).await {
                tracing::warn!(%problem, chore = chore.name, "a chore was not started");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Starts a chore if it is due; whether it was started here.
#[expect(clippy::disallowed_methods, reason = "the platform's own row")]
pub async fn tick(platform: &Platform, chore: &Chore) -> Result<bool> {
    let db = &platform.db;
    let now = bodega_kernel::micros(platform.clock.now());
    let read = "SELECT next_at FROM job_schedule WHERE name = $1";
    let read = Statement::from_sql_and_values(db.backend(), read, [chore.name.into()]);
    let Some(row) = db.reader().query_one_raw(read).await? else {
        let row = job_schedule::Model { name: chore.name.to_owned(), next_at: chore.next(now)? };
        job_schedule::Entity::insert(row.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(db.writer())
            .await?;
        return Ok(false);
    };
    let due: DateTime<Utc> = row.try_get("", "next_at")?;
    if due > now {
        return Ok(false);
    }
    let tx = db.begin().await?;
    let moved = tx
        .execute_raw(Statement::from_sql_and_values(
            db.backend(),
            "UPDATE job_schedule SET next_at = $1 WHERE name = $2 AND next_at = $3",
            [chore.next(now)?.into(), chore.name.into(), due.into()],
        ))
        .await?;
    if moved.rows_affected() == 1 {
        let mut job = Job::new(chore.queue, serde_json::json!({"chore": chore.name}), now);
        job.key = Some(chore.name.to_owned());
        Job::push(&tx, &[job], now).await?;
    }
    tx.commit().await?;
    Ok(moved.rows_affected() == 1)
}
