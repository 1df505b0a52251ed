//! What a resource is called, which table keeps it, and how its fields are kept there.

use bodega_values::{Items, StoredId};
use entity::Owned;
use sea_orm::{Condition, EntityTrait, Iterable};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Code, Cx, Id, Result, Tx, problem};

/// A resource's public type: how it is called, and the table whose rows it shows.
pub trait Noun: Serialize + ToSchema + From<Row<Self>> + Send + Sync + Sized + 'static {
    /// The table.
    type Entity: Owned<Model: Send + Sync>;
    /// `product`: in types, operations, events and links.
    const NAME: &'static str;
    /// `products`: in paths.
    const PLURAL: &'static str;
    /// `prod`: in ids.
    const PREFIX: &'static str;
    /// The values that no two objects of an organization share.
    const UNIQUE: &'static [Unique] = &[Unique::EXTERNAL_ID];

    /// Which of the organization's rows the caller may see, where that is not all of them. Every
    /// read through [`Cx`] and every row that [`Tx::load`](crate::Tx::load) takes asks here, so
    /// that no list, link or action shows what `get` would not.
    fn visible(_cx: &Cx) -> Result<Option<Condition>> {
        Ok(None)
    }
}

/// A row of the table behind `V`.
pub type Row<V> = <<V as Noun>::Entity as EntityTrait>::Model;

/// A value that no two objects of an organization share: a unique index, and what to say when it
/// refuses.
#[derive(Debug)]
pub struct Unique {
    /// The last column of the index.
    pub column: &'static str,
    /// Where the caller gives the value.
    pub pointer: &'static str,
    /// The problem.
    pub code: &'static Code,
}

impl Unique {
    /// The caller's own id, which every object has.
    pub const EXTERNAL_ID: Self =
        Self { column: "external_id", pointer: "/external_id", code: &problem::EXTERNAL_ID_TAKEN };
}

/// An object with a state that only its transitions change.
pub trait Stateful: Noun {
    /// The states.
    type State: Copy + PartialEq + Serialize + Send + Sync + Iterable + 'static;
    /// The field that shows the state.
    const FIELD: &'static str;

    /// The state of a row.
    fn state(row: &Row<Self>) -> Self::State;
    /// Sets the state of a row.
    fn set_state(row: &mut Row<Self>, state: Self::State);
}

/// What a patch changes in the row of a `V`.
pub trait Changes<V: Noun>: Send {
    /// Checks that what it refers to is there, and keeps it there until the end.
    fn check(&self, _tx: &Tx) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes it into the row.
    fn apply(self, row: &mut Row<V>) -> Result<()>;
}

/// A value that is kept in a column of another type: ids as UUIDs.
pub trait Kept: Sized {
    /// What is in the column.
    type Column;

    /// What is kept of it.
    fn kept(self) -> Self::Column;
    /// What is shown of the column.
    fn shown(column: Self::Column) -> Self;
}

impl<T> Kept for Id<T> {
    type Column = Uuid;

    fn kept(self) -> Uuid {
        self.uuid()
    }

    fn shown(column: Uuid) -> Self {
        Self::from_uuid(column)
    }
}

impl<T: Kept> Kept for Option<T> {
    type Column = Option<T::Column>;

    fn kept(self) -> Self::Column {
        self.map(T::kept)
    }

    fn shown(column: Self::Column) -> Self {
        column.map(T::shown)
    }
}

impl<T, const N: usize, const DISTINCT: bool> Kept for Items<Id<T>, N, DISTINCT> {
    type Column = Items<StoredId, N, DISTINCT>;

    fn kept(self) -> Self::Column {
        self.map(|id| StoredId(id.uuid()))
    }

    fn shown(column: Self::Column) -> Self {
        column.map(|id| Id::from_uuid(id.0))
    }
}

/// A kind of event that a command can emit.
#[derive(Debug)]
pub struct Event {
    /// `product.created`.
    pub name: &'static str,
    /// When it happens, in a sentence.
    pub about: &'static str,
}

impl Event {
    /// Declares an event.
    pub const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about }
    }
}
