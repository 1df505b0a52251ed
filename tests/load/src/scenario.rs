//! What is asked, from a bare route to a write, and the same page through REST and GraphQL.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::Connection;
use crate::process;
use crate::round::{self, Pace, Round, Work, Write};
use crate::stage::Program;

/// A way to ask, and what was measured of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Round>,
    /// SQL statements a request.
    pub(crate) statements: f64,
    /// Notes that the request log had to drop.
    pub(crate) lost: f64,
    work: Work,
}

/// All of them.
pub(crate) struct Scenarios {
    pub(crate) bare: Scenario,
    pub(crate) straight: Scenario,
    pub(crate) get: Scenario,
    pub(crate) list: Scenario,
    pub(crate) page: Scenario,
    pub(crate) graphql: Scenario,
    pub(crate) create: Scenario,
    pub(crate) create_keyed: Scenario,
}

/// What there is to ask for.
struct Catalog {
    ids: Vec<String>,
    /// Where pages of the list start.
    cursors: Vec<String>,
}

/// What the server counts.
struct Counters {
    statements: f64,
    lost: f64,
}

impl Scenarios {
    /// Learns what there is, and makes sure that the scenarios ask for the same.
    pub(crate) async fn prepare(server: &Program, yardstick: &Program) -> Self {
        let key = server.banner["live_key"].as_str().expect("the demo's key").to_owned();
        let ask = Requests { key };
        let mut api = Connection::open(server.address("url")).await.expect("the server");
        let catalog = Catalog::read(&mut api, &ask).await;
        assert!(catalog.ids.len() > 20_000, "only {} products", catalog.ids.len());

        let mut beside = Connection::open(yardstick.address("url")).await.expect("the yardstick");
        let id = &catalog.ids[catalog.ids.len() / 2];
        let shown = api.json(&ask.get(&format!("/v1/products/{id}"))).await;
        let straight = beside.json(&ask.get(&format!("/straight/{id}"))).await;
        assert_eq!(shown, straight, "the yardstick shows something else");
        check_list(&api.json(&ask.get(&list(&catalog.cursors[1]))).await);

        let page = api.json(&ask.get(&wide(&catalog.cursors[1]))).await;
        let told = api.json(&ask.graphql(&catalog.cursors[1])).await;
        let told = &told["data"]["products"]["nodes"];
        assert_eq!(spoken(told), spoken(&page["data"]), "GraphQL shows something else");

        let Catalog { ids, cursors } = catalog;
        let gets = |before: &str, after: &[String]| {
            after.iter().map(|after| ask.get(&format!("{before}{after}"))).collect::<Vec<_>>()
        };
        let lists = cursors.iter().map(|cursor| ask.get(&list(cursor))).collect();
        let pages = cursors.iter().map(|cursor| ask.get(&wide(cursor))).collect();
        let documents = cursors.iter().map(|cursor| ask.graphql(cursor)).collect();
        let over = |program: &Program, write: Write| Work {
            address: program.address("url"),
            pid: program.pid(),
            write,
        };
        let scenario = |name, work| Scenario::new(name, work);
        Self {
            bare: scenario("bare route", over(yardstick, any_of(vec![ask.get("/bare")]))),
            straight: scenario("straight read", over(yardstick, any_of(gets("/straight/", &ids)))),
            get: scenario("GET product", over(server, any_of(gets("/v1/products/", &ids)))),
            list: scenario("list 20, expanded", over(server, any_of(lists))),
            page: scenario("page, 4 links", over(server, any_of(pages))),
            graphql: scenario("page, by GraphQL", over(server, any_of(documents))),
            create: scenario("POST product", over(server, ask.creates(false))),
            create_keyed: scenario("POST, with key", over(server, ask.creates(true))),
        }
    }

    /// Measures them. What is compared is measured in turns, so that drift does not decide.
    pub(crate) async fn measure(&mut self, server: &Program, rounds: usize, pace: &Pace) {
        let Self { bare, straight, get, list, page, graphql, create, create_keyed } = self;
        let groups: [&mut [&mut Scenario]; 4] = [
            &mut [bare, straight, get],
            &mut [list],
            &mut [page, graphql],
            &mut [create, create_keyed],
        ];
        for group in groups {
            for _ in 0..rounds {
                for scenario in group.iter_mut() {
                    scenario.measure(server, pace).await;
                }
            }
        }
        // The yardstick counts nothing: one runs no statement, the other one.
        self.straight.statements = 1.0;
    }

    pub(crate) fn all(&self) -> [&Scenario; 8] {
        let Self { bare, straight, get, list, page, graphql, create, create_keyed } = self;
        [bare, straight, get, list, page, graphql, create, create_keyed]
    }
}

impl Scenario {
    fn new(name: &'static str, work: Work) -> Self {
        Self { name, rounds: Vec::new(), statements: 0.0, lost: 0.0, work }
    }

    async fn measure(&mut self, server: &Program, pace: &Pace) {
        settle(server.pid()).await;
        let before = Counters::read(server).await;
        let round = round::run(&self.work, pace).await;
        let after = Counters::read(server).await;
        self.lost += after.lost - before.lost;
        self.statements = (after.statements - before.statements) / round.sent.max(1) as f64;
        self.rounds.push(round);
    }

    /// The middle one of the rounds' figures.
    pub(crate) fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut all: Vec<f64> = self.rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    /// From the slowest round to the fastest, of the middle one.
    pub(crate) fn spread(&self) -> f64 {
        let rates = || self.rounds.iter().map(|round| round.rate);
        let (low, high) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
        (high - low) / self.median(|round| round.rate)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.rounds.iter().map(|round| round.failures).sum()
    }
}

