//! A small registry for the tests: two resources over real tables, and batches.

use bodega_contract::{Access, Declared, Deleted, Deprecation, Registry, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, Id, ListQuery, Metadata, MetadataPatch, Noun, Page, Patch, Problem,
    Result, Tx, Versions, problem,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

static CREATED: Event = Event::new("brand.created", "A brand was created.");
static UPDATED: Event = Event::new("brand.updated", "A brand was changed.");
static DELETED: Event = Event::new("brand.deleted", "A brand was deleted.");
static MERGED: Event = Event::new("brand.merged", "A brand was merged into another.");

/// A maker's name on goods.
#[derive(Serialize, ToSchema)]
pub(crate) struct Brand {
    /// The id.
    id: Id<Brand>,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255, examples("Casa Norte"))]
    name: String,
    /// What it is called in a URL.
    #[schema(pattern = "^[a-z0-9-]+$", max_length = 100, examples("casa-norte"))]
    slug: String,
    /// More about it.
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// Its home page.
    #[schema(format = "uri")]
    website: Option<String>,
    /// Your own id.
    external_id: Option<ExternalId>,
    /// Your own pairs.
    metadata: Metadata,
    /// How often it was written.
    #[schema(minimum = 1)]
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// A new brand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Casa Norte", "slug": "casa-norte"})))]
#[expect(dead_code, reason = "only its schema counts")]
pub(crate) struct BrandCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What it is called in a URL.
    #[schema(pattern = "^[a-z0-9-]+$", max_length = 100)]
    slug: Option<String>,
    /// Your own pairs.
    metadata: Option<Metadata>,
}

/// A changed brand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema counts")]
pub(crate) struct BrandPatch {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255, examples("Casa Sur"))]
    name: Option<String>,
    /// Your own id.
    #[serde(default)]
    external_id: Patch<ExternalId>,
    /// Your own pairs.
    metadata: Option<MetadataPatch>,
}

/// Where the goods of a brand go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema counts")]
pub(crate) struct BrandMerge {
    /// The brand that stays.
    into: Id<Brand>,
}

/// A node of a tree.
#[derive(Serialize, ToSchema)]
pub(crate) struct Category {
    /// The id.
    id: Id<Category>,
    /// The node above.
    parent_id: Option<Id<Category>>,
    /// What it is called.
    #[schema(max_length = 255)]
    name: String,
    /// Its place among its siblings.
    #[schema(minimum = 0)]
    position: i32,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl Noun for Brand {
    type Entity = entity::catalog::brand::Entity;
    const NAME: &'static str = "brand";
    const PLURAL: &'static str = "brands";
    const PREFIX: &'static str = "brand";
}

impl Noun for Category {
    type Entity = entity::catalog::category::Entity;
    const NAME: &'static str = "category";
    const PLURAL: &'static str = "categories";
    const PREFIX: &'static str = "cat";
}

impl From<entity::catalog::brand::Model> for Brand {
    fn from(row: entity::catalog::brand::Model) -> Self {
        Self {
            id: Id::from_uuid(row.id),
            name: row.name.into(),
            slug: row.slug.into(),
            description: row.description.map(Into::into),
            website: row.website.map(Into::into),
            external_id: row.external_id,
            metadata: row.metadata,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

impl From<entity::catalog::category::Model> for Category {
    fn from(row: entity::catalog::category::Model) -> Self {
        Self {
            id: Id::from_uuid(row.id),
            parent_id: row.parent_id.map(Id::from_uuid),
            name: row.name.into(),
            position: row.position,
            created_at: row.created_at,
        }
    }
}

const CATALOG: Access = Access { read: "catalog:read", write: "catalog:write" };

fn never<T>() -> Result<T> {
    Err(Problem::new(&problem::INTERNAL_ERROR))
}

async fn list<V: Noun>(_: Cx, _: ListQuery) -> Result<Page<V>> {
    never()
}

async fn get<V: Noun>(_: Cx, _: Id<V>) -> Result<V> {
    never()
}

async fn create(_: Tx, _: BrandCreate) -> Result<Brand> {
    never()
}

async fn update(_: Tx, _: Id<Brand>, _: BrandPatch) -> Result<Brand> {
    never()
}

async fn delete(_: Tx, _: Id<Brand>) -> Result<Deleted> {
    never()
}

async fn merge(_: Tx, _: Id<Brand>, _: BrandMerge) -> Result<Brand> {
    never()
}

fn brands() -> Declared {
    Resource::<Brand>::new(CATALOG, "A maker's name on goods")
        .list_with(list)
        .filter(["name", "created_at"])
        .sort(["name"])
        .get_with(get)
        .create(create)
        .emits(&CREATED)
        .fails(&problem::SLUG_TAKEN)
        .deprecated(Deprecation {
            field: Some("/slug"),
            since: "2026-11-20",
            sunset: "2027-11-20",
            instead: "nothing: it follows from the name",
        })
        .update(update)
        .emits(&UPDATED)
        .fails(&problem::SLUG_TAKEN)
        .delete(delete)
        .emits(&DELETED)
        .action_with("merge", "Puts the goods of this brand under another.", merge)
        .emits(&MERGED)
        .deprecated(Deprecation {
            field: None,
            since: "2026-11-20",
            sunset: "2027-11-20",
            instead: "`brand.update`",
        })
        .into()
}

fn categories() -> Declared {
    Resource::<Category>::new(CATALOG, "A node of a tree")
        .list_with(list)
        .filter(["parent_id", "position"])
        .sort(["name"])
        .get_with(get)
        .belongs_to::<Category>("parent", "parent_id")
        .has_pages::<Category>("children", "parent_id")
        .into()
}

pub(crate) fn registry() -> Registry {
    Registry::new([brands(), categories(), bodega_corridor::batches()])
}

pub(crate) fn versions() -> Versions {
    Versions::new("2026-11-20", Vec::new())
}
