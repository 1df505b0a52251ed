//! The answer to a request that carried an `Idempotency-Key`; commits with the change it stands for.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// SHA-256 over operation, path, query and body.
    pub fingerprint: Vec<u8>,
    pub status: i32,
    pub body: Json,
    pub created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;
    const ID: Column = Column::OrganizationId;
}
