//! What the tables have in common, so that a step states only what is its own.
//!
//! Names are derived, because the kernel reads them back from a violated constraint: a unique index
//! is `{table}_{column}_key` (its last column is the one the caller can change), any other is
//! `{table}_{columns}_idx`.

use sea_orm_migration::prelude::*;

/// A column of text.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

/// A column of text that may be empty.
pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().to_owned()
}

/// A 64-bit number.
pub(crate) fn bigint(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

/// A 64-bit number that may be missing.
pub(crate) fn bigint_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

/// A 32-bit number.
pub(crate) fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().to_owned()
}

/// Yes or no.
pub(crate) fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().to_owned()
}

/// A UUID.
pub(crate) fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

/// A UUID that may be missing.
pub(crate) fn uuid_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().to_owned()
}

/// A JSON document, kept as it was written: `json`, not `jsonb`, so that the order of keys stays.
pub(crate) fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json().not_null().to_owned()
}

/// A JSON document that may be missing.
pub(crate) fn json_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json().to_owned()
}

/// Bytes.
pub(crate) fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().to_owned()
}

/// An instant.
pub(crate) fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().to_owned()
}

/// An instant that may be missing.
pub(crate) fn time_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().to_owned()
}

/// A table of an organization's rows: `id`, `organization_id` and `own` columns.
pub(crate) fn owned(table: &'static str, own: Vec<ColumnDef>) -> TableCreateStatement {
    let mut create = Table::create();
    create.table(table).col(uuid("id").primary_key()).col(uuid("organization_id"));
    for column in own {
        create.col(column);
    }
    create.take()
}

/// A table of stored objects: [`owned`] with `external_id`, `metadata`, `version` and times.
pub(crate) fn stored(table: &'static str, own: Vec<ColumnDef>) -> TableCreateStatement {
    let mut create = owned(table, own);
    standard(&mut create);
    create.foreign_key(&mut reference(table, "organization_id", "organization"));
    create
}

/// The columns every stored object ends with.
pub(crate) fn standard(create: &mut TableCreateStatement) {
    create
        .col(text_null("external_id"))
        .col(json("metadata"))
        .col(bigint("version"))
        .col(time("created_at"))
        .col(time("updated_at"));
}

/// A foreign key to another table's `id`; a row that is pointed at cannot go.
pub(crate) fn reference(
    table: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_fkey"))
        .from(table, column)
        .to(to, "id")
        .on_delete(ForeignKeyAction::Restrict)
        .take()
}

/// A plain index.
pub(crate) fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut create = Index::create();
    create.name(format!("{table}_{}_idx", columns.join("_"))).table(table);
    for column in columns {
        create.col(*column);
    }
    create.take()
}

/// A unique index, named after its last column.
pub(crate) fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut create = index(table, columns);
    let named = columns.last().copied().unwrap_or_default();
    create.name(format!("{table}_{named}_key")).unique();
    create
}

/// The two indexes every stored object has: its list's order, and its caller's own id.
pub(crate) fn stored_indexes(table: &'static str) -> Vec<IndexCreateStatement> {
    vec![
        index(table, &["organization_id", "created_at", "id"]),
        unique(table, &["organization_id", "external_id"]),
    ]
}

/// Makes tables, then indexes.
pub(crate) async fn create(
    manager: &SchemaManager<'_>,
    tables: Vec<TableCreateStatement>,
    indexes: Vec<IndexCreateStatement>,
) -> Result<(), DbErr> {
    for table in tables {
        manager.create_table(table).await?;
    }
    for index in indexes {
        manager.create_index(index).await?;
    }
    Ok(())
}

/// Drops tables, last made first.
pub(crate) async fn drop(
    manager: &SchemaManager<'_>,
    tables: &[&'static str],
) -> Result<(), DbErr> {
    for table in tables.iter().rev().copied() {
        manager.drop_table(Table::drop().table(table).take()).await?;
    }
    Ok(())
}
