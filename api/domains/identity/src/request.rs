//! The request log: every call as it was answered, for 30 days.

use bodega_contract::Resource;
use bodega_kernel::{Id, Noun};
use chrono::{DateTime, Utc};
use entity::identity::request::{Entity, Model};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AUDIT;
use crate::ApiKey;

pub(crate) fn resource() -> Resource<Request> {
    Resource::new(AUDIT,
        "A call to this API, as it was answered; kept 30 days",
    )
    .list()
    .note(
        "Calls are noted beside the work, in batches: a call is here within about a second, and \
             under a flood some are left out rather than slow anyone down. A caller who went away \
             before the answer was there is noted with the status 499.",
    )
    .filter(["operation", "status", "code", "key_id", "method", "path"])
    .get()
}

/// A call to this API. Its id is the `Request-Id` of the answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Request {
    /// The `Request-Id`.
    pub id: Id<Self>,
    /// The key that called.
    pub key_id: Option<Id<ApiKey>>,
    /// `rest`, or the other door it came through.
    #[schema(max_length = 20)]
    pub door: String,
    /// The operation.
    #[schema(max_length = 100)]
    pub operation: String,
    /// The HTTP method.
    #[schema(max_length = 10)]
    pub method: String,
    /// The path, without the query.
    #[schema(max_length = 2048)]
    pub path: String,
    /// The HTTP status of the answer.
    #[schema(minimum = 100, maximum = 599)]
    pub status: i32,
    /// The problem's code, where there was one.
    #[schema(max_length = 60)]
    pub code: Option<String>,
    /// How long it took, in microseconds.
    #[schema(minimum = 0)]
    pub duration_us: i64,
    /// The caller's address.
    #[schema(max_length = 45)]
    pub ip: Option<String>,
    /// The caller's program.
    #[schema(max_length = 500)]
    pub user_agent: Option<String>,
    /// The version it was answered in.
    #[schema(max_length = 10)]
    pub api_version: String,
    /// The idempotency key it carried.
    #[schema(max_length = 255)]
    pub idempotency_key: Option<String>,
    /// When it came.
    pub created_at: DateTime<Utc>,
}

impl Noun for Request {
    type Entity = Entity;
    const NAME: &'static str = "request";
    const PLURAL: &'static str = "requests";
    const PREFIX: &'static str = "req";
}

impl From<Model> for Request {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            key_id,
            door,
            operation,
            method,
            path,
            status,
            code,
            duration_us,
            ip,
            user_agent,
            api_version,
            idempotency_key,
            created_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            key_id: key_id.map(Id::from_uuid),
            door,
            operation,
            method,
            path,
            status,
            code,
            duration_us,
            ip,
            user_agent,
            api_version,
            idempotency_key,
            created_at,
        }
    }
}
