//! Suites that walk every operation there is.
//!
//! They read the operations from the started server's own `/openapi.json`, so that none can be
//! forgotten, and take what to send from the table in [`fixtures`]. Every answer that a walker gets
//! is held against what the document says of the operation: see [`seen`].

mod answers;
mod authentication;
mod batch;
mod expand;
mod fields;
mod filters;
pub mod fixtures;
mod http;
mod idempotency;
mod ids;
mod input;
mod isolation;
mod journal;
mod lists;
pub mod operations;
mod problems;
mod scopes;
mod seen;
mod versions;
pub mod walker;
