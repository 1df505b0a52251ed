//! What the platform keeps for itself.

use sea_orm_migration::prelude::*;

use crate::columns::{self, bigint, bytes, int, json, text, time, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &["setting", "idempotency_record", "key_usage"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let setting = Table::create()
            .table("setting")
            .col(text("name").primary_key())
            .col(text("value"))
            .take();
        let idempotency = Table::create()
            .table("idempotency_record")
            .col(uuid("organization_id"))
            .col(text("idempotency_key"))
            .col(bytes("fingerprint"))
            .col(int("status"))
            .col(json("body"))
            .col(time("created_at"))
            .primary_key(Index::create().col("organization_id").col("idempotency_key"))
            .take();
        let usage = Table::create()
            .table("key_usage")
            .col(uuid("key_id"))
            .col(ColumnDef::new("day").date().not_null())
            .col(bigint("calls"))
            .primary_key(Index::create().col("key_id").col("day"))
            .take();
        let indexes = vec![columns::index("idempotency_record", &["created_at"])];
        columns::create(manager, vec![setting, idempotency, usage], indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, TABLES).await
    }
}
