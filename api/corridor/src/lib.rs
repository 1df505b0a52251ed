//! The one corridor that every call walks:
//!
//! `authenticate → limit → authorize → validate → idempotency → handler → events, audit and
//! idempotency record in one commit → version → answer`
//!
//! A door makes a [`Call`] of what it was sent, hands it to [`Corridor::dispatch`], and turns the
//! [`Outcome`] into what its protocol says. It decides nothing. A door whose requests ask for several
//! things at once is let in once ([`Corridor::admit`]), pays once ([`Visit::charge`]) and makes its
//! calls one by one ([`Visit::call`]).

mod batch;
mod body;
mod corridor;
mod expand;
mod followers;
mod idempotency;
mod noted;
mod prepare;
mod query;
mod shares;
mod validate;
mod visit;

pub use batch::{BatchLine, BatchMethod, BatchRequest, BatchResult, BatchResults, batches};
pub use body::Body;
pub use corridor::{Answer, Call, Corridor};
pub use followers::Place;
pub use query::{Ask, Expand, PARAMETERS_MAX, Pages};
pub use validate::check;
pub use visit::{Leave, Outcome, Visit};
