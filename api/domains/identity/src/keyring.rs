//! Who calls: keys found by their hash, remembered until something about keys changes anywhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bodega_contract::{Authenticator, Caller, Counted, Credentials, Plan, Principal, Quota};
use bodega_kernel::{Platform, Problem, Result, ScopeSet, bounded, problem, tagged, text};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::identity::api_key;
use futures::FutureExt;
use futures::future::BoxFuture;
use ipnet::IpNet;
use moka::sync::Cache;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder};
use subtle::ConstantTimeEq;

use crate::plan::ORGANIZATION_TIMES;
use crate::{Allowance, PlanName, rights, secret};

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
        let known = match row {
            Some(row) => {
                let now = self.platform.clock.now();
                let shared = Shared::of(self.platform.db.reader(), &row, now).await?;
                Some(Arc::new(remembered(row, shared)))
            }
            None => None,
        };
        self.known.insert(hash, (epoch, known.clone()));
        Ok(known)
    }
}

impl Authenticator for Keyring {
    fn authenticate<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Arc<Principal>>> {
        async move {
            let secret = shown(&caller.credentials)?;
            if secret.len() > KEY_BYTES_MAX || !secret.starts_with("bdg_") {
                return Err(no_key());
            }
            let known = self.look_up(secret).await?.ok_or_else(no_key)?;
            if known.expires_at.is_some_and(|end| end <= self.platform.clock.now()) {
                return Err(no_key());
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

/// The key that a caller shows, or why there is none.
fn shown(credentials: &Credentials) -> Result<&str> {
    let detail = match credentials {
        Credentials::Bearer(secret) => return Ok(secret),
        Credentials::Missing => text(
            "There is no `Authorization` header; send `Authorization: Bearer <key>`.",
            "Falta el encabezado `Authorization`; envíe `Authorization: Bearer <clave>`.",
        ),
        Credentials::NotBearer => text(
            "The `Authorization` header is not `Bearer <key>`: write the word `Bearer`, a space \
             and the key.",
            "El encabezado `Authorization` no es `Bearer <clave>`: escriba la palabra `Bearer`, un \
             espacio y la clave.",
        ),
    };
    Err(Problem::new(&problem::UNAUTHENTICATED).detail(detail))
}

/// The same words for a key that never was and for one that has ended: nobody learns which keys
/// there are.
fn no_key() -> Problem {
    Problem::new(&problem::UNAUTHENTICATED).detail(text(
        "What comes after `Bearer` is not a key that is good now: it is unknown, revoked or expired.",
        "Lo que sigue a `Bearer` no es una clave vigente: es desconocida, revocada o vencida.",
    ))
}

fn remembered(row: api_key::Model, shared: Shared) -> Remembered {
    let texts = |json: serde_json::Value| -> Vec<String> {
        serde_json::from_value(json).unwrap_or_default()
    };
    let plan = row.plan;
    let (per_minute, per_day) = (limit(row.per_minute), limit(row.per_day));
    let own =
        Quota { of: Counted::Key, id: row.counted_as_id.unwrap_or(row.id), per_minute, per_day };
    let organization = Quota {
        of: Counted::Organization,
        id: row.organization_id,
        per_minute: shared.per_minute.saturating_mul(ORGANIZATION_TIMES),
        per_day: shared.per_day.saturating_mul(ORGANIZATION_TIMES),
    };
    let quotas = [own].into_iter().chain(shared.parents).chain([organization]);
    let allowed_ips = rights::ranges(&row.allowed_ips);
    let principal = Principal {
        organization: row.organization_id,
        key: row.id,
        actor_id: tagged("key", row.id),
        scopes: Arc::new(ScopeSet::from_iter(texts(row.scopes))),
        plan: Plan { name: plan.as_str(), per_minute, per_day },
        quotas: quotas.collect(),
        numbers: shared.plan.numbers(),
        api_version: row.api_version,
        allowed_origins: texts(row.allowed_origins),
    };
    Remembered { principal: Arc::new(principal), allowed_ips, expires_at: row.expires_at }
}

/// What a key shares with others of its organization.
struct Shared {
    /// The quotas of the keys that it descends from.
    parents: Vec<Quota>,
    /// The largest plan of a key that has not ended.
    plan: PlanName,
    per_minute: u32,
    per_day: u32,
}

impl Shared {
    async fn of(
        db: &impl ConnectionTrait,
        row: &api_key::Model,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        use api_key::Column;
        let lineage = rights::lineage(row);
        let mut parents = Vec::new();
        if !lineage.is_empty() {
            let query = api_key::Entity::of(row.organization_id)
                .filter(Column::CountedAsId.is_in(lineage.iter().copied()))
                .order_by_asc(Column::CreatedAt);
            // Of those that replaced one another the last one's plan counts.
            let rows = bounded(query.all(db)).await?;
            let latest: HashMap<_, _> = rows.iter().map(|row| (row.counted_as_id, row)).collect();
            parents = tightest(lineage.iter().filter_map(|id| latest.get(&Some(*id))).map(|row| {
                let (per_minute, per_day) = (limit(row.per_minute), limit(row.per_day));
                let id = row.counted_as_id.unwrap_or(row.id);
                Quota { of: Counted::Parent, id, per_minute, per_day }
            }));
        }
        let query = rights::going_on(row.organization_id, now).order_by_desc(Column::PerMinute);
        let largest = bounded(query.one(db)).await?;
        // A key that has just ended is refused anyway; until then its own plan will do.
        let largest = largest.as_ref().unwrap_or(row);
        Ok(Self {
            parents,
            plan: largest.plan,
            per_minute: limit(largest.per_minute),
            per_day: limit(largest.per_day),
        })
    }
}

/// Of a line of keys, nearest first, those whose limits can be met first: what a farther one counts
/// has all in it that a nearer one does, so that a nearer one that allows no less never matters.
fn tightest(line: impl Iterator<Item = Quota>) -> Vec<Quota> {
    let mut kept: Vec<Quota> = Vec::new();
    for quota in line {
        kept.retain(|near| near.per_minute < quota.per_minute || near.per_day < quota.per_day);
        kept.push(quota);
    }
    kept
}

fn limit(calls: i32) -> u32 {
    u32::try_from(calls).unwrap_or(0).max(1)
}
