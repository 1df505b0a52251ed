//! The audit log: who changed what, when and from where, with the fields before and after.

use bodega_contract::Resource;
use bodega_kernel::{Id, Noun, tagged};
use chrono::{DateTime, Utc};
use entity::identity::audit_entry::{Entity, Model};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::AUDIT;

pub(crate) fn resource() -> Resource<AuditEntry> {
    Resource::new(AUDIT, "Who changed what, when and from where")
        .list()
        .filter(["operation", "object_type", "object_id", "actor_id"])
        .get()
}

/// One change to one object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// The object's id.
    pub id: Id<Self>,
    /// The operation that made the change.
    #[schema(max_length = 100)]
    pub operation: String,
    /// The type of the object.
    #[schema(max_length = 60)]
    pub object_type: String,
    /// The object's id.
    #[schema(max_length = 60)]
    pub object_id: String,
    /// `api_key`, or `system` where the program acted by itself.
    #[schema(max_length = 20)]
    pub actor_type: String,
    /// Who made the change.
    #[schema(max_length = 60)]
    pub actor_id: Option<String>,
    /// From which address.
    #[schema(max_length = 45)]
    pub ip: Option<String>,
    /// With which program.
    #[schema(max_length = 500)]
    pub user_agent: Option<String>,
    /// In which request.
    #[schema(max_length = 30)]
    pub request_id: String,
    /// The request's trace (W3C Trace Context).
    #[schema(max_length = 55)]
    pub traceparent: String,
    /// The fields that changed, as they were; null for a new object.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The fields that changed, as they are; null for a removed object.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl Noun for AuditEntry {
    type Entity = Entity;
    const NAME: &'static str = "audit_entry";
    const PLURAL: &'static str = "audit_log";
    const PREFIX: &'static str = "aud";
}

impl From<Model> for AuditEntry {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            operation,
            object_type,
            object_id,
            actor_type,
            actor_id,
            ip,
            user_agent,
            request_id,
            traceparent,
            before,
            after,
            created_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            operation,
            object_type,
            object_id,
            actor_type,
            actor_id,
            ip,
            user_agent,
            request_id: tagged("req", request_id),
            traceparent,
            before,
            after,
            created_at,
        }
    }
}
