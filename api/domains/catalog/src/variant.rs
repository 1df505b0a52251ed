//! Variants: one combination of a product's options, which can be picked, scanned and priced.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, Id, ListQuery, Metadata, MetadataPatch, Money, Noun, Page, Patch,
    Result, Tx, problem,
};
use chrono::{DateTime, Utc};
use entity::catalog::variant::{Column, Entity, Model};
use entity::catalog::{price, product};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::price::PRICES_MAX;
use crate::product::options_of;
use crate::{OptionValues, Price, Product, common};

/// How many variants a product has at most.
pub(crate) const VARIANTS_MAX: u64 = 100;

pub(crate) fn resource() -> Resource<Variant> {
    Resource::new(
        "catalog:read",
        "catalog:write",
        "One thing that can be picked, scanned and priced: a product in one of its combinations",
    )
    .belongs_to::<Product>("product", "product_id")
    .has_many::<Price>("prices", price::Column::VariantId, PRICES_MAX)
    .list(list)
    .filter(["id", "product_id", "sku", "barcode", "external_id", "created_at", "updated_at"])
    .get(get)
    .create(create)
    .note("A product has up to 100 variants, one for each combination of its options.")
    .emits(&CREATED)
    .fails(&problem::SKU_TAKEN)
    .fails(&problem::BARCODE_TAKEN)
    .fails(&problem::OPTIONS_TAKEN)
    .fails(&problem::OPTIONS_MISMATCH)
    .fails(&problem::LIMIT_REACHED)
    .update(update)
    .emits(&UPDATED)
    .fails(&problem::SKU_TAKEN)
    .fails(&problem::BARCODE_TAKEN)
    .fails(&problem::OPTIONS_TAKEN)
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
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Variant {
    /// Its id.
    pub id: Id<Self>,
    /// The product it is a variant of.
    pub product_id: Id<Product>,
    /// What it is called beside its siblings.
    #[schema(max_length = 320)]
    pub title: String,
    /// The shop's own code for it, unique among variants.
    #[schema(max_length = 100)]
    pub sku: String,
    /// What a scanner reads on it (an EAN, a UPC), unique among variants.
    #[schema(max_length = 50)]
    pub barcode: Option<String>,
    /// Its value for each of the product's options.
    pub options: OptionValues,
    /// What it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[schema(max_length = 20)]
    pub unit: String,
    /// What one unit weighs, in grams.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub weight_grams: Option<i64>,
    /// How large one unit is.
    pub dimensions: Option<Dimensions>,
    /// Whether its stock is counted.
    pub track_inventory: bool,
    /// Whether it can be sold when there is none.
    pub allow_backorder: bool,
    /// What one unit costs the shop.
    pub cost: Option<Money>,
    /// The maker's suggested price, to show what the customer saves.
    pub retail_price: Option<Money>,
    /// Its place among its siblings, smallest first.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub position: i32,
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

/// A new variant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"product_id": "prod_01k78agk00e008000000000001", "sku": "SHIRT-M",
    "options": {"Size": "M"}})))]
pub struct VariantCreate {
    /// The product it is a variant of.
    pub product_id: Id<Product>,
    /// What it is called beside its siblings; made of its options where absent.
    #[schema(min_length = 1, max_length = 320, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub title: Option<String>,
    /// The shop's own code for it, unique among variants.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$")]
    pub sku: String,
    /// What a scanner reads on it (an EAN, a UPC), unique among variants.
    #[schema(min_length = 1, max_length = 50, pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$")]
    pub barcode: Option<String>,
    /// Its value for each of the product's options.
    #[serde(default)]
    pub options: OptionValues,
    /// What it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[serde(default = "each")]
    #[schema(
        min_length = 1,
        max_length = 20,
        pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$",
        default = "each"
    )]
    pub unit: String,
    /// What one unit weighs, in grams.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub weight_grams: Option<i64>,
    /// How large one unit is.
    pub dimensions: Option<Dimensions>,
    /// Whether its stock is counted.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub track_inventory: bool,
    /// Whether it can be sold when there is none.
    #[serde(default)]
    #[schema(default = false)]
    pub allow_backorder: bool,
    /// What one unit costs the shop.
    pub cost: Option<Money>,
    /// The maker's suggested price, to show what the customer saves.
    pub retail_price: Option<Money>,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000, default = 0)]
    pub position: i32,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a variant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"sku": "SHIRT-M-2", "barcode": null})))]
