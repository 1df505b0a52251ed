//! Lists: filters, sorting and keyset paging, the same for every resource.
//!
//! A page starts after the last row of the one before it, by value, so that page 10,000 costs what
//! page 1 does and rows that come and go in between move nobody else's place.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use entity::Owned;
use sea_orm::sea_query::{ExprTrait, Order};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityName, EntityTrait, IdenStatic,
    ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, sea_query,
};
use sea_query::extension::postgres::PgExpr;
use sea_query::{Expr, LikeExpr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::pages::{Cut, Lists};
use crate::{Cx, FieldError, Noun, Problem, Result, Row, Through, problem, text};

const CURSOR_HOURS: i64 = 24;

/// A value to compare a column with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FilterValue {
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Time(DateTime<Utc>),
    /// An id.
    Uuid(Uuid),
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Equals.
    Eq,
    /// Differs.
    Ne,
    /// Above.
    Gt,
    /// From.
    Gte,
    /// Below.
    Lt,
    /// Up to.
    Lte,
    /// One of.
    In,
    /// Has in it, whatever the case.
    Contains,
    /// Starts with, whatever the case.
    StartsWith,
    /// Is empty, or is not.
    IsNull,
}

/// One condition on a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Filter {
    /// The column.
    pub field: String,
    /// How to compare.
    pub op: Op,
    /// With what; several for [`Op::In`].
    pub values: Vec<FilterValue>,
    /// How the rows are found, where the field is no column of theirs.
    #[serde(skip)]
    pub through: Option<Through>,
}

impl Filter {
    /// A condition on a column.
    pub fn new(field: impl Into<String>, op: Op, values: Vec<FilterValue>) -> Self {
        Self { field: field.into(), op, values, through: None }
    }

    /// The ids among its values.
    fn ids(&self) -> Vec<Uuid> {
        let id = |value: &FilterValue| match value {
            FilterValue::Uuid(id) => Some(*id),
            _ => None,
        };
        self.values.iter().filter_map(id).collect()
    }
}

/// What a list is sorted by; ties are broken by id, in the same direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sort {
    /// The column.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Which way a list is read from where a cursor points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What comes after it; from the start, where there is no cursor.
    Forward,
    /// What comes before it; from the end, where there is no cursor.
    Backward,
}

/// What was asked of a list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The order.
    pub sort: Sort,
    /// Rows a page, 1 to 100.
    pub limit: u64,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Whether to count all rows too.
    pub count: bool,
    /// Of a log: only what comes after this place.
    pub after: Option<i64>,
    /// How long to wait for the first row, where there is none yet.
    pub wait: Duration,
    /// Which way to go from the cursor, which otherwise says it itself; each row then has a cursor.
    pub way: Option<Way>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<V> {
    /// The rows.
    pub data: Vec<V>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Where the page before starts.
    pub prev_cursor: Option<String>,
    /// How many rows there are in all, where asked.
    pub total_count: Option<u64>,
    /// A cursor a row, where the query says which way to go.
    pub cursors: Vec<String>,
    /// Of a log that is followed: the place up to which it was looked through, also where nothing
    /// of it was for this caller, so that nobody looks through the same again.
    pub reached: Option<i64>,
}

/// Ids that find rows, and how.
type FoundBy<'q> = (&'q Through, Vec<Uuid>);

/// What a cursor says, once opened: the row to go on from, and which way.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place {
    issued_h: i64,
    backward: bool,
    value: FilterValue,
    id: Uuid,
}

