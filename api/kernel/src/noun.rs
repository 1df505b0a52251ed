//! What a resource is called, and which table keeps it.

use entity::Owned;
use sea_orm::{Condition, EntityTrait};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Cx, Problem, Result, problem};

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

    /// Which of the organization's rows the caller may see, where that is not all of them. Every
    /// read through [`Cx`] and every row that [`Tx::load`](crate::Tx::load) takes asks here, so
    /// that no list, link or action shows what `get` would not.
    fn visible(_cx: &Cx) -> Result<Option<Condition>> {
        Ok(None)
    }
}

/// A row of the table behind `V`.
pub type Row<V> = <<V as Noun>::Entity as EntityTrait>::Model;

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

/// A state machine: the states it can go to, from each.
pub trait State: Copy + PartialEq + Serialize + 'static {
    /// Where it may go from here, each through an action of its own.
    fn next(self) -> &'static [Self];

    /// Goes to `to`, or says where it could have gone.
    fn go(self, to: Self) -> Result<Self> {
        if self.next().contains(&to) {
            return Ok(to);
        }
        let name = |state: &Self| serde_json::to_value(state).unwrap_or_default();
        Err(Problem::new(&problem::INVALID_TRANSITION)
            .with("from", name(&self))
            .with("to", name(&to))
            .with("allowed", self.next().iter().map(name).collect::<Vec<_>>()))
    }
}
