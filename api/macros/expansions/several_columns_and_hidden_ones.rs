/// One thing that can be picked, scanned and priced.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Variant {
    /// The object's id.
    pub id: bodega_kernel::Id<Self>,
    /// The product it is a variant of.
    pub product_id: Id<Product>,
    /// The unit it is counted in.
    pub unit: Line<20>,
    /// What one unit costs the shop.
    pub cost: Option<Money>,
    /// The unit price.
    pub price: Money,
    /// When it was last counted.
    pub counted_at: Option<DateTime<Utc>>,
    /// Your own id for the object.
    pub external_id: Option<bodega_kernel::ExternalId>,
    /// Your own pairs of text.
    pub metadata: bodega_kernel::Metadata,
    /// The number of the object's version: 1 when it is made, one more with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// When it last changed.
    pub updated_at: chrono::DateTime<chrono::Utc>,
}
impl bodega_kernel::Noun for Variant {
    type Entity = entity::catalog::variant::Entity;
    const NAME: &'static str = "variant";
    const PLURAL: &'static str = "variants";
    const PREFIX: &'static str = "var";
    const UNIQUE: &'static [bodega_kernel::Unique] = &[
        bodega_kernel::Unique::EXTERNAL_ID,
    ];
}
impl From<entity::catalog::variant::Model> for Variant {
    fn from(row: entity::catalog::variant::Model) -> Self {
        let entity::catalog::variant::Model {
            id,
            organization_id: _,
            product_id,
            unit,
            cost_amount,
            cost_currency,
            amount,
            currency,
            counted_at,
            options_key: _,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: bodega_kernel::Kept::shown(id),
            product_id: bodega_kernel::Kept::shown(product_id),
            unit: unit,
            cost: match (cost_amount, cost_currency) {
                (Some(amount), Some(currency)) => Some(Money { amount, currency }),
                _ => None,
            },
            price: Money {
                amount: amount,
                currency: currency,
            },
            counted_at: counted_at,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}
///A new variant.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"sku":"SHIRT-M"})))]
pub struct VariantCreate {
    /// The product it is a variant of.
    pub product_id: Id<Product>,
    /// The unit it is counted in.
    #[serde(default = "VariantCreate::default_unit")]
    #[schema(default = VariantCreate::default_unit)]
    pub unit: Line<20>,
    /// What one unit costs the shop.
    pub cost: Option<Money>,
    /// The unit price.
    pub price: Money,
    /// Your own id for the object.
    pub external_id: Option<bodega_kernel::ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: bodega_kernel::Metadata,
}
impl VariantCreate {
    pub(crate) fn default_unit() -> Line<20> {
        Line::made("each")
    }
    ///A variant of which only what is required is said.
    pub fn new(product_id: Id<Product>, price: Money) -> Self {
        Self {
            product_id,
            unit: Self::default_unit(),
            cost: None,
            price,
            external_id: None,
            metadata: Default::default(),
        }
    }
}
impl VariantCreate {
    ///The row of a new one; what the handler decides is an argument.
    pub(crate) fn row(
        self,
        tx: &bodega_kernel::Tx,
        id: bodega_kernel::Id<Variant>,
        product_id: Id<Product>,
        counted_at: Option<DateTime<Utc>>,
        options_key: String,
    ) -> entity::catalog::variant::Model {
        let Self { product_id: _, unit, cost, price, external_id, metadata } = self;
        entity::catalog::variant::Model {
            id: bodega_kernel::Kept::kept(id),
            organization_id: tx.organization,
            product_id: bodega_kernel::Kept::kept(product_id),
            unit: unit,
            cost_amount: cost.map(|value| value.amount),
            cost_currency: cost.map(|value| value.currency),
            amount: price.amount,
            currency: price.currency,
            counted_at: counted_at,
            options_key,
            external_id,
            metadata,
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        }
    }
}
///Changes to a variant.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"sku":"SHIRT-M-2"})))]
pub struct VariantPatch {
    /// The unit it is counted in.
    #[serde(default)]
    #[schema(nullable = false)]
    pub unit: Option<Line<20>>,
    /// What one unit costs the shop.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub cost: bodega_kernel::Patch<Money>,
    /// The unit price.
    #[serde(default)]
    #[schema(nullable = false)]
    pub price: Option<Money>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<bodega_kernel::ExternalId>)]
    pub external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: bodega_kernel::MetadataPatch,
}
impl bodega_kernel::Changes<Variant> for VariantPatch {
    fn apply(
        self,
        row: &mut entity::catalog::variant::Model,
    ) -> bodega_kernel::Result<()> {
        let Self { unit, cost, price, external_id, metadata } = self;
        if let Some(unit) = unit {
            row.unit = unit;
        }
        cost.map(|value| value.amount).apply(&mut row.cost_amount);
        cost.map(|value| value.currency).apply(&mut row.cost_currency);
        if let Some(price) = price {
            row.amount = price.amount;
            row.currency = price.currency;
        }
        external_id.apply(&mut row.external_id);
        metadata.apply(&mut row.metadata)
    }
}
