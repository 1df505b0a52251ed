//! Collections: products picked to be shown together.

use sea_orm_migration::prelude::*;

use crate::columns::{self, index, json, stored, stored_indexes, text, text_null, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let own = vec![text("title"), text("slug"), text_null("description"), json("product_ids")];
        let mut indexes = stored_indexes("collection");
        indexes.extend([
            unique("collection", &["organization_id", "slug"]),
            index("collection", &["organization_id", "title", "id"]),
        ]);
        columns::create(manager, vec![stored("collection", own)], indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["collection"]).await
    }
}
