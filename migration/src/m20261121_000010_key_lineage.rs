//! Which key made a key, which replaced it, and under whose ids its calls are counted.

use sea_orm_migration::prelude::*;

use crate::columns::{index, json_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "api_key";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let own = [
            uuid_null("created_by_id"),
            uuid_null("rotated_to_id"),
            uuid_null("counted_as_id"),
            json_null("lineage"),
        ];
        for column in own {
            let change = Table::alter().table(TABLE).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        manager.create_index(index(TABLE, &["organization_id", "counted_as_id"])).await?;
        manager
            .create_index(index(TABLE, &["organization_id", "revoked_at", "per_minute"]))
            .await?;
        let db = manager.get_connection();
        db.execute_unprepared("UPDATE api_key SET counted_as_id = id").await?;
        // A key that was replaced stays so.
        db.execute_unprepared(
            "UPDATE api_key SET rotated_to_id = later.id FROM api_key AS later \
             WHERE later.rotated_from_id = api_key.id",
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for columns in ["counted_as_id", "revoked_at_per_minute"] {
            let name = format!("{TABLE}_organization_id_{columns}_idx");
            manager.drop_index(Index::drop().name(name).table(TABLE).to_owned()).await?;
        }
        for column in ["created_by_id", "rotated_to_id", "counted_as_id", "lineage"] {
            let change = Table::alter().table(TABLE).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
