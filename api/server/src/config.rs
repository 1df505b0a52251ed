//! Settings: a file, then the environment, checked before anything starts.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bodega_kernel::Retention;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::private;

/// What the command line takes from the environment by itself.
const NOT_SETTINGS: [&str; 4] = ["config", "api_url", "api_key", "webhook_secret"];

/// Nothing is kept for longer than a century, other than for ever.
const RETENTION_DAYS_MAX: u32 = 36_500;
/// The documentation promises that a retry is safe for 48 hours.
const RETENTION_HOURS_IDEMPOTENCY: std::ops::RangeInclusive<u32> = 48..=720;

/// What the program can be told. Every setting is `BODEGA_<NAME>` in the environment too.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the API and its docs are served; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Where figures and health are served: not for the public.
    pub(crate) admin_listen: SocketAddr,
    /// The folder of the embedded database and of the demo's keys.
    pub(crate) data_dir: PathBuf,
    /// `sqlite://…` or `postgres://…`; a file in the data folder where it is not set.
    pub(crate) database_url: Option<String>,
    /// What the secrets of webhooks are encrypted with at rest: 32 characters or more, the same on
    /// every node. Where it is not set, a key from the database itself serves.
    pub(crate) encryption_key: Option<String>,
    /// Ranges of private addresses that webhooks may go to all the same: `["10.1.0.0/16"]`.
    pub(crate) webhook_allowed_ranges: Vec<IpNet>,
    /// Whether webhooks go to `https` only.
    pub(crate) webhook_https_only: bool,
    /// How many days each log is kept.
    pub(crate) retention_days_requests: u32,
    pub(crate) retention_days_events: u32,
    pub(crate) retention_days_deliveries: u32,
    pub(crate) retention_days_attempts: u32,
    /// These are kept for ever where it is 0.
    pub(crate) retention_days_audit: u32,
    pub(crate) retention_days_dead_jobs: u32,
    /// How many hours an answer is kept to answer a retry with.
    pub(crate) retention_hours_idempotency: u32,
    /// Whether `serve` also does what `worker` does.
    pub(crate) worker: bool,
    /// The most connections to PostgreSQL.
    pub(crate) database_connections: u32,
    /// Where set, nodes share their rate limits there.
    pub(crate) redis_url: Option<String>,
    /// Threads that answer calls; as many as there are cores where it is not set.
    pub(crate) workers: Option<usize>,
    /// How many proxies in front are trusted to say where a call comes from.
    pub(crate) trusted_proxies: usize,
    /// The most connections to the public port; fewer where the process may open fewer files.
    pub(crate) connections: usize,
    /// The most of them from one address; not counted behind trusted proxies.
    pub(crate) connections_per_address: usize,
    /// Whether an empty database gets a demo organization.
    pub(crate) demo: bool,
    /// How many products of the demo catalog are loaded.
    pub(crate) demo_products: usize,
    /// Whether `serve` runs what is missing of the migrations first.
    pub(crate) migrate: bool,
    /// Whether the GraphQL schema may be asked for.
    pub(crate) graphql_introspection: bool,
    /// What is logged: `info`, or `warn,bodega_rest=debug`.
    pub(crate) log: String,
    /// How it is logged.
    pub(crate) log_format: LogFormat,
}

