//! Organizations, API keys, trusted documents, the audit log, the request log, and what keys still use
//! of what goes away.

mod api_key;
mod audit_entry;
mod deprecation;
mod documents;
mod erase;
mod keyring;
mod organization;
mod plan;
mod recorder;
mod request;
mod rights;
mod scopes;
mod secret;
mod trusted_document;

use bodega_contract::{Access, Declared};

pub use api_key::{ApiKey, ApiKeyCreate, NewApiKey, issue, revoke};
pub use audit_entry::AuditEntry;
pub use deprecation::DeprecatedUse;
pub use documents::{Checks, DocumentCheck, TrustedDocuments};
pub use erase::purge_audit;
pub use keyring::{KEYS, Keyring};
pub use organization::{Founded, NewOrganization, Organization, OrganizationCreate, found};
pub use plan::{Allowance, PLANS, PlanName};
pub use recorder::{Figures, LogRecorder, Writing, purge_requests};
pub use request::Request;
pub use scopes::{Preset, ScopeName};
pub use trusted_document::TrustedDocument;

const ORGANIZATION: Access = Access { read: "organization:read", write: "organization:write" };
const KEYS_ACCESS: Access = Access { read: "keys:read", write: "keys:write" };
const GRAPHQL: Access = Access { read: "graphql:read", write: "graphql:write" };
/// Only to be read: nobody writes in the logs.
const AUDIT: Access = Access { read: "audit:read", write: "audit:read" };

/// What this domain offers.
pub fn resources() -> Vec<Declared> {
    vec![
        organization::resource().into(),
        api_key::resource().into(),
        audit_entry::resource().into(),
        request::resource().into(),
        deprecation::resource().into(),
        trusted_document::resource().into(),
    ]
}
