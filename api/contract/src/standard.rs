//! The operations that are the same for every resource: a resource names them, and decides nothing.

use bodega_kernel::{Changes, Event, Noun, Row, Writable};
use entity::Stored;
use sea_orm::EntityTrait;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::{Deleted, Resource};

/// What every list filters by, beside what the resource names.
const ALWAYS: [&str; 4] = ["id", "external_id", "created_at", "updated_at"];

impl<V: Noun> Resource<V> {
    /// The list, with filters by `id`, `external_id` and the times, as far as there are such fields.
    pub fn list(self) -> Self {
        let list = self.list_with(|cx, query| async move { cx.page(&query).await });
        let fields = ALWAYS.into_iter().filter(|field| list.parts.has(field)).collect::<Vec<_>>();
        list.filter_by(fields)
    }

    /// One by its id.
    pub fn get(self) -> Self {
        self.get_with(|cx, id| async move { cx.load(id).await })
    }
}

impl<V: Noun> Resource<V>
where
    Row<V>: Writable<V>,
    <V::Entity as EntityTrait>::ActiveModel: Send,
{
    /// Changes that need no decision: what the patch says is written.
    pub fn updates<P>(self, event: &'static Event) -> Self
    where
        P: Changes<V> + DeserializeOwned + ToSchema + 'static,
    {
        self.update_by(move |tx, id, patch: P| async move {
            let row = tx.load(id).await?;
            tx.patch(event, row, patch).await
        })
        .emits(event)
    }

    /// A removal that needs no decision: what still points at the object is told by the database.
    pub fn deletes(self, event: &'static Event) -> Self
    where
        Row<V>: Stored,
    {
        self.delete_by(move |tx, id| async move {
            let row = tx.load(id).await?;
            tx.delete::<V>(event, row).await?;
            Ok(Deleted::of(id))
        })
        .emits(event)
    }
}
