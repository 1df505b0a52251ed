//! The one corridor that every call walks:
//!
//! `authenticate → limit → authorize → validate → idempotency → handler → events, audit and
//! idempotency record in one commit → version → answer`
//!
//! A door makes a [`Call`] of what it was sent, hands it to [`Corridor::dispatch`], and turns the
//! [`Outcome`] into what its protocol says. It decides nothing.

mod batch;
mod corridor;
mod idempotency;
mod query;
mod validate;

pub use batch::{BatchLine, BatchMethod, BatchRequest, BatchResult, BatchResults, batches};
pub use corridor::{Answer, Call, Corridor, Outcome};
pub use query::PARAMETERS_MAX;
pub use validate::check;
