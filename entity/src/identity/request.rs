//! One call, as it was answered; written in batches beside the calls, kept 30 days.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "request_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub key_id: Option<Uuid>,
    pub door: String,
    pub operation: String,
    pub method: String,
    pub path: String,
    pub status: i32,
    pub code: Option<String>,
    pub duration_us: i64,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub api_version: String,
    pub idempotency_key: Option<String>,
    pub created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!();
