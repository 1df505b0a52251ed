//! From which event on an endpoint's filter, which took too much, has decided nothing.

use sea_orm_migration::prelude::*;

use crate::columns::bigint_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SINCE: &str = "undecided_since";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let since = bigint_null(SINCE);
        let change = Table::alter().table("webhook_health").add_column(since).to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter().table("webhook_health").drop_column(SINCE).to_owned();
        manager.alter_table(change).await
    }
}
