//! What a shop sells: products in variants, their prices, and the brands and categories they are
//! filed under. One file a resource; [`import`] brings many products in at once.

mod brand;
mod category;
mod collection;
mod common;
pub mod import;
mod options;
mod price;
mod product;
mod variant;

use bodega_contract::{Access, Declared};

pub use brand::{Brand, BrandCreate, BrandPatch};
pub use category::{Category, CategoryCreate, CategoryPatch};
pub use collection::{Collection, CollectionCreate, CollectionPatch};
pub use entity::catalog::options::{OptionValue, OptionValues, ProductOption};
pub use price::{Price, PriceCreate, PricePatch};
pub use product::{Product, ProductCreate, ProductInitialStatus, ProductPatch};
pub use variant::{Dimensions, Variant, VariantCreate, VariantPatch};

/// What reading and writing the catalog takes.
const CATALOG: Access = Access { read: "catalog:read", write: "catalog:write" };

/// What this domain offers.
pub fn resources() -> Vec<Declared> {
    vec![
        product::resource().into(),
        variant::resource().into(),
        price::resource().into(),
        brand::resource().into(),
        category::resource().into(),
        collection::resource().into(),
    ]
}