/// Waits until the server has done what it had left to do, such as writing its log.
async fn settle(pid: u32) {
    for _ in 0..40 {
        let before = process::cpu_s(pid);
        sleep(Duration::from_millis(250)).await;
        if process::cpu_s(pid) - before < 0.025 {
            return;
        }
    }
}

impl Counters {
    async fn read(server: &Program) -> Self {
        let mut admin = Connection::open(server.address("admin_url")).await.expect("the server");
        let request = b"GET /metrics HTTP/1.1\r\nHost: bodega\r\n\r\n";
        let answer = admin.call(request).await.expect("the figures");
        let text = String::from_utf8_lossy(answer.body);
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
        };
        Self {
            statements: figure("bodega_sql_statements_total"),
            lost: figure("bodega_request_log_lost_total"),
        }
    }
}

impl Catalog {
    async fn read(api: &mut Connection, ask: &Requests) -> Self {
        let mut all = Self { ids: Vec::new(), cursors: Vec::new() };
        let mut path = "/v1/products?limit=100&fields=id".to_owned();
        loop {
            let page = api.json(&ask.get(&path)).await;
            let rows = page["data"].as_array().expect("a page");
            all.ids.extend(rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)));
            let Some(cursor) = page["next_cursor"].as_str() else { return all };
            all.cursors.push(cursor.to_owned());
            path = format!("/v1/products?limit=100&fields=id&cursor={cursor}");
        }
    }
}

fn list(cursor: &str) -> String {
    format!("/v1/products?limit=20&expand=variants.prices&cursor={cursor}")
}

/// A page with all that a shop's front end shows of a product.
fn wide(cursor: &str) -> String {
    format!("/v1/products?limit=20&expand=variants.prices,brand,categories&cursor={cursor}")
}

/// The same page, all that REST shows of it.
const DOCUMENT: &str = "query($after: String) { products(first: 20, after: $after) { nodes {
  id title slug description kind status brandId categoryIds taxCategory options { name values }
  externalId metadata version createdAt updatedAt
  variants { id productId title sku barcode options { name value } unit weightGrams
    dimensions { lengthMm widthMm heightMm } trackInventory allowBackorder
    cost { amount currency } retailPrice { amount currency }
    position externalId metadata version createdAt updatedAt
    prices { id variantId unitPrice { amount currency } minQuantity externalId metadata version
      createdAt updatedAt } }
  brand { id name slug description website externalId metadata version createdAt updatedAt }
  categories { id parentId name slug description position externalId metadata
    version createdAt updatedAt }
} } }";

/// A value in neither door's spelling: `brand_id` and `brandId`, `active` and `ACTIVE` are the same.
fn spoken(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let spelled = |name: &str| name.replace('_', "").to_lowercase();
            members.iter().map(|(name, value)| (spelled(name), spoken(value))).collect()
        }
        // The options of a variant are a map there and pairs here.
        Value::Array(items) if items.iter().all(is_pair) => {
            let pair = |item: &Value| {
                (item["name"].as_str().unwrap_or_default().to_owned(), item["value"].clone())
            };
            let pairs: serde_json::Map<_, _> = items.iter().map(pair).collect();
            spoken(&Value::Object(pairs))
        }
        Value::Array(items) => items.iter().map(spoken).collect(),
        Value::String(text) => text.to_lowercase().into(),
        other => other.clone(),
    }
}

fn is_pair(item: &Value) -> bool {
    item.as_object().is_some_and(|members| members.keys().eq(["name", "value"]))
}

/// A list must bring what it is measured for.
fn check_list(page: &Value) {
    let rows = page["data"].as_array().expect("a page");
    assert_eq!(rows.len(), 20, "a page of 20");
    let variants = |row: &Value| row["variants"].as_array().cloned().unwrap_or_default();
    let priced = |variant: &Value| variant["prices"].as_array().is_some_and(|all| !all.is_empty());
    let whole = |row: &&Value| variants(row).iter().any(priced);
    assert_eq!(rows.iter().filter(whole).count(), 20, "every product has a priced variant");
}

/// Any one of some whole requests.
fn any_of(requests: Vec<Vec<u8>>) -> Write {
    Arc::new(move |out, random, _| {
        out.extend_from_slice(&requests[random as usize % requests.len()]);
    })
}

/// Makes requests, all with the same headers, whomever they go to.
struct Requests {
    key: String,
}

impl Requests {
    fn head(&self, method: &str, path: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: bodega\r\nUser-Agent: bodega-load\r\n\
             Accept: application/json\r\nAuthorization: Bearer {}\r\n",
            self.key
        )
    }

    fn get(&self, path: &str) -> Vec<u8> {
        format!("{}\r\n", self.head("GET", path)).into_bytes()
    }

    /// The page after a cursor, through GraphQL.
    fn graphql(&self, cursor: &str) -> Vec<u8> {
        let body = json!({"query": DOCUMENT, "variables": {"after": cursor}}).to_string();
        let head = self.head("POST", "/graphql");
        let length = body.len();
        format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }

    /// A new product each time.
    fn creates(&self, keyed: bool) -> Write {
        let head = self.head("POST", "/v1/products");
        Arc::new(move |out, random, serial| {
            let body = json!({
                "title": format!("Loaded product {serial:07}"),
                "description": "Made to see how many can be made.",
                "kind": "good",
                "status": "active",
                "external_id": format!("load-{serial:07}"),
                "metadata": {"made_by": "bodega-load"},
            });
            let body = body.to_string();
            let key = match keyed {
                true => format!("Idempotency-Key: load-{serial:07}-{random:016x}\r\n"),
                false => String::new(),
            };
            let length = body.len();
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(
                format!(
                    "{key}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            );
        })
    }
}
