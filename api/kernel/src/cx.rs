//! What a query gets: whose data, on whose behalf, when, and a connection to read from.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use entity::Owned;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, QueryFilter, QuerySelect, Select,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::statements::by_id;
use crate::{
    Apart, Budget, Clock, Database, Id, Language, Noun, Numbers, Problem, Result, Row, ScopeSet,
    Sealer, Signals, Source, Transaction, Vault, Versions,
};

/// What lives as long as the process.
pub struct Platform {
    /// The connections.
    pub db: Database,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For cursors.
    pub sealer: Sealer,
    /// For the secrets of others.
    pub vault: Vault,
    /// Changes that caches must hear of.
    pub signals: Signals,
    /// The versions of the API.
    pub versions: Versions,
    /// The turns of those who make large answers.
    pub turns: Arc<Semaphore>,
    /// Where work is done that takes a processor for long.
    pub apart: Apart,
    /// What some domains need from the outside, by type.
    pub ports: Ports,
}

impl Platform {
    /// A platform over a database, without ports.
    pub fn new(db: Database, clock: Arc<dyn Clock>, versions: Versions, keys: Keys<'_>) -> Self {
        Self {
            db,
            clock,
            sealer: Sealer::new(keys.sealing),
            vault: Vault::new(keys.encryption),
            signals: Signals::default(),
            versions,
            turns: crate::budget::turns(),
            apart: Apart::default(),
            ports: Ports::default(),
        }
    }
}

/// The platform's own secrets.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// Seals what callers hold: cursors.
    pub sealing: &'a [u8],
    /// Encrypts what is kept of other people's secrets.
    pub encryption: &'a [u8],
}

/// What a domain needs from the outside: the network, the list of events. Given once at the start,
/// by type, so that a test can give another.
#[derive(Default)]
pub struct Ports(RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Ports {
    /// Gives a port.
    pub fn give<T: Send + Sync + 'static>(&self, port: T) {
        let mut ports = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ports.insert(TypeId::of::<T>(), Arc::new(port));
    }

    /// The port of this type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        let ports = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let port = ports.get(&TypeId::of::<T>()).cloned();
        port.and_then(|port| port.downcast().ok()).ok_or_else(|| {
            Problem::internal(format!("nobody gave a {}", std::any::type_name::<T>()))
        })
    }
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `api_key`, `system`.
    pub kind: &'static str,
    /// The public id of who it is.
    pub id: Option<String>,
}

/// The call that all this is for: its ids go on the events, audit rows and log lines it causes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Shown as `req_…`.
    pub request_id: Uuid,
    /// W3C Trace Context.
    pub traceparent: String,
    /// The operation, `product.create`.
    pub operation: &'static str,
    /// The caller's address.
    pub ip: Option<String>,
    /// The caller's program.
    pub user_agent: Option<String>,
    /// The version of the API it is answered in.
    pub api_version: String,
    /// The language it is answered in.
    pub language: Language,
}

impl Origin {
    /// A call that nobody made: the platform acts by itself.
    pub fn system(operation: &'static str, api_version: &str) -> Self {
        let id = Uuid::now_v7();
        Self {
            request_id: id,
            traceparent: format!("00-{}-{}-00", id.simple(), &id.simple().to_string()[16..]),
            operation,
            ip: None,
            user_agent: None,
            api_version: api_version.to_owned(),
            language: Language::default(),
        }
    }
}

/// The context of a call.
#[derive(Clone)]
pub struct Cx(Arc<Inner>);

/// What a context holds.
#[derive(Clone)]
pub struct Inner {
    /// Whose data.
    pub organization: Uuid,
    /// On whose behalf.
    pub actor: Actor,
    /// What they may do.
    pub scopes: Arc<ScopeSet>,
    /// The instant of the call: one for all it does.
    pub now: DateTime<Utc>,
    /// The call.
    pub origin: Origin,
    /// What it may cost; shared by all that the request asks for.
    pub budget: Arc<Budget>,
    /// How many objects the organization may have; any number where no plan says.
    pub numbers: Option<Numbers>,
    /// What lives longer.
    pub platform: Arc<Platform>,
    source: Source,
}

