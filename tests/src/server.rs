//! A `bodega` process.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Call;

/// Which database a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Db {
    /// The embedded one.
    Sqlite,
    /// A database of its own on the test server.
    Postgres,
}

/// A running server. It is killed, and its data removed, when dropped.
pub struct Server {
    /// Where the API is.
    pub url: String,
    /// Where health and figures are.
    pub admin_url: String,
    /// The demo organization.
    pub organization: String,
    /// A key with every scope and the largest plan.
    pub live_key: String,
    /// The same for the organization's sandbox.
    pub test_key: String,
    /// `sqlite://…` or `postgres://…`.
    pub database_url: String,
    client: reqwest::Client,
    child: Child,
    setup: Setup,
}

/// A database and settings: what servers are started on.
#[derive(Clone)]
pub struct Setup {
    /// `sqlite://…` or `postgres://…`.
    pub database_url: String,
    settings: Vec<(String, String)>,
    errors: Option<PathBuf>,
    data: std::sync::Arc<Data>,
}

/// Where to call, and with which key.
#[derive(Clone)]
pub struct Api {
    /// Where the API is.
    pub url: String,
    /// The key.
    pub key: String,
    client: reqwest::Client,
}

/// The folder and, on PostgreSQL, the database that go when the last server over them is gone.
struct Data {
    folder: TempDir,
    drop: Option<(String, String)>,
}

impl Setup {
    /// An empty database and these settings (`BODEGA_…`).
    pub async fn of(db: Db, settings: &[(&str, &str)]) -> Self {
        Self::within(&std::env::temp_dir(), db, settings).await
    }

    /// The same, with its data in a folder of its own within this one.
    pub async fn within(place: &Path, db: Db, settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new_in(place).expect("a folder");
        let (database_url, drop) = match db {
            Db::Sqlite => {
                (format!("sqlite://{}?mode=rwc", folder.path().join("bodega.db").display()), None)
            }
            Db::Postgres => {
                let server = std::env::var("BODEGA_TEST_POSTGRES_URL")
                    .expect("BODEGA_TEST_POSTGRES_URL names a PostgreSQL server: use tests/run");
                let name = format!("bodega_{}", uuid::Uuid::now_v7().simple());
                let connection = Database::connect(&server).await.expect("PostgreSQL");
                connection
                    .execute_unprepared(&format!("CREATE DATABASE {name}"))
                    .await
                    .expect("a database");
                let (base, _) = server.rsplit_once('/').expect("a database's URL");
                (format!("{base}/{name}"), Some((server, name)))
            }
        };
        let mut all = vec![
            ("BODEGA_DEMO_PRODUCTS".to_owned(), "40".to_owned()),
            ("BODEGA_LOG".to_owned(), "warn".to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let data = std::sync::Arc::new(Data { folder, drop });
        Self { database_url, settings: all, errors: None, data }
    }

    /// The same, with its error output appended to this file.
    pub fn with_errors_in(mut self, file: PathBuf) -> Self {
        self.errors = Some(file);
        self
    }

    /// The same, with one more setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A process that has only just begun: its first line of output says that it is ready.
    pub fn begin(&self) -> Child {
        self.spawn(&["serve", "--json"])
    }

    /// A `bodega worker` beside it. It says nothing.
    pub fn begin_worker(&self) -> Child {
        self.spawn(&["worker"])
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let errors = self.errors.as_ref().map_or_else(Stdio::inherit, |file| {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
            file.expect("a file for its error output").into()
        });
        Command::new(binary())
            .args(words)
            .env_remove("BODEGA_BLESS")
            .env("BODEGA_LISTEN", "127.0.0.1:0")
            .env("BODEGA_ADMIN_LISTEN", "127.0.0.1:0")
            .env("BODEGA_DATA_DIR", self.data.folder.path())
            .env("BODEGA_DATABASE_URL", &self.database_url)
            .envs(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .current_dir(self.data.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .expect("the bodega program starts")
    }

    /// A server that is ready.
    pub async fn start(&self) -> Server {
        let mut child = self.begin();
        let stdout = child.stdout.take().expect("its output");
        let banner = BufReader::new(stdout).lines().next_line().await.expect("its output");
        let banner: Value =
            serde_json::from_str(&banner.expect("a banner; see its error output")).expect("JSON");
        let text = |name: &str| banner[name].as_str().unwrap_or_default().to_owned();
        Server {
            url: text("url"),
            admin_url: text("admin_url"),
            organization: text("organization"),
            live_key: text("live_key"),
            test_key: text("test_key"),
            database_url: self.database_url.clone(),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            child,
            setup: self.clone(),
        }
    }
}

impl Api {
    /// The same, with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The same, with connections of its own.
    pub fn apart(&self) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { client, ..self.clone() }
    }

    /// A call.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let method = method.parse().expect("a method");
        let call = Call::new(self.client.request(method, format!("{}{path}", self.url)));
        call.header("Authorization", &format!("Bearer {}", self.key))
    }
}

impl Server {
    /// A server over an empty database, with a demo of 40 products.
    pub async fn start(db: Db) -> Self {
        Self::start_with(db, &[]).await
    }

    /// The same, with settings of its own (`BODEGA_…`).
    pub async fn start_with(db: Db, settings: &[(&str, &str)]) -> Self {
        Setup::of(db, settings).await.start().await
    }

    /// Another process over the same database: a second node.
    pub async fn another(&self) -> Self {
        self.setup.start().await
    }

    /// The same node again, after it was killed.
    pub async fn restart(mut self) -> Self {
        self.kill().await;
        self.another().await
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }

    /// The process id, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        self.child.wait().await.expect("a process")
    }

    /// SIGTERM: it finishes what is in hand and ends. Says how it ended.
    pub async fn stop(&mut self) -> std::process::ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    /// Sends it a signal by its name.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await;
        assert!(sent.expect("the program `kill`").success(), "no process {pid}");
    }

