//! A change that happened, written in its transaction.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    /// Gapless per organization, given by the relay after the commit.
    pub sequence: Option<i64>,
    pub r#type: String,
    pub object_type: String,
    pub object_id: String,
    pub object_version: i64,
    pub api_version: String,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub request_id: Uuid,
    pub traceparent: String,
    /// The object as the API shows it.
    pub data: Json,
    /// The values before of the fields that changed.
    pub previous: Option<Json>,
    pub created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!();
