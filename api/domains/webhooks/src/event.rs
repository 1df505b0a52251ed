//! Events: every change, written in its own transaction, with the object as the API shows it.

use bodega_contract::Resource;
use bodega_kernel::{Cx, FieldError, Id, ListQuery, Noun, Page, Problem, Result, problem, tagged};
use bodega_worker::NUMBERED;
use chrono::{DateTime, Utc};
use entity::webhooks::event::{Entity, Model};
use sea_orm::{ConnectionTrait, Statement};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

pub(crate) fn resource() -> Resource<EventEntry> {
    Resource::new("events:read", "events:read", "A change that happened")
        .list(list)
        .note(
            "The log can be followed: with `after`, events come in the order of their `sequence`, \
             and `GET /v1/events/stream` sends them as they happen (server-sent events, going on \
             from `Last-Event-ID`).",
        )
        .filter(["type", "object_type", "object_id", "actor_id", "sequence", "created_at"])
        .fails(&problem::AHEAD_OF_LOG)
        .feed()
        .get(get)
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
    loop {
        let news = cx.platform.signals.next(NUMBERED);
        let page = cx.page(&query).await?;
        let stopping = cx.platform.signals.is_closed();
        if !page.data.is_empty() || stopping || Instant::now() >= until {
            return Ok(page);
        }
        if ahead(&cx, after).await? {
            return Err(Problem::new(&problem::AHEAD_OF_LOG).at(FieldError::query(
                "after",
                problem::AHEAD_OF_LOG.code,
                problem::AHEAD_OF_LOG.about.clone(),
            )));
        }
        let _ = tokio::time::timeout_at(until, news).await;
    }
}

/// Whether a place lies beyond the end of the log: it may be another organization's.
async fn ahead(cx: &Cx, after: i64) -> Result<bool> {
    let sql = "SELECT last_sequence FROM event_stream WHERE organization_id = $1";
    let values = [cx.organization.into()];
    let statement = Statement::from_sql_and_values(cx.db().get_database_backend(), sql, values);
    let row = cx.db().query_one_raw(statement).await?;
    let last = row.map(|row| row.try_get::<i64>("", "last_sequence")).transpose()?;
    Ok(after > last.unwrap_or(0))
}

async fn get(cx: Cx, id: Id<EventEntry>) -> Result<EventEntry> {
    cx.load(id).await
}
