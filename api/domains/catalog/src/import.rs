//! Bringing many products in at once, from rows such as those of a CSV file.
//!
//! It can be repeated: a row whose `external_id` is there already is skipped. A bad row rejects only
//! itself. However many rows there are, the number of statements stays the same.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::{fmt, mem};

use bodega_kernel::{CurrencyCode, ExternalId, Id, Metadata, Money, Problem, Quantity, Result, Tx};
use entity::Owned;
use entity::catalog::product::Kind;
use entity::catalog::{brand, category, price, product, product_category, variant};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use uuid::Uuid;

use crate::category::{LEVELS_MAX, TREE};
use crate::{
    Brand, BrandCreate, Category, CategoryCreate, InitialProductStatus, OptionValue, OptionValues,
    Price, PriceCreate, Product, ProductCreate, ProductOption, Variant, VariantCreate,
};

/// How many rows one transaction takes.
pub const ROWS_MAX: usize = 500;

/// What stands between the levels of a category's path: `Drinks > Coffee`.
const PATH_SEPARATOR: char = '>';

/// What a product's only option is called.
const OPTION_NAME: &str = "Size";

/// The largest amount that a price may have, in minor units.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// The columns a file must have.
const COLUMNS: [&str; 5] = ["external_id", "title", "sku", "price", "currency"];

/// A product with its one variant and price, as it stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImportRow {
    /// Where it stands in the file, from 1.
    #[serde(skip)]
    pub line: u64,
    /// The shop's own id for the product.
    pub external_id: String,
    /// What it is called.
    pub title: String,
    /// The name of its brand; empty for none.
    #[serde(default)]
    pub brand: String,
    /// The path of its category, `Drinks > Coffee`; empty for none.
    #[serde(default)]
    pub category: String,
    /// The shop's own code for its variant.
    pub sku: String,
    /// The size or pack it comes in; empty for none.
    #[serde(default)]
    pub option: String,
    /// What it costs, as a decimal: `19.99`.
    pub price: String,
    /// The currency of the price (ISO 4217).
    pub currency: String,
    /// What there is to say of it; empty for nothing.
    #[serde(default)]
    pub description: String,
}

/// Why a row was not brought in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// The row's line.
    pub line: u64,
    /// The column that is wrong; empty for the whole line.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, reason } = self;
        match field.is_empty() {
            true => write!(f, "line {line}: {reason}"),
            false => write!(f, "line {line}: {field} {reason}"),
        }
    }
}

impl std::error::Error for ImportError {}

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

