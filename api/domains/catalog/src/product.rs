//! Products: what is sold, stocked, fitted or booked. Each comes in one or more variants.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, FieldError, Id, LINKED_MAX, Linked, ListQuery, Metadata, MetadataPatch,
    Noun, Page, Patch, Problem, Result, State, Through, Tx, problem, text,
};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::catalog::product::{Entity, Kind, Model, Status};
use entity::catalog::{category, product_category, variant};
use sea_orm::{
    ActiveValue, ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::category::LEVELS_MAX;
use crate::options::check_names;
use crate::variant::{VARIANTS_MAX, Variant, remove};
use crate::{Brand, Category, ProductOption, common, price};

/// In how many categories a product is filed at most: the schema of `category_ids` says so.
const CATEGORIES_MAX: u64 = 10;

pub(crate) fn resource() -> Resource<Product> {
    Resource::new(
        "catalog:read",
        "catalog:write",
        "Something that is sold, stocked, fitted or booked, in one or more variants",
    )
    .belongs_to::<Brand>("brand", "brand_id")
    .has_many::<Variant>("variants", variant::Column::ProductId, VARIANTS_MAX)
    .link::<Category, _>("categories", CATEGORIES_MAX, categories_of)
    .list(list)
    .filter(["id", "title", "slug", "status", "kind", "brand_id"])
    .filter_through::<Category>(
        "category_id",
        Through::table::<product_category::Entity>(
            product_category::Column::ProductId,
            product_category::Column::CategoryId,
        )
        .under::<category::Entity>(category::Column::ParentId, LEVELS_MAX),
        "Only what is filed in this category, or in one below it.",
    )
    .filter(["external_id", "created_at", "updated_at"])
    .sort(["title"])
    .get(get)
    .create(create)
    .note("It has no variants yet: what can be picked and priced is a variant of it.")
    .emits(&CREATED)
    .fails(&problem::SLUG_TAKEN)
    .fails(&problem::OPTIONS_MISMATCH)
    .update(update)
    .note("Its options can change only so that every variant there is still fits them.")
    .emits(&UPDATED)
    .fails(&problem::SLUG_TAKEN)
    .fails(&problem::OPTIONS_MISMATCH)
    .delete(delete)
    .note("Its variants and their prices go with it; archive it to keep them.")
    .emits(&DELETED)
    .emits(&crate::variant::DELETED)
    .emits(&price::DELETED)
    .action("publish", "Puts a draft, proposed or archived product on sale.", publish)
    .emits(&PUBLISHED)
    .fails(&problem::INVALID_TRANSITION)
    .action("archive", "Takes a product off sale, or drops a draft, and keeps it.", archive)
    .emits(&ARCHIVED)
    .fails(&problem::INVALID_TRANSITION)
    .action("propose", "Puts a draft forward for a decision.", propose)
    .emits(&PROPOSED)
    .fails(&problem::INVALID_TRANSITION)
    .action("reject", "Declines a proposed product.", reject)
    .emits(&REJECTED)
    .fails(&problem::INVALID_TRANSITION)
    .action("reopen", "Makes a rejected or archived product a draft again.", reopen)
    .emits(&REOPENED)
    .fails(&problem::INVALID_TRANSITION)
}

pub(crate) static CREATED: Event = Event::new("product.created", "A product was added.");
static UPDATED: Event = Event::new("product.updated", "A product changed.");
static DELETED: Event = Event::new("product.deleted", "A product was removed.");
static PUBLISHED: Event = Event::new("product.published", "A product went on sale.");
static ARCHIVED: Event = Event::new("product.archived", "A product went off sale, or was dropped.");
static PROPOSED: Event = Event::new("product.proposed", "A product was put forward.");
static REJECTED: Event = Event::new("product.rejected", "A proposed product was declined.");
static REOPENED: Event = Event::new("product.reopened", "A product became a draft again.");

/// Something that is sold, stocked, fitted or booked, in one or more variants.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Product {
    /// Its id.
    pub id: Id<Self>,
    /// What it is called.
    #[schema(max_length = 300)]
    pub title: String,
    /// Its name in URLs, unique among products.
    #[schema(max_length = 200)]
    pub slug: String,
    /// What there is to say of it.
    #[schema(max_length = 20_000)]
    pub description: Option<String>,
    /// What is sold: a thing, work, a set, a download or money on a code.
    pub kind: Kind,
    /// Where it is in its life; only its actions change this.
    pub status: Status,
    /// The brand it carries.
    pub brand_id: Option<Id<Brand>>,
    /// The categories it is filed under, the main one first.
    #[schema(value_type = HashSet<Id<Category>>, max_items = 10)]
    pub category_ids: Vec<Id<Category>>,
    /// How it is taxed, by a name of your own.
    #[schema(max_length = 100)]
    pub tax_category: Option<String>,
    /// What its variants differ in; none for a product with a single variant.
    #[schema(max_items = 3)]
    pub options: Vec<ProductOption>,
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

/// What a product can start as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitialProductStatus {
    /// Being prepared; not for sale.
    #[default]
    Draft,
    /// For sale.
    Active,
}

