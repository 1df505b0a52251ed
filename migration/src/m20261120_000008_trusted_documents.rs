//! GraphQL documents that an organization trusts, and whether it allows no other.

use sea_orm_migration::prelude::*;

use crate::columns::{self, boolean, index, stored, stored_indexes, text, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "trusted_document";
const ONLY: &str = "trusted_documents_only";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let own = vec![text("name"), text("sha256"), text("text")];
        let mut indexes = stored_indexes(TABLE);
        indexes.extend([
            unique(TABLE, &["organization_id", "sha256"]),
            index(TABLE, &["organization_id", "name", "id"]),
        ]);
        columns::create(manager, vec![stored(TABLE, own)], indexes).await?;
        let only = boolean(ONLY).default(false).to_owned();
        let change = Table::alter().table("organization").add_column(only).to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter().table("organization").drop_column(ONLY).to_owned();
        manager.alter_table(change).await?;
        columns::drop(manager, &[TABLE]).await
    }
}
