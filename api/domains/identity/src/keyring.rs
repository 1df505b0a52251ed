//! Who calls: keys found by their hash, remembered until something about keys changes anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bodega_contract::{Authenticator, Caller, Plan, Principal};
use bodega_kernel::{Platform, Problem, Result, ScopeSet, bounded, problem, tagged};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::identity::api_key;
use futures::FutureExt;
use futures::future::BoxFuture;
use ipnet::IpNet;
use moka::sync::Cache;
use sea_orm::{ColumnTrait, QueryFilter};
use subtle::ConstantTimeEq;

use crate::{PlanName, secret};

/// The signal that something about keys has changed.
pub const KEYS: &str = "api_keys";

const KEYS_MAX: u64 = 100_000;
/// A second line of defence, should a signal ever be lost.
const REMEMBERED: Duration = Duration::from_secs(60);
const KEY_BYTES_MAX: usize = 100;

/// What is known of a secret: whose key it is, or that it is nobody's.
type Known = Option<Arc<Remembered>>;

struct Remembered {
    principal: Arc<Principal>,
    allowed_ips: Vec<IpNet>,
    expires_at: Option<DateTime<Utc>>,
}

/// The keys that have called.
pub struct Keyring {
    platform: Arc<Platform>,
    /// With the epoch that it was read in: what was read before keys changed counts no more after.
    known: Cache<[u8; 32], (u64, Known)>,
    /// Grows whenever keys change.
    epoch: AtomicU64,
    /// Whether changes made by other nodes reach this one; while they do not, nothing is remembered.
    informed: AtomicBool,
}

impl Keyring {
    /// A keyring that forgets whenever [`KEYS`] is raised.
    pub fn new(platform: Arc<Platform>) -> Arc<Self> {
        let known = Cache::builder().max_capacity(KEYS_MAX).time_to_live(REMEMBERED).build();
        let keyring = Arc::new(Self {
            platform: platform.clone(),
            known,
            epoch: AtomicU64::new(0),
            informed: AtomicBool::new(true),
        });
        let listening = Arc::downgrade(&keyring);
        platform.signals.on(KEYS, move || {
            if let Some(keyring) = listening.upgrade() {
                keyring.forget();
            }
        });
        keyring
    }

    /// Says whether changes made elsewhere are being heard of.
    pub fn informed(&self, informed: bool) {
        if self.informed.swap(informed, Ordering::AcqRel) != informed {
            self.forget();
        }
    }

    fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }

    async fn look_up(&self, secret: &str) -> Result<Known> {
        let hash = secret::hash(secret);
        let epoch = self.epoch.load(Ordering::Acquire);
        if self.informed.load(Ordering::Acquire)
            && let Some((read_in, known)) = self.known.get(&hash)
            && read_in == epoch
        {
            return Ok(known);
        }
        let query = api_key::Entity::of_every_organization()
            .filter(api_key::Column::Hash.eq(hash.to_vec()))
            .filter(api_key::Column::RevokedAt.is_null());
        let row = bounded(query.one(self.platform.db.reader())).await?;
        // The index has found it already; the comparison that counts takes the same time always.
        let row = row.filter(|row| bool::from(row.hash.as_slice().ct_eq(&hash)));
        let known = row.map(|row| Arc::new(remembered(row)));
        self.known.insert(hash, (epoch, known.clone()));
        Ok(known)
    }
}

impl Authenticator for Keyring {
    fn authenticate<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Arc<Principal>>> {
        async move {
            let unauthenticated = || Problem::new(&problem::UNAUTHENTICATED);
            let secret = caller.token.as_deref().ok_or_else(unauthenticated)?;
            if secret.len() > KEY_BYTES_MAX || !secret.starts_with("bdg_") {
                return Err(unauthenticated());
            }
            let known = self.look_up(secret).await?.ok_or_else(unauthenticated)?;
            if known.expires_at.is_some_and(|end| end <= self.platform.clock.now()) {
                return Err(unauthenticated());
            }
            let from =
                caller.ip.is_some_and(|ip| known.allowed_ips.iter().any(|net| net.contains(&ip)));
            if !known.allowed_ips.is_empty() && !from {
                return Err(Problem::new(&problem::ADDRESS_NOT_ALLOWED));
            }
            let origins = &known.principal.allowed_origins;
            if let Some(origin) = caller.origin.as_ref().filter(|_| !origins.is_empty())
                && !origins.contains(origin)
            {
                return Err(Problem::new(&problem::ORIGIN_NOT_ALLOWED));
            }
            Ok(known.principal.clone())
        }
        .boxed()
    }
}

fn remembered(row: api_key::Model) -> Remembered {
    let texts = |json: serde_json::Value| -> Vec<String> {
        serde_json::from_value(json).unwrap_or_default()
    };
    let plan = PlanName::named(&row.plan);
    let limit = |calls: i32| u32::try_from(calls).unwrap_or(0).max(1);
    let principal = Principal {
        organization: row.organization_id,
        key: row.id,
        actor_id: tagged("key", row.id),
        scopes: Arc::new(ScopeSet::from_iter(texts(row.scopes))),
        plan: Plan {
            name: plan.as_str(),
            per_minute: limit(row.per_minute),
            per_day: limit(row.per_day),
        },
        api_version: row.api_version,
        allowed_origins: texts(row.allowed_origins),
    };
    // A range that cannot be read must keep everyone out rather than let everyone in.
    let unreadable = IpNet::from(std::net::IpAddr::from([0, 0, 0, 0]));
    let ranges = texts(row.allowed_ips);
    let allowed_ips = ranges.iter().map(|range| net(range).unwrap_or(unreadable)).collect();
    Remembered { principal: Arc::new(principal), allowed_ips, expires_at: row.expires_at }
}

fn net(range: &str) -> Option<IpNet> {
    range.parse().ok().or_else(|| range.parse().ok().map(|ip: std::net::IpAddr| ip.into()))
}
