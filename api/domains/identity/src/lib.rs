//! Organizations, API keys, the audit log, the request log, and what keys still use of what goes away.

mod api_key;
mod audit_entry;
mod deprecation;
mod keyring;
mod organization;
mod plan;
mod recorder;
mod request;
mod scopes;
mod secret;

use bodega_contract::Declared;

pub use api_key::{ApiKey, ApiKeyCreate, NewApiKey, issue, revoke};
pub use audit_entry::AuditEntry;
pub use deprecation::DeprecatedUse;
pub use keyring::{KEYS, Keyring};
pub use organization::{Founded, NewOrganization, Organization, OrganizationCreate, found};
pub use plan::{PLANS, PlanName};
pub use recorder::{Figures, LogRecorder, Writing, purge_requests};
pub use request::Request;
pub use scopes::{Preset, ScopeName};

/// What this domain offers.
pub fn resources() -> Vec<Declared> {
    vec![
        organization::resource().into(),
        api_key::resource().into(),
        audit_entry::resource().into(),
        request::resource().into(),
        deprecation::resource().into(),
    ]
}