/// How lines are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            data_dir: PathBuf::from("bodega-data"),
            database_url: None,
            encryption_key: None,
            webhook_allowed_ranges: Vec::new(),
            webhook_https_only: false,
            retention_days_requests: 30,
            retention_days_events: 90,
            retention_days_deliveries: 90,
            retention_days_attempts: 90,
            retention_days_audit: 0,
            retention_days_dead_jobs: 0,
            retention_hours_idempotency: 48,
            worker: true,
            database_connections: 20,
            redis_url: None,
            workers: None,
            trusted_proxies: 0,
            connections: 10_000,
            connections_per_address: 500,
            demo: true,
            demo_products: usize::MAX,
            migrate: true,
            graphql_introspection: true,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Reads the file (`bodega.toml`, or the one named) and the environment.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        if let Some(file) = file.filter(|file| !file.exists()) {
            return Err(format!("there is no configuration file {}", file.display()));
        }
        let file = file.unwrap_or(Path::new("bodega.toml"));
        let environment = Env::prefixed("BODEGA_")
            .filter(|name| !NOT_SETTINGS.iter().any(|other| name == other))
            .filter(|name| !name.starts_with("test_"));
        let config: Self = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(file))
            .merge(environment)
            .extract()
            .map_err(|error| format!("the configuration is not valid: {error}"))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let known =
            |url: &str| ["sqlite:", "postgres:", "postgresql:"].iter().any(|s| url.starts_with(s));
        if self.database_url.as_deref().is_some_and(|url| !known(url)) {
            return Err("database_url must start with sqlite: or postgres:".to_owned());
        }
        if self.redis_url.as_deref().is_some_and(|url| !url.starts_with("redis")) {
            return Err("redis_url must start with redis:// or rediss://".to_owned());
        }
        if self.encryption_key.as_ref().is_some_and(|key| key.len() < 32) {
            return Err("encryption_key must have 32 characters or more".to_owned());
        }
        if !(2..=1_000).contains(&self.database_connections) {
            return Err("database_connections must be from 2 to 1000".to_owned());
        }
        self.check_retention()?;
        if !(16..=1_000_000).contains(&self.connections) {
            return Err("connections must be from 16 to 1000000".to_owned());
        }
        if !(1..=1_000_000).contains(&self.connections_per_address) {
            return Err("connections_per_address must be from 1 to 1000000".to_owned());
        }
        if self.workers.is_some_and(|workers| !(1..=256).contains(&workers)) {
            return Err("workers must be from 1 to 256".to_owned());
        }
        Ok(())
    }

    /// How long each log is kept.
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            requests_days: self.retention_days_requests,
            events_days: self.retention_days_events,
            deliveries_days: self.retention_days_deliveries,
            attempts_days: self.retention_days_attempts,
            audit_days: self.retention_days_audit,
            dead_jobs_days: self.retention_days_dead_jobs,
            idempotency_hours: self.retention_hours_idempotency,
        }
    }

    fn check_retention(&self) -> Result<(), String> {
        let days = [
            ("retention_days_requests", self.retention_days_requests, 1),
            ("retention_days_events", self.retention_days_events, 1),
            ("retention_days_deliveries", self.retention_days_deliveries, 1),
            ("retention_days_attempts", self.retention_days_attempts, 1),
            ("retention_days_audit", self.retention_days_audit, 0),
            ("retention_days_dead_jobs", self.retention_days_dead_jobs, 0),
        ];
        for (name, days, least) in days {
            if !(least..=RETENTION_DAYS_MAX).contains(&days) {
                return Err(format!("{name} must be from {least} to {RETENTION_DAYS_MAX}"));
            }
        }
        if !RETENTION_HOURS_IDEMPOTENCY.contains(&self.retention_hours_idempotency) {
            let (least, most) = RETENTION_HOURS_IDEMPOTENCY.into_inner();
            return Err(format!("retention_hours_idempotency must be from {least} to {most}"));
        }
        // An attempt belongs to its delivery, and a delivery to its event.
        let (attempts, deliveries) = (self.retention_days_attempts, self.retention_days_deliveries);
        if attempts > deliveries || deliveries > self.retention_days_events {
            return Err("attempts must not be kept longer than deliveries, nor deliveries longer \
                        than events (retention_days_…)"
                .to_owned());
        }
        Ok(())
    }

    /// How many threads answer calls, and how many work beside them.
    pub(crate) fn cores(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers.unwrap_or_else(cores)
    }

    /// The database; the data folder is made where the embedded one needs it. Both are made private.
    pub(crate) fn database(&self) -> Result<String, String> {
        if self.database_url.is_none() {
            private::folder(&self.data_dir)?;
        }
        let url = self.database_address();
        private::database(&url)?;
        Ok(url)
    }

    /// Where the database is or would be; nothing is made.
    pub(crate) fn database_address(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| {
            format!("sqlite://{}?mode=rwc", self.data_dir.join("bodega.db").display())
        })
    }
}
