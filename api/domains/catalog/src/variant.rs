//! Variants: one combination of a product's options, which can be picked, scanned and priced.

use std::collections::BTreeMap;

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, FieldError, Id, ListQuery, Metadata, MetadataPatch, Money, Noun, Page,
    Patch, Problem, Result, Tx, problem, text,
};
use chrono::{DateTime, Utc};
use entity::catalog::variant::{Column, Entity, Model};
use entity::catalog::{price, product};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};
use utoipa::openapi::{Object, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::product::options_of;
use crate::{OptionValue, Price, Product, ProductOption, common};

/// How many variants a product has at most.
const VARIANTS_MAX: u64 = 100;

/// How many options a product has at most.
const OPTIONS_MAX: usize = 3;

pub(crate) fn resource() -> Resource<Variant> {
    Resource::new(
        "catalog:read",
        "catalog:write",
        "One thing that can be picked, scanned and priced: a product in one combination of its options",
    )
    .belongs_to::<Product>("product", "product_id")
    .has_many::<Price>("prices", price::Column::VariantId)
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

/// A value for each of a product's options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OptionValues(BTreeMap<String, OptionValue>);

/// A new variant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"product_id": "prod_01k79ah300e008000000000001", "sku": "SHIRT-M",
    "options": {"Size": "M"}})))]
pub struct VariantCreate {
    /// The product it is a variant of.
    pub product_id: Id<Product>,
    /// What it is called beside its siblings; made of its options where absent.
    #[schema(min_length = 1, max_length = 320, pattern = r"\S")]
    pub title: Option<String>,
    /// The shop's own code for it, unique among variants.
    #[schema(min_length = 1, max_length = 100, pattern = r"^\S(.*\S)?$")]
    pub sku: String,
    /// What a scanner reads on it (an EAN, a UPC), unique among variants.
    #[schema(min_length = 1, max_length = 50, pattern = r"^\S(.*\S)?$")]
    pub barcode: Option<String>,
    /// Its value for each of the product's options.
    #[serde(default)]
    pub options: OptionValues,
    /// What it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[serde(default = "each")]
    #[schema(min_length = 1, max_length = 20, pattern = r"^\S(.*\S)?$", default = "each")]
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
    #[schema(min_length = 1, max_length = 320, pattern = r"\S", nullable = false)]
    pub title: Option<String>,
    /// The shop's own code for it, unique among variants.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = r"^\S(.*\S)?$", nullable = false)]
    pub sku: Option<String>,
    /// What a scanner reads on it (an EAN, a UPC), unique among variants.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50,
        pattern = r"^\S(.*\S)?$")]
    pub barcode: Patch<String>,
    /// Its value for the options that change; a title made of them follows.
    #[serde(default)]
    #[schema(nullable = false)]
    pub options: Option<OptionValues>,
    /// What it is counted in: `each`, or a UN/ECE code such as `KGM`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 20, pattern = r"^\S(.*\S)?$", nullable = false)]
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
        title: title.unwrap_or_else(|| options.title(product)),
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
    let before = options.title(product);
    options.0.extend(given.0);
    options.check(&options_of(product))?;
    let after = options.title(product);
    Ok(Chosen { options, before, after })
}

impl OptionValues {
    /// Of one option, or of none.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, OptionValue)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The option that has no value, a value that it does not have, or that the product has not.
    pub(crate) fn misfit<'a>(&'a self, options: &'a [ProductOption]) -> Option<&'a str> {
        let unmet = options
            .iter()
            .find(|option| self.0.get(&option.name).is_none_or(|v| !option.values.contains(v)));
        let unknown = || self.0.keys().find(|name| options.iter().all(|o| o.name != **name));
        unmet.map(|option| &*option.name).or_else(|| unknown().map(String::as_str))
    }

    fn check(&self, options: &[ProductOption]) -> Result<()> {
        let Some(name) = self.misfit(options) else { return Ok(()) };
        let detail = match options.iter().any(|option| option.name == name) {
            true => text(
                format!("must have one of the product's values for `{name}`"),
                format!("debe tener uno de los valores del producto para `{name}`"),
            ),
            false => text(
                format!("`{name}` is not an option of the product"),
                format!("`{name}` no es una opción del producto"),
            ),
        };
        let error = FieldError::body("/options", "options_mismatch", detail);
        Err(Problem::new(&problem::OPTIONS_MISMATCH).at(error))
    }

    /// One text for one combination, whatever order it was given in: names in order, as JSON.
    fn key(&self) -> String {
        self.clone().into_json().to_string()
    }

    /// The values in the order of the product's options; its own title where there are none.
    fn title(&self, product: &product::Model) -> String {
        let options = options_of(product);
        let values = options.iter().filter_map(|option| self.0.get(&option.name));
        let values: Vec<_> = values.map(|value| value.0.as_str()).collect();
        if values.is_empty() { product.title.clone() } else { values.join(" / ") }
    }

    fn into_json(self) -> Value {
        self.0.into_iter().map(|(name, value)| (name, value.0)).collect()
    }
}

impl PartialSchema for OptionValues {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(Type::String).max_length(Some(60)).build();
        let mut object: Object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A value for each of the product's options, by the option's name."))
            .additional_properties(Some(AdditionalProperties::RefOr(OptionValue::schema())))
            .property_names(Some(Schema::Object(name)))
            .examples([json!({"Size": "M"})])
            .build();
        object.max_properties = Some(OPTIONS_MAX);
        RefOr::T(Schema::Object(object))
    }
}

impl ToSchema for OptionValues {}

fn currency(money: Money) -> String {
    money.currency.as_str().to_owned()
}

pub(crate) fn each() -> String {
    "each".to_owned()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> OptionValues {
        let owned =
            |(name, value): &(&str, &str)| (str::to_owned(name), OptionValue(str::to_owned(value)));
        OptionValues::from_pairs(pairs.iter().map(owned))
    }

    fn option(name: &str, values: &[&str]) -> ProductOption {
        let values = values.iter().map(|value| OptionValue(str::to_owned(value))).collect();
        ProductOption { name: name.to_owned(), values }
    }

    #[test]
    fn one_combination_has_one_key() {
        let key = values(&[("Size", "M"), ("Color", "Red")]).key();
        assert_eq!(key, r#"{"Color":"Red","Size":"M"}"#);
        assert_eq!(key, values(&[("Color", "Red"), ("Size", "M")]).key());
        assert_eq!(values(&[]).key(), "{}");
        // What would be the same text if names and values were only joined.
        assert_ne!(values(&[("A", "1,B:2")]).key(), values(&[("A", "1"), ("B", "2")]).key());
    }

    #[test]
    fn options_fit_exactly_or_not_at_all() {
        let options = [option("Size", &["S", "M"]), option("Color", &["Red"])];
        for (given, misfit) in [
            (values(&[("Size", "M"), ("Color", "Red")]), None),
            (values(&[("Size", "M")]), Some("Color")),
            (values(&[("Size", "XL"), ("Color", "Red")]), Some("Size")),
            (values(&[("Size", "M"), ("Color", "Red"), ("Cut", "Slim")]), Some("Cut")),
            (values(&[]), Some("Size")),
        ] {
            assert_eq!(given.misfit(&options), misfit);
        }
        assert_eq!(values(&[]).misfit(&[]), None);
        let refused = values(&[("Size", "M")]).check(&[]).unwrap_err();
        assert_eq!(refused.code.code, "options_mismatch");
    }
}
