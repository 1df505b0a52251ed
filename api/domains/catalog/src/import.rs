//! Bringing many products in at once, from rows such as those of a CSV file.
//!
//! It can be repeated: a row whose `external_id` is there already is skipped. A bad row rejects
//! only itself. However many rows there are, the number of statements stays the same.

mod row;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;

use bodega_kernel::values::{Line, Name};
use bodega_kernel::{Id, Problem, Result, Tx};
use entity::Owned;
use entity::catalog::options::{OptionValues, ProductOption};
use entity::catalog::{brand, category, price, product, product_category, variant};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use self::row::Valid;
pub use self::row::{ImportError, ImportRow, read};
use crate::category::TREE;
use crate::common::slug;
use crate::{
    Brand, BrandCreate, Category, CategoryCreate, Price, PriceCreate, Product, ProductCreate,
    ProductInitialStatus, Variant, VariantCreate,
};

/// How many rows one transaction takes.
pub const ROWS_MAX: usize = 500;

/// What a product's only option is called.
const OPTION_NAME: &str = "Size";

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many products it made, each with a variant and a price.
    pub products: usize,
    /// How many brands it made.
    pub brands: usize,
    /// How many categories it made.
    pub categories: usize,
    /// How many rows were there already.
    pub skipped: usize,
    /// The rows it did not take, and why.
    pub rejected: Vec<ImportError>,
}

/// Brings up to [`ROWS_MAX`] rows in, with the brands and categories that they name, as products on
/// sale with a variant and a price each.
pub async fn import(tx: &Tx, rows: &[ImportRow]) -> Result<Imported> {
    if rows.len() > ROWS_MAX {
        return Err(Problem::internal(format!("{} rows in one import", rows.len())));
    }
    let mut done = Imported::default();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        match Valid::of(row) {
            Ok(line) => lines.push(line),
            Err(error) => done.rejected.push(error),
        }
    }
    // Two at once would each make the brands and categories that both miss.
    tx.alone("catalog_import").await?;
    keep_new(tx, &mut lines, &mut done).await?;
    if !lines.is_empty() {
        set_brands(tx, &mut lines, &mut done).await?;
        set_categories(tx, &mut lines, &mut done).await?;
        done.products = write(tx, &lines).await?;
    }
    Ok(done)
}

/// Drops the rows that are there already, and those whose sku another variant has.
async fn keep_new(tx: &Tx, lines: &mut Vec<Valid<'_>>, done: &mut Imported) -> Result<()> {
    let ids = lines.iter().map(|line| line.row.external_id.as_str());
    let mut ids: HashSet<String> = product::Entity::of(tx.organization)
        .filter(product::Column::ExternalId.is_in(ids))
        .select_only()
        .column(product::Column::ExternalId)
        .into_tuple::<String>()
        .all(tx.db())
        .await?
        .into_iter()
        .collect();
    let skus = lines.iter().map(|line| line.row.sku.as_str());
    let mut skus: HashSet<String> = variant::Entity::of(tx.organization)
        .filter(variant::Column::Sku.is_in(skus))
        .select_only()
        .column(variant::Column::Sku)
        .into_tuple::<String>()
        .all(tx.db())
        .await?
        .into_iter()
        .collect();
    for line in mem::take(lines) {
        let row = line.row;
        if ids.contains(&row.external_id) {
            done.skipped += 1;
        } else if !skus.insert(row.sku.clone()) {
            done.rejected.push(row.wrong("sku", "is the sku of another variant"));
        } else {
            ids.insert(row.external_id.clone());
            lines.push(line);
        }
    }
    Ok(())
}

