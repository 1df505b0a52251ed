//! Products: what is sold, stocked, fitted or booked. Each comes in one or more variants.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::values::{Distinct, Label, List, Slug, Text};
use bodega_kernel::{
    Cx, Event, FieldError, Id, Kept, LINKED_MAX, Linked, Problem, Result, Through, Tx, problem,
    text,
};
use bodega_macros::object;
use entity::Owned;
use entity::catalog::options::ProductOption;
use entity::catalog::product::{Kind, Status};
use entity::catalog::{category, product_category, variant};
use sea_orm::{
    ActiveValue, ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};
use uuid::Uuid;

use crate::category::LEVELS_MAX;
use crate::common::{children, slug};
use crate::options::{check_names, misfit};
use crate::variant::{VARIANTS_MAX, Variant, remove};
use crate::{Brand, CATALOG, Category, price};

/// In how many categories a product is filed at most: the schema of `category_ids` says so.
const CATEGORIES_MAX: u64 = 10;

pub(crate) fn resource() -> Resource<Product> {
    use Status::{Active, Archived, Draft, Proposed, Rejected};
    Resource::new(
        CATALOG,
        "Something that is sold, stocked, fitted or booked, in one or more variants",
    )
    .belongs_to::<Brand>("brand", "brand_id")
    .has_many::<Variant>("variants", variant::Column::ProductId, VARIANTS_MAX)
    .link::<Category, _>("categories", CATEGORIES_MAX, categories_of)
    .list()
    .filter(["title", "slug", "status", "kind", "brand_id"])
    .filter_through::<Category>(
        "category_id",
        Through::table::<product_category::Entity>(
            product_category::Column::ProductId,
            product_category::Column::CategoryId,
        )
        .under::<category::Entity>(category::Column::ParentId, LEVELS_MAX),
        "Only what is filed in this category, or in one below it.",
    )
    .sort(["title"])
    .get()
    .create(create)
    .note("It has no variants yet: what can be picked and priced is a variant of it.")
    .emits(&CREATED)
    .fails(&problem::OPTIONS_MISMATCH)
    .update(update)
    .note("Its options can change only so that every variant there is still fits them.")
    .emits(&UPDATED)
    .fails(&problem::OPTIONS_MISMATCH)
    .delete(delete)
    .note("Its variants and their prices are removed with it; archive it to keep them.")
    .emits(&DELETED)
    .emits(&crate::variant::DELETED)
    .emits(&price::DELETED)
    .states([Draft, Active])
    .transition(
        "publish",
        "Puts a draft, proposed or archived product on sale.",
        [Draft, Proposed, Archived],
        Active,
        &PUBLISHED,
    )
    .transition(
        "archive",
        "Takes a product off sale, or drops a draft, and keeps it.",
        [Draft, Active],
        Archived,
        &ARCHIVED,
    )
    .transition("propose", "Puts a draft forward for a decision.", [Draft], Proposed, &PROPOSED)
    .transition("withdraw", "Takes a proposal back.", [Proposed], Draft, &WITHDRAWN)
    .transition("reject", "Declines a proposed product.", [Proposed], Rejected, &REJECTED)
    .transition(
        "reopen",
        "Makes a rejected or archived product a draft again.",
        [Rejected, Archived],
        Draft,
        &REOPENED,
    )
}

pub(crate) static CREATED: Event = Event::new("product.created", "A product was added.");
static UPDATED: Event = Event::new("product.updated", "A product changed.");
static DELETED: Event = Event::new("product.deleted", "A product was removed.");
static PUBLISHED: Event = Event::new("product.published", "A product went on sale.");
static ARCHIVED: Event = Event::new("product.archived", "A product went off sale, or was dropped.");
static PROPOSED: Event = Event::new("product.proposed", "A product was put forward.");
static WITHDRAWN: Event = Event::new("product.withdrawn", "A proposed product was taken back.");
static REJECTED: Event = Event::new("product.rejected", "A proposed product was declined.");
static REOPENED: Event = Event::new("product.reopened", "A product became a draft again.");

/// Something that is sold, stocked, fitted or booked, in one or more variants.
#[object(
    name = "product", plural = "products", prefix = "prod", table = entity::catalog::product,
    create = {"title": "Work shirt", "status": "active",
        "options": [{"name": "Size", "values": ["S", "M", "L"]}]},
    patch = {"title": "Work shirt, long sleeves", "description": null},
)]
pub struct Product {
    /// The title shown to customers.
    pub title: Label<300>,
    /// The name in URLs, unique among products. Made of `title` where absent.
    #[create(optional)]
    #[unique(problem::SLUG_TAKEN)]
    pub slug: Slug,
    /// A text about the product, shown to customers.
    pub description: Option<Text<20_000>>,
    /// What is sold: a thing, work, a set, a download or money on a code.
    #[create(default)]
    pub kind: Kind,
    /// Where the product is in its life. Only actions such as `publish` change it.
    #[state(Draft, Active)]
    pub status: Status,
    /// The brand it carries.
    #[refers]
    pub brand_id: Option<Id<Brand>>,
    /// The categories it is filed under, the main one first. A change gives all of them anew.
    #[create(default)]
    #[patch(by_hand)]
    #[refers]
    pub category_ids: Distinct<Id<Category>, 10>,
    /// Your own name for how it is taxed.
    pub tax_category: Option<Label<100>>,
    /// What its variants differ in; empty for a product with a single variant. A change gives all
    /// of them anew.
    #[create(default)]
    #[patch(by_hand)]
    pub options: List<ProductOption, 3>,
}

async fn create(tx: Tx, body: ProductCreate) -> Result<Product> {
    check_names(&body.options)?;
    let id = tx.new_id();
    let slug = slug(body.slug.clone(), &body.title, id);
    let categories = body.category_ids.clone();
    let product = tx.create::<Product>(&CREATED, body.row(&tx, id, slug).await?).await?;
    if !categories.is_empty() {
        file(&tx, id, &categories).await?;
    }
    Ok(product)
}

async fn update(tx: Tx, id: Id<Product>, patch: ProductPatch) -> Result<Product> {
    let (changes, categories, options) = patch.split();
    let row = tx.load(id).await?;
    let options = options.filter(|options| *options != row.options);
    if let Some(options) = &options {
        check_names(options)?;
        check_variants(&tx, row.id, options).await?;
    }
    if let Some(categories) = &categories {
        tx.refer_all(categories, "/category_ids").await?;
        file(&tx, id, categories).await?;
    }
    tx.patch_with(&UPDATED, row, changes, |next| {
        options.into_iter().for_each(|options| next.options = options);
        categories.into_iter().for_each(|ids| next.category_ids = ids.kept());
    })
    .await
}

async fn delete(tx: Tx, id: Id<Product>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    remove(&tx, children::<Variant>(&tx, variant::Column::ProductId, [row.id]).await?).await?;
    file(&tx, id, &[]).await?;
    tx.delete::<Product>(&DELETED, row).await?;
    Ok(Deleted::of(id))
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
        .find(|variant| misfit(&variant.options, options).is_some())
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