    /// What calls need, without the process: it can be kept while the server is killed.
    pub fn api(&self) -> Api {
        let (url, key) = (self.url.clone(), self.live_key.clone());
        Api { url, key, client: self.client.clone() }
    }

    /// A call with the live key.
    pub fn call(&self, method: &str, path: &str) -> Call {
        self.call_as(&self.live_key, method, path)
    }

    /// A call with this key.
    pub fn call_as(&self, key: &str, method: &str, path: &str) -> Call {
        self.call_without_key(method, path).header("Authorization", &format!("Bearer {key}"))
    }

    /// A call with no key.
    pub fn call_without_key(&self, method: &str, path: &str) -> Call {
        let method = method.parse().expect("a method");
        Call::new(self.client.request(method, format!("{}{path}", self.url)))
    }

    /// The generated description of every operation.
    pub async fn openapi(&self) -> Value {
        self.call_without_key("GET", "/openapi.json").send().await.body
    }

    /// The figures of the operator's port.
    pub async fn metrics(&self) -> String {
        let answer = self.client.get(format!("{}/metrics", self.admin_url)).send().await;
        answer.expect("an answer").text().await.expect("text")
    }

    /// One figure.
    pub async fn metric(&self, name: &str) -> f64 {
        let all = self.metrics().await;
        let line = all
            .lines()
            .find(|line| line.starts_with(name) && line[name.len()..].starts_with([' ', '{']));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }

    /// A new organization with a live key (admin scopes, standard plan): `(id, key)`.
    pub async fn organization(&self, name: &str) -> (String, String) {
        let body = serde_json::json!({ "name": name });
        let made = self.call("POST", "/v1/organizations").json(&body).send().await.expect(201);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&made["organization"]["id"]), text(&made["live_key"]["secret"]))
    }

    /// A new key of the demo organization with these scopes: `(id, secret)`.
    pub async fn key(&self, scopes: &[&str]) -> (String, String) {
        let body = serde_json::json!({ "name": "Test", "scopes": scopes, "plan": "scale" });
        let made = self.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&made["id"]), text(&made["secret"]))
    }

    /// A connection to its database, to look at rows.
    pub async fn database(&self) -> DatabaseConnection {
        Database::connect(&self.database_url).await.expect("the database")
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let connection = self.database().await;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.expect("a query").expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    /// Which database it runs on.
    pub fn backend(&self) -> DbBackend {
        match self.database_url.starts_with("sqlite") {
            true => DbBackend::Sqlite,
            false => DbBackend::Postgres,
        }
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        self.setup.data.folder.path()
    }

    /// Runs the program with these words, on the same database; gives its output.
    pub async fn cli(&self, words: &[&str]) -> std::process::Output {
        Command::new(binary())
            .args(words)
            .env_remove("BODEGA_BLESS")
            .env("BODEGA_DATA_DIR", self.folder())
            .env("BODEGA_DATABASE_URL", &self.database_url)
            .env("BODEGA_LOG", "warn")
            .current_dir(self.folder())
            .output()
            .await
            .expect("the bodega program runs")
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let Some((server, name)) = self.drop.take() else { return };
        // Not on this thread: it may be the one that runs the test's own runtime.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                if let Ok(connection) = Database::connect(&server).await {
                    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    let _ = connection.execute_unprepared(&sql).await;
                }
            });
        });
        let _ = gone.join();
    }
}

/// `target/<profile>/bodega`, beside which cargo puts the tests.
pub fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("BODEGA_TEST_BINARY") {
        return given.into();
    }
    let own = std::env::current_exe().expect("the test's own path");
    let profile = own.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = profile.join("bodega");
    assert!(binary.exists(), "{} is not built: `cargo build --workspace` first", binary.display());
    binary
}
