//! Collections: products picked to be shown together, in an order of the shop's own.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, Id, Linked, ListQuery, Metadata, MetadataPatch, Noun, Page, Patch,
    Result, Tx, problem,
};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::catalog::collection::{Column, Entity, Model};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Product, common};

/// How many products a collection has at most: the schema of `product_ids` says so.
const PRODUCTS_MAX: u64 = 500;

pub(crate) fn resource() -> Resource<Collection> {
    Resource::new("catalog:read", "catalog:write", "Products picked to be shown together")
        .link::<Product, _>("products", PRODUCTS_MAX, products_of)
        .list(list)
        .filter(["id", "title", "slug", "external_id", "created_at", "updated_at"])
        .sort(["title"])
        .get(get)
        .create(create)
        .emits(&CREATED)
        .fails(&problem::SLUG_TAKEN)
        .update(update)
        .note("`product_ids` is given whole: the new list takes the place of the old one.")
        .emits(&UPDATED)
        .fails(&problem::SLUG_TAKEN)
        .delete(delete)
        .note("Its products stay.")
        .emits(&DELETED)
}

static CREATED: Event = Event::new("collection.created", "A collection was added.");
static UPDATED: Event = Event::new("collection.updated", "A collection changed.");
static DELETED: Event = Event::new("collection.deleted", "A collection was removed.");

/// Products picked to be shown together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Collection {
    /// Its id.
    pub id: Id<Self>,
    /// What it is called.
    #[schema(max_length = 300)]
    pub title: String,
    /// Its name in URLs, unique among collections.
    #[schema(max_length = 200)]
    pub slug: String,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// The products, in the order they are shown in. One that was deleted since keeps its id here
    /// and is missing from `products`.
    #[schema(max_items = 500)]
    pub product_ids: Vec<Id<Product>>,
    /// Your own id for the object.
    #[schema(max_length = 200)]
    pub external_id: Option<String>,
    /// Your own pairs of text.
    pub metadata: Metadata,
    /// Grows by one with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A new collection.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"title": "Back to school"})))]
pub struct CollectionCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 300, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub title: String,
    /// Its name in URLs, unique among collections; made of `title` where absent.
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// The products, in the order they are shown in.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub product_ids: Vec<Id<Product>>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a collection.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"title": "Back to school, 2027"})))]
pub struct CollectionPatch {
    /// What it is called.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub title: Option<String>,
    /// Its name in URLs, unique among collections.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200, nullable = false)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub description: Patch<String>,
    /// The products, in the order they are shown in.
    #[serde(default)]
    #[schema(max_items = 500, nullable = false)]
    pub product_ids: Option<Vec<Id<Product>>>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Collection {
    type Entity = Entity;
    const NAME: &'static str = "collection";
    const PLURAL: &'static str = "collections";
    const PREFIX: &'static str = "coll";
}

impl From<Model> for Collection {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            title,
            slug,
            description,
            product_ids,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            title,
            slug,
            description,
            product_ids: picked(&product_ids),
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Collection>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Collection>) -> Result<Collection> {
    cx.load(id).await
}

async fn create(tx: Tx, body: CollectionCreate) -> Result<Collection> {
    tx.refer_all(&body.product_ids, "/product_ids").await?;
    let id: Id<Collection> = tx.new_id();
    let row = Model {
        id: id.uuid(),
        organization_id: tx.organization,
        slug: common::slug(body.slug, &body.title, id),
        title: body.title,
        description: body.description,
        product_ids: kept(&body.product_ids),
        external_id: body.external_id.map(|id| id.0),
        metadata: body.metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    tx.create(&CREATED, row).await
}

async fn update(tx: Tx, id: Id<Collection>, patch: CollectionPatch) -> Result<Collection> {
    let row = tx.load(id).await?;
    tx.refer_all(patch.product_ids.as_deref().unwrap_or_default(), "/product_ids").await?;
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        patch.title.into_iter().for_each(|title| next.title = title);
        patch.slug.into_iter().for_each(|slug| next.slug = slug);
        patch.description.apply(&mut next.description);
        patch.product_ids.iter().for_each(|ids| next.product_ids = kept(ids));
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Collection>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    tx.delete::<Collection>(&DELETED, row).await?;
    Ok(Deleted::DONE)
}

/// The products of collections, in their order: one statement for the lists, one for the products.
async fn products_of(cx: Cx, ids: Vec<Uuid>) -> Result<Linked> {
    let rows = Entity::of(cx.organization)
        .filter(Column::Id.is_in(ids))
        .select_only()
        .columns([Column::Id, Column::ProductIds])
        .into_tuple();
    let (mut lists, mut pairs) = (Vec::new(), 0);
    cx.each(rows.stream(cx.db()), |(id, ids): (Uuid, Value)| {
        let picked: Vec<Uuid> = picked(&ids).iter().map(|id| id.uuid()).collect();
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

fn picked(stored: &Value) -> Vec<Id<Product>> {
    Vec::deserialize(stored).unwrap_or_default()
}

fn kept(ids: &[Id<Product>]) -> Value {
    serde_json::to_value(ids).unwrap_or_default()
}
