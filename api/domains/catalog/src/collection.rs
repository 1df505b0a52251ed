//! Collections: products picked to be shown together, in an order of the shop's own.

use bodega_contract::Resource;
use bodega_kernel::values::{Label, List, Slug, StoredId, Text};
use bodega_kernel::{Cx, Event, Id, Linked, Result, Tx, problem};
use bodega_macros::object;
use entity::Owned;
use entity::catalog::collection::{Column, Entity};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::common::slug;
use crate::{CATALOG, Product};

/// How many products a collection has at most: the schema of `product_ids` says so.
const PRODUCTS_MAX: u64 = 500;

pub(crate) fn resource() -> Resource<Collection> {
    Resource::new(CATALOG, "Products picked to be shown together")
        .link::<Product, _>("products", PRODUCTS_MAX, products_of)
        .list()
        .filter(["title", "slug"])
        .sort(["title"])
        .get()
        .create(create)
        .emits(&CREATED)
        .updates::<CollectionPatch>(&UPDATED)
        .note("`product_ids` is given whole: the new list takes the place of the old one.")
        .deletes(&DELETED)
        .note("Its products stay.")
}

static CREATED: Event = Event::new("collection.created", "A collection was added.");
static UPDATED: Event = Event::new("collection.updated", "A collection changed.");
static DELETED: Event = Event::new("collection.deleted", "A collection was removed.");

/// Products picked to be shown together.
#[object(
    name = "collection", plural = "collections", prefix = "coll",
    table = entity::catalog::collection,
    create = {"title": "Back to school"},
    patch = {"title": "Back to school, 2027"},
)]
pub struct Collection {
    /// The title shown to customers.
    pub title: Label<300>,
    /// The name in URLs, unique among collections. Made of `title` where absent.
    #[create(optional)]
    #[unique(problem::SLUG_TAKEN)]
    pub slug: Slug,
    /// A text about the collection, shown to customers.
    pub description: Option<Text<5000>>,
    /// The products, in the order they are shown in. One that was removed since keeps its id here
    /// and is missing from `products`.
    #[create(default)]
    #[refers]
    pub product_ids: List<Id<Product>, 500>,
}

async fn create(tx: Tx, body: CollectionCreate) -> Result<Collection> {
    let id = tx.new_id();
    let slug = slug(body.slug.clone(), &body.title, id);
    tx.create(&CREATED, body.row(&tx, id, slug).await?).await
}

/// The products of collections, in their order: one statement for the lists, one for the products.
async fn products_of(cx: Cx, ids: Vec<Uuid>) -> Result<Linked> {
    let rows = Entity::of(cx.organization)
        .filter(Column::Id.is_in(ids))
        .select_only()
        .columns([Column::Id, Column::ProductIds])
        .into_tuple();
    let (mut lists, mut pairs) = (Vec::new(), 0);
    cx.each(rows.stream(cx.db()), |(id, ids): (Uuid, List<StoredId, 500>)| {
        let picked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        pairs += picked.len();
        lists.push((id, picked));
        Linked::check(pairs)
    })
    .await?;
    let mut wanted: Vec<Uuid> = lists.iter().flat_map(|(_, picked)| picked).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = cx.linked_by_id::<Product>(wanted).await?;
    found.grouped(lists.iter().map(|(id, picked)| (*id, picked.iter())))
}
