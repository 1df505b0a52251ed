//! Jobs, their schedules, and the numbering of events.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{
    self, bigint, boolean, int, json, text, text_null, time, time_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &["job", "job_schedule", "event_stream"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut job = Table::create();
        job.table("job").col(uuid("id").primary_key());
        for column in [
            uuid_null("organization_id"),
            text("queue"),
            text_null("unique_key"),
            json("args"),
            int("priority"),
            text("state"),
            int("attempts"),
            int("attempts_max"),
            time("run_at"),
            time_null("lease_until"),
            text_null("worker"),
            boolean("again"),
            text_null("last_error"),
            time("created_at"),
        ] {
            job.col(column);
        }
        let schedule = Table::create()
            .table("job_schedule")
            .col(text("name").primary_key())
            .col(time("next_at"))
            .take();
        let stream = Table::create()
            .table("event_stream")
            .col(uuid("organization_id").primary_key())
            .col(bigint("last_sequence"))
            .take();
        columns::create(manager, vec![job, schedule, stream], Vec::new()).await?;
        let db = manager.get_connection();
        // Partial indexes, which the builder cannot say: small, because what is done leaves them.
        for index in [
            "CREATE UNIQUE INDEX job_unique_key_key ON job (queue, unique_key) \
             WHERE unique_key IS NOT NULL AND state IN ('pending', 'running')",
            "CREATE INDEX job_pending_idx ON job (queue, run_at) WHERE state = 'pending'",
            "CREATE INDEX job_running_idx ON job (queue, organization_id, lease_until) \
             WHERE state = 'running'",
            "CREATE INDEX job_dead_idx ON job (created_at) WHERE state = 'dead'",
        ] {
            db.execute_unprepared(index).await?;
        }
        // Events are numbered in the order they were written: SQLite keeps that order by itself,
        // PostgreSQL needs a column that the clocks of several nodes cannot confuse.
        let numbering: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &[
                "ALTER TABLE event ADD COLUMN position BIGINT GENERATED ALWAYS AS IDENTITY",
                "CREATE INDEX event_unnumbered_idx ON event (organization_id, position) \
                 WHERE sequence IS NULL",
            ],
            _ => &["CREATE INDEX event_unnumbered_idx ON event (organization_id) \
                    WHERE sequence IS NULL"],
        };
        for statement in numbering {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX event_unnumbered_idx").await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared("ALTER TABLE event DROP COLUMN position").await?;
        }
        columns::drop(manager, TABLES).await
    }
}
