//! Something that is sold, stocked, fitted or booked.

use bodega_values::{Distinct, ExternalId, Label, List, Metadata, Slug, StoredId, Text};
use sea_orm::entity::prelude::*;

use super::options::ProductOption;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub title: Label<300>,
    pub slug: Slug,
    pub description: Option<Text<20_000>>,
    pub kind: Kind,
    pub status: Status,
    pub brand_id: Option<Uuid>,
    pub tax_category: Option<Label<100>>,
    /// Where it is filed, in order; `product_category` is the index over it.
    pub category_ids: Distinct<StoredId, 10>,
    /// What its variants differ in.
    pub options: List<ProductOption, 3>,
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
    /// What is sold.
    #[derive(Default)]
    pub enum Kind, ProductKind {
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
}

crate::choices! {
    /// Where a product is in its life.
    #[derive(Default)]
    pub enum Status, ProductStatus {
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
}
