//! The event log.

use sea_orm_migration::prelude::*;

use crate::columns::{self, bigint, bigint_null, json, json_null, text, text_null, time, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &["event"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let event = columns::owned(
            "event",
            vec![
                bigint_null("sequence"),
                text("type"),
                text("object_type"),
                text("object_id"),
                bigint("object_version"),
                text("api_version"),
                text("actor_type"),
                text_null("actor_id"),
                uuid("request_id"),
                text("traceparent"),
                json("data"),
                json_null("previous"),
                time("created_at"),
            ],
        );
        let indexes = vec![
            columns::index("event", &["organization_id", "created_at", "id"]),
            columns::index("event", &["organization_id", "object_id", "id"]),
            columns::unique("event", &["organization_id", "sequence"]),
        ];
        columns::create(manager, vec![event], indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, TABLES).await
    }
}
