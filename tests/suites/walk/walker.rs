//! A started server, and calls of its operations that will succeed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bodega_tests::{Call, Db, Server};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::Value;

use super::fixtures::{self, FIXTURES, Fixture, Origin, PLANTED};
use super::operations::{Document, Operation};
use super::seen::Seen;

/// What is written beside the work, whatever came of it.
const NOTES: &[&str] = &["request_log", "key_usage", "setting", "seaql_migrations"];

/// A started server and what it says it can do.
pub struct Walk {
    /// The server.
    pub server: Server,
    /// The operations, in the order of the document.
    pub operations: Vec<Operation>,
    database: DatabaseConnection,
    tables: Vec<String>,
}

/// A call that will succeed.
#[derive(Clone, Debug)]
pub struct Ready<'a> {
    /// Of what.
    pub operation: &'a Operation,
    /// The object it is about.
    pub id: Option<String>,
    /// Its path, the id in it.
    pub path: String,
    /// Its body, where it takes one.
    pub body: Option<Value>,
}

/// How many rows each table has.
pub type Rows = BTreeMap<String, i64>;

impl Walk {
    /// A server with a small demo, and a row of what no call makes.
    pub async fn start(db: Db) -> Self {
        // Without a worker: nothing is written but by calls.
        Self::with(db, &[("BODEGA_WORKER", "false")]).await
    }

    /// The same with these settings.
    pub async fn with(db: Db, settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> =
            [("BODEGA_DEMO_PRODUCTS", "8")].iter().chain(settings).copied().collect();
        Self::over(Server::start_with(db, &settings).await).await
    }

    /// The same, with so many new objects of each resource that can be made.
    pub async fn stocked(db: Db, objects: usize) -> Self {
        let walk = Self::start(db).await;
        let stocked = |one: &&Fixture| matches!(one.origin, Origin::Made | Origin::By(_));
        for fixture in FIXTURES.iter().filter(stocked) {
            for _ in 0..objects {
                let id = walk.object(&walk.server.live_key, fixture.resource).await;
                walk.add_children(&walk.server.live_key, fixture, &id).await;
            }
        }
        walk.plant().await;
        walk
    }

    async fn over(server: Server) -> Self {
        let operations = Arc::new(Document(server.openapi().await)).operations();
        let gaps = fixtures::gaps(&operations);
        assert!(gaps.is_empty(), "see tests/suites/walk/fixtures.rs: {gaps:#?}");
        let database = server.database().await;
        let tables = tables(&database).await;
        let walk = Self { server, operations, database, tables };
        walk.planted_for(&walk.server.live_key).await;
        walk.planted_for(&walk.server.test_key).await;
        walk
    }

    /// The operation of this id.
    pub fn operation(&self, id: &str) -> &Operation {
        let found = self.operations.iter().find(|operation| operation.id == id);
        found.unwrap_or_else(|| panic!("{id} is no operation"))
    }