/// A new product.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"title": "Work shirt", "status": "active",
    "options": [{"name": "Size", "values": ["S", "M", "L"]}]})))]
pub struct ProductCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 300, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub title: String,
    /// Its name in URLs, unique among products; made of `title` where absent.
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[schema(max_length = 20_000)]
    pub description: Option<String>,
    /// What is sold: a thing, work, a set, a download or money on a code.
    #[serde(default)]
    #[schema(default = "good")]
    pub kind: Kind,
    /// What it starts as; later only its actions change this.
    #[serde(default)]
    #[schema(default = "draft")]
    pub status: InitialProductStatus,
    /// The brand it carries.
    pub brand_id: Option<Id<Brand>>,
    /// The categories it is filed under, the main one first.
    #[serde(default)]
    #[schema(value_type = HashSet<Id<Category>>, max_items = 10)]
    pub category_ids: Vec<Id<Category>>,
    /// How it is taxed, by a name of your own.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub tax_category: Option<String>,
    /// What its variants will differ in; none for a product with a single variant.
    #[serde(default)]
    #[schema(max_items = 3)]
    pub options: Vec<ProductOption>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a product.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"title": "Work shirt, long sleeves", "description": null})))]
pub struct ProductPatch {
    /// What it is called.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub title: Option<String>,
    /// Its name in URLs, unique among products.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200, nullable = false)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    pub description: Patch<String>,
    /// What is sold: a thing, work, a set, a download or money on a code.
    #[serde(default)]
    #[schema(nullable = false)]
    pub kind: Option<Kind>,
    /// The brand it carries.
    #[serde(default)]
    #[schema(value_type = Option<Id<Brand>>)]
    pub brand_id: Patch<Id<Brand>>,
    /// The categories it is filed under, the main one first: all of them anew.
    #[serde(default)]
    #[schema(value_type = Option<HashSet<Id<Category>>>, max_items = 10, nullable = false)]
    pub category_ids: Option<Vec<Id<Category>>>,
    /// How it is taxed, by a name of your own.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub tax_category: Patch<String>,
    /// What its variants differ in: all of it anew.
    #[serde(default)]
    #[schema(max_items = 3, nullable = false)]
    pub options: Option<Vec<ProductOption>>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Product {
    type Entity = Entity;
    const NAME: &'static str = "product";
    const PLURAL: &'static str = "products";
    const PREFIX: &'static str = "prod";
}

impl From<Model> for Product {
    fn from(row: Model) -> Self {
        let options = options_of(&row);
        let Model {
            id,
            organization_id: _,
            title,
            slug,
            description,
            kind,
            status,
            brand_id,
            tax_category,
            category_ids,
            options: _,
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
            kind,
            status,
            brand_id: brand_id.map(Id::from_uuid),
            category_ids: serde_json::from_value(category_ids).unwrap_or_default(),
            tax_category,
            options,
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

/// Where a product can go from where it is, each through an action of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Life(Status);

impl State for Life {
    fn next(self) -> &'static [Self] {
        const ACTIVE: Life = Life(Status::Active);
        const ARCHIVED: Life = Life(Status::Archived);
        const DRAFT: Life = Life(Status::Draft);
        match self.0 {
            Status::Draft => &[ACTIVE, Life(Status::Proposed), ARCHIVED],
            Status::Proposed => &[ACTIVE, Life(Status::Rejected)],
            Status::Active => &[ARCHIVED],
            Status::Archived => &[ACTIVE, DRAFT],
            Status::Rejected => &[DRAFT],
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Product>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Product>) -> Result<Product> {
    cx.load(id).await
}

async fn create(tx: Tx, body: ProductCreate) -> Result<Product> {
    check_names(&body.options)?;
    if let Some(brand) = body.brand_id {
        tx.refer(brand, "/brand_id").await?;
    }
    tx.refer_all(&body.category_ids, "/category_ids").await?;
    let filed = body.category_ids.clone();
    let product = tx.create::<Product>(&CREATED, row(&tx, body)).await?;
    if !filed.is_empty() {
        file(&tx, product.id, &filed).await?;
    }
    Ok(product)
}

async fn update(tx: Tx, id: Id<Product>, patch: ProductPatch) -> Result<Product> {
    let row = tx.load(id).await?;
    if let Patch::Set(brand) = patch.brand_id {
        tx.refer(brand, "/brand_id").await?;
    }
    let options = patch.options.filter(|options| *options != options_of(&row));
    if let Some(options) = &options {
        check_names(options)?;
        check_variants(&tx, row.id, options).await?;
    }
    let filed = patch.category_ids.filter(|ids| ids_json(ids) != row.category_ids);
    if let Some(ids) = &filed {
        tx.refer_all(ids, "/category_ids").await?;
        file(&tx, id, ids).await?;
    }
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        patch.title.into_iter().for_each(|title| next.title = title);
        patch.slug.into_iter().for_each(|slug| next.slug = slug);
        patch.description.apply(&mut next.description);
        patch.kind.into_iter().for_each(|kind| next.kind = kind);
        patch.brand_id.map(Id::uuid).apply(&mut next.brand_id);
        filed.iter().for_each(|ids| next.category_ids = ids_json(ids));
        patch.tax_category.apply(&mut next.tax_category);
        options.iter().for_each(|options| next.options = options_json(options));
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Product>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    remove(&tx, common::children::<Variant>(&tx, variant::Column::ProductId, [row.id]).await?)
        .await?;
    file(&tx, id, &[]).await?;
    tx.delete::<Product>(&DELETED, row).await?;
    Ok(Deleted::DONE)
}

async fn publish(tx: Tx, id: Id<Product>) -> Result<Product> {
    go(tx, id, Status::Active, &PUBLISHED).await
}

async fn archive(tx: Tx, id: Id<Product>) -> Result<Product> {
    go(tx, id, Status::Archived, &ARCHIVED).await
}

async fn propose(tx: Tx, id: Id<Product>) -> Result<Product> {
    go(tx, id, Status::Proposed, &PROPOSED).await
}

async fn reject(tx: Tx, id: Id<Product>) -> Result<Product> {
    go(tx, id, Status::Rejected, &REJECTED).await
}

async fn reopen(tx: Tx, id: Id<Product>) -> Result<Product> {
    go(tx, id, Status::Draft, &REOPENED).await
}

/// Each state is reached by one action only, so the state says which event it is.
async fn go(tx: Tx, id: Id<Product>, to: Status, event: &'static Event) -> Result<Product> {
    let row = tx.load(id).await?;
    let Life(status) = Life(row.status).go(Life(to))?;
    tx.update(event, row, |next| next.status = status).await
}

/// The row of a new product.
pub(crate) fn row(tx: &Tx, body: ProductCreate) -> Model {
    let ProductCreate {
        title,
        slug,
        description,
        kind,
        status,
        brand_id,
        category_ids,
        tax_category,
        options,
        external_id,
        metadata,
    } = body;
    let id: Id<Product> = tx.new_id();
    Model {
        id: id.uuid(),
        organization_id: tx.organization,
        slug: common::slug(slug, &title, id),
        title,
        description,
        kind,
        status: match status {
            InitialProductStatus::Draft => Status::Draft,
            InitialProductStatus::Active => Status::Active,
        },
        brand_id: brand_id.map(Id::uuid),
        tax_category,
        category_ids: ids_json(&category_ids),
        options: options_json(&options),
        external_id: external_id.map(|id| id.0),
        metadata: metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    }
}

/// The rows that index where a product is filed.
pub(crate) fn filed(
    tx: &Tx,
    product: Id<Product>,
    categories: &[Id<Category>],
) -> Vec<product_category::ActiveModel> {
    let place = |(position, category): (i32, &Id<Category>)| product_category::ActiveModel {
        product_id: ActiveValue::Set(product.uuid()),
        category_id: ActiveValue::Set(category.uuid()),
        organization_id: ActiveValue::Set(tx.organization),
        position: ActiveValue::Set(position),
    };
    (0..).zip(categories).map(place).collect()
}

/// The options that a product's variants differ in.
pub(crate) fn options_of(row: &Model) -> Vec<ProductOption> {
    Vec::deserialize(&row.options).unwrap_or_default()
}

async fn file(tx: &Tx, product: Id<Product>, categories: &[Id<Category>]) -> Result<()> {
    let column = product_category::Column::ProductId;
    let rows = filed(tx, product, categories);
    tx.reindex::<product_category::Entity>(column, product.uuid(), rows).await
}

/// Refuses options that a variant there is would not fit. The product is locked, so none can come
/// in between.
async fn check_variants(tx: &Tx, product: Uuid, options: &[ProductOption]) -> Result<()> {
    let variants = variant::Entity::of(tx.organization)
        .filter(variant::Column::ProductId.eq(product))
        .all(tx.db())
        .await?;
    match variants
        .into_iter()
        .map(Variant::from)
        .find(|variant| variant.options.misfit(options).is_some())
    {
        None => Ok(()),
        Some(variant) => Err(Problem::new(&problem::OPTIONS_MISMATCH)
            .with("variant_id", variant.id.to_string())
            .at(FieldError::body(
                "/options",
                "options_mismatch",
                text(
                    format!("would not fit the variant {}", variant.id),
                    format!("no correspondería a la variante {}", variant.id),
                ),
            ))),
    }
}

/// The categories of products, in the order they were given: one statement.
async fn categories_of(cx: Cx, products: Vec<Uuid>) -> Result<Linked> {
    let filed: RelationDef = product_category::Entity::belongs_to(category::Entity)
        .from(product_category::Column::CategoryId)
        .to(category::Column::Id)
        .into();
    let rows = category::Entity::of(cx.organization)
        .join_rev(JoinType::InnerJoin, filed)
        .filter(product_category::Column::OrganizationId.eq(cx.organization))
        .filter(product_category::Column::ProductId.is_in(products))
        .order_by_asc(product_category::Column::Position)
        .limit(LINKED_MAX as u64 + 1)
        .select_also(product_category::Entity);
    let mut linked = Linked::default();
    cx.each(rows.stream(cx.db()), |(category, filed)| match filed {
        Some(filed) => linked.add(&cx, filed.product_id, category.id, || Category::from(category)),
        None => Ok(()),
    })
    .await?;
    Ok(linked)
}

fn ids_json(ids: &[Id<Category>]) -> Value {
    ids.iter().map(Id::to_string).collect()
}

fn options_json(options: &[ProductOption]) -> Value {
    serde_json::to_value(options).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_starts_where_it_may() {
        use Status::{Active, Archived, Draft, Proposed, Rejected};
        for (to, from) in [
            (Active, vec![Draft, Proposed, Archived]),
            (Archived, vec![Draft, Active]),
            (Proposed, vec![Draft]),
            (Rejected, vec![Proposed]),
            (Draft, vec![Archived, Rejected]),
        ] {
            for status in [Draft, Proposed, Active, Archived, Rejected] {
                let went = Life(status).go(Life(to));
                assert_eq!(went.is_ok(), from.contains(&status), "{status:?} to {to:?}");
            }
        }
        let refused = Life(Active).go(Life(Active)).unwrap_err();
        assert_eq!(refused.code.code, "invalid_transition");
        assert_eq!(refused.extra["allowed"], serde_json::json!(["archived"]));
    }
}