impl Cx {
    /// A page of the organization's rows.
    pub async fn page<V: Noun>(&self, query: &ListQuery) -> Result<Page<V>>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        self.page_of(V::Entity::of(self.organization), query).await
    }

    /// A page of some of them.
    pub async fn page_of<V: Noun>(
        &self,
        rows: Select<V::Entity>,
        query: &ListQuery,
    ) -> Result<Page<V>>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let (mut rows, through) = self.filtered::<V>(rows, query, true)?;
        let total_count = match (query.count, &through) {
            (false, _) => None,
            (true, None) => Some(rows.clone().count(self.db()).await?),
            (true, Some((through, by))) => {
                let list = Lists::FoundByAny(through, by);
                let counted = self.count_lists(rows.clone(), &list).await?;
                Some(counted.into_values().sum())
            }
        };

        let context = self.context::<V>(query)?;
        let place = query.cursor.as_deref().map(|token| self.open(&context, token)).transpose()?;
        let backward = match query.way {
            Some(way) => way == Way::Backward,
            None => place.as_ref().is_some_and(|place| place.backward),
        };
        let ascending = query.sort.descending == backward;
        let sort = column::<V::Entity>(&query.sort.field)?;
        if let Some(place) = &place {
            rows = from_place(rows, place, sort, ascending);
        }
        let limit = query.limit + 1;
        let mut found = match &through {
            Some((through, by)) => {
                let cut = Cut { sort, ascending, limit };
                self.found_by_any::<V>(rows, through, by, cut).await?
            }
            None => {
                let order = if ascending { Order::Asc } else { Order::Desc };
                let rows = rows.order_by(sort, order.clone()).order_by(V::Entity::ID, order);
                rows.limit(limit).all(self.db()).await?
            }
        };

        let more = found.len() as u64 > query.limit;
        found.truncate(query.limit as usize);
        if backward {
            found.reverse();
        }
        let (before, after) =
            if backward { (more, place.is_some()) } else { (place.is_some(), more) };
        let cursor = |row: Option<&Row<V>>, backward: bool, wanted: bool| match row {
            Some(row) if wanted => self.seal::<V>(&context, row, sort, backward).map(Some),
            _ => Ok(None),
        };
        let prev_cursor = cursor(found.first(), true, before)?;
        let next_cursor = cursor(found.last(), false, after)?;
        let cursors = match query.way {
            Some(_) => found.iter().map(|row| self.seal::<V>(&context, row, sort, false)).collect(),
            None => Ok(Vec::new()),
        };
        let (cursors, data) = (cursors?, found.into_iter().map(V::from).collect());
        Ok(Page { data, next_cursor, prev_cursor, total_count, cursors, reached: None })
    }

    /// Those of these rows that the caller may see and for which all filters hold. Of those that go
    /// through another table, one is `apart` if it may be: the rows are read through it.
    pub(crate) fn filtered<'q, V: Noun>(
        &self,
        rows: Select<V::Entity>,
        query: &'q ListQuery,
        apart: bool,
    ) -> Result<(Select<V::Entity>, Option<FoundBy<'q>>)> {
        let backend = self.db().get_database_backend();
        let mut rows = self.visible::<V>(rows)?;
        let mut read_through = None;
        for filter in &query.filters {
            match &filter.through {
                None => rows = rows.filter(condition::<V::Entity>(filter, backend)?),
                Some(through) if apart && read_through.is_none() => {
                    read_through = Some((through, filter.ids()));
                }
                Some(through) => {
                    let (table, id) = (V::Entity::default().table_name(), V::Entity::ID.as_str());
                    let (organization, by) = (self.organization, filter.ids());
                    rows = rows.filter(through.finds(backend, organization, table, id, &by));
                }
            }
        }
        Ok((rows, read_through))
    }

    /// What a cursor is tied to: whose list, of what, filtered and sorted how.
    pub(crate) fn context<V: Noun>(&self, query: &ListQuery) -> Result<Vec<u8>> {
        let tied = (self.organization, V::NAME, &query.filters, &query.sort);
        serde_json::to_vec(&tied).map_err(Problem::internal)
    }

    pub(crate) fn seal<V: Noun>(
        &self,
        context: &[u8],
        row: &Row<V>,
        sort: <V::Entity as EntityTrait>::Column,
        backward: bool,
    ) -> Result<String>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let id = match row.get(V::Entity::ID) {
            sea_orm::Value::Uuid(Some(id)) => id,
            other => return Err(Problem::internal(format!("an id that is {other:?}"))),
        };
        let place = Place {
            // No finer, so that a page that is still so is the same page, with the same ETag.
            issued_h: self.now.timestamp() / 3600,
            backward,
            value: from_column(row.get(sort))?,
            id,
        };
        let content = serde_json::to_vec(&place).map_err(Problem::internal)?;
        Ok(self.platform.sealer.seal(context, &content))
    }

    pub(crate) fn open(&self, context: &[u8], token: &str) -> Result<Place> {
        let invalid = || {
            let detail = text("is not a cursor of this list", "no es un cursor de esta lista");
            Problem::new(&problem::INVALID_CURSOR).at(FieldError::query(
                "cursor",
                "invalid_cursor",
                detail,
            ))
        };
        let content = self.platform.sealer.open(context, token).ok_or_else(invalid)?;
        let place: Place = serde_json::from_slice(&content).map_err(|_| invalid())?;
        if self.now.timestamp() / 3600 - place.issued_h > CURSOR_HOURS {
            return Err(invalid());
        }
        Ok(place)
    }
}

