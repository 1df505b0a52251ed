//! A maker's name on goods.

use bodega_values::{CountryCode, ExternalId, Metadata, Name, Slug, Text, WebUrl};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "brand")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: Name,
    pub slug: Slug,
    pub description: Option<Text<5000>>,
    pub website: Option<WebUrl>,
    pub country: Option<CountryCode>,
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
