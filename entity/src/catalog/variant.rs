//! One thing that can be picked, scanned and priced: a product in one combination of its options.

use bodega_values::{CurrencyCode, ExternalId, Label, Line, Metadata};
use sea_orm::entity::prelude::*;

use super::options::OptionValues;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "variant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub product_id: Uuid,
    pub title: Label<320>,
    pub sku: Line<100>,
    pub barcode: Option<Line<50>>,
    /// The value it has for each of the product's options.
    pub options: OptionValues,
    /// The same in one canonical text: two variants of a product never share it.
    pub options_key: String,
    pub unit: Line<20>,
    pub weight_grams: Option<i64>,
    pub length_mm: Option<i64>,
    pub width_mm: Option<i64>,
    pub height_mm: Option<i64>,
    pub track_inventory: bool,
    pub allow_backorder: bool,
    pub cost_amount: Option<i64>,
    pub cost_currency: Option<CurrencyCode>,
    pub retail_price_amount: Option<i64>,
    pub retail_price_currency: Option<CurrencyCode>,
    pub position: i32,
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