/// Finds the brands by name, the oldest where several have it, and makes those that are missing.
async fn set_brands(tx: &Tx, lines: &mut [Valid<'_>], done: &mut Imported) -> Result<()> {
    let mut names: Vec<Name> = lines.iter().filter_map(|line| line.brand_name.clone()).collect();
    names.sort_unstable_by(|a, b| a.as_str().cmp(b));
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let mut known: HashMap<Name, Uuid> = HashMap::new();
    let found = brand::Entity::of(tx.organization)
        .filter(brand::Column::Name.is_in(names.iter().cloned()))
        .order_by_asc(brand::Column::Id)
        .select_only()
        .columns([brand::Column::Name, brand::Column::Id])
        .into_tuple::<(Name, Uuid)>()
        .all(tx.db())
        .await?;
    for (name, id) in found {
        known.entry(name).or_insert(id);
    }
    let mut missing = Vec::new();
    for name in names.into_iter().filter(|name| !known.contains_key(name)) {
        let id = tx.new_id();
        let slug = slug(None, &name, id);
        missing.push(BrandCreate::new(name).row(tx, id, slug));
    }
    known.extend(missing.iter().map(|row| (row.name.clone(), row.id)));
    done.brands = missing.len();
    tx.create_many::<Brand>(&crate::brand::CREATED, missing).await?;
    for line in lines {
        line.brand = line.brand_name.as_ref().and_then(|name| known.get(name)).copied();
    }
    Ok(())
}

/// Finds the categories by name and parent, level by level, and makes those that are missing.
async fn set_categories(tx: &Tx, lines: &mut [Valid<'_>], done: &mut Imported) -> Result<()> {
    let levels = lines.iter().map(|line| line.path.len()).max().unwrap_or_default();
    if levels == 0 {
        return Ok(());
    }
    tx.alone(TREE).await?;
    let mut missing = Vec::new();
    for level in 0..levels {
        let wanted: HashSet<(Option<Uuid>, Name)> =
            lines.iter().filter_map(|l| Some((l.category, l.path.get(level)?.clone()))).collect();
        let mut known = categories(tx, &wanted).await?;
        for (parent, name) in wanted {
            known.entry((parent, name)).or_insert_with_key(|(parent, name)| {
                let id = tx.new_id();
                let slug = slug(None, name, id);
                let parent_id = parent.map(Id::from_uuid);
                let body = CategoryCreate { parent_id, ..CategoryCreate::new(name.clone()) };
                missing.push(body.row(tx, id, slug));
                id.uuid()
            });
        }
        for line in lines.iter_mut() {
            if let Some(name) = line.path.get(level) {
                line.category = known.get(&(line.category, name.clone())).copied();
            }
        }
    }
    done.categories = missing.len();
    tx.create_many::<Category>(&crate::category::CREATED, missing).await?;
    Ok(())
}

/// The categories of one level that are there, by parent and name; the oldest where there are more.
async fn categories(
    tx: &Tx,
    wanted: &HashSet<(Option<Uuid>, Name)>,
) -> Result<HashMap<(Option<Uuid>, Name), Uuid>> {
    let parents: BTreeSet<Uuid> = wanted.iter().filter_map(|(parent, _)| *parent).collect();
    let names: HashSet<Name> = wanted.iter().map(|(_, name)| name.clone()).collect();
    let under = match parents.is_empty() {
        true => category::Column::ParentId.is_null(),
        false => category::Column::ParentId.is_in(parents),
    };
    let found = category::Entity::of(tx.organization)
        .filter(under)
        .filter(category::Column::Name.is_in(names))
        .order_by_asc(category::Column::Id)
        .select_only()
        .columns([category::Column::ParentId, category::Column::Name, category::Column::Id])
        .into_tuple::<(Option<Uuid>, Name, Uuid)>()
        .all(tx.db())
        .await?;
    let mut known = HashMap::new();
    for (parent, name, id) in found {
        known.entry((parent, name)).or_insert(id);
    }
    Ok(known)
}

/// Writes the products, where they are filed, their variants and their prices.
async fn write(tx: &Tx, lines: &[Valid<'_>]) -> Result<usize> {
    let (mut products, mut variants, mut prices) = (Vec::new(), Vec::new(), Vec::new());
    let mut filed: Vec<product_category::ActiveModel> = Vec::new();
    for line in lines {
        let body = line.product();
        let id = tx.new_id();
        let slug = slug(None, &body.title, id);
        let product = body.unchecked_row(tx, id, slug);
        let variant = crate::variant::row(tx, &product, line.variant(product.id));
        prices.push(line.price(tx, variant.id));
        let categories: Vec<_> = line.category.into_iter().map(Id::from_uuid).collect();
        filed.extend(crate::product::filed(tx, Id::from_uuid(product.id), &categories));
        products.push(product);
        variants.push(variant);
    }
    let ids: Vec<Uuid> = products.iter().map(|product: &product::Model| product.id).collect();
    tx.create_many::<Product>(&crate::product::CREATED, products).await?;
    tx.reindex_all::<product_category::Entity>(product_category::Column::ProductId, &ids, filed)
        .await?;
    tx.create_many::<Variant>(&crate::variant::CREATED, variants).await?;
    tx.create_many::<Price>(&crate::price::CREATED, prices).await?;
    Ok(ids.len())
}

impl Valid<'_> {
    fn product(&self) -> ProductCreate {
        let option = |value| ProductOption {
            name: Line::made(OPTION_NAME),
            values: [value].into_iter().collect(),
        };
        ProductCreate {
            description: self.description.clone(),
            status: ProductInitialStatus::Active,
            brand_id: self.brand.map(Id::from_uuid),
            category_ids: self.category.into_iter().map(Id::from_uuid).collect(),
            options: self.option.clone().map(option).into_iter().collect(),
            external_id: Some(self.external_id.clone()),
            ..ProductCreate::new(self.title.clone())
        }
    }

    fn variant(&self, product: Uuid) -> VariantCreate {
        let values = self.option.clone().map(|value| (OPTION_NAME.to_owned(), value));
        VariantCreate {
            options: OptionValues(values.into_iter().collect()),
            ..VariantCreate::new(Id::from_uuid(product), self.sku.clone())
        }
    }

    fn price(&self, tx: &Tx, variant: Uuid) -> price::Model {
        let variant_id = Id::from_uuid(variant);
        let body = PriceCreate::new(variant_id, self.price);
        body.row(tx, tx.new_id(), variant_id)
    }
}
