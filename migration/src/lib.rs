//! The schema, one file a step, the same on SQLite and PostgreSQL. See `README.md` for the rules.

mod columns;
mod m20261120_000001_platform;
mod m20261120_000002_identity;
mod m20261120_000003_events;
mod m20261120_000004_catalog;
mod m20261120_000005_collections;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Every step, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_platform::Migration),
            Box::new(m20261120_000002_identity::Migration),
            Box::new(m20261120_000003_events::Migration),
            Box::new(m20261120_000004_catalog::Migration),
            Box::new(m20261120_000005_collections::Migration),
        ]
    }
}