pub struct VariantPatch {
    /// What it is called beside its siblings.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 320,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub title: Option<String>,
    /// The shop's own code for it, unique among variants.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$",
        nullable = false
    )]
    pub sku: Option<String>,
    /// What a scanner reads on it (an EAN, a UPC), unique among variants.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50,
        pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$")]
    pub barcode: Patch<String>,
    /// Its value for the options that change; a title made of them follows.
    #[serde(default)]
    #[schema(nullable = false)]
    pub options: Option<OptionValues>,
    /// What it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 20,
        pattern = r"^[^\s\x00]([^\x00\r\n]*[^\s\x00])?$",
        nullable = false
    )]
    pub unit: Option<String>,
    /// What one unit weighs, in grams.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000)]
    pub weight_grams: Patch<i64>,
    /// How large one unit is: all three sides anew.
    #[serde(default)]
    #[schema(value_type = Option<Dimensions>)]
    pub dimensions: Patch<Dimensions>,
    /// Whether its stock is counted.
    #[serde(default)]
    #[schema(nullable = false)]
    pub track_inventory: Option<bool>,
    /// Whether it can be sold when there is none.
    #[serde(default)]
    #[schema(nullable = false)]
    pub allow_backorder: Option<bool>,
    /// What one unit costs the shop: amount and currency anew.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub cost: Patch<Money>,
    /// The maker's suggested price: amount and currency anew.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub retail_price: Patch<Money>,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000, nullable = false)]
    pub position: Option<i32>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Variant {
    type Entity = Entity;
    const NAME: &'static str = "variant";
    const PLURAL: &'static str = "variants";
    const PREFIX: &'static str = "var";
}

