//! The schema, one file a step, the same on SQLite and PostgreSQL. See `README.md` for the rules.

mod added;
mod columns;
mod m20261120_000001_platform;
mod m20261120_000002_identity;
mod m20261120_000003_events;
mod m20261120_000004_catalog;
mod m20261120_000005_collections;
mod m20261120_000006_jobs;
mod m20261120_000007_webhooks;
mod m20261120_000008_trusted_documents;
mod m20261121_000001_endpoint_scopes;
mod m20261121_000010_key_lineage;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

use added::Added;
use columns::{bigint_null, text_null};

/// Every step, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Whole(m20261120_000001_platform::Migration)),
            Box::new(Whole(m20261120_000002_identity::Migration)),
            Box::new(Whole(m20261120_000003_events::Migration)),
            Box::new(Whole(m20261120_000004_catalog::Migration)),
            Box::new(Whole(m20261120_000005_collections::Migration)),
            Box::new(Whole(m20261120_000006_jobs::Migration)),
            Box::new(Whole(m20261120_000007_webhooks::Migration)),
            Box::new(Whole(m20261120_000008_trusted_documents::Migration)),
            Box::new(Whole(m20261121_000001_endpoint_scopes::Migration)),
            added("m20261121_000009_undecided", "webhook_health", || {
                bigint_null("undecided_since")
            }),
            Box::new(Whole(m20261121_000010_key_lineage::Migration)),
            added("m20261121_000011_brand_country", "brand", || text_null("country")),
        ]
    }
}

/// A step that only adds a column.
fn added(
    name: &'static str,
    table: &'static str,
    column: fn() -> ColumnDef,
) -> Box<dyn MigrationTrait> {
    Box::new(Whole(Added { name, table, column }))
}

/// A step that is done whole or not at all, also on SQLite, where that is not the default: a program
/// killed half way through one could never start again, because the tables were there already.
struct Whole<M>(M);

impl<M: MigrationName> MigrationName for Whole<M> {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl<M: MigrationTrait> MigrationTrait for Whole<M> {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
