//! Who may do what, and who did.

pub mod api_key;
pub mod audit_entry;
pub mod deprecated_use;
pub mod organization;
pub mod request;
pub mod trusted_document;
