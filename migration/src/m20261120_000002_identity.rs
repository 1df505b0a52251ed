//! Organizations, keys, and the two logs of what they did.

use sea_orm_migration::prelude::*;

use crate::columns::{
    self, bigint, bytes, int, json, json_null, stored, stored_indexes, text, text_null, time,
    time_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] =
    &["organization", "api_key", "audit_entry", "request_log", "deprecated_use"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut organization = Table::create()
            .table("organization")
            .col(uuid("id").primary_key())
            .col(text("name"))
            .col(text("mode"))
            .col(uuid_null("sandbox_of"))
            .col(text("country"))
            .col(text("currency"))
            .col(text("language"))
            .col(text("time_zone"))
            .take();
        columns::standard(&mut organization);
        let key = stored(
            "api_key",
            vec![
                text("name"),
                bytes("hash"),
                text("hint"),
                json("scopes"),
                text("plan"),
                int("per_minute"),
                int("per_day"),
                text("api_version"),
                json("allowed_ips"),
                json("allowed_origins"),
                uuid_null("rotated_from_id"),
                time_null("expires_at"),
                time_null("revoked_at"),
                time_null("last_used_at"),
            ],
        );
        let audit = columns::owned(
            "audit_entry",
            vec![
                text("operation"),
                text("object_type"),
                text("object_id"),
                text("actor_type"),
                text_null("actor_id"),
                text_null("ip"),
                text_null("user_agent"),
                uuid("request_id"),
                text("traceparent"),
                json_null("before"),
                json_null("after"),
                time("created_at"),
            ],
        );
        let request = columns::owned(
            "request_log",
            vec![
                uuid_null("key_id"),
                text("door"),
                text("operation"),
                text("method"),
                text("path"),
                int("status"),
                text_null("code"),
                bigint("duration_us"),
                text_null("ip"),
                text_null("user_agent"),
                text("api_version"),
                text_null("idempotency_key"),
                time("created_at"),
            ],
        );
        let deprecated = columns::owned(
            "deprecated_use",
            vec![
                uuid("key_id"),
                text("subject"),
                text("sunset"),
                text("instead"),
                bigint("calls"),
                time("created_at"),
                time("last_used_at"),
            ],
        );
        let mut indexes = vec![
            columns::unique("deprecated_use", &["organization_id", "key_id", "subject"]),
            columns::index("deprecated_use", &["organization_id", "created_at", "id"]),
            columns::unique("api_key", &["hash"]),
            columns::index("audit_entry", &["organization_id", "created_at", "id"]),
            columns::index("audit_entry", &["organization_id", "object_id", "id"]),
            columns::index("request_log", &["organization_id", "created_at", "id"]),
        ];
        indexes.extend(stored_indexes("api_key"));
        columns::create(manager, vec![organization, key, audit, request, deprecated], indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, TABLES).await
    }
}