    /// The operations that change something.
    pub fn commands(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.is_command())
    }

    /// The operations that answer pages.
    pub fn lists(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.is_list())
    }

    /// A call with the live key, its body put in.
    pub fn call(&self, ready: &Ready<'_>) -> Call {
        self.call_as(&self.server.live_key, ready)
    }

    /// The same with this key.
    pub fn call_as(&self, key: &str, ready: &Ready<'_>) -> Call {
        let call = self.server.call_as(key, &ready.operation.method, &ready.path);
        match &ready.body {
            Some(body) => call.json(body),
            None => call,
        }
    }

    /// Sends a call of an operation and holds the answer against the document.
    pub async fn send(&self, operation: &Operation, call: Call) -> Seen {
        let started = Instant::now();
        let answer = call.send().await;
        Seen::new(operation, answer, started.elapsed())
    }

    /// A call of this operation that will succeed, all that it needs made with the live key.
    pub async fn ready<'a>(&self, operation: &'a Operation) -> Ready<'a> {
        self.ready_as(&self.server.live_key, operation).await
    }

    /// The same, all that it needs made with this key.
    pub async fn ready_as<'a>(&self, key: &str, operation: &'a Operation) -> Ready<'a> {
        let fixture = fixture(&operation.resource);
        let id = match operation.has_id() {
            true => Some(self.object_for(key, fixture, &operation.verb).await),
            false => None,
        };
        let body = match operation.verb.as_str() {
            "create" => Some(self.body(key, fixture).await),
            "update" => fixture.patch.map(|patch| patch()),
            verb => fixture.action(verb).and_then(|action| action.body).map(|body| body()),
        };
        let body = match body {
            Some(mut body) if operation.verb != "create" => {
                self.settle(key, &operation.resource, &mut body).await;
                Some(body)
            }
            body => body,
        };
        let path = operation.at(id.as_deref().unwrap_or_default());
        Ready { operation, id, path, body }
    }

    /// An object in the state that the verb starts from.
    async fn object_for(&self, key: &str, fixture: &Fixture, verb: &str) -> String {
        let id = self.object(key, fixture.resource).await;
        if verb == "delete" {
            Box::pin(self.add_children(key, fixture, &id)).await;
        }
        for before in fixture.action(verb).map(|action| action.after).unwrap_or_default() {
            let action = self.operation(&format!("{}.{before}", fixture.resource));
            let call = self.server.call_as(key, &action.method, &action.at(&id));
            self.send(action, call).await.done();
        }
        id
    }

    /// Puts objects under an object that go with it, and others under them.
    pub async fn add_children(&self, key: &str, fixture: &Fixture, id: &str) {
        for (resource, field) in fixture.children {
            let child = fixtures::of(resource).expect("a child's fixture");
            let mut body = child.create.expect("a child's body")();
            body[*field] = id.into();
            let child_id = self.make(key, resource, body).await;
            Box::pin(self.add_children(key, child, &child_id)).await;
        }
    }

    /// The id of an object of this resource: a new one, where one can be made.
    pub async fn object(&self, key: &str, resource: &str) -> String {
        match fixture(resource).origin {
            Origin::Made => Box::pin(self.new_object(key, resource)).await,
            Origin::By(maker) => Box::pin(self.brought_by(key, maker)).await,
            Origin::With(other, link) => Box::pin(self.linked(key, other, link)).await,
            Origin::Named(name) => name.to_owned(),
            Origin::Never => panic!("{resource} has no objects"),
            Origin::Own | Origin::Noted | Origin::Planted => self.newest(key, resource).await,
        }
    }

    /// The id of what an operation answers with.
    async fn brought_by(&self, key: &str, maker: &str) -> String {
        let ready = self.ready_as(key, self.operation(maker)).await;
        id_of(&self.send(ready.operation, self.call_as(key, &ready)).await.done())
    }

    /// The id of what a new object links to.
    async fn linked(&self, key: &str, resource: &str, link: &str) -> String {
        let id = self.object(key, resource).await;
        let get = self.operation(&format!("{resource}.get"));
        let path = format!("{}?expand={link}", get.at(&id));
        id_of(&self.send(get, self.server.call_as(key, "GET", &path)).await.done()[link])
    }

    async fn new_object(&self, key: &str, resource: &str) -> String {
        let body = self.body(key, fixture(resource)).await;
        self.make(key, resource, body).await
    }

    /// Makes an object of this body; gives its id.
    pub async fn make(&self, key: &str, resource: &str, mut body: Value) -> String {
        self.settle(key, resource, &mut body).await;
        let create = self.operation(&format!("{resource}.create"));
        let call = self.server.call_as(key, &create.method, &create.path).json(&body);
        id_of(&self.send(create, call).await.done())
    }

    /// A valid body for a new object, all that it points at made.
    pub async fn body(&self, key: &str, fixture: &Fixture) -> Value {
        let create = fixture.create.unwrap_or_else(|| panic!("{}: no body", fixture.resource));
        let mut body = create();
        self.settle(key, fixture.resource, &mut body).await;
        body
    }

    /// Puts new objects where a body wants some. Of its own kind that is one under one more.
    pub async fn settle(&self, key: &str, resource: &str, body: &mut Value) {
        let mut open: Vec<&mut Value> = vec![body];
        while let Some(value) = open.pop() {
            if let Some(other) = fixtures::wanted(value).map(str::to_owned) {
                let id = match other == resource {
                    true => self.make_under_another(key, resource).await,
                    false => Box::pin(self.object(key, &other)).await,
                };
                *value = id.into();
                continue;
            }
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(members) => open.extend(members.values_mut()),
                _ => {}
            }
        }
    }

    async fn make_under_another(&self, key: &str, resource: &str) -> String {
        let new = || fixture(resource).create.expect("a body")();
        let (mut root, mut node) = (new(), new());
        let own = |value: &Value| fixtures::wanted(value) == Some(resource);
        root.as_object_mut().expect("an object").retain(|_, value| !own(value));
        let root = Box::pin(self.make(key, resource, root)).await;
        let members = node.as_object_mut().expect("an object").values_mut();
        members.filter(|value| own(value)).for_each(|value| *value = root.as_str().into());
        Box::pin(self.make(key, resource, node)).await
    }

    /// The newest object of a list; what is noted beside the calls may take a moment.
    pub async fn newest(&self, key: &str, resource: &str) -> String {
        let list = self.operation(&format!("{resource}.list"));
        for _ in 0..50 {
            let call = self.server.call_as(key, "GET", &format!("{}?limit=1", list.path));
            let page = self.send(list, call).await.done();
            if let Some(newest) = page["data"].get(0) {
                return id_of(newest);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{resource}: nothing in its list");
    }

    /// Every object of a list, in its order.
    pub async fn all(&self, key: &str, list: &Operation, query: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{}?limit=100{query}{cursor}", list.path);
            let page = self.send(list, self.server.call_as(key, "GET", &path)).await.done();
            found.extend(page["data"].as_array().expect("rows").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// Sees to it that this key finds something of what is planted.
    async fn planted_for(&self, key: &str) {
        self.brought_by(key, "webhook_endpoint.test").await;
        self.plant().await;
    }

    /// Puts a row where no call does, for every key there is.
    pub async fn plant(&self) {
        assert_eq!(PLANTED.len(), 2, "the list of what is planted may only shrink");
        let sql = "INSERT INTO deprecated_use (id, organization_id, key_id, subject, sunset, \
                   instead, calls, created_at, last_used_at) SELECT id, organization_id, id, \
                   'brand.create/name', '2027-06-30', 'title', 3, created_at, created_at \
                   FROM api_key WHERE true ON CONFLICT DO NOTHING";
        self.database.execute_unprepared(sql).await.expect("planted rows");
        // What workers do: a delivery is of an event in the log, and has been tried.
        let attempt = "INSERT INTO webhook_attempt (id, organization_id, delivery_id, \
                       endpoint_id, event_id, number, outcome, reason, status, duration_us, \
                       response_headers, response_body, response_truncated, created_at)";
        let came = "1, 'refused', 'The receiver answered 500.', 500, 1200, '{}', 'no', false";
        for sql in [
            "UPDATE webhook_delivery SET event_id = (SELECT id FROM event WHERE \
             event.organization_id = webhook_delivery.organization_id LIMIT 1)"
                .to_owned(),
            format!(
                "{attempt} SELECT id, organization_id, id, endpoint_id, event_id, {came}, \
                 created_at FROM webhook_delivery WHERE true ON CONFLICT DO NOTHING"
            ),
        ] {
            self.database.execute_unprepared(&sql).await.expect("planted rows");
        }
    }

    /// Every scope there is.
    pub fn scopes(&self) -> Vec<String> {
        self.operation("api_key.create").options("scopes")
    }

    /// The resource that an id is of, if it is an id.
    pub fn resource(&self, id: &str) -> Option<&str> {
        let (prefix, suffix) = id.rsplit_once('_')?;
        let mut of = self.operations.iter().filter(|one| one.verb == "get");
        let found = of.find(|one| suffix.len() == 26 && one.prefix().as_deref() == Some(prefix))?;
        Some(&found.resource)
    }

    /// A second organization, with objects of its own: its key.
    pub async fn stranger(&self) -> String {
        let (_, key) = self.server.organization("Otra tienda").await;
        self.planted_for(&key).await;
        key
    }

    /// In two seconds, as the API writes it.
    pub async fn soon(&self) -> String {
        let sql = match self.database.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT to_char(now() AT TIME ZONE 'utc' + interval '2 seconds', \
                 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), CAST(0 AS bigint)"
            }
            _ => "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+2 seconds'), 0",
        };
        let (soon, _) = self.query(sql).await.remove(0);
        soon
    }

    /// How many rows each table has, but for the notes beside the calls.
    pub async fn rows(&self) -> Rows {
        let each = self.tables.iter().filter(|table| !NOTES.contains(&table.as_str()));
        let each: Vec<_> = each
            .map(|table| format!("SELECT '{table}' AS name, COUNT(*) AS n FROM {table}"))
            .collect();
        let found = self.query(&each.join(" UNION ALL ")).await;
        found.into_iter().collect()
    }

    async fn query(&self, sql: &str) -> Vec<(String, i64)> {
        query(&self.database, sql).await
    }
}

async fn query(database: &DatabaseConnection, sql: &str) -> Vec<(String, i64)> {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect("a query");
    let each = rows.iter().map(|row| {
        (row.try_get_by_index(0).expect("a text"), row.try_get_by_index(1).expect("a number"))
    });
    each.collect()
}

async fn tables(database: &DatabaseConnection) -> Vec<String> {
    let sql = match database.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(tablename AS text), CAST(0 AS bigint) FROM pg_tables \
             WHERE schemaname = 'public'"
        }
        _ => "SELECT name, 0 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let found = query(database, sql).await;
    assert!(found.len() > 10, "tables: {found:?}");
    found.into_iter().map(|(name, _)| name).collect()
}

/// What the table knows of a resource.
pub fn fixture(resource: &str) -> &'static Fixture {
    fixtures::of(resource).unwrap_or_else(|| panic!("{resource}: not in fixtures.rs"))
}

/// The id of an object, or of what was founded.
pub fn id_of(object: &Value) -> String {
    let id = object["id"].as_str().or_else(|| object["organization"]["id"].as_str());
    id.unwrap_or_else(|| panic!("an id: {object}")).to_owned()
}

/// A text as it has to be in a query string.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A time with all its digits, so that times sort as texts; any other text as it is.
pub fn instant(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Some(time) = text.strip_suffix('Z').filter(|_| text.len() >= 20) else { return text };
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<6}")
}