/// The rows that come after a place, in this order.
pub(crate) fn from_place<E: Owned>(
    rows: Select<E>,
    place: &Place,
    sort: E::Column,
    ascending: bool,
) -> Select<E> {
    let columns = Expr::tuple([sort.into_expr(), E::ID.into_expr()]);
    let values = Expr::tuple([value(&place.value), place.id.into()].map(Expr::value));
    rows.filter(if ascending { columns.gt(values) } else { columns.lt(values) })
}

pub(crate) fn column<E: EntityTrait>(name: &str) -> Result<E::Column> {
    E::Column::from_str(name).map_err(|_| Problem::internal(format!("no column {name}")))
}

fn condition<E: EntityTrait>(filter: &Filter, backend: DbBackend) -> Result<Condition> {
    let column = column::<E>(&filter.field)?;
    let mut values = filter.values.iter().map(value);
    let expression = match filter.op {
        Op::In => column.is_in(values),
        op => {
            let value = values.next().ok_or_else(|| Problem::internal("a filter without value"))?;
            match (op, value) {
                (Op::Ne, value) => column.ne(value),
                (Op::Gt, value) => column.gt(value),
                (Op::Gte, value) => column.gte(value),
                (Op::Lt, value) => column.lt(value),
                (Op::Lte, value) => column.lte(value),
                (Op::IsNull, sea_orm::Value::Bool(Some(true))) => column.is_null(),
                (Op::IsNull, _) => column.is_not_null(),
                (Op::Contains | Op::StartsWith, sea_orm::Value::String(Some(text))) => {
                    let start = if op == Op::Contains { "%" } else { "" };
                    like(column.into_expr(), &format!("{start}{}%", escaped(&text)), backend)
                }
                (_, value) => column.eq(value),
            }
        }
    };
    Ok(Condition::all().add(expression))
}

/// `LIKE` without regard to case on both: SQLite's own is, PostgreSQL calls it `ILIKE`. There a
/// backslash escapes anyway, and SeaQuery cannot say so of `ILIKE`.
fn like(column: Expr, pattern: &str, backend: DbBackend) -> Expr {
    let pattern = LikeExpr::new(pattern);
    match backend {
        DbBackend::Postgres => column.ilike(pattern),
        _ => column.like(pattern.escape('\\')),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            out.push('\\');
        }
        let _ = out.write_char(character);
    }
    out
}

fn value(value: &FilterValue) -> sea_orm::Value {
    match value {
        FilterValue::Text(text) => text.clone().into(),
        FilterValue::Int(number) => (*number).into(),
        FilterValue::Bool(yes) => (*yes).into(),
        FilterValue::Time(time) => (*time).into(),
        FilterValue::Uuid(id) => (*id).into(),
    }
}

fn from_column(value: sea_orm::Value) -> Result<FilterValue> {
    use sea_orm::Value;
    Ok(match value {
        Value::String(Some(text)) => FilterValue::Text(text),
        Value::BigInt(Some(number)) => FilterValue::Int(number),
        Value::Int(Some(number)) => FilterValue::Int(number.into()),
        Value::Bool(Some(yes)) => FilterValue::Bool(yes),
        Value::ChronoDateTimeUtc(Some(time)) => FilterValue::Time(time),
        Value::Uuid(Some(id)) => FilterValue::Uuid(id),
        other => return Err(Problem::internal(format!("cannot page by {other:?}"))),
    })
}

impl FilterValue {
    /// The value as text, as it would be in a URL.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::Time(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true),
            Self::Uuid(id) => id.to_string(),
        }
    }
}
