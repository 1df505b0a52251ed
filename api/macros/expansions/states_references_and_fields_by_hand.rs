/// Something that is sold.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Product {
    /// The object's id.
    pub id: bodega_kernel::Id<Self>,
    /// Where it is in its life.
    pub status: Status,
    /// The brand it carries.
    pub brand_id: Option<Id<Brand>>,
    /// The categories it is filed under.
    pub category_ids: Distinct<Id<Category>, 10>,
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
impl bodega_kernel::Noun for Product {
    type Entity = entity::catalog::product::Entity;
    const NAME: &'static str = "product";
    const PLURAL: &'static str = "products";
    const PREFIX: &'static str = "prod";
    const UNIQUE: &'static [bodega_kernel::Unique] = &[
        bodega_kernel::Unique::EXTERNAL_ID,
    ];
}
impl From<entity::catalog::product::Model> for Product {
    fn from(row: entity::catalog::product::Model) -> Self {
        let entity::catalog::product::Model {
            id,
            organization_id: _,
            status,
            brand_id,
            category_ids,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: bodega_kernel::Kept::shown(id),
            status: status,
            brand_id: bodega_kernel::Kept::shown(brand_id),
            category_ids: bodega_kernel::Kept::shown(category_ids),
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}
impl bodega_kernel::Stateful for Product {
    type State = Status;
    const FIELD: &'static str = "status";
    fn state(row: &entity::catalog::product::Model) -> Status {
        row.status
    }
    fn set_state(row: &mut entity::catalog::product::Model, state: Status) {
        row.status = state;
    }
}
///A new product.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"title":"Work shirt"})))]
pub struct ProductCreate {
    /// Where it is in its life.
    #[serde(default)]
    #[schema(default = ProductInitialStatus::default)]
    pub status: ProductInitialStatus,
    /// The brand it carries.
    pub brand_id: Option<Id<Brand>>,
    /// The categories it is filed under.
    #[serde(default = "ProductCreate::default_category_ids")]
    #[schema(default = ProductCreate::default_category_ids)]
    pub category_ids: Distinct<Id<Category>, 10>,
    /// Your own id for the object.
    pub external_id: Option<bodega_kernel::ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: bodega_kernel::Metadata,
}
impl ProductCreate {
    pub(crate) fn default_category_ids() -> Distinct<Id<Category>, 10> {
        Default::default()
    }
    ///A product of which only what is required is said.
    pub fn new() -> Self {
        Self {
            status: ProductInitialStatus::default(),
            brand_id: None,
            category_ids: Self::default_category_ids(),
            external_id: None,
            metadata: Default::default(),
        }
    }
}
///What a product can start as.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ProductInitialStatus {
    ///`draft`.
    #[default]
    Draft,
    ///`active`.
    Active,
}
impl From<ProductInitialStatus> for Status {
    fn from(initial: ProductInitialStatus) -> Self {
        match initial {
            ProductInitialStatus::Draft => Self::Draft,
            ProductInitialStatus::Active => Self::Active,
        }
    }
}
impl ProductCreate {
    /// The row of a new one; what the handler decides is an argument. What it refers to is
    /// there, and stays until the end of the transaction.
    pub(crate) async fn row(
        self,
        tx: &bodega_kernel::Tx,
        id: bodega_kernel::Id<Product>,
    ) -> bodega_kernel::Result<entity::catalog::product::Model> {
        if let Some(id) = self.brand_id {
            tx.refer(id, "/brand_id").await?;
        }
        tx.refer_all(&self.category_ids, "/category_ids").await?;
        Ok(self.unchecked_row(tx, id))
    }
    ///[`Self::row`], where somebody has seen to it that what it refers to is there.
    pub(crate) fn unchecked_row(
        self,
        tx: &bodega_kernel::Tx,
        id: bodega_kernel::Id<Product>,
    ) -> entity::catalog::product::Model {
        let Self { status, brand_id, category_ids, external_id, metadata } = self;
        entity::catalog::product::Model {
            id: bodega_kernel::Kept::kept(id),
            organization_id: tx.organization,
            status: status.into(),
            brand_id: bodega_kernel::Kept::kept(brand_id),
            category_ids: bodega_kernel::Kept::kept(category_ids),
            external_id,
            metadata,
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        }
    }
}
///Changes to a product.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"brand_id":null})))]
pub struct ProductPatch {
    /// The brand it carries.
    #[serde(default)]
    #[schema(value_type = Option<Id<Brand>>)]
    pub brand_id: bodega_kernel::Patch<Id<Brand>>,
    /// The categories it is filed under.
    #[serde(default)]
    #[schema(nullable = false)]
    pub category_ids: Option<Distinct<Id<Category>, 10>>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<bodega_kernel::ExternalId>)]
    pub external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: bodega_kernel::MetadataPatch,
}
///The changes to a product that are only written.
#[must_use]
pub struct ProductChanges {
    brand_id: bodega_kernel::Patch<Id<Brand>>,
    external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
    metadata: bodega_kernel::MetadataPatch,
}
impl ProductPatch {
    /// What is only written, and what the handler decides.
    pub(crate) fn split(self) -> (ProductChanges, Option<Distinct<Id<Category>, 10>>) {
        let Self { brand_id, category_ids, external_id, metadata } = self;
        (
            ProductChanges {
                brand_id,
                external_id,
                metadata,
            },
            category_ids,
        )
    }
}
impl bodega_kernel::Changes<Product> for ProductChanges {
    async fn check(&self, tx: &bodega_kernel::Tx) -> bodega_kernel::Result<()> {
        if let bodega_kernel::Patch::Set(id) = self.brand_id {
            tx.refer(id, "/brand_id").await?;
        }
        Ok(())
    }
    fn apply(
        self,
        row: &mut entity::catalog::product::Model,
    ) -> bodega_kernel::Result<()> {
        let Self { brand_id, external_id, metadata } = self;
        brand_id.map(bodega_kernel::Kept::kept).apply(&mut row.brand_id);
        external_id.apply(&mut row.external_id);
        metadata.apply(&mut row.metadata)
    }
}
