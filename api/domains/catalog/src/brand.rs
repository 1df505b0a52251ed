//! Brands: the makers' names that goods carry.

use bodega_contract::Resource;
use bodega_kernel::values::{CountryCode, Name, Slug, Text, WebUrl};
use bodega_kernel::{Event, Result, Tx, problem};
use bodega_macros::object;

use crate::common::slug;
use crate::{CATALOG, Product};

pub(crate) fn resource() -> Resource<Brand> {
    Resource::new(CATALOG, "A maker's name that goods carry")
        .has_pages::<Product>("products", "brand_id")
        .list()
        .filter(["name", "slug"])
        .sort(["name"])
        .get()
        .create(create)
        .emits(&CREATED)
        .updates::<BrandPatch>(&UPDATED)
        .deletes(&DELETED)
        .note("A brand that products carry cannot be removed.")
        .fails(&problem::IN_USE)
}

pub(crate) static CREATED: Event = Event::new("brand.created", "A brand was added.");
static UPDATED: Event = Event::new("brand.updated", "A brand changed.");
static DELETED: Event = Event::new("brand.deleted", "A brand was removed.");

/// A maker's name that goods carry.
#[object(
    name = "brand", plural = "brands", prefix = "brand", table = entity::catalog::brand,
    create = {"name": "Casa Norte", "website": "https://casanorte.example"},
    patch = {"name": "Casa del Norte", "website": null},
)]
pub struct Brand {
    /// The name shown to customers.
    pub name: Name,
    /// The name in URLs, unique among brands. Made of `name` where absent.
    #[create(optional)]
    #[unique(problem::SLUG_TAKEN)]
    pub slug: Slug,
    /// A text about the brand, shown to customers.
    pub description: Option<Text<5000>>,
    /// The brand's website.
    pub website: Option<WebUrl>,
    /// The country that the brand comes from (ISO 3166-1 alpha-2).
    pub country: Option<CountryCode>,
}

async fn create(tx: Tx, body: BrandCreate) -> Result<Brand> {
    let id = tx.new_id();
    let slug = slug(body.slug.clone(), &body.name, id);
    tx.create(&CREATED, body.row(&tx, id, slug)).await
}
