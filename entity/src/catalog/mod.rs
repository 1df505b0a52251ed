//! What a shop sells.

pub mod brand;
pub mod category;
pub mod collection;
pub mod options;
pub mod price;
pub mod product;
pub mod product_category;
pub mod variant;
