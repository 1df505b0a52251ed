//! What the corridor asks of the outside, so that it can be swapped: a limiter in memory or in
//! Redis, keys in a table or in a test.

use std::net::IpAddr;
use std::sync::Arc;

use bodega_kernel::{Language, Numbers, Result, ScopeSet, tagged};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::Deprecation;

/// What a caller shows to say who it is: its `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Missing,
    /// Something that is not `Bearer <key>`.
    NotBearer,
    /// What came after `Bearer`.
    Bearer(String),
}

impl Credentials {
    /// Reads the value of an `Authorization` header.
    pub fn read(authorization: Option<&str>) -> Self {
        let Some(value) = authorization.map(str::trim).filter(|value| !value.is_empty()) else {
            return Self::Missing;
        };
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self::Bearer(token.trim().to_owned())
            }
            _ => Self::NotBearer,
        }
    }

    /// What came after `Bearer`, if that came.
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Bearer(token) => Some(token),
            Self::Missing | Self::NotBearer => None,
        }
    }
}

/// Who calls, as far as a door can tell.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What it shows to say who it is.
    pub credentials: Credentials,
    /// The address.
    pub ip: Option<IpAddr>,
    /// The origin of a browser.
    pub origin: Option<String>,
    /// The program.
    pub user_agent: Option<String>,
    /// The call's own id, made by the door.
    pub request_id: Uuid,
    /// W3C Trace Context, continued or begun by the door.
    pub traceparent: String,
    /// The version asked for.
    pub version: Option<String>,
    /// The language asked for.
    pub language: Language,
    /// `rest`, `graphql`, `mcp`.
    pub door: &'static str,
    /// The path, as the caller wrote it.
    pub path: String,
}

impl Caller {
    /// `req_…`.
    pub fn request_id(&self) -> String {
        tagged("req", self.request_id)
    }
}

/// Whoever calls, once known.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Whose data the call is about.
    pub organization: Uuid,
    /// The key.
    pub key: Uuid,
    /// The key's public id.
    pub actor_id: String,
    /// What it may do.
    pub scopes: Arc<ScopeSet>,
    /// How much of it.
    pub plan: Plan,
    /// What its calls are counted in: first its own, last the organization's, between them those of
    /// the keys that it descends from.
    pub quotas: Arc<[Quota]>,
    /// How many objects the organization may have.
    pub numbers: Numbers,
    /// The version of the API its answers come in.
    pub api_version: String,
    /// The origins a browser may use it on; any, where empty.
    pub allowed_origins: Vec<String>,
}

/// How many calls a key may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What it is called.
    pub name: &'static str,
    /// Calls a minute.
    pub per_minute: u32,
    /// Calls a day (UTC).
    pub per_day: u32,
}

/// Calls that are counted together, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Whose calls they are.
    pub of: Counted,
    /// The id that they are counted under.
    pub id: Uuid,
    /// Calls a minute.
    pub per_minute: u32,
    /// Calls a day (UTC).
    pub per_day: u32,
}

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The key's own.
    Key,
    /// Those of a key that it descends from, and of all others that do.
    Parent,
    /// All of the organization's keys.
    Organization,
}

impl Counted {
    /// What the limit of a minute is called.
    pub const fn minute(self) -> &'static str {
        match self {
            Self::Key => "minute",
            Self::Parent => "parent-minute",
            Self::Organization => "organization-minute",
        }
    }

    /// What the limit of a day is called.
    pub const fn day(self) -> &'static str {
        match self {
            Self::Key => "day",
            Self::Parent => "parent-day",
            Self::Organization => "organization-day",
        }
    }
}

/// Tells who calls.
pub trait Authenticator: Send + Sync {
    /// The caller's principal, or `unauthenticated`.
    fn authenticate<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Arc<Principal>>>;
}

/// One limit, as it stands after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `minute` or `day`, with `parent-` or `organization-` before it where others count too.
    pub name: &'static str,
    /// How much it allows.
    pub quota: u32,
    /// In how many seconds.
    pub window_s: u32,
    /// How much is left.
    pub remaining: u32,
    /// When it is whole again, in seconds.
    pub reset_s: u32,
}

/// The limits, as they stand after a call.
#[derive(Clone, Copy, Debug)]
pub struct LimitState {
    /// Of a minute and of a day those of which least is left.
    pub policies: [Policy; 2],
    /// The one that the call would have broken, and when there is room for it again.
    pub violated: Option<(&'static str, u32)>,
}

/// Counts calls.
pub trait Limiter: Send + Sync {
    /// Takes `cost` from each limit that the caller counts in: its own, those of the keys that it
    /// descends from, the organization's. What its own has no room for takes nothing from the others;
    /// what the others have no room for may have been taken from its own.
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState>;
}

/// A call as it was answered, for the request log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request's id.
    pub id: Uuid,
    /// Whose.
    pub organization: Uuid,
    /// Which key.
    pub key: Uuid,
    /// Through which door.
    pub door: &'static str,
    /// Doing what.
    pub operation: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path without its query.
    pub path: String,
    /// HTTP status.
    pub status: u16,
    /// The problem's code.
    pub code: Option<String>,
    /// How long it took.
    pub duration_us: i64,
    /// From where.
    pub ip: Option<IpAddr>,
    /// With what program.
    pub user_agent: Option<String>,
    /// In which version.
    pub api_version: String,
    /// Under which idempotency key.
    pub idempotency_key: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// How many units of the limits it took.
    pub cost: u32,
    /// What it used that goes away: the operation or field, and the deprecation.
    pub deprecated: Vec<(String, Deprecation)>,
}

/// Takes notes beside the calls; never waits, never fails, counts what it had to drop.
pub trait Recorder: Send + Sync {
    /// Notes an answered call.
    fn record(&self, entry: Entry);
}
