//! A key to the API: its hash, never its secret.

use bodega_values::{ExternalId, Metadata, Name};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: Name,
    /// SHA-256 of the whole key.
    pub hash: Vec<u8>,
    /// The first characters and the last four, to tell keys apart.
    pub hint: String,
    pub scopes: Json,
    pub plan: PlanName,
    pub per_minute: i32,
    pub per_day: i32,
    pub api_version: String,
    pub allowed_ips: Json,
    pub allowed_origins: Json,
    pub rotated_from_id: Option<Uuid>,
    /// The key that replaces it.
    pub rotated_to_id: Option<Uuid>,
    /// The key that made it.
    pub created_by_id: Option<Uuid>,
    /// The id that its calls are counted under: the first of those that it replaces, or its own.
    pub counted_as_id: Option<Uuid>,
    /// The ids that the calls of the keys it descends from are counted under, nearest first.
    pub lineage: Option<Json>,
    pub expires_at: Option<ChronoDateTimeUtc>,
    pub revoked_at: Option<ChronoDateTimeUtc>,
    pub last_used_at: Option<ChronoDateTimeUtc>,
    pub external_id: Option<ExternalId>,
    pub metadata: Metadata,
    pub version: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::stored!();

crate::choices! {
    /// How many calls a key may make. The largest plan among an organization's keys also sets how many
    /// keys, webhook endpoints, filters, selections and trusted documents it may have.
    #[derive(Default)]
    pub enum PlanName, PlanName {
        /// 60 calls a minute, 10,000 a day; 50 keys, 10 webhook endpoints (5 with a filter, 5 with a
        /// selection), 100 trusted documents.
        Trial,
        /// 600 calls a minute, 100,000 a day; 200 keys, 100 webhook endpoints (50 with a filter, 50 with
        /// a selection), 500 trusted documents.
        #[default]
        Standard,
        /// 6,000 calls a minute, 2,000,000 a day; 2,000 keys, 500 webhook endpoints (200 with a filter,
        /// 200 with a selection), 2,000 trusted documents.
        Plus,
        /// 600,000 calls a minute, 500,000,000 a day; 20,000 keys, 5,000 webhook endpoints (2,000 with a
        /// filter, 2,000 with a selection), 20,000 trusted documents.
        Scale,
    }
}
