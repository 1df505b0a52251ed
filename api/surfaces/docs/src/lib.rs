//! The documentation door: the OpenAPI document, the reference page, the problem pages.
//!
//! Everything here is a function of the registry and of the table of problems: no resource is
//! named, nothing is written by hand twice. Read in this order: [`openapi`] (the document),
//! [`problems_of`] (what each operation can fail with), [`breaking_changes`] (what a new document
//! takes from those who use the old one), [`routes`] (how all of it is served).

mod artifacts;
mod breaking;
mod document;
mod pages;
mod problems;
mod routes;
#[cfg(test)]
mod toy;

pub use artifacts::artifacts;
pub use breaking::breaking_changes;
pub use document::{EventDoc, event_doc, openapi};
pub use pages::{problem_index, problem_page};
pub use problems::problems_of;
pub use routes::{Docs, routes};