/// Reads the rows of a CSV file with a header line, one at a time.
pub fn read(
    reader: impl Read,
) -> Result<impl Iterator<Item = Result<ImportRow, ImportError>>, ImportError> {
    let broken = |error: &csv::Error| ImportError {
        line: error.position().map_or(1, csv::Position::line),
        field: "",
        reason: error.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    if let Some(missing) = COLUMNS.into_iter().find(|name| header.iter().all(|h| h != *name)) {
        let reason = "is not among the columns".to_owned();
        return Err(ImportError { line: 1, field: missing, reason });
    }
    Ok(reader.into_records().map(move |record| {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = record.deserialize::<ImportRow>(Some(&header)).map_err(|error| broken(&error))?;
        Ok(ImportRow { line, ..row })
    }))
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
        match Line::of(row) {
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

/// A row that is valid by itself, and what is known of it so far.
struct Line<'a> {
    row: &'a ImportRow,
    path: Vec<&'a str>,
    price: Money,
    brand: Option<Uuid>,
    category: Option<Uuid>,
}

impl<'a> Line<'a> {
    fn of(row: &'a ImportRow) -> Result<Self, ImportError> {
        let wrong = |field, reason: &str| row.wrong(field, reason);
        for (field, value, min, max) in [
            ("external_id", &row.external_id, 1, 200),
            ("title", &row.title, 1, 300),
            ("brand", &row.brand, 0, 200),
            ("sku", &row.sku, 1, 100),
            ("option", &row.option, 0, 100),
            ("description", &row.description, 0, 20_000),
        ] {
            let length = value.chars().count();
            if length < min || value.trim() != value {
                return Err(wrong(field, "is empty, or has blanks around it"));
            }
            if length > max {
                return Err(wrong(field, &format!("is longer than {max} characters")));
            }
            let text = field == "description";
            if value.chars().any(|c| c == '\0' || (c.is_control() && !text)) {
                return Err(wrong(field, "has a control character"));
            }
        }
        let currency: CurrencyCode =
            row.currency.parse().map_err(|reason| wrong("currency", reason))?;
        let amount = minor_units(&row.price, currency.exponent())
            .map_err(|reason| wrong("price", &reason))?;
        let path = path(&row.category).map_err(|reason| wrong("category", &reason))?;
        let price = Money { amount, currency };
        Ok(Self { row, path, price, brand: None, category: None })
    }
}

impl ImportRow {
    fn wrong(&self, field: &'static str, reason: &str) -> ImportError {
        ImportError { line: self.line, field, reason: reason.to_owned() }
    }
}

/// `19.99` in a currency of two decimals is 1999. Never through a float.
fn minor_units(price: &str, exponent: u16) -> Result<i64, String> {
    let wrong = || format!("is not a decimal such as 19.99: {price:?}");
    let (whole, part) = price.split_once('.').unwrap_or((price, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let places = usize::from(exponent);
    let part = part.trim_end_matches('0');
    if part.len() > places {
        return Err(format!("has more decimals than its currency, which has {exponent}"));
    }
    let minor = format!("{whole}{part:0<places$}");
    match minor.parse() {
        Ok(amount) if amount <= AMOUNT_MAX => Ok(amount),
        _ => Err("is too large".to_owned()),
    }
}

/// The levels of `Drinks > Coffee`; none where it is empty.
fn path(category: &str) -> Result<Vec<&str>, String> {
    if category.trim().is_empty() {
        return Ok(Vec::new());
    }
    let levels: Vec<_> = category.split(PATH_SEPARATOR).map(str::trim).collect();
    if levels.len() > LEVELS_MAX {
        return Err(format!("has more than {LEVELS_MAX} levels"));
    }
    let wrong = |name: &&str| {
        name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control)
    };
    match levels.iter().any(wrong) {
        true => Err("has a level without a name, or with one of more than 200 characters".into()),
        false => Ok(levels),
    }
}

/// Drops the rows that are there already, and those whose sku another variant has.
async fn keep_new(tx: &Tx, lines: &mut Vec<Line<'_>>, done: &mut Imported) -> Result<()> {
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
async fn set_brands(tx: &Tx, lines: &mut [Line<'_>], done: &mut Imported) -> Result<()> {
    let names: BTreeSet<&str> =
        lines.iter().map(|line| line.row.brand.as_str()).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut known: HashMap<String, Uuid> = HashMap::new();
    let found = brand::Entity::of(tx.organization)
        .filter(brand::Column::Name.is_in(names.iter().copied()))
        .order_by_asc(brand::Column::Id)
        .select_only()
        .columns([brand::Column::Name, brand::Column::Id])
        .into_tuple::<(String, Uuid)>()
        .all(tx.db())
        .await?;
    for (name, id) in found {
        known.entry(name).or_insert(id);
    }
    let mut missing = Vec::new();
    for name in names.into_iter().filter(|name| !known.contains_key(*name)) {
        let body = BrandCreate { name: name.to_owned(), ..BrandCreate::default() };
        missing.push(crate::brand::row(tx, body));
    }
    known.extend(missing.iter().map(|row| (row.name.clone(), row.id)));
    done.brands = missing.len();
    tx.create_many::<Brand>(&crate::brand::CREATED, missing).await?;
    for line in lines {
        line.brand = known.get(&line.row.brand).copied();
    }
    Ok(())
}

/// Finds the categories by name and parent, level by level, and makes those that are missing.
async fn set_categories(tx: &Tx, lines: &mut [Line<'_>], done: &mut Imported) -> Result<()> {
    let levels = lines.iter().map(|line| line.path.len()).max().unwrap_or_default();
    if levels == 0 {
        return Ok(());
    }
    tx.alone(TREE).await?;
    let mut missing = Vec::new();
    for level in 0..levels {
        let wanted: BTreeSet<(Option<Uuid>, &str)> =
            lines.iter().filter_map(|l| Some((l.category, *l.path.get(level)?))).collect();
        let mut known = categories(tx, &wanted).await?;
        for (parent, name) in wanted {
            known.entry((parent, name.to_owned())).or_insert_with(|| {
                let row = crate::category::row(
                    tx,
                    CategoryCreate {
                        parent_id: parent.map(Id::from_uuid),
                        name: name.to_owned(),
                        ..CategoryCreate::default()
                    },
                );
                let id = row.id;
                missing.push(row);
                id
            });
        }
        for line in lines.iter_mut() {
            if let Some(name) = line.path.get(level) {
                line.category = known.get(&(line.category, (*name).to_owned())).copied();
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
    wanted: &BTreeSet<(Option<Uuid>, &str)>,
) -> Result<HashMap<(Option<Uuid>, String), Uuid>> {
    let parents: BTreeSet<Uuid> = wanted.iter().filter_map(|(parent, _)| *parent).collect();
    let names: BTreeSet<&str> = wanted.iter().map(|(_, name)| *name).collect();
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
        .into_tuple::<(Option<Uuid>, String, Uuid)>()
        .all(tx.db())
        .await?;
    let mut known = HashMap::new();
    for (parent, name, id) in found {
        known.entry((parent, name)).or_insert(id);
    }
    Ok(known)
}

/// Writes the products, where they are filed, their variants and their prices.
async fn write(tx: &Tx, lines: &[Line<'_>]) -> Result<usize> {
    let (mut products, mut variants, mut prices) = (Vec::new(), Vec::new(), Vec::new());
    let mut filed: Vec<product_category::ActiveModel> = Vec::new();
    for line in lines {
        let product = crate::product::row(tx, line.product());
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

impl Line<'_> {
    fn product(&self) -> ProductCreate {
        let row = self.row;
        let option = || ProductOption {
            name: OPTION_NAME.to_owned(),
            values: vec![OptionValue(row.option.clone())],
        };
        ProductCreate {
            title: row.title.clone(),
            slug: None,
            description: Some(row.description.clone()).filter(|text| !text.is_empty()),
            kind: Kind::Good,
            status: InitialProductStatus::Active,
            brand_id: self.brand.map(Id::from_uuid),
            category_ids: self.category.into_iter().map(Id::from_uuid).collect(),
            tax_category: None,
            options: if row.option.is_empty() { Vec::new() } else { vec![option()] },
            external_id: Some(ExternalId(row.external_id.clone())),
            metadata: Metadata::default(),
        }
    }

    fn variant(&self, product: Uuid) -> VariantCreate {
        let row = self.row;
        let size = (OPTION_NAME.to_owned(), OptionValue(row.option.clone()));
        VariantCreate {
            product_id: Id::from_uuid(product),
            title: None,
            sku: row.sku.clone(),
            barcode: None,
            options: OptionValues::from_pairs(Some(size).filter(|_| !row.option.is_empty())),
            unit: crate::variant::each(),
            weight_grams: None,
            dimensions: None,
            track_inventory: true,
            allow_backorder: false,
            cost: None,
            retail_price: None,
            position: 0,
            external_id: None,
            metadata: Metadata::default(),
        }
    }

    fn price(&self, tx: &Tx, variant: Uuid) -> price::Model {
        let body = PriceCreate {
            variant_id: Id::from_uuid(variant),
            unit_price: self.price,
            min_quantity: Quantity::ONE,
            external_id: None,
            metadata: Metadata::default(),
        };
        crate::price::row(tx, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ImportRow {
        ImportRow {
            line: 2,
            external_id: "1".to_owned(),
            title: "Coffee".to_owned(),
            sku: "C-1".to_owned(),
            price: "19.99".to_owned(),
            currency: "MXN".to_owned(),
            ..ImportRow::default()
        }
    }

    #[test]
    fn a_price_is_whole_minor_units_or_refused() {
        for (price, exponent, amount) in [
            ("19.99", 2, Some(1999)),
            ("19.9", 2, Some(1990)),
            ("19", 2, Some(1900)),
            ("0.05", 2, Some(5)),
            ("19.9900", 2, Some(1999)),
            ("100", 0, Some(100)),
            ("1.234", 3, Some(1234)),
            ("10000000000000", 2, Some(AMOUNT_MAX)),
            ("10000000000000.01", 2, None),
            ("99999999999999999999", 2, None),
            ("19.999", 2, None),
            ("0.5", 0, None),
            ("-1", 2, None),
            ("1,000.00", 2, None),
            ("1e3", 2, None),
            (".5", 2, None),
            ("5.", 2, None),
            ("", 2, None),
            ("NaN", 2, None),
            ("٣", 2, None),
        ] {
            assert_eq!(minor_units(price, exponent).ok(), amount, "{price:?}");
        }
    }

    #[test]
    fn a_path_has_a_name_at_each_level() {
        assert_eq!(path(" Drinks > Coffee "), Ok(vec!["Drinks", "Coffee"]));
        assert_eq!(path(""), Ok(Vec::new()));
        for bad in ["A > > B", ">", &"x".repeat(201), &["A"; 11].join(">")] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_row_says_which_column_is_wrong() {
        assert!(Line::of(&row()).is_ok());
        for (field, bad) in [
            ("external_id", ImportRow { external_id: "x".repeat(201), ..row() }),
            ("title", ImportRow { title: String::new(), ..row() }),
            ("title", ImportRow { title: "a\u{1}".to_owned(), ..row() }),
            ("sku", ImportRow { sku: " C".to_owned(), ..row() }),
            ("price", ImportRow { price: "12.345".to_owned(), ..row() }),
            ("currency", ImportRow { currency: "pesos".to_owned(), ..row() }),
            ("category", ImportRow { category: "A >".to_owned(), ..row() }),
        ] {
            let error = Line::of(&bad).err().map(|error| (error.line, error.field));
            assert_eq!(error, Some((2, field)));
        }
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let file = "sku,external_id,title,price,currency,more\nC-1, 1 ,\"Coffee, whole\",19.99,MXN,x\n\
                    C-2,2\nC-3,3,Tea,5,MXN,\n";
        let rows: Vec<_> = read(file.as_bytes()).unwrap().collect();
        let first = rows[0].as_ref().unwrap();
        assert_eq!((first.line, &*first.external_id, &*first.title), (2, "1", "Coffee, whole"));
        assert_eq!(rows[1].as_ref().unwrap_err().line, 3);
        assert_eq!(rows[2].as_ref().unwrap().line, 4);
        assert_eq!(rows.len(), 3);

        let error = read("sku,title\n".as_bytes()).err().unwrap();
        assert_eq!(error.to_string(), "line 1: external_id is not among the columns");
    }
}
