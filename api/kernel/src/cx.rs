//! What a query gets: whose data, on whose behalf, when, and a connection to read from.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use entity::Owned;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, ExecResult,
    ModelTrait, QueryFilter, QueryResult, QuerySelect, Select, Statement, Value,
};
use uuid::Uuid;

use crate::{
    Clock, Database, Id, Language, Noun, Problem, Result, Row, ScopeSet, Sealer, Signals, Vault,
    Versions, bounded, problem,
};

/// How many objects one expansion may bring.
pub(crate) const EXPANSION_MAX: usize = 10_000;

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
    /// A context that reads from the pool.
    pub fn reading(
        platform: Arc<Platform>,
        organization: Uuid,
        actor: Actor,
        scopes: Arc<ScopeSet>,
        origin: Origin,
    ) -> Self {
        let now = crate::micros(platform.clock.now());
        let source = Source::pool(platform.db.clone());
        Self(Arc::new(Inner { organization, actor, scopes, now, origin, platform, source }))
    }

    /// The same, reading from an open transaction.
    pub(crate) fn within(&self, transaction: Arc<DatabaseTransaction>) -> Self {
        let inner = &*self.0;
        Self(Arc::new(Inner {
            organization: inner.organization,
            actor: inner.actor.clone(),
            scopes: inner.scopes.clone(),
            now: inner.now,
            origin: inner.origin.clone(),
            platform: inner.platform.clone(),
            source: Source::transaction(inner.platform.db.clone(), transaction),
        }))
    }

    /// The same call, doing one of several operations (a line of a batch).
    pub fn doing(&self, operation: &'static str) -> Self {
        let inner = &*self.0;
        let mut origin = inner.origin.clone();
        origin.operation = operation;
        Self(Arc::new(Inner {
            organization: inner.organization,
            actor: inner.actor.clone(),
            scopes: inner.scopes.clone(),
            now: inner.now,
            origin,
            platform: inner.platform.clone(),
            source: inner.source.clone(),
        }))
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

    /// One object.
    pub async fn load<V: Noun>(&self, id: Id<V>) -> Result<V> {
        let found = self.rows::<V>()?.filter(V::Entity::ID.eq(id.uuid())).one(self.db()).await?;
        Ok(found.ok_or_else(|| Problem::not_found(V::NAME))?.into())
    }

    /// Objects by id; those that are not there are missing from the map.
    pub async fn by_ids<V: Noun>(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, V>>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let rows = self.rows::<V>()?.filter(V::Entity::ID.is_in(ids)).all(self.db()).await?;
        Ok(rows.into_iter().map(|row| (id_of::<V>(&row), V::from(row))).collect())
    }

    /// The objects whose `parent` column is one of these, oldest first.
    pub async fn children<V: Noun>(
        &self,
        parent: <V::Entity as EntityTrait>::Column,
        parents: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, Vec<V>>>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let rows = self
            .rows::<V>()?
            .filter(parent.is_in(parents))
            .limit(EXPANSION_MAX as u64 + 1)
            .all(self.db())
            .await?;
        if rows.len() > EXPANSION_MAX {
            return Err(Problem::new(&problem::EXPANSION_TOO_LARGE));
        }
        // Sorted here, not there: asked to sort by id, SQLite walks the whole table in that order.
        let mut rows = rows;
        rows.sort_unstable_by_key(id_of::<V>);
        let mut of: HashMap<Uuid, Vec<V>> = HashMap::new();
        for row in rows {
            if let Value::Uuid(Some(parent)) = row.get(parent) {
                of.entry(parent).or_default().push(row.into());
            }
        }
        Ok(of)
    }
}

/// The id of a row.
fn id_of<V: Noun>(row: &Row<V>) -> Uuid
where
    Row<V>: ModelTrait<Entity = V::Entity>,
{
    match row.get(V::Entity::ID) {
        Value::Uuid(Some(id)) => id,
        _ => Uuid::nil(),
    }
}

/// A connection that counts its statements.
#[derive(Clone)]
pub struct Source {
    db: Database,
    transaction: Option<Arc<DatabaseTransaction>>,
    count: Arc<AtomicU32>,
}

impl Source {
    fn pool(db: Database) -> Self {
        Self { db, transaction: None, count: Arc::default() }
    }

    fn transaction(db: Database, transaction: Arc<DatabaseTransaction>) -> Self {
        Self { db, transaction: Some(transaction), count: Arc::default() }
    }

    /// How many statements ran through it.
    pub fn statements(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    fn counted(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.db.count(1);
    }
}

macro_rules! through {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {{
        $self.counted();
        match &$self.transaction {
            Some(transaction) => bounded(transaction.$method($($argument),*)).await,
            None => bounded($self.db.reader().$method($($argument),*)).await,
        }
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for Source {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        through!(self.execute_raw(statement))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        through!(self.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        through!(self.query_one_raw(statement))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        through!(self.query_all_raw(statement))
    }
}
