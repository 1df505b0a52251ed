//! The scopes a key can have, and the presets that name many at once.

use serde::{Deserialize, Serialize};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Type};

macro_rules! scopes {
    ($($name:ident = $text:literal: $about:literal,)*) => {
        /// A scope: what a key may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ScopeName {
            $(#[doc = $about] #[serde(rename = $text)] $name,)*
        }

        impl ScopeName {
            /// Every scope there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// `catalog:read`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// From what is stored.
            pub fn named(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

scopes! {
    CatalogRead = "catalog:read": "See products, variants, brands, categories and prices.",
    CatalogWrite = "catalog:write": "Change the catalog.",
    EventsRead = "events:read": "See the events of everything that changes.",
    WebhooksRead = "webhooks:read": "See webhook endpoints, deliveries and attempts.",
    WebhooksWrite = "webhooks:write": "Make and change webhook endpoints, and send events again.",
    GraphqlRead = "graphql:read": "See the GraphQL documents that the organization trusts.",
    GraphqlWrite = "graphql:write": "Trust GraphQL documents, or no more.",
    OrganizationRead = "organization:read": "See the organization.",
    OrganizationWrite = "organization:write": "Change the organization's name and settings.",
    KeysRead = "keys:read": "See API keys (never their secrets).",
    KeysWrite = "keys:write": "Make, change, rotate and revoke API keys.",
    AuditRead = "audit:read": "See the audit log, the request log and uses of what is deprecated.",
    OrganizationsCreate = "organizations:create": "Found new organizations: for the platform's operator.",
}

impl ComposeSchema for ScopeName {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let names: Vec<_> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("A scope: what a key may do."))
                .enum_values(Some(names))
                .build(),
        ))
    }
}

impl ToSchema for ScopeName {}

/// A name for many scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Everything that can be read, except keys and logs.
    Read,
    /// What a shop's own program needs: read, and change what is sold.
    Write,
    /// Everything within the organization.
    Admin,
}

impl Preset {
    /// The scopes it stands for.
    pub fn scopes(self) -> Vec<ScopeName> {
        let within = |scope: &&ScopeName| match self {
            Self::Read => {
                scope.as_str().ends_with(":read")
                    && !matches!(scope, ScopeName::KeysRead | ScopeName::AuditRead)
            }
            Self::Write => {
                Self::Read.scopes().contains(scope)
                    || matches!(scope, ScopeName::CatalogWrite | ScopeName::WebhooksWrite)
            }
            Self::Admin => !matches!(scope, ScopeName::OrganizationsCreate),
        };
        ScopeName::ALL.iter().filter(within).copied().collect()
    }
}
