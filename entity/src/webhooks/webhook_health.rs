//! How an endpoint has been answering: written with every batch of attempts, so apart from it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_health")]
pub struct Model {
    /// The endpoint's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub consecutive_failures: i64,
    pub last_success_at: Option<ChronoDateTimeUtc>,
    pub last_failure_at: Option<ChronoDateTimeUtc>,
    pub last_failure: Option<String>,
    /// While the breaker is open: when one delivery is tried again.
    pub probe_at: Option<ChronoDateTimeUtc>,
    /// Until when the receiver asked to be left alone.
    pub held_until: Option<ChronoDateTimeUtc>,
    /// How often probing has failed, for the wait to grow.
    pub probes: i32,
    /// The last event that was sent here, for `previous_sequence`.
    pub last_sequence: Option<i64>,
    /// The first event of which the filter could not say whether it is sent; it waits, with all
    /// that come after it.
    pub undecided_since: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::owned!();
