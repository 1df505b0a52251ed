//! Events: every change, written in its own transaction, with the object as the API shows it.

use bodega_contract::Resource;
use bodega_kernel::{
    Cx, FieldError, Filter, FilterValue, Id, ListQuery, Noun, Op, Page, Problem, Result, problem,
    tagged,
};
use bodega_worker::NUMBERED;
use chrono::{DateTime, Utc};
use entity::webhooks::event::{Entity, Model};
use sea_orm::{Condition, ConnectionTrait, Statement};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::EVENTS;
use crate::sight::Sight;

pub(crate) fn resource() -> Resource<EventEntry> {
    Resource::new(EVENTS, "A change that happened")
        .list_with(list)
        .note(
            "The log can be followed: with `after`, events come in the order of their `sequence`, \
             and `GET /v1/events/stream` sends them as they happen (server-sent events, going on \
             from `Last-Event-ID`). A key sees the events of what it has the scope to read; \
             `reached` tells how far it has come, also past the others.",
        )
        .filter(["type", "object_type", "object_id", "actor_id", "sequence", "created_at"])
        .fails(&problem::AHEAD_OF_LOG)
        .feed()
        .get()
}

/// A change that happened, written in the same transaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventEntry {
    /// Its id: the same in the log and in every delivery, so it tells duplicates.
    pub id: Id<Self>,
    /// Its place in the organization's log, without gaps; null until it has one.
    #[schema(minimum = 1)]
    pub sequence: Option<i64>,
    /// What happened: `product.created`.
    #[schema(max_length = 100)]
    pub r#type: String,
    /// The type of the object.
    #[schema(max_length = 60)]
    pub object_type: String,
    /// The object's id.
    #[schema(max_length = 60)]
    pub object_id: String,
    /// The object's version after the change.
    #[schema(minimum = 1)]
    pub object_version: i64,
    /// The version of the API that `data` is in.
    #[schema(max_length = 10)]
    pub api_version: String,
    /// `api_key`, or `system` where the program acted by itself.
    #[schema(max_length = 20)]
    pub actor_type: String,
    /// Who made the change.
    #[schema(max_length = 60)]
    pub actor_id: Option<String>,
    /// The request that made it.
    #[schema(max_length = 30)]
    pub request_id: String,
    /// The request's trace (W3C Trace Context).
    #[schema(max_length = 55)]
    pub traceparent: String,
    /// The object as the API shows it; as it last was, where it was removed.
    #[schema(value_type = Object)]
    pub data: Value,
    /// The fields that changed, as they were before.
    #[schema(value_type = Option<Object>)]
    pub previous: Option<Value>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

impl Noun for EventEntry {
    type Entity = Entity;
    const NAME: &'static str = "event";
    const PLURAL: &'static str = "events";
    const PREFIX: &'static str = "evt";

    fn visible(cx: &Cx) -> Result<Option<Condition>> {
        Ok(Sight::of(&cx.platform, &cx.scopes)?.of_events())
    }
}

impl From<Model> for EventEntry {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            sequence,
            r#type,
            object_type,
            object_id,
            object_version,
            api_version,
            actor_type,
            actor_id,
            request_id,
            traceparent,
            data,
            previous,
            created_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            sequence,
            r#type,
            object_type,
            object_id,
            object_version,
            api_version,
            actor_type,
            actor_id,
            request_id: tagged("req", request_id),
            traceparent,
            data,
            previous,
            created_at,
        }
    }
}

/// Waits, where that was asked of a place in the log, until something comes after it.
async fn list(cx: Cx, query: ListQuery) -> Result<Page<EventEntry>> {
    let Some(after) = query.after else { return cx.page(&query).await };
    let until = Instant::now() + query.wait;
    // Who wants or sees only a part of the log may find nothing in it for long, and is not to look
    // through the same again: what was in the log before it was read is done with.
    let part = query.cursor.is_none() && is_part(&cx, &query)?;
    let mut end = if part { end_of_log(&cx).await? } else { after };
    let mut place = after;
    loop {
        let news = cx.platform.signals.next(NUMBERED);
        let page = page(&cx, &query, place).await?;
        let stopping = cx.platform.signals.is_closed();
        if !page.data.is_empty() || stopping || Instant::now() >= until {
            let reached = reached(&query, &page, end);
            return Ok(Page { reached, ..page });
        }
        place = if part { place.max(end) } else { place };
        end = end_of_log(&cx).await?;
        if after > end {
            return Err(Problem::new(&problem::AHEAD_OF_LOG).at(FieldError::query(
                "after",
                problem::AHEAD_OF_LOG.code,
                problem::AHEAD_OF_LOG.about.clone(),
            )));
        }
        let _ = tokio::time::timeout_at(until, news).await;
    }
}

/// Whether some of what comes is passed over.
fn is_part(cx: &Cx, query: &ListQuery) -> Result<bool> {
    Ok(query.filters.len() > 1 || EventEntry::visible(cx)?.is_some())
}

/// What was asked for, looked for from this place on, because there is none of it before.
async fn page(cx: &Cx, query: &ListQuery, place: i64) -> Result<Page<EventEntry>> {
    let asked = query.after.map(FilterValue::Int);
    if query.after == Some(place) {
        return cx.page(query).await;
    }
    let mut rest = query.clone();
    let is_place =
        |filter: &&mut Filter| filter.op == Op::Gt && asked.as_ref() == filter.values.first();
    rest.filters.iter_mut().filter(is_place).for_each(|f| f.values = vec![FilterValue::Int(place)]);
    let page = cx.page(&rest).await?;
    // Cursors are of the list as it was asked for.
    match page.next_cursor.is_some() || query.way.is_some() {
        true => cx.page(query).await,
        false => Ok(page),
    }
}

/// How far a page has come that was read when the log was at least so long.
fn reached(query: &ListQuery, page: &Page<EventEntry>, end: i64) -> Option<i64> {
    let after = query.after.filter(|_| query.cursor.is_none())?;
    let last = page.data.last().and_then(|event| event.sequence).unwrap_or(after);
    Some(if page.next_cursor.is_some() { last } else { last.max(end) })
}

/// The last place of the log.
async fn end_of_log(cx: &Cx) -> Result<i64> {
    let sql = "SELECT last_sequence FROM event_stream WHERE organization_id = $1";
    let values = [cx.organization.into()];
    let statement = Statement::from_sql_and_values(cx.db().get_database_backend(), sql, values);
    let row = cx.db().query_one_raw(statement).await?;
    let last = row.map(|row| row.try_get::<i64>("", "last_sequence")).transpose()?;
    Ok(last.unwrap_or(0))
}
