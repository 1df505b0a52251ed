//! A shop, or the sandbox of one.

use bodega_values::{
    CountryCode, CurrencyCode, ExternalId, Label, LanguageTag, Metadata, TimeZone,
};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: Label<210>,
    pub mode: Mode,
    /// The live organization whose sandbox this is.
    pub sandbox_of: Option<Uuid>,
    pub country: CountryCode,
    pub currency: CurrencyCode,
    pub language: LanguageTag,
    pub time_zone: TimeZone,
    /// Whether GraphQL answers to documents on the organization's list only.
    pub trusted_documents_only: bool,
    pub external_id: Option<ExternalId>,
    pub metadata: Metadata,
    pub version: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!(Id);
crate::stored!(@row id);

crate::choices! {
    /// Whether real business is done here.
    pub enum Mode, Mode {
        /// Real business.
        Live,
        /// A sandbox: its own data, its own keys.
        Test,
    }
}
