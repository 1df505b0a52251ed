//! What an organization's keys still use of what goes away.

use bodega_contract::Resource;
use bodega_kernel::{Id, Noun};
use chrono::{DateTime, Utc};
use entity::identity::deprecated_use::{Entity, Model};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AUDIT;
use crate::ApiKey;

pub(crate) fn resource() -> Resource<DeprecatedUse> {
    Resource::new(AUDIT, "A use, by one of your keys, of something that goes away")
        .list()
        .filter(["key_id", "subject", "last_used_at"])
        .get()
        .belongs_to::<ApiKey>("key", "key_id")
}

/// That a key still uses something that goes away.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeprecatedUse {
    /// The object's id.
    pub id: Id<Self>,
    /// The key.
    pub key_id: Id<ApiKey>,
    /// The operation (`product.create`) or a field of its body (`product.create/name`).
    #[schema(max_length = 200)]
    pub subject: String,
    /// When it stops working (`YYYY-MM-DD`).
    #[schema(max_length = 10)]
    pub sunset: String,
    /// What to use instead.
    #[schema(max_length = 500)]
    pub instead: String,
    /// How often it was used.
    #[schema(minimum = 0)]
    pub calls: i64,
    /// When it was first used.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_used_at: DateTime<Utc>,
}

impl Noun for DeprecatedUse {
    type Entity = Entity;
    const NAME: &'static str = "deprecation";
    const PLURAL: &'static str = "deprecations";
    const PREFIX: &'static str = "dep";
}

impl From<Model> for DeprecatedUse {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            key_id,
            subject,
            sunset,
            instead,
            calls,
            created_at,
            last_used_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            key_id: Id::from_uuid(key_id),
            subject,
            sunset,
            instead,
            calls,
            created_at,
            last_used_at,
        }
    }
}
