//! A step that only adds a column.

use sea_orm_migration::prelude::*;

/// Adds a column to a table.
pub(crate) struct Added {
    /// The step's name: `m20261121_000009_undecided`.
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) column: fn() -> ColumnDef,
}

impl MigrationName for Added {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Added {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter().table(self.table).add_column((self.column)()).to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = (self.column)().get_column_name();
        let change = Table::alter().table(self.table).drop_column(name).to_owned();
        manager.alter_table(change).await
    }
}
