//! Organizations over a database of their own, their operations, the clock they live by, and the
//! processes that work for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bodega_contract::{Handler, Input, Registry, Reply, read_id};
use bodega_courier::Policy;
use bodega_kernel::values::{CountryCode, Label, LanguageTag, TimeZone};
use bodega_kernel::{
    Actor, COMMITTED, Clock, Cx, Database, Filter, FilterValue, Keys, Language, ListQuery, Op,
    Origin, Platform, Problem, ScopeSet, Sort, SystemClock, TurnedClock, Tx, Versions,
};
use bodega_kernel::{CurrencyCode, Metadata};
use bodega_tests::{Db, Setup};
use bodega_webhooks::{DELIVER, Deliverer, EventCatalog, FanOut, KnownEvent, REPLAY, Replayer};
use bodega_worker::{Consumer, Parts, Relay, Work, Worker};
use chrono::{DateTime, TimeDelta, Utc};
use migration::MigratorTrait;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::carrier::Script;

pub type Result<T, E = Problem> = std::result::Result<T, E>;

const VERSION: &str = "2026-11-20";

/// Nothing takes longer than this; what does hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Shop {
    pub platform: Arc<Platform>,
    pub clock: Arc<TurnedClock>,
    pub carrier: Arc<Script>,
    pub organization: Uuid,
    registry: Registry,
    _setup: Setup,
}

impl Shop {
    /// A shop for which nobody works yet.
    pub async fn idle(db: Db) -> Self {
        let setup = Setup::of(db, &[]).await;
        let db = Database::open(&setup.database_url, 16).await.unwrap();
        migration::Migrator::up(db.writer(), None).await.unwrap();
        let clock = Arc::new(TurnedClock::default());
        let keys = Keys { sealing: b"test", encryption: b"test" };
        let versions = Versions::new(VERSION, Vec::new());
        let platform = Arc::new(Platform::new(db, clock.clone(), versions, keys));
        platform.ports.give(Policy::default());
        platform.ports.give(EventCatalog {
            types: vec![("brand.created", "A brand was made.")],
            describe: Box::new(|name| (name == "brand.created").then(sample)),
        });
        let catalog = bodega_catalog::resources();
        let own = bodega_webhooks::resources(&catalog);
        let registry = Registry::new(catalog.into_iter().chain(own));
        let carrier = Arc::new(Script::new(clock.clone()));
        let organization = found(&platform.db).await;
        Self { platform, clock, carrier, organization, registry, _setup: setup }
    }

    /// A shop, and a process that works for it.
    pub async fn open(db: Db) -> Working {
        Self::idle(db).await.work()
    }

    pub fn work(self) -> Working {
        let worker = self.worker();
        Working { shop: Arc::new(self), worker: Some(worker) }
    }

    /// One more process.
    pub fn worker(&self) -> Worker {
        let deliverer = Deliverer::new(self.platform.clone(), self.carrier.clone());
        let deliver =
            Work { queue: DELIVER, handler: Arc::new(deliverer), concurrency: 64, share_max: 32 };
        let replayer = Arc::new(Replayer::new(self.platform.clone()));
        let replay = Work { queue: REPLAY, handler: replayer, concurrency: 2, share_max: 1 };
        let relay = self.relay(Arc::new(FanOut::default()));
        Worker::start(
            self.platform.clone(),
            Parts { work: vec![deliver, replay], chores: Vec::new(), relay },
        )
    }

