//! Webhook endpoints, deliveries and attempts.

use sea_orm_migration::prelude::*;

use crate::columns::{
    self, bigint, bigint_null, boolean, int, json, json_null, text, text_null, time, time_null,
    uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] =
    &["webhook_endpoint", "webhook_health", "webhook_delivery", "webhook_attempt"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = vec![endpoint(), health(), delivery(), attempt()];
        let mut indexes = columns::stored_indexes("webhook_endpoint");
        indexes.extend([
            columns::index("webhook_endpoint", &["organization_id", "url"]),
            columns::index("webhook_delivery", &["organization_id", "created_at", "id"]),
            columns::index("webhook_delivery", &["organization_id", "event_id"]),
            columns::index("webhook_delivery", &["organization_id", "endpoint_id", "created_at"]),
            columns::index("webhook_attempt", &["organization_id", "delivery_id"]),
            columns::index("webhook_attempt", &["organization_id", "created_at", "id"]),
        ]);
        columns::create(manager, tables, indexes).await?;
        let db = manager.get_connection();
        for index in [
            "CREATE INDEX webhook_delivery_due_idx ON webhook_delivery \
             (endpoint_id, due_at, id) WHERE state = 'pending'",
            "CREATE INDEX webhook_delivery_order_idx ON webhook_delivery \
             (endpoint_id, object_id, sequence) WHERE state = 'pending'",
        ] {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, TABLES).await
    }
}

fn endpoint() -> TableCreateStatement {
    columns::stored(
        "webhook_endpoint",
        vec![
            text("url"),
            text("description"),
            json("event_types"),
            text_null("filter"),
            json("changed_fields"),
            json("fields"),
            text_null("selection"),
            json_null("selection_scopes"),
            json("custom_header_names"),
            text("custom_headers"),
            text("ordering"),
            ColumnDef::new("rate_limit_per_second").integer().to_owned(),
            text("api_version"),
            int("payload_days"),
            text("state"),
            text_null("disabled_reason"),
            json("secrets"),
            time_null("tested_at"),
            time_null("replayed_at"),
        ],
    )
}

fn health() -> TableCreateStatement {
    columns::owned(
        "webhook_health",
        vec![
            bigint("consecutive_failures"),
            time_null("last_success_at"),
            time_null("last_failure_at"),
            text_null("last_failure"),
            time_null("probe_at"),
            time_null("held_until"),
            int("probes"),
            bigint_null("last_sequence"),
        ],
    )
}

fn delivery() -> TableCreateStatement {
    columns::owned(
        "webhook_delivery",
        vec![
            uuid("endpoint_id"),
            uuid("event_id"),
            text("event_type"),
            text("object_id"),
            bigint_null("sequence"),
            bigint_null("previous_sequence"),
            text("reason"),
            text("state"),
            int("attempts"),
            time("due_at"),
            text_null("last_outcome"),
            ColumnDef::new("last_status").integer().to_owned(),
            text_null("payload"),
            time_null("finished_at"),
            bigint("version"),
            time("created_at"),
            time("updated_at"),
        ],
    )
}

fn attempt() -> TableCreateStatement {
    columns::owned(
        "webhook_attempt",
        vec![
            uuid("delivery_id"),
            uuid("endpoint_id"),
            uuid("event_id"),
            int("number"),
            text("outcome"),
            text("reason"),
            ColumnDef::new("status").integer().to_owned(),
            bigint("duration_us"),
            text_null("address"),
            json("response_headers"),
            text_null("response_body"),
            boolean("response_truncated"),
            time("created_at"),
        ],
    )
}
