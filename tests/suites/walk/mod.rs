//! Suites that walk every operation there is.
//!
//! They read the operations from the started server's own `/openapi.json`, so that none can be
//! forgotten, and take what to send from the table in [`fixtures`]. Every answer that a walker gets
//! is held against what the document says of the operation: see [`seen`].

mod authentication;
mod fixtures;
mod ids;
mod isolation;
mod operations;
mod scopes;
mod seen;
mod walker;
