//! Something that is sold, stocked, fitted or booked.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub title: String,
    pub slug: String,
    pub description: Option<String>,
    pub kind: Kind,
    pub status: Status,
    pub brand_id: Option<Uuid>,
    pub tax_category: Option<String>,
    /// Where it is filed, in order; `product_category` is the index over it.
    pub category_ids: Json,
    /// The options its variants differ in: `[{name, values}]`.
    pub options: Json,
    pub external_id: Option<String>,
    pub metadata: Json,
    pub version: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::stored!();

/// What is sold.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    EnumIter,
    DeriveActiveEnum,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[schema(as = ProductKind)]
pub enum Kind {
    /// A thing with stock.
    #[default]
    Good,
    /// Work, booked or billed.
    Service,
    /// Several components sold as one.
    Bundle,
    /// A download or a licence.
    Digital,
    /// Money kept on a code.
    GiftCard,
}

/// Where a product is in its life.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    EnumIter,
    DeriveActiveEnum,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[schema(as = ProductStatus)]
pub enum Status {
    /// Being prepared; not for sale.
    #[default]
    Draft,
    /// Put forward by a supplier, waiting for a decision.
    Proposed,
    /// For sale.
    Active,
    /// No longer for sale, kept for history.
    Archived,
    /// A proposal that was declined.
    Rejected,
}
