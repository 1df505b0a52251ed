//! Pages of many lists at once: one statement reads the page of each, whatever the lists hold.

use std::collections::HashMap;

use entity::Owned;
use sea_orm::sea_query::{
    Expr, ExprTrait, Func, IntoIden, JoinType, Order, Query, SelectStatement, TableRef, WithClause,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, Iterable,
    ModelTrait, QueryResult, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::linked::{Around, id_of};
use crate::through::{LIST, cte, list_of_member};
use crate::{Cx, Filter, FilterValue, Linked, ListQuery, Noun, Op, Result, Row, Through, problem};

/// How many lists one link may begin to read.
pub const LISTS_MAX: usize = 1_000;

/// What a row of a statement says beside its columns: the list that it is on.
const ON: &str = "on_list";

/// The lists that a statement reads.
pub(crate) enum Lists<'a, C> {
    /// One for each of these, of the rows that name it in a column.
    Naming(C, &'a [Uuid]),
    /// One for each of these, of the rows that it finds.
    Found(&'a Through, &'a [Uuid]),
    /// A single one, of the rows that any of these finds.
    FoundByAny(&'a Through, &'a [Uuid]),
}

/// The order of a list, and how many rows of it.
#[derive(Clone, Copy)]
pub(crate) struct Cut<C> {
    pub(crate) sort: C,
    pub(crate) ascending: bool,
    pub(crate) limit: u64,
}

impl<C: IdenStatic> Cut<C> {
    fn order(&self, rows: &mut SelectStatement, table: &'static str, id: &'static str) {
        let order = self.direction();
        rows.order_by((table, self.sort.as_str()), order.clone()).order_by((table, id), order);
    }

    fn direction(&self) -> Order {
        if self.ascending { Order::Asc } else { Order::Desc }
    }
}

/// The statement that reads a page of each list, of these rows: their columns, and [`ON`] which list.
pub(crate) fn statement<E: Owned>(
    organization: Uuid,
    backend: DbBackend,
    rows: Select<E>,
    lists: &Lists<'_, E::Column>,
    cut: Cut<E::Column>,
) -> SelectStatement {
    let (table, id) = (E::default().table_name(), E::ID.as_str());
    let rows = rows.select_only().column_as(E::ID, "id").column_as(cut.sort, "placed").into_query();
    let finish = |rows: &mut SelectStatement| {
        // As they are selected: what they are placed by first among equals is the id.
        let order = cut.direction();
        rows.order_by("placed", order.clone()).order_by("id", order).limit(cut.limit);
    };
    let ids = match lists {
        Lists::Naming(column, _) => {
            let mut rows = rows;
            rows.and_where(Expr::col((table, column.as_str())).equals((LIST, "id")));
            finish(&mut rows);
            Query::select().column(("page", "id")).from_subquery(rows, "page").take()
        }
        Lists::Found(through, _) => through.page(backend, &rows, table, id, None, finish),
        Lists::FoundByAny(through, by) => through.page(backend, &rows, table, id, Some(by), finish),
    };
    let mut whole = Query::select();
    for column in E::Column::iter() {
        let shown = column.select_as(Expr::col((table, column.as_str())));
        whole.expr_as(shown, column.as_str());
    }
    whole.expr_as(Expr::col((LIST, "id")), ON).from(LIST);
    match backend {
        DbBackend::Postgres => {
            // One row at a time by its id, whatever PostgreSQL thinks of how many there are.
            let row = Query::select()
                .expr(Expr::cust("*"))
                .from(table)
                .and_where(Expr::col((table, id)).equals(("found", "id")))
                .offset(0)
                .take();
            whole.join_lateral(JoinType::InnerJoin, ids, "found", Expr::cust("TRUE")).join_lateral(
                JoinType::InnerJoin,
                row,
                table,
                Expr::cust("TRUE"),
            )
        }
        // Which joins nothing to what stands beside it, but a function; and cross joins it does in the
        // order given. Were the ids a condition, it would read the whole table for them whenever it
        // takes that for small, as it was when it last looked, and find the ids anew for each row.
        _ => {
            let hex = Func::cust("hex").arg(Expr::col(("ids", "id")));
            let ids = Query::select()
                .expr(Func::cust("json_group_array").arg(hex))
                .from_subquery(ids, "ids")
                .take();
            let each = Func::cust("json_each").arg(Expr::SubQuery(None, Box::new(ids.into())));
            let each = TableRef::FunctionCall(each, "found".into_iden());
            let found = Func::cust("unhex").arg(Expr::col(("found", "value")));
            whole
                .cross_join(each)
                .cross_join(table)
                .and_where(Expr::col((table, id)).eq(Expr::from(found)))
        }
    };
    cut.order(&mut whole, table, id);
    whole.with_cte(with(backend, organization, lists)).take()
}

/// The statement that counts the rows of each list: [`ON`] which list, and how many; no row, where
/// there are none.
pub(crate) fn counts<E: Owned>(
    organization: Uuid,
    backend: DbBackend,
    rows: Select<E>,
    lists: &Lists<'_, E::Column>,
) -> SelectStatement {
    let (table, id) = (E::default().table_name(), E::ID.as_str());
    let mut rows = rows.select_only().into_query();
    let (of, through) = match lists {
        Lists::Naming(column, of) => {
            let column = Expr::col((table, column.as_str()));
            rows.and_where(column.clone().is_in(of.iter().copied()));
            (column, None)
        }
        Lists::Found(through, _) | Lists::FoundByAny(through, _) => {
            (list_of_member(), Some(through))
        }
    };
    if let Some(through) = through {
        rows = through.all(rows, table, id);
        rows.with_cte(with(backend, organization, lists));
    }
    let found = Expr::col((table, id));
    // What several find on one list is there once.
    let count = if through.is_some() { found.count_distinct() } else { found.count() };
    rows.expr_as(of.clone(), ON).expr_as(count, "rows_count").add_group_by([of]).take()
}

fn with<C>(backend: DbBackend, organization: Uuid, lists: &Lists<'_, C>) -> WithClause {
    let itself = |ids: &[Uuid]| ids.iter().map(|id| (*id, *id)).collect::<Vec<_>>();
    match lists {
        Lists::Naming(_, of) => {
            let given = of.iter().copied();
            let of = Query::select().expr(Expr::cust("*")).from_values(given, "given").take();
            WithClause::new().cte(cte(LIST, &["id"], of)).clone()
        }
        Lists::Found(through, of) => through.with(backend, organization, &itself(of)),
        Lists::FoundByAny(through, by) => {
            let all: Vec<_> = by.iter().map(|id| (Uuid::nil(), *id)).collect();
            through.with(backend, organization, &all)
        }
    }
}

/// One list of a link under way.
struct Open {
    context: Vec<u8>,
    rows: u64,
    around: Around,
}

impl Cx {
    /// How many rows there are on each of these lists.
    pub(crate) async fn count_lists<E: Owned>(
        &self,
        rows: Select<E>,
        lists: &Lists<'_, E::Column>,
    ) -> Result<HashMap<Uuid, u64>> {
        let backend = self.db().get_database_backend();
        let statement = counts(self.organization, backend, rows, lists);
        let mut found = HashMap::new();
        let rows = crate::db::bounded(self.db().query_all_raw(backend.build(&statement))).await?;
        for row in rows {
            let count: i64 = row.try_get("", "rows_count")?;
            found.insert(row.try_get("", ON)?, count.unsigned_abs());
        }
        Ok(found)
    }

    /// A page of the list that each of these objects has: of what is found by the filter `by` with its
    /// id. All are read by one statement, and counted by one more where `query` asks for it. A cursor
    /// is of the list of one object, and of the resource's own list filtered by that object.
    pub async fn pages_of<V: Noun>(
        &self,
        by: &Filter,
        objects: Vec<Uuid>,
        query: &ListQuery,
    ) -> Result<Linked>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
        <V::Entity as EntityTrait>::Column: Copy,
    {
        if objects.len() > LISTS_MAX {
            return Err(crate::budget::exceeded(
                &problem::EXPANSION_TOO_LARGE,
                "lists",
                LISTS_MAX as u64,
            ));
        }
        let mut open = HashMap::with_capacity(objects.len());
        let mut place = None;
        for object in &objects {
            let values = vec![FilterValue::Uuid(*object)];
            let own = Filter { op: Op::Eq, values, ..by.clone() };
            let filters = std::iter::once(own).chain(query.filters.iter().cloned()).collect();
            let context = self.context::<V>(&ListQuery { filters, ..query.clone() })?;
            if let Some(token) = &query.cursor {
                place = Some(self.open(&context, token)?);
            }
            open.insert(*object, Open { context, rows: 0, around: Around::default() });
        }
        let column = crate::page::column::<V::Entity>;
        let lists = match &by.through {
            Some(through) => Lists::Found(through, &objects),
            None => Lists::Naming(column(&by.field)?, &objects),
        };
        let (mut rows, through) =
            self.filtered::<V>(V::Entity::of(self.organization), query, false)?;
        debug_assert!(through.is_none(), "all filters are conditions");
        if query.count {
            let mut counted = self.count_lists(rows.clone(), &lists).await?;
            for (object, list) in &mut open {
                list.around.total_count = Some(counted.remove(object).unwrap_or_default());
            }
        }
        let cut = Cut {
            sort: column(&query.sort.field)?,
            ascending: !query.sort.descending,
            limit: query.limit + 1,
        };
        if let Some(place) = &place {
            rows = crate::page::from_place::<V::Entity>(rows, place, cut.sort, cut.ascending);
        }
        let backend = self.db().get_database_backend();
        let statement = statement(self.organization, backend, rows, &lists, cut);
        let mut linked = Linked::default();
        let rows = sea_orm::StreamTrait::stream_raw(self.db(), backend.build(&statement));
        self.each(rows, |found: QueryResult| {
            let object: Uuid = found.try_get("", ON)?;
            let Some(list) = open.get_mut(&object) else { return Ok(()) };
            list.rows += 1;
            if list.rows > query.limit {
                return Ok(());
            }
            let row = Row::<V>::from_query_result(&found, "")?;
            if query.way.is_some() || list.rows == query.limit {
                let cursor = self.seal::<V>(&list.context, &row, cut.sort, false)?;
                list.around.cursors.push(cursor);
            }
            linked.add(self, object, id_of::<V>(&row), || V::from(row))
        })
        .await?;
        for (object, mut list) in open {
            if list.rows > query.limit {
                list.around.next_cursor = list.around.cursors.last().cloned();
            }
            list.around.has_previous = query.cursor.is_some();
            if query.way.is_none() {
                list.around.cursors.clear();
            }
            linked.around.insert(object, list.around);
        }
        Ok(linked)
    }

    /// Rows of the single list of what any of these finds.
    pub(crate) async fn found_by_any<V: Noun>(
        &self,
        rows: Select<V::Entity>,
        through: &Through,
        by: &[Uuid],
        cut: Cut<<V::Entity as EntityTrait>::Column>,
    ) -> Result<Vec<Row<V>>> {
        let backend = self.db().get_database_backend();
        let lists = Lists::FoundByAny(through, by);
        let statement = statement(self.organization, backend, rows, &lists, cut);
        let found = crate::db::bounded(self.db().query_all_raw(backend.build(&statement))).await?;
        let row = |found: &QueryResult| Row::<V>::from_query_result(found, "");
        Ok(found.iter().map(row).collect::<Result<_, sea_orm::DbErr>>()?)
    }
}
