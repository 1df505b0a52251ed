//! Variants: one combination of a product's options, which can be picked, scanned and priced.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::values::{Label, Line};
use bodega_kernel::{Event, Id, Money, Result, Tx, problem};
use bodega_macros::object;
use entity::catalog::options::OptionValues;
use entity::catalog::variant::{Column, Model};
use entity::catalog::{price, product};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::common::{children, parent, room};
use crate::price::PRICES_MAX;
use crate::{CATALOG, Price, Product, options};

/// How many variants a product has at most.
pub(crate) const VARIANTS_MAX: u64 = 100;

pub(crate) fn resource() -> Resource<Variant> {
    Resource::new(
        CATALOG,
        "One thing that can be picked, scanned and priced: a product in one of its combinations",
    )
    .belongs_to::<Product>("product", "product_id")
    .has_many::<Price>("prices", price::Column::VariantId, PRICES_MAX)
    .list()
    .filter(["product_id", "sku", "barcode"])
    .get()
    .create(create)
    .note("A product has up to 100 variants, one for each combination of its options.")
    .emits(&CREATED)
    .fails(&problem::OPTIONS_MISMATCH)
    .fails(&problem::LIMIT_REACHED)
    .update(update)
    .emits(&UPDATED)
    .fails(&problem::OPTIONS_MISMATCH)
    .delete(delete)
    .note("Its prices go with it.")
    .emits(&DELETED)
    .emits(&crate::price::DELETED)
}

pub(crate) static CREATED: Event = Event::new("variant.created", "A variant was added.");
static UPDATED: Event = Event::new("variant.updated", "A variant changed.");
pub(crate) static DELETED: Event = Event::new("variant.deleted", "A variant was removed.");

/// One thing that can be picked, scanned and priced.
#[object(
    name = "variant", plural = "variants", prefix = "var", table = entity::catalog::variant,
    hidden(options_key: String),
    create = {"product_id": "prod_01k78agk00e008000000000001", "sku": "SHIRT-M",
        "options": {"Size": "M"}},
    patch = {"sku": "SHIRT-M-2", "barcode": null},
)]
pub struct Variant {
    /// The product it is a variant of.
    #[create(by_hand)]
    #[patch(skip)]
    pub product_id: Id<Product>,
    /// The title shown beside the product's other variants. Made of its options where absent.
    #[create(optional)]
    #[patch(by_hand)]
    pub title: Label<320>,
    /// The shop's own code for it, unique among variants.
    #[unique(problem::SKU_TAKEN)]
    pub sku: Line<100>,
    /// The number that a scanner reads on it (EAN, UPC), unique among variants.
    #[unique(problem::BARCODE_TAKEN)]
    pub barcode: Option<Line<50>>,
    /// Its value for each of the product's options. A change gives those that change, and a title
    /// made of them follows.
    #[create(default)]
    #[patch(by_hand)]
    #[unique(problem::OPTIONS_TAKEN, options_key)]
    pub options: OptionValues,
    /// The unit it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[create(default = Line::made("each"))]
    pub unit: Line<20>,
    /// The weight of one unit, in grams.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub weight_grams: Option<i64>,
    /// The size of one unit. A change gives all three sides.
    #[columns(length_mm = length_mm, width_mm = width_mm, height_mm = height_mm)]
    pub dimensions: Option<Dimensions>,
    /// Whether its stock is counted.
    #[create(default = true)]
    pub track_inventory: bool,
    /// Whether it can be sold when there is none in stock.
    #[create(default)]
    pub allow_backorder: bool,
    /// What one unit costs the shop.
    #[columns(amount = cost_amount, currency = cost_currency)]
    pub cost: Option<Money>,
    /// The maker's suggested price, to show what the customer saves.
    #[columns(amount = retail_price_amount, currency = retail_price_currency)]
    pub retail_price: Option<Money>,
    /// Its place among the product's variants, smallest first.
    #[create(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub position: i32,
}

/// How large a thing is, in millimetres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"length_mm": 300, "width_mm": 200, "height_mm": 50})))]
pub struct Dimensions {
    /// The longest side.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub length_mm: i64,
    /// The side across.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub width_mm: i64,
    /// From bottom to top.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub height_mm: i64,
}

async fn create(tx: Tx, body: VariantCreate) -> Result<Variant> {
    // Locked: its options hold still, and two at once cannot both be the hundredth.
    let product = parent(&tx, body.product_id, "/product_id").await?;
    options::check(&body.options, &product.options)?;
    room::<Variant>(&tx, Column::ProductId, product.id, VARIANTS_MAX).await?;
    tx.create(&CREATED, row(&tx, &product, body)).await
}

async fn update(tx: Tx, id: Id<Variant>, patch: VariantPatch) -> Result<Variant> {
    let (changes, title, given) = patch.split();
    // The product is locked before its variant, as it is when a product is removed with all its
    // variants: so neither waits for the other.
    let product = match given {
        Some(_) => Some(tx.load(tx.cx().load(id).await?.product_id).await?),
        None => None,
    };
    let row = tx.load(id).await?;
    let choice = product.zip(given).map(|(product, given)| choose(&row, &product, given));
    let chosen = choice.transpose()?;
    tx.patch_with(&UPDATED, row, changes, |next| {
        if let Some(Chosen { options, before, after }) = chosen {
            next.options_key = options::key(&options);
            next.options = options;
            if next.title == before {
                next.title = after;
            }
        }
        title.into_iter().for_each(|title| next.title = title);
    })
    .await
}

async fn delete(tx: Tx, id: Id<Variant>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    remove(&tx, vec![row]).await?;
    Ok(Deleted::of(id))
}

/// Removes variants, which are locked, and their prices.
pub(crate) async fn remove(tx: &Tx, variants: Vec<Model>) -> Result<()> {
    let ids = variants.iter().map(|variant| variant.id);
    let prices = children::<Price>(tx, price::Column::VariantId, ids).await?;
    tx.delete_many::<Price>(&crate::price::DELETED, prices).await?;
    tx.delete_many::<Variant>(&DELETED, variants).await
}

/// The row of a new variant, its options checked.
pub(crate) fn row(tx: &Tx, product: &product::Model, body: VariantCreate) -> Model {
    let title = body.title.clone().unwrap_or_else(|| title_of(&body.options, product));
    let key = options::key(&body.options);
    body.row(tx, tx.new_id(), Id::from_uuid(product.id), title, key)
}

/// The options a variant is to have, and the titles made of those it had and will have.
struct Chosen {
    options: OptionValues,
    before: Label<320>,
    after: Label<320>,
}

fn choose(row: &Model, product: &product::Model, given: OptionValues) -> Result<Chosen> {
    let mut chosen = row.options.clone();
    let before = title_of(&chosen, product);
    chosen.0.extend(given.0);
    options::check(&chosen, &product.options)?;
    let after = title_of(&chosen, product);
    Ok(Chosen { options: chosen, before, after })
}

/// The title of a variant that was given none.
fn title_of(values: &OptionValues, product: &product::Model) -> Label<320> {
    let title = options::title(values, &product.options);
    Label::made(title.unwrap_or_else(|| product.title.to_string()))
}
