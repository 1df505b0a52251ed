//! Work to be done beside the calls: taken by a worker under a lease, kept until it is done.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose work it is; nobody's in particular for the platform's own chores.
    pub organization_id: Option<Uuid>,
    pub queue: String,
    /// Only one job of a queue with the same key waits or runs.
    pub unique_key: Option<String>,
    pub args: Json,
    /// Higher first.
    pub priority: i32,
    /// `pending`, `running`, `dead`; one that is done is removed.
    pub state: String,
    /// How often it was begun since it last succeeded.
    pub attempts: i32,
    pub attempts_max: i32,
    pub run_at: ChronoDateTimeUtc,
    /// Until when the worker that runs it has said it is alive.
    pub lease_until: Option<ChronoDateTimeUtc>,
    pub worker: Option<String>,
    /// Asked for again while it was running: it runs once more.
    pub again: bool,
    pub last_error: Option<String>,
    pub created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
