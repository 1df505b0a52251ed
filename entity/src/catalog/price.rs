//! What a variant costs in a currency, from a quantity on.

use bodega_values::{CurrencyCode, ExternalId, Metadata, Quantity};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "price")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub variant_id: Uuid,
    pub currency: CurrencyCode,
    pub amount: i64,
    pub min_quantity: Quantity,
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
