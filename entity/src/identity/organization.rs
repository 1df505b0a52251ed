//! A shop, or the sandbox of one.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub mode: Mode,
    /// The live organization whose sandbox this is.
    pub sandbox_of: Option<Uuid>,
    pub country: String,
    pub currency: String,
    pub language: String,
    pub time_zone: String,
    /// Whether GraphQL answers to documents on the organization's list only.
    pub trusted_documents_only: bool,
    pub external_id: Option<String>,
    pub metadata: Json,
    pub version: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!(Id);
crate::stored!(@row id);

/// Whether real business is done here.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub enum Mode {
    /// Real business.
    Live,
    /// A sandbox: its own data, its own keys.
    Test,
}
