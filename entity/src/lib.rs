//! The tables, one file each, a folder an area.
//!
//! A query over a shop's rows starts with [`Owned::of`], which takes the organization: there is no
//! other way to start one (`clippy.toml` bans `EntityTrait::find` and its siblings outside this
//! crate). The few tables that belong to the platform rather than to a shop are in [`platform`].

pub mod catalog;
pub mod identity;
pub mod platform;
pub mod webhooks;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, Select};
use uuid::Uuid;

/// A table whose rows each belong to one organization.
pub trait Owned: EntityTrait {
    /// The column that names the owner.
    const ORGANIZATION: Self::Column;
    /// The primary key, a UUIDv7.
    const ID: Self::Column;

    /// The rows of one organization: how every query starts.
    #[expect(clippy::disallowed_methods, reason = "the one place where a query may start")]
    fn of(organization: Uuid) -> Select<Self> {
        Self::find().filter(Self::ORGANIZATION.eq(organization))
    }

    /// The rows of every organization, for the platform's own chores (retention, counters, keys
    /// looked up by their hash). Never for an answer to a caller.
    #[expect(clippy::disallowed_methods, reason = "the one place where a platform query may start")]
    fn of_every_organization() -> Select<Self> {
        Self::find()
    }
}

/// A row of an object with an id, a version and times: everything the API can show and change.
pub trait Stored: ModelTrait + PartialEq + Sync + 'static {
    /// The row's id.
    fn id(&self) -> Uuid;
    /// The owner's id.
    fn organization_id(&self) -> Uuid;
    /// How often the row has been written.
    fn version(&self) -> i64;
    /// Marks one more write, at `now`.
    fn touch(&mut self, now: DateTime<Utc>);
}

/// Implements [`Owned`] for a table.
#[macro_export]
macro_rules! owned {
    () => {
        $crate::owned!(OrganizationId);
    };
    ($organization:ident) => {
        impl $crate::Owned for Entity {
            const ORGANIZATION: Column = Column::$organization;
            const ID: Column = Column::Id;
        }
    };
}

/// Implements [`Owned`] and [`Stored`] for a table with the standard columns.
#[macro_export]
macro_rules! stored {
    () => {
        $crate::owned!();
        $crate::stored!(@row organization_id);
    };
    (@row $organization:ident) => {
        impl $crate::Stored for Model {
            fn id(&self) -> uuid::Uuid {
                self.id
            }
            fn organization_id(&self) -> uuid::Uuid {
                self.$organization
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn touch(&mut self, now: chrono::DateTime<chrono::Utc>) {
                self.version += 1;
                self.updated_at = now;
            }
        }
    };
}

/// Declares a closed set of words: an enum that is a word in JSON and the same word in its column.
/// A row with any other word is refused when it is read.
#[macro_export]
macro_rules! choices {
    ($(#[$about:meta])* pub enum $name:ident, $schema:ident { $($(#[$variant_about:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            sea_orm::EnumIter,
            sea_orm::DeriveActiveEnum,
            serde::Serialize,
            serde::Deserialize,
            utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub enum $name {
            $($(#[$variant_about])* $variant,)*
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&sea_orm::ActiveEnum::to_value(self))
            }
        }
    };
}
