//! One try to deliver, and what came of it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub delivery_id: Uuid,
    pub endpoint_id: Uuid,
    pub event_id: Uuid,
    pub number: i32,
    pub outcome: String,
    /// The same, in words.
    pub reason: String,
    pub status: Option<i32>,
    pub duration_us: i64,
    /// The address that was connected to.
    pub address: Option<String>,
    pub response_headers: Json,
    /// The first 16 KiB of the answer.
    pub response_body: Option<String>,
    pub response_truncated: bool,
    pub created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!();
