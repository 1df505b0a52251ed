//! What everything stands on: ids, money, quantities, problems, the clock, the context a query gets
//! ([`Cx`]), the open transaction a command gets ([`Tx`]), events and paging.
//!
//! Nothing here knows HTTP or GraphQL, and nothing here knows a resource.

mod apart;
pub mod budget;
mod clock;
mod cx;
mod db;
mod id;
mod job;
pub mod json;
mod linked;
mod metadata;
mod noun;
mod numbers;
mod page;
mod pages;
mod patch;
pub mod problem;
mod retention;
mod scope;
mod seal;
mod shown;
mod source;
mod statements;
mod through;
mod transaction;
mod trouble;
mod tx;
mod vault;
mod version;

pub use apart::{APART_BYTES, Apart};
pub use bodega_values as values;
pub use bodega_values::{CurrencyCode, ExternalId, Metadata, Money, Quantity};
pub use budget::{Budget, Size};
pub use chrono::NaiveDate as Date;
pub use clock::{Clock, SystemClock, TurnedClock, micros};
pub use cx::{Actor, Cx, Keys, Origin, Platform, Ports};
pub use db::{Database, Signals, bounded};
pub use id::{ID_PREFIX, Id, tagged};
pub use job::Job;
pub use linked::{Around, LINKED_MAX, Linked};
pub use metadata::MetadataPatch;
pub use noun::{Changes, Event, Kept, Noun, Row, Stateful, Unique};
pub use numbers::Numbers;
pub use page::{Filter, FilterValue, ListQuery, Op, Page, Sort, Way};
pub use pages::LISTS_MAX;
pub use patch::Patch;
pub use problem::{Code, FieldError, Language, Problem, Text, text};
pub use retention::Retention;
pub use scope::{Scope, ScopeSet};
pub use seal::Sealer;
pub use shown::{Embedded, Shown, write_all};
pub use source::Source;
pub use through::Through;
pub use transaction::Transaction;
pub use trouble::Trouble;
pub use tx::{COMMITTED, Committed, Tx, Writable, in_padded_pieces, in_powers_of_two};
pub use vault::Vault;
pub use version::{VersionChange, Versions};

/// What a handler returns.
pub type Result<T, E = Problem> = std::result::Result<T, E>;
