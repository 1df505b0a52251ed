//! Prices: what a variant costs in a currency, from a quantity on.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, Id, ListQuery, Metadata, MetadataPatch, Money, Noun, Page, Patch,
    Quantity, Result, Tx, problem,
};
use chrono::{DateTime, Utc};
use entity::catalog::price::{Column, Entity, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Variant, common};

/// How many prices a variant has at most.
pub(crate) const PRICES_MAX: u64 = 100;

pub(crate) fn resource() -> Resource<Price> {
    Resource::new(
        "catalog:read",
        "catalog:write",
        "What a variant costs in a currency, from a quantity on",
    )
    .belongs_to::<Variant>("variant", "variant_id")
    .list(list)
    .filter(["id", "variant_id", "external_id", "created_at", "updated_at"])
    .get(get)
    .create(create)
    .note("A variant has up to 100 prices, one for each currency and smallest quantity.")
    .emits(&CREATED)
    .fails(&problem::PRICE_TAKEN)
    .fails(&problem::LIMIT_REACHED)
    .update(update)
    .emits(&UPDATED)
    .fails(&problem::PRICE_TAKEN)
    .delete(delete)
    .emits(&DELETED)
}

pub(crate) static CREATED: Event = Event::new("price.created", "A price was added to a variant.");
static UPDATED: Event = Event::new("price.updated", "A price changed.");
pub(crate) static DELETED: Event = Event::new("price.deleted", "A price was removed.");

/// What a variant costs in a currency, from a quantity on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Price {
    /// Its id.
    pub id: Id<Self>,
    /// The variant it is a price of.
    pub variant_id: Id<Variant>,
    /// What one unit costs.
    pub unit_price: Money,
    /// The smallest quantity it is for.
    pub min_quantity: Quantity,
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

/// A new price.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"variant_id": "var_01k78agk00e008000000000001",
    "unit_price": {"amount": 34900, "currency": "MXN"}})))]
pub struct PriceCreate {
    /// The variant it is a price of.
    pub variant_id: Id<Variant>,
    /// What one unit costs.
    pub unit_price: Money,
    /// The smallest quantity it is for; `0` for any.
    #[serde(default = "one")]
    #[schema(default = "1")]
    pub min_quantity: Quantity,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a price.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"unit_price": {"amount": 32900, "currency": "MXN"}})))]
pub struct PricePatch {
    /// What one unit costs: amount and currency anew.
    #[serde(default)]
    #[schema(nullable = false)]
    pub unit_price: Option<Money>,
    /// The smallest quantity it is for; `0` for any.
    #[serde(default)]
    #[schema(nullable = false)]
    pub min_quantity: Option<Quantity>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Price {
    type Entity = Entity;
    const NAME: &'static str = "price";
    const PLURAL: &'static str = "prices";
    const PREFIX: &'static str = "price";
}

impl From<Model> for Price {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            variant_id,
            currency,
            amount,
            min_quantity,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            variant_id: Id::from_uuid(variant_id),
            unit_price: Money::stored(amount, &currency),
            min_quantity: Quantity::from_millionths(min_quantity),
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Price>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Price>) -> Result<Price> {
    cx.load(id).await
}

async fn create(tx: Tx, body: PriceCreate) -> Result<Price> {
    // Locked: two at once cannot both be the hundredth.
    let variant = common::parent(&tx, body.variant_id, "/variant_id").await?;
    common::room::<Price>(&tx, Column::VariantId, variant.id, PRICES_MAX).await?;
    tx.create(&CREATED, row(&tx, body)).await
}

async fn update(tx: Tx, id: Id<Price>, patch: PricePatch) -> Result<Price> {
    let row = tx.load(id).await?;
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        if let Some(Money { amount, currency }) = patch.unit_price {
            next.amount = amount;
            next.currency = currency.as_str().to_owned();
        }
        patch.min_quantity.into_iter().for_each(|from| next.min_quantity = from.millionths());
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Price>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    tx.delete::<Price>(&DELETED, row).await?;
    Ok(Deleted::DONE)
}

/// The row of a new price.
pub(crate) fn row(tx: &Tx, body: PriceCreate) -> Model {
    let PriceCreate { variant_id, unit_price, min_quantity, external_id, metadata } = body;
    Model {
        id: tx.new_id::<Price>().uuid(),
        organization_id: tx.organization,
        variant_id: variant_id.uuid(),
        currency: unit_price.currency.as_str().to_owned(),
        amount: unit_price.amount,
        min_quantity: min_quantity.millionths(),
        external_id: external_id.map(|id| id.0),
        metadata: metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    }
}

fn one() -> Quantity {
    Quantity::ONE
}
