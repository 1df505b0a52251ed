/// A maker's name that goods carry.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Brand {
    /// The object's id.
    pub id: bodega_kernel::Id<Self>,
    /// The name shown to customers.
    pub name: Name,
    /// The name in URLs.
    pub slug: Slug,
    /// The brand's website.
    pub website: Option<WebUrl>,
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
impl bodega_kernel::Noun for Brand {
    type Entity = entity::catalog::brand::Entity;
    const NAME: &'static str = "brand";
    const PLURAL: &'static str = "brands";
    const PREFIX: &'static str = "brand";
    const UNIQUE: &'static [bodega_kernel::Unique] = &[
        bodega_kernel::Unique {
            column: "slug",
            pointer: "/slug",
            code: &problem::SLUG_TAKEN,
        },
        bodega_kernel::Unique::EXTERNAL_ID,
    ];
}
impl From<entity::catalog::brand::Model> for Brand {
    fn from(row: entity::catalog::brand::Model) -> Self {
        let entity::catalog::brand::Model {
            id,
            organization_id: _,
            name,
            slug,
            website,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: bodega_kernel::Kept::shown(id),
            name: name,
            slug: slug,
            website: website,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}
///A new brand.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name":"Casa Norte"})))]
pub struct BrandCreate {
    /// The name shown to customers.
    pub name: Name,
    /// The name in URLs.
    pub slug: Option<Slug>,
    /// The brand's website.
    pub website: Option<WebUrl>,
    /// Your own id for the object.
    pub external_id: Option<bodega_kernel::ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: bodega_kernel::Metadata,
}
impl BrandCreate {
    ///A brand of which only what is required is said.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            slug: None,
            website: None,
            external_id: None,
            metadata: Default::default(),
        }
    }
}
impl BrandCreate {
    ///The row of a new one; what the handler decides is an argument.
    pub(crate) fn row(
        self,
        tx: &bodega_kernel::Tx,
        id: bodega_kernel::Id<Brand>,
        slug: Slug,
    ) -> entity::catalog::brand::Model {
        let Self { name, slug: _, website, external_id, metadata } = self;
        entity::catalog::brand::Model {
            id: bodega_kernel::Kept::kept(id),
            organization_id: tx.organization,
            name: name,
            slug: slug,
            website: website,
            external_id,
            metadata,
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        }
    }
}
///Changes to a brand.
#[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"website":null})))]
pub struct BrandPatch {
    /// The name shown to customers.
    #[serde(default)]
    #[schema(nullable = false)]
    pub name: Option<Name>,
    /// The name in URLs.
    #[serde(default)]
    #[schema(nullable = false)]
    pub slug: Option<Slug>,
    /// The brand's website.
    #[serde(default)]
    #[schema(value_type = Option<WebUrl>)]
    pub website: bodega_kernel::Patch<WebUrl>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<bodega_kernel::ExternalId>)]
    pub external_id: bodega_kernel::Patch<bodega_kernel::ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: bodega_kernel::MetadataPatch,
}
impl bodega_kernel::Changes<Brand> for BrandPatch {
    fn apply(
        self,
        row: &mut entity::catalog::brand::Model,
    ) -> bodega_kernel::Result<()> {
        let Self { name, slug, website, external_id, metadata } = self;
        if let Some(name) = name {
            row.name = name;
        }
        if let Some(slug) = slug {
            row.slug = slug;
        }
        website.apply(&mut row.website);
        external_id.apply(&mut row.external_id);
        metadata.apply(&mut row.metadata)
    }
}
