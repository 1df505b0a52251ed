//! The rows of an import: read from CSV, and checked one by one.

use std::fmt;
use std::io::Read;

use bodega_kernel::values::{Checked, ExternalId, Label, Line, Name, Rule, Text, Wrong};
use bodega_kernel::{CurrencyCode, Money};
use entity::catalog::options::OptionValue;
use serde::Deserialize;
use uuid::Uuid;

use crate::category::LEVELS_MAX;

/// What stands between the levels of a category's path: `Drinks > Coffee`.
const PATH_SEPARATOR: char = '>';

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

/// A row that is valid by itself, as the types of its fields, and what is known of it so far.
pub(super) struct Valid<'a> {
    pub(super) row: &'a ImportRow,
    pub(super) external_id: ExternalId,
    pub(super) title: Label<300>,
    pub(super) sku: Line<100>,
    pub(super) option: Option<OptionValue>,
    pub(super) description: Option<Text<20_000>>,
    pub(super) brand_name: Option<Name>,
    pub(super) path: Vec<Name>,
    pub(super) price: Money,
    pub(super) brand: Option<Uuid>,
    pub(super) category: Option<Uuid>,
}

impl<'a> Valid<'a> {
    pub(super) fn of(row: &'a ImportRow) -> Result<Self, ImportError> {
        let currency: CurrencyCode =
            row.currency.parse().map_err(|reason| row.wrong("currency", reason))?;
        let amount = minor_units(&row.price, currency.exponent())
            .map_err(|reason| row.wrong("price", &reason))?;
        Ok(Self {
            row,
            external_id: row.read("external_id", &row.external_id)?,
            title: row.read("title", &row.title)?,
            sku: row.read("sku", &row.sku)?,
            option: row.read_some("option", &row.option)?,
            description: row.read_some("description", &row.description)?,
            brand_name: row.read_some("brand", &row.brand)?,
            path: path(&row.category).map_err(|reason| row.wrong("category", &reason))?,
            price: Money { amount, currency },
            brand: None,
            category: None,
        })
    }
}

impl ImportRow {
    fn read<R: Rule>(&self, field: &'static str, text: &str) -> Result<Checked<R>, ImportError> {
        text.parse().map_err(|wrong: Wrong| self.wrong(field, &wrong.to_string()))
    }

    /// The same where an empty column stands for nothing.
    fn read_some<R: Rule>(
        &self,
        field: &'static str,
        text: &str,
    ) -> Result<Option<Checked<R>>, ImportError> {
        if text.is_empty() { Ok(None) } else { self.read(field, text).map(Some) }
    }

    pub(super) fn wrong(&self, field: &'static str, reason: &str) -> ImportError {
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
fn path(category: &str) -> Result<Vec<Name>, String> {
    if category.trim().is_empty() {
        return Ok(Vec::new());
    }
    let levels = category.split(PATH_SEPARATOR).map(|name| name.trim().parse());
    match levels.collect::<Result<Vec<_>, Wrong>>() {
        Ok(levels) if levels.len() > LEVELS_MAX => {
            Err(format!("has more than {LEVELS_MAX} levels"))
        }
        Ok(levels) => Ok(levels),
        Err(wrong) => Err(format!("has a level whose name {wrong}")),
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
        let levels = ["Drinks", "Coffee"].map(|name| name.parse().unwrap());
        assert_eq!(path(" Drinks > Coffee "), Ok(levels.to_vec()));
        assert_eq!(path(""), Ok(Vec::new()));
        for bad in ["A > > B", ">", &"x".repeat(201), &["A"; 11].join(">")] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_row_says_which_column_is_wrong() {
        assert!(Valid::of(&row()).is_ok());
        for (field, bad) in [
            ("external_id", ImportRow { external_id: "x".repeat(201), ..row() }),
            ("title", ImportRow { title: String::new(), ..row() }),
            ("title", ImportRow { title: "a\0".to_owned(), ..row() }),
            ("sku", ImportRow { sku: " C".to_owned(), ..row() }),
            ("price", ImportRow { price: "12.345".to_owned(), ..row() }),
            ("currency", ImportRow { currency: "pesos".to_owned(), ..row() }),
            ("category", ImportRow { category: "A >".to_owned(), ..row() }),
        ] {
            let error = Valid::of(&bad).err().map(|error| (error.line, error.field));
            assert_eq!(error, Some((2, field)));
        }
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let file = "\u{feff}sku,external_id,title,price,currency,more\n\
                    C-1, 1 ,\"Coffee, whole\",19.99,MXN,x\n\
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
