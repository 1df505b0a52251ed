//! One event on its way to one endpoint.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub endpoint_id: Uuid,
    pub event_id: Uuid,
    pub event_type: String,
    pub object_id: String,
    /// The event's place in the log; null for a sample.
    pub sequence: Option<i64>,
    /// The place of the event sent to the same endpoint before it.
    pub previous_sequence: Option<i64>,
    pub reason: DeliveryReason,
    pub state: DeliveryState,
    pub attempts: i32,
    /// When it is tried next, or was when it ended.
    pub due_at: ChronoDateTimeUtc,
    pub last_outcome: Option<String>,
    pub last_status: Option<i32>,
    /// What is sent, where it cannot be made again from the event.
    pub payload: Option<String>,
    pub finished_at: Option<ChronoDateTimeUtc>,
    pub version: i64,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::stored!();

crate::choices! {
    /// Why an event is sent.
    pub enum DeliveryReason, DeliveryReason {
        /// It happened.
        Event,
        /// Somebody sent this one again.
        Resend,
        /// Somebody sent all of a time again.
        Replay,
        /// It is a sample.
        Test,
    }
}

crate::choices! {
    /// What became of a delivery.
    pub enum DeliveryState, DeliveryState {
        /// It is tried, or waits to be.
        Pending,
        /// The receiver has it.
        Delivered,
        /// Every try failed; it is not tried again.
        Dead,
        /// It was given up.
        Cancelled,
    }
}
