//! The scopes that bound what an endpoint is sent.

use sea_orm_migration::prelude::*;

use crate::columns::json;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "webhook_endpoint";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Of an endpoint with a selection, the scopes of whoever set it are known: they bound the rest
    /// too. Of the others nobody knows any more who made them, and what they are sent must not stop
    /// because the program is newer: they keep everything until somebody sets what they are sent.
    /// So does what the program before makes while both run. `selection_scopes`, which it still
    /// reads, goes with the next release.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let scopes = json("scopes").default(r#"["*"]"#).to_owned();
        manager.alter_table(Table::alter().table(TABLE).add_column(scopes).to_owned()).await?;
        let known = "UPDATE webhook_endpoint SET scopes = selection_scopes \
                     WHERE selection_scopes IS NOT NULL";
        manager.get_connection().execute_unprepared(known).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).drop_column("scopes").to_owned()).await
    }
}
