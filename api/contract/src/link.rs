//! Ways from objects of one resource to objects of another, and how they are declared.

use std::future::Future;
use std::sync::Arc;

use bodega_kernel::{Cx, Filter, Linked, ListQuery, Noun, Result, Row};
use futures::future::BoxFuture;
use sea_orm::{EntityTrait, ModelTrait};
use uuid::Uuid;

use crate::Resource;

/// Ids in, what they lead to out, in one statement, or two where a table lies between.
pub type Load = Arc<dyn Fn(Cx, Vec<Uuid>) -> BoxFuture<'static, Result<Linked>> + Send + Sync>;

/// The filter that finds what objects lead to, the objects' ids, and what is asked of each one's list;
/// the page of each out, in one statement, and one more where they are counted.
pub type LoadPages = Arc<
    dyn Fn(Cx, Filter, Vec<Uuid>, ListQuery) -> BoxFuture<'static, Result<Linked>> + Send + Sync,
>;

/// A way from objects of one resource to objects of another: `expand` and GraphQL walk the same one.
#[derive(Clone)]
pub struct Link {
    /// What it is called on the object.
    pub name: &'static str,
    /// The resource it leads to.
    pub target: &'static str,
    /// The field that holds the key: `id`, or `brand_id`.
    pub key: &'static str,
    /// To what of it, and how that is loaded for many objects at once.
    pub leads: Leads,
}

/// To how much a link leads.
#[derive(Clone)]
pub enum Leads {
    /// To one object.
    One(Load),
    /// To all there are, because a rule of the domain keeps them few.
    Few {
        /// How many that rule allows.
        max: u64,
        /// Loads them.
        load: Load,
    },
    /// To a page, because there may be any number.
    Pages {
        /// The filter of the target's list that finds the same.
        filter: &'static str,
        /// Loads the first pages.
        load: LoadPages,
    },
}

/// The links of a resource.
impl<V: Noun> Resource<V> {
    /// A link to the one object that a field names: `brand` by `brand_id`.
    pub fn belongs_to<T: Noun>(mut self, name: &'static str, key: &'static str) -> Self
    where
        Row<T>: ModelTrait<Entity = T::Entity>,
    {
        let load: Load =
            Arc::new(|cx, ids| Box::pin(async move { cx.linked_by_id::<T>(ids).await }));
        self.parts.links.push(Link { name, target: T::NAME, key, leads: Leads::One(load) });
        self
    }

    /// A link to the few objects that name this one in a column: `variants` by their `product_id`. No
    /// object has more of them than `max`: a rule that the domain keeps.
    pub fn has_many<T: Noun>(
        mut self,
        name: &'static str,
        column: <T::Entity as EntityTrait>::Column,
        max: u64,
    ) -> Self
    where
        Row<T>: ModelTrait<Entity = T::Entity>,
        <T::Entity as EntityTrait>::Column: Copy + Send + Sync,
    {
        let load: Load = Arc::new(move |cx, ids| {
            Box::pin(async move { cx.linked_children::<T>(column, ids).await })
        });
        let leads = Leads::Few { max, load };
        self.parts.links.push(Link { name, target: T::NAME, key: "id", leads });
        self
    }

    /// A link to any number of objects, which are shown by pages: those that the list of `T` finds
    /// when `filter` is the id of this one.
    pub fn has_pages<T: Noun>(mut self, name: &'static str, filter: &'static str) -> Self
    where
        Row<T>: ModelTrait<Entity = T::Entity>,
        <T::Entity as EntityTrait>::Column: Copy,
    {
        let load: LoadPages = Arc::new(|cx, by, ids, query| {
            Box::pin(async move { cx.pages_of::<T>(&by, ids, &query).await })
        });
        let leads = Leads::Pages { filter, load };
        self.parts.links.push(Link { name, target: T::NAME, key: "id", leads });
        self
    }

    /// A link of its own making to few objects, `max` of them by a rule of the domain: ids in, what
    /// they lead to out.
    pub fn link<T: Noun, F>(
        mut self,
        name: &'static str,
        max: u64,
        run: fn(Cx, Vec<Uuid>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Linked>> + Send + 'static,
    {
        let load: Load = Arc::new(move |cx, ids| Box::pin(run(cx, ids)));
        let leads = Leads::Few { max, load };
        self.parts.links.push(Link { name, target: T::NAME, key: "id", leads });
        self
    }
}
