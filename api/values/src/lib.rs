//! The types of fields. What a field may hold is said here once, by its type: the JSON schema, the
//! sentence that tells a person what is wrong (English and Spanish), and the column it is kept in.
//! Tables and the API's objects use the same types.
//!
//! | Type | Holds |
//! |---|---|
//! | [`Name`], [`Label<N>`] | what something is called, not blank |
//! | [`Line<N>`] | one line without spaces around it: a SKU, a barcode, a unit |
//! | [`Text<N>`] | free text, also of several lines |
//! | [`Slug`], [`WebUrl`], [`Email`], [`Phone`] | what their names say |
//! | [`ExternalId`], [`Metadata`] | the caller's own notes on an object |
//! | [`CountryCode`], [`LanguageTag`], [`TimeZone`] | ISO 3166-1, BCP 47, IANA |
//! | [`Money`], [`CurrencyCode`], [`Quantity`] | never a float |
//! | [`List<T, N>`], [`Distinct<T, N>`] | up to `N` of something; no two the same |

mod checked;
mod column;
mod list;
mod metadata;
mod money;
mod pattern;
mod quantity;
mod stored_id;
mod texts;

pub use checked::{Checked, Rule, Wrong};
pub use list::{Distinct, Items, List};
pub use metadata::{Metadata, PAIRS_MAX, pairs_schema};
pub use money::{CurrencyCode, Money};
pub use pattern::{Pattern, words_of};
pub use quantity::Quantity;
pub use stored_id::StoredId;
pub use texts::{
    CountryCode, DateVersion, Email, ExternalId, Label, LanguageTag, Line, Name, Phone, Sha256,
    Slug, Text, TimeZone, WebUrl,
};

/// The keyword of a schema that is written out where it is used, instead of being one of the API's
/// named schemas.
pub const INLINE: &str = "x-inline";
