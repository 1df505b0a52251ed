//! Prices: what a variant costs in a currency, from a quantity on.

use bodega_contract::Resource;
use bodega_kernel::{Event, Id, Money, Quantity, Result, Tx, problem};
use bodega_macros::object;
use entity::catalog::price::Column;

use crate::common::{parent, room};
use crate::{CATALOG, Variant};

/// How many prices a variant has at most.
pub(crate) const PRICES_MAX: u64 = 100;

pub(crate) fn resource() -> Resource<Price> {
    Resource::new(CATALOG, "What a variant costs in a currency, from a quantity on")
        .belongs_to::<Variant>("variant", "variant_id")
        .list()
        .filter(["variant_id"])
        .get()
        .create(create)
        .note("A variant has up to 100 prices, one for each currency and smallest quantity.")
        .emits(&CREATED)
        .fails(&problem::LIMIT_REACHED)
        .updates::<PricePatch>(&UPDATED)
        .deletes(&DELETED)
}

pub(crate) static CREATED: Event = Event::new("price.created", "A price was added to a variant.");
static UPDATED: Event = Event::new("price.updated", "A price changed.");
pub(crate) static DELETED: Event = Event::new("price.deleted", "A price was removed.");

/// What a variant costs in a currency, from a quantity on.
#[object(
    name = "price", plural = "prices", prefix = "price", table = entity::catalog::price,
    create = {"variant_id": "var_01k78agk00e008000000000001",
        "unit_price": {"amount": 34900, "currency": "MXN"}},
    patch = {"unit_price": {"amount": 32900, "currency": "MXN"}},
)]
pub struct Price {
    /// The variant it is a price of.
    #[create(by_hand)]
    #[patch(skip)]
    pub variant_id: Id<Variant>,
    /// What one unit costs. A change gives amount and currency.
    #[columns(amount = amount, currency = currency)]
    pub unit_price: Money,
    /// The smallest quantity it is for; `0` for any.
    #[create(default = Quantity::ONE)]
    #[unique(problem::PRICE_TAKEN)]
    pub min_quantity: Quantity,
}

async fn create(tx: Tx, body: PriceCreate) -> Result<Price> {
    // Locked: two at once cannot both be the hundredth.
    let variant = parent(&tx, body.variant_id, "/variant_id").await?;
    room::<Price>(&tx, Column::VariantId, variant.id, PRICES_MAX).await?;
    let id = tx.new_id();
    tx.create(&CREATED, body.row(&tx, id, Id::from_uuid(variant.id))).await
}
