//! Where events are sent, which of them, and how.

use bodega_values::{ExternalId, Metadata};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub url: String,
    pub description: String,
    /// Patterns, a list: `order.*`.
    pub event_types: Json,
    /// A CEL expression over the event.
    pub filter: Option<String>,
    /// Fields of the object, a list; empty for any.
    pub changed_fields: Json,
    /// Fields of the object that are sent, a list; empty for all.
    pub fields: Json,
    /// A GraphQL selection that shapes the object.
    pub selection: Option<String>,
    /// The scopes of whoever last set what is sent, or where, a list: nothing else is sent.
    pub scopes: Json,
    pub custom_header_names: Json,
    /// The caller's own headers, encrypted: they may hold a password.
    pub custom_headers: String,
    pub ordering: Ordering,
    pub rate_limit_per_second: Option<i32>,
    pub api_version: String,
    pub payload_days: i32,
    pub state: EndpointState,
    pub disabled_reason: Option<DisabledReason>,
    /// The signing secrets, a list, encrypted each; the first has no end.
    pub secrets: Json,
    pub tested_at: Option<ChronoDateTimeUtc>,
    pub replayed_at: Option<ChronoDateTimeUtc>,
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
    /// Whether order is kept.
    #[derive(Default)]
    pub enum Ordering, Ordering {
        /// As fast as it goes; a later event may come before an earlier one is delivered.
        #[default]
        None,
        /// The events of one object one after the other: while one is not delivered, later ones wait.
        PerObject,
    }
}

crate::choices! {
    /// Whether an endpoint is sent anything.
    pub enum EndpointState, EndpointState {
        /// It is.
        Enabled,
        /// Its deliveries wait until it is resumed.
        Paused,
        /// It only failed, wants no more, or its filter takes too much.
        Disabled,
    }
}

crate::choices! {
    /// Why an endpoint is disabled.
    pub enum DisabledReason, DisabledReason {
        /// It only failed: deliveries wait, one is tried from time to time, and all go on when it works.
        Failing,
        /// It answered 410: nothing is sent or kept for it until it is resumed.
        Gone,
        /// Its filter took more steps or memory than it may for one event. That event and all that come
        /// after it wait; once the filter is mended and the endpoint resumed, they are decided and sent.
        FilterTooCostly,
    }
}