impl std::ops::Deref for Cx {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Cx {
    /// A context that reads from the pool, with a budget of its own.
    pub fn reading(
        platform: Arc<Platform>,
        organization: Uuid,
        actor: Actor,
        scopes: Arc<ScopeSet>,
        origin: Origin,
    ) -> Self {
        Self::of_call(platform, organization, actor, scopes, origin, Arc::default())
    }

    /// The same, as a part of a call with this budget.
    pub fn of_call(
        platform: Arc<Platform>,
        organization: Uuid,
        actor: Actor,
        scopes: Arc<ScopeSet>,
        origin: Origin,
        budget: Arc<Budget>,
    ) -> Self {
        let now = crate::micros(platform.clock.now());
        let source = Source::pool(platform.db.clone(), budget.clone());
        let numbers = None;
        Self(Arc::new(Inner {
            organization,
            actor,
            scopes,
            now,
            origin,
            budget,
            numbers,
            platform,
            source,
        }))
    }

    /// The same, where the organization's plan says how many objects there may be.
    pub fn allowing(self, numbers: Numbers) -> Self {
        let inner = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(Inner { numbers: Some(numbers), ..inner }))
    }

    /// The same, within another budget.
    pub fn within_budget(&self, budget: Arc<Budget>) -> Self {
        let inner = Inner::clone(&self.0);
        let source = inner.source.within_budget(budget.clone());
        Self(Arc::new(Inner { budget, source, ..inner }))
    }

    /// The same, reading from an open transaction.
    pub(crate) fn within(&self, transaction: Arc<Transaction>) -> Self {
        let inner = Inner::clone(&self.0);
        let source = inner.source.within(transaction);
        Self(Arc::new(Inner { source, ..inner }))
    }

    /// The same call, doing one of several operations (a line of a batch).
    pub fn doing(&self, operation: &'static str) -> Self {
        let mut inner = Inner::clone(&self.0);
        inner.origin.operation = operation;
        Self(Arc::new(inner))
    }

    /// Waits for a turn, where the answer is large and nobody waits for what is in hand here.
    pub async fn wait_turn(&self) -> Result<()> {
        match self.source.is_transaction() {
            true => Ok(()),
            false => self.budget.wait_turn(&self.platform.turns).await,
        }
    }

    /// The connection to read from.
    pub fn db(&self) -> &Source {
        &self.source
    }

    /// A new id, in the order of time.
    pub fn new_id<T>(&self) -> Id<T> {
        Id::from_uuid(Uuid::now_v7())
    }

    /// The rows of a type that the caller may see: how every question about them begins.
    pub fn rows<V: Noun>(&self) -> Result<Select<V::Entity>> {
        self.visible::<V>(V::Entity::of(self.organization))
    }

    /// Those of these rows that the caller may see.
    pub(crate) fn visible<V: Noun>(&self, rows: Select<V::Entity>) -> Result<Select<V::Entity>> {
        Ok(match V::visible(self)? {
            Some(condition) => rows.filter(condition),
            None => rows,
        })
    }

    /// The row of an object, locked where that is asked for and the caller has a transaction.
    pub(crate) async fn row<V: Noun>(&self, id: Id<V>, locked: bool) -> Result<Row<V>> {
        let backend = self.db().get_database_backend();
        let found = match V::visible(self)? {
            None => {
                let (organization, id) = (self.organization, id.uuid());
                let statement = by_id::<V::Entity>(backend, organization, id, locked);
                Row::<V>::find_by_statement(statement).one(self.db()).await?
            }
            Some(condition) => {
                let rows = V::Entity::of(self.organization).filter(condition);
                let rows = rows.filter(V::Entity::ID.eq(id.uuid()));
                let locked = locked && backend == DbBackend::Postgres;
                let rows = if locked { rows.lock_exclusive() } else { rows };
                rows.one(self.db()).await?
            }
        };
        found.ok_or_else(|| Problem::not_found(V::NAME))
    }

    /// One object.
    pub async fn load<V: Noun>(&self, id: Id<V>) -> Result<V> {
        Ok(self.row::<V>(id, false).await?.into())
    }
}
