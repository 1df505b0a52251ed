//! Statements that are run for most calls and of which only the values differ: their text is written
//! once, and the tree that SeaORM writes it from is not built again for each of them.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use entity::Owned;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait,
    IntoActiveModel, Iterable, QueryFilter, QuerySelect, QueryTrait, Statement, Value,
};
use uuid::Uuid;

/// Rows in an insertion whose text is kept.
const ROWS_KEPT_MAX: usize = 128;

/// What tells texts apart.
type Key = (TypeId, bool, Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// So many rows.
    Insert(usize),
    ById,
    ByIdLocked,
}

static TEXTS: LazyLock<RwLock<HashMap<Key, String>>> = LazyLock::new(RwLock::default);

/// The text of a statement; written the first time.
fn text<E: 'static>(backend: DbBackend, kind: Kind, write: impl FnOnce() -> String) -> String {
    let key = (TypeId::of::<E>(), backend == DbBackend::Postgres, kind);
    let known = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    known.unwrap_or_else(|| {
        let text = write();
        TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.clone());
        text
    })
}

/// Writes rows. Only for what needs no event of its own, or notes one.
#[expect(clippy::disallowed_methods, reason = "its callers say why they write")]
pub(crate) async fn insert<M>(
    db: &impl ConnectionTrait,
    rows: impl ExactSizeIterator<Item = M>,
) -> Result<(), DbErr>
where
    M: IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> + sea_orm::ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: Send + Clone,
{
    let (backend, count) = (db.get_database_backend(), rows.len());
    let rows: Vec<_> = rows.map(IntoActiveModel::into_active_model).collect();
    if count == 0 {
        return Ok(());
    }
    let kept = count.is_power_of_two() && count <= ROWS_KEPT_MAX;
    match kept.then(|| values::<M::Entity>(&rows)).flatten() {
        Some(values) => {
            let write =
                || <M::Entity as EntityTrait>::insert_many(rows.iter().cloned()).build(backend).sql;
            let sql = text::<M::Entity>(backend, Kind::Insert(count), write);
            db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        None => {
            <M::Entity as EntityTrait>::insert_many(rows).exec_without_returning(db).await?;
        }
    }
    Ok(())
}

/// The values of whole rows, in the order of their columns.
fn values<E: EntityTrait>(rows: &[E::ActiveModel]) -> Option<Vec<Value>> {
    let value = |row: &E::ActiveModel, column| match row.get(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
        ActiveValue::NotSet => None,
    };
    rows.iter().flat_map(|row| E::Column::iter().map(move |column| value(row, column))).collect()
}

/// An object of an organization; locked until the end of the transaction where that is asked for, on
/// PostgreSQL.
pub(crate) fn by_id<E: Owned>(
    backend: DbBackend,
    organization: Uuid,
    id: Uuid,
    locked: bool,
) -> Statement {
    let locked = locked && backend == DbBackend::Postgres;
    let kind = if locked { Kind::ByIdLocked } else { Kind::ById };
    let sql = text::<E>(backend, kind, || {
        let query = E::of(organization).filter(E::ID.eq(id)).limit(1);
        let query = if locked { query.lock_exclusive() } else { query };
        query.build(backend).sql
    });
    let values: [Value; 3] = [organization.into(), id.into(), 1_u64.into()];
    Statement::from_sql_and_values(backend, sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That the values stand in the order in which the text asks for them.
    #[test]
    fn it_is_the_statement_that_sea_orm_writes() {
        type Brand = entity::catalog::brand::Entity;
        let (organization, id) = (Uuid::now_v7(), Uuid::now_v7());
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            for _ in 0..2 {
                let plain = Brand::of(organization).filter(Brand::ID.eq(id)).limit(1);
                assert_eq!(by_id::<Brand>(backend, organization, id, false), plain.build(backend));
            }
        }
        let locked = by_id::<Brand>(DbBackend::Postgres, organization, id, true);
        assert!(locked.sql.ends_with("FOR UPDATE"), "{}", locked.sql);
    }
}