    pub fn relay(&self, consumer: Arc<dyn Consumer>) -> Relay {
        Relay::new(self.platform.clone(), vec![consumer])
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn cx(&self, organization: Uuid, language: Language) -> Cx {
        let mut origin = Origin::system("test", VERSION);
        origin.language = language;
        let actor = Actor { kind: "system", id: None };
        let scopes = Arc::new(ScopeSet::all());
        Cx::reading(self.platform.clone(), organization, actor, scopes, origin)
    }

    /// One operation as the corridor would run it: checked, in a transaction of its own.
    pub async fn try_call(&self, operation: &str, id: &str, body: Value) -> Result<Value> {
        let cx = self.cx(self.organization, Language::English);
        self.call_as(cx, operation, id, body).await
    }

    pub async fn call(&self, operation: &str, id: &str, body: Value) -> Value {
        let answer = self.try_call(operation, id, body).await;
        answer.unwrap_or_else(|problem| panic!("{operation}: {problem:?}"))
    }

    pub async fn call_in(&self, organization: Uuid, operation: &str, body: Value) -> Value {
        let cx = self.cx(organization, Language::English);
        self.call_as(cx, operation, "", body).await.unwrap()
    }

    async fn call_as(&self, cx: Cx, operation: &str, id: &str, body: Value) -> Result<Value> {
        let operation = self.registry.operation(operation).unwrap();
        let mut input = Input { id: Some(id.to_owned()), ..Input::default() };
        if let Some(schema) = &operation.input {
            bodega_corridor::check(schema, self.registry.schemas(), &body)?;
            input.body = body;
        }
        if let Some(prepare) = &operation.prepare {
            input.prepared = Some(prepare(cx.clone(), input.clone()).await?);
        }
        let reply = match &operation.handler {
            Handler::Query(run) => run(cx, input).await?,
            Handler::Command(run) => {
                let tx = Tx::open(&cx).await?;
                match run(tx.clone(), input).await {
                    Ok(reply) => {
                        assert_eq!(tx.undeclared(&operation.emits), None, "{}", operation.id);
                        tx.commit(Vec::new()).await?;
                        reply
                    }
                    Err(problem) => {
                        tx.rollback().await?;
                        return Err(problem);
                    }
                }
            }
            Handler::Batch => unreachable!("no batches here"),
        };
        Ok(match reply {
            Reply::One(object) => object.tree().unwrap(),
            Reply::Page(page) => page.data.iter().map(|object| object.tree().unwrap()).collect(),
        })
    }

    /// The rows whose column is this, oldest first.
    pub async fn list(&self, resource: &str, field: &str, value: &str) -> Vec<Value> {
        let operation = self.registry.operation(&format!("{resource}.list")).unwrap();
        let Handler::Query(run) = &operation.handler else { unreachable!("a list") };
        let value = match field.strip_suffix("_id") {
            Some(_) => FilterValue::Uuid(read_id(value).unwrap()),
            None => FilterValue::Text(value.to_owned()),
        };
        let list = ListQuery {
            filters: vec![Filter::new(field, Op::Eq, vec![value])],
            sort: Sort { field: "created_at".to_owned(), descending: false },
            limit: 100,
            cursor: None,
            count: false,
            after: None,
            wait: Duration::ZERO,
            way: None,
        };
        let input = Input { list: Some(list), ..Input::default() };
        match run(self.cx(self.organization, Language::English), input).await.unwrap() {
            Reply::Page(page) => page.data.iter().map(|object| object.tree().unwrap()).collect(),
            Reply::One(_) => unreachable!("a list"),
        }
    }

    /// An endpoint at a host of its own, for events of brands unless `more` says otherwise.
    pub async fn endpoint(&self, host: &str, more: Value) -> Value {
        self.endpoint_in(self.organization, host, more).await
    }

    pub async fn endpoint_in(&self, organization: Uuid, host: &str, more: Value) -> Value {
        let mut body = json!({"url": format!("https://{host}/hook"), "event_types": ["brand.*"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.call_in(organization, "webhook_endpoint.create", body).await
    }

    pub async fn brand(&self, name: &str) -> Value {
        self.call("brand.create", "", json!({"name": name})).await
    }

    pub async fn rename(&self, brand: &Value, name: &str) -> Value {
        self.call("brand.update", id(brand), json!({"name": name})).await
    }

    pub async fn get(&self, endpoint: &Value) -> Value {
        self.call("webhook_endpoint.get", id(endpoint), Value::Null).await
    }

    pub async fn health(&self, endpoint: &Value) -> Value {
        self.call("webhook_health.get", &id(endpoint).replace("whe_", "whh_"), Value::Null).await
    }

    /// The deliveries to an endpoint, oldest first.
    pub async fn deliveries(&self, endpoint: &Value) -> Vec<Value> {
        self.list("webhook_delivery", "endpoint_id", id(endpoint)).await
    }

    /// The only delivery to an endpoint.
    pub async fn delivery(&self, endpoint: &Value) -> Value {
        let mut all = self.deliveries(endpoint).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub async fn attempts(&self, delivery: &Value) -> Vec<Value> {
        self.list("webhook_attempt", "delivery_id", id(delivery)).await
    }

    pub async fn events(&self, kind: &str) -> Vec<Value> {
        self.list("event", "type", kind).await
    }

    /// What is said of one event and one endpoint, in both languages: the answer in English, and
    /// the summary in Spanish.
    pub async fn explain(&self, endpoint: &Value, event: &str) -> (Value, String) {
        let body = json!({"event_id": event});
        let operation = "webhook_endpoint.explain";
        let ask = async |language| {
            let cx = self.cx(self.organization, language);
            self.call_as(cx, operation, id(endpoint), body.clone()).await.unwrap()
        };
        let (english, spanish) = (ask(Language::English).await, ask(Language::Spanish).await);
        (english, spanish["summary"].as_str().unwrap().to_owned())
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str, values: Vec<sea_orm::Value>) -> i64 {
        let db = &self.platform.db;
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        let row = db.reader().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    pub async fn execute(&self, sql: &str) {
        self.platform.db.writer().execute_unprepared(sql).await.unwrap();
    }

    /// Waits until there is nothing to be done at this time.
    pub async fn settle(&self) {
        let idle = async || {
            let now = bodega_kernel::micros(self.now());
            let sql = "SELECT (SELECT count(*) FROM job WHERE state = 'running' \
                       OR (state = 'pending' AND run_at <= $1)) \
                       + (SELECT count(*) FROM event WHERE sequence IS NULL)";
            self.number(sql, vec![now.into()]).await == 0
        };
        // Twice: a job may have been asked for after the first time was read.
        self.until(async || idle().await && idle().await).await;
    }

    /// Waits until something holds; the workers look at once.
    pub async fn until(&self, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < PATIENCE, "it never came to be");
            for topic in [COMMITTED, DELIVER, REPLAY] {
                self.platform.signals.raise(topic);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Turns the clock on, and waits until what is due then is done.
    pub async fn pass(&self, time: TimeDelta) {
        self.clock.turn(time);
        self.settle().await;
    }

    /// Turns the clock to just after an instant, and waits until what is due then is done.
    pub async fn pass_to(&self, instant: &Value) {
        let wait = time(instant) - self.now();
        self.pass(wait.max(TimeDelta::zero()) + TimeDelta::milliseconds(1)).await;
    }

    /// One more organization.
    pub async fn another(&self) -> Uuid {
        found(&self.platform.db).await
    }
}

/// A shop with a process that works for it.
pub struct Working {
    shop: Arc<Shop>,
    worker: Option<Worker>,
}

impl Working {
    /// For tasks of their own.
    pub fn share(&self) -> Arc<Shop> {
        self.shop.clone()
    }

    /// The process ends.
    pub async fn stop(&mut self) {
        self.worker.take().unwrap().stop().await;
    }
}

impl std::ops::Deref for Working {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

pub fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

pub fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn sample() -> KnownEvent {
    KnownEvent {
        schema: json!({}),
        sample: json!({"id": "evt_sample", "type": "brand.created", "object_id": "brand_sample",
            "data": {"name": "Sample"}}),
    }
}

#[expect(clippy::disallowed_methods, reason = "organizations are not made by this domain")]
async fn found(db: &Database) -> Uuid {
    use entity::identity::organization::{Entity, Mode, Model};
    use sea_orm::{EntityTrait, IntoActiveModel};
    let now = bodega_kernel::micros(SystemClock.now());
    let row = Model {
        id: Uuid::now_v7(),
        name: Label::made("Test"),
        mode: Mode::Test,
        sandbox_of: None,
        country: CountryCode::made("MX"),
        currency: CurrencyCode::MXN,
        language: LanguageTag::made("es-MX"),
        time_zone: TimeZone::made("America/Mexico_City"),
        trusted_documents_only: false,
        external_id: None,
        metadata: Metadata::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let id = row.id;
    Entity::insert(row.into_active_model()).exec_without_returning(db.writer()).await.unwrap();
    id
}
