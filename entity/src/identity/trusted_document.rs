//! A GraphQL document that an organization trusts.

use bodega_values::{ExternalId, Label, Metadata, Name, Sha256};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trusted_document")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: Name,
    /// The SHA-256 of the text, in hexadecimal digits.
    pub sha256: Sha256,
    pub text: Label<20_000>,
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