impl From<Model> for Variant {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            product_id,
            title,
            sku,
            barcode,
            options,
            options_key: _,
            unit,
            weight_grams,
            length_mm,
            width_mm,
            height_mm,
            track_inventory,
            allow_backorder,
            cost_amount,
            cost_currency,
            retail_price_amount,
            retail_price_currency,
            position,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        let money = |amount: Option<i64>, currency: Option<String>| {
            amount.zip(currency).map(|(amount, currency)| Money::stored(amount, &currency))
        };
        let sides = length_mm.zip(width_mm).zip(height_mm);
        Self {
            id: Id::from_uuid(id),
            product_id: Id::from_uuid(product_id),
            title,
            sku,
            barcode,
            options: serde_json::from_value(options).unwrap_or_default(),
            unit,
            weight_grams,
            dimensions: sides.map(|((length_mm, width_mm), height_mm)| Dimensions {
                length_mm,
                width_mm,
                height_mm,
            }),
            track_inventory,
            allow_backorder,
            cost: money(cost_amount, cost_currency),
            retail_price: money(retail_price_amount, retail_price_currency),
            position,
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Variant>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Variant>) -> Result<Variant> {
    cx.load(id).await
}

async fn create(tx: Tx, body: VariantCreate) -> Result<Variant> {
    // Locked: its options hold still, and two at once cannot both be the hundredth.
    let product = common::parent(&tx, body.product_id, "/product_id").await?;
    body.options.check(&options_of(&product))?;
    common::room::<Variant>(&tx, Column::ProductId, product.id, VARIANTS_MAX).await?;
    tx.create(&CREATED, row(&tx, &product, body)).await
}

async fn update(tx: Tx, id: Id<Variant>, patch: VariantPatch) -> Result<Variant> {
    // The product is locked before its variant, as it is when a product goes with all its variants:
    // so neither waits for the other.
    let product = match patch.options {
        Some(_) => Some(tx.load(tx.cx().load(id).await?.product_id).await?),
        None => None,
    };
    let row = tx.load(id).await?;
    let choice = product.zip(patch.options).map(|(product, given)| choose(&row, &product, given));
    let chosen = choice.transpose()?;
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        if let Some(Chosen { options, before, after }) = chosen {
            next.options_key = options.key();
            next.options = options.into_json();
            if next.title == before {
                next.title = after;
            }
        }
        patch.title.into_iter().for_each(|title| next.title = title);
        patch.sku.into_iter().for_each(|sku| next.sku = sku);
        patch.barcode.apply(&mut next.barcode);
        patch.unit.into_iter().for_each(|unit| next.unit = unit);
        patch.weight_grams.apply(&mut next.weight_grams);
        patch.dimensions.map(|sides| sides.length_mm).apply(&mut next.length_mm);
        patch.dimensions.map(|sides| sides.width_mm).apply(&mut next.width_mm);
        patch.dimensions.map(|sides| sides.height_mm).apply(&mut next.height_mm);
        patch.track_inventory.into_iter().for_each(|yes| next.track_inventory = yes);
        patch.allow_backorder.into_iter().for_each(|yes| next.allow_backorder = yes);
        patch.cost.map(|money| money.amount).apply(&mut next.cost_amount);
        patch.cost.map(currency).apply(&mut next.cost_currency);
        patch.retail_price.map(|money| money.amount).apply(&mut next.retail_price_amount);
        patch.retail_price.map(currency).apply(&mut next.retail_price_currency);
        patch.position.into_iter().for_each(|position| next.position = position);
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Variant>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    remove(&tx, vec![row]).await?;
    Ok(Deleted::DONE)
}

/// Removes variants, which are locked, and their prices.
pub(crate) async fn remove(tx: &Tx, variants: Vec<Model>) -> Result<()> {
    let ids = variants.iter().map(|variant| variant.id);
    let prices = common::children::<Price>(tx, price::Column::VariantId, ids).await?;
    tx.delete_many::<Price>(&crate::price::DELETED, prices).await?;
    tx.delete_many::<Variant>(&DELETED, variants).await
}

/// The row of a new variant, its options checked.
pub(crate) fn row(tx: &Tx, product: &product::Model, body: VariantCreate) -> Model {
    let VariantCreate {
        product_id: _,
        title,
        sku,
        barcode,
        options,
        unit,
        weight_grams,
        dimensions,
        track_inventory,
        allow_backorder,
        cost,
        retail_price,
        position,
        external_id,
        metadata,
    } = body;
    Model {
        id: tx.new_id::<Variant>().uuid(),
        organization_id: tx.organization,
        product_id: product.id,
        title: title.unwrap_or_else(|| title_of(&options, product)),
        sku,
        barcode,
        options_key: options.key(),
        options: options.into_json(),
        unit,
        weight_grams,
        length_mm: dimensions.map(|sides| sides.length_mm),
        width_mm: dimensions.map(|sides| sides.width_mm),
        height_mm: dimensions.map(|sides| sides.height_mm),
        track_inventory,
        allow_backorder,
        cost_amount: cost.map(|money| money.amount),
        cost_currency: cost.map(currency),
        retail_price_amount: retail_price.map(|money| money.amount),
        retail_price_currency: retail_price.map(currency),
        position,
        external_id: external_id.map(|id| id.0),
        metadata: metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    }
}

/// The options a variant is to have, and the titles made of those it had and will have.
struct Chosen {
    options: OptionValues,
    before: String,
    after: String,
}

fn choose(row: &Model, product: &product::Model, given: OptionValues) -> Result<Chosen> {
    let mut options = OptionValues::deserialize(&row.options).unwrap_or_default();
    let before = title_of(&options, product);
    options.merge(given);
    options.check(&options_of(product))?;
    let after = title_of(&options, product);
    Ok(Chosen { options, before, after })
}

/// What a variant is called unless it is told otherwise.
fn title_of(options: &OptionValues, product: &product::Model) -> String {
    options.title(&options_of(product)).unwrap_or_else(|| product.title.clone())
}

fn currency(money: Money) -> String {
    money.currency.as_str().to_owned()
}

pub(crate) fn each() -> String {
    "each".to_owned()
}

fn yes() -> bool {
    true
}
