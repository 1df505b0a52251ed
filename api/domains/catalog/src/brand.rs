//! Brands: the makers' names that goods carry.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, Id, ListQuery, Metadata, MetadataPatch, Noun, Page, Patch, Result, Tx,
    problem,
};
use chrono::{DateTime, Utc};
use entity::catalog::brand::{Entity, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Product, common};

pub(crate) fn resource() -> Resource<Brand> {
    Resource::new("catalog:read", "catalog:write", "A maker's name that goods carry")
        .has_pages::<Product>("products", "brand_id")
        .list(list)
        .filter(["id", "name", "slug", "external_id", "created_at", "updated_at"])
        .sort(["name"])
        .get(get)
        .create(create)
        .emits(&CREATED)
        .fails(&problem::SLUG_TAKEN)
        .update(update)
        .emits(&UPDATED)
        .fails(&problem::SLUG_TAKEN)
        .delete(delete)
        .note("A brand that products carry cannot go.")
        .emits(&DELETED)
        .fails(&problem::IN_USE)
}

pub(crate) static CREATED: Event = Event::new("brand.created", "A brand was added.");
static UPDATED: Event = Event::new("brand.updated", "A brand changed.");
static DELETED: Event = Event::new("brand.deleted", "A brand was removed.");

/// A maker's name that goods carry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Brand {
    /// Its id.
    pub id: Id<Self>,
    /// What it is called.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its name in URLs, unique among brands.
    #[schema(max_length = 200)]
    pub slug: String,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// Its website.
    #[schema(format = "uri", max_length = 2048)]
    pub website: Option<String>,
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

/// A new brand.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Casa Norte", "website": "https://casanorte.example"})))]
pub struct BrandCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// Its name in URLs, unique among brands; made of `name` where absent.
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// Its website, `https` or `http`.
    #[schema(format = "uri", pattern = "^https?://", max_length = 2048)]
    pub website: Option<String>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a brand.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Casa del Norte", "website": null})))]
pub struct BrandPatch {
    /// What it is called.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub name: Option<String>,
    /// Its name in URLs, unique among brands.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200, nullable = false)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub description: Patch<String>,
    /// Its website, `https` or `http`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uri", pattern = "^https?://",
        max_length = 2048)]
    pub website: Patch<String>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Brand {
    type Entity = Entity;
    const NAME: &'static str = "brand";
    const PLURAL: &'static str = "brands";
    const PREFIX: &'static str = "brand";
}

impl From<Model> for Brand {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            name,
            slug,
            description,
            website,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            name,
            slug,
            description,
            website,
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Brand>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Brand>) -> Result<Brand> {
    cx.load(id).await
}

async fn create(tx: Tx, body: BrandCreate) -> Result<Brand> {
    tx.create(&CREATED, row(&tx, body)).await
}

async fn update(tx: Tx, id: Id<Brand>, patch: BrandPatch) -> Result<Brand> {
    let row = tx.load(id).await?;
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        patch.name.into_iter().for_each(|name| next.name = name);
        patch.slug.into_iter().for_each(|slug| next.slug = slug);
        patch.description.apply(&mut next.description);
        patch.website.apply(&mut next.website);
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Brand>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    // Products that carry it hold it by their foreign key.
    tx.delete::<Brand>(&DELETED, row).await?;
    Ok(Deleted::DONE)
}

/// The row of a new brand.
pub(crate) fn row(tx: &Tx, body: BrandCreate) -> Model {
    let BrandCreate { name, slug, description, website, external_id, metadata } = body;
    let id: Id<Brand> = tx.new_id();
    Model {
        id: id.uuid(),
        organization_id: tx.organization,
        slug: common::slug(slug, &name, id),
        name,
        description,
        website,
        external_id: external_id.map(|id| id.0),
        metadata: metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    }
}
