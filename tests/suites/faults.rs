//! What a `kill -9` and a stop leave behind: all of a change or none of it, and no answer lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bodega_tests::{Api, Db, Server, Setup, both};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::ledger;

both!(killed_amid_batches, killed_amid_the_first_start, stopped_with_calls_in_hand);

const CLIENTS: usize = 6;
const KILLS: u64 = 8;

/// A batch that a client has sent, and what it was answered.
struct Batch {
    tag: String,
    body: Value,
    answer: Option<Value>,
}

impl Batch {
    fn atomic(&self) -> bool {
        self.body["atomic"] == true
    }

    /// The ids of the products that it made.
    fn products(&self) -> Vec<String> {
        let results = self.answer.as_ref().and_then(|answer| answer["results"].as_array());
        let bodies = results.into_iter().flatten().map(|result| &result["body"]);
        let made = bodies.filter_map(|body| body["id"].as_str());
        made.filter(|id| id.starts_with("prod_")).map(str::to_owned).collect()
    }

    /// Tries once; what is neither an answer nor a reason to try again is a fault.
    async fn send(&mut self, api: &Api) -> bool {
        let call = api.call("POST", "/v1/batch").header("Idempotency-Key", &self.tag);
        let Ok(answer) = call.json(&self.body).try_send().await else { return false };
        if matches!(answer.status, 409 | 503) {
            let again = answer.body["code"] == "idempotency_in_progress" || answer.status == 503;
            assert!(again && !answer.header("retry-after").is_empty(), "{}", answer.body);
            return false;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        let results = answer.body["results"].as_array().expect("results");
        if results.iter().any(|r| r["status"] == 503 || r["status"] == 409) && !self.atomic() {
            return false;
        }
        assert_eq!(answer.body["committed"], true, "{}", answer.body);
        let wrong = results.iter().find(|r| r["status"].as_u64() >= Some(300));
        assert!(wrong.is_none(), "{}: {wrong:?}", self.tag);
        self.answer = Some(answer.body);
        true
    }
}

/// Makes things, changes one that all change, and removes some, one batch after the other.
async fn client(
    number: usize,
    shared: String,
    api: watch::Receiver<Api>,
    stop: Arc<AtomicBool>,
) -> Vec<Batch> {
    let mut sent: Vec<Batch> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let tag = format!("c{number}-{}", sent.len());
        let line = |method: &str, path: &str, body: Value| json!({ "method": method, "path": path, "body": body });
        let mut lines: Vec<Value> = (0..3)
            .map(|i| line("POST", "/v1/products", json!({ "title": format!("{tag}-{i}") })))
            .collect();
        lines.push(line("POST", "/v1/brands", json!({ "name": format!("{tag}-3") })));
        lines.push(line("PATCH", &shared, json!({ "description": tag })));
        if let [first, second, ..] = &*sent.last().map(Batch::products).unwrap_or_default() {
            let body = json!({ "product_id": first, "sku": tag });
            lines.push(line("POST", "/v1/variants", body));
            lines.push(json!({ "method": "DELETE", "path": format!("/v1/products/{second}") }));
        }
        let body = json!({ "atomic": sent.len().is_multiple_of(2), "operations": lines });
        let mut batch = Batch { tag, body, answer: None };
        // One in three that find no server is left for later, as by a client that died too.
        let patient = !sent.len().is_multiple_of(3);
        loop {
            let place = api.borrow().clone();
            if batch.send(&place).await || !patient {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        sent.push(batch);
    }
    sent
}

async fn killed_amid_batches(db: Db) {
    let setup = Setup::of(db, &[]).await;
    let mut server = setup.start().await;
    let brand = json!({ "name": "Shared" });
    let brand = server.call("POST", "/v1/brands").json(&brand).send().await.expect(201);
    let shared = format!("/v1/brands/{}", brand["id"].as_str().unwrap());
    let (place, api) = watch::channel(server.api());
    let stop = Arc::new(AtomicBool::new(false));
    let run = |number| tokio::spawn(client(number, shared.clone(), api.clone(), stop.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(run).collect();
    let mut starts_ms = Vec::new();
    for round in 0..KILLS {
        sleep(Duration::from_millis(250 + 61 * round)).await;
        server.kill().await;
        let began = Instant::now();
        server = setup.start().await;
        starts_ms.push(began.elapsed().as_millis());
        place.send_replace(server.api());
    }
    // The last kill comes when nobody will try again.
    sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut batches = Vec::new();
    for client in clients {
        batches.extend(client.await.expect("a client"));
    }
    server.kill().await;
    let server = setup.start().await;

    whole_or_not_at_all(&server, &batches).await;
    let unanswered = batches.iter().filter(|batch| batch.answer.is_none()).count();
    println!(
        "{db:?}: {KILLS} kills, {} batches, {unanswered} unanswered; starts took {starts_ms:?} ms",
        batches.len()
    );
    assert!(unanswered > 0, "no kill met a batch under way");
    assert!(batches.len() > CLIENTS * 4, "hardly any batch was answered");

    let api = server.api();
    for batch in batches.iter_mut().filter(|batch| batch.answer.is_none()) {
        let mut tries = 0;
        while !batch.send(&api).await {
            tries += 1;
            assert!(tries < 100, "{} is never answered", batch.tag);
            sleep(Duration::from_millis(50)).await;
        }
    }
    all_once(&server, &batches).await;
    let changes = ledger::check(&server).await;
    println!("{db:?}: {changes} changes, each with its event and its audit row");
}

/// Of an atomic batch everything is there or nothing; of one that was answered, everything.
async fn whole_or_not_at_all(server: &Server, batches: &[Batch]) {
    let made = made(server).await;
    let (mut half, mut lost) = (Vec::new(), Vec::new());
    for batch in batches {
        let there = (0..4).filter(|i| made.contains_key(&format!("{}-{i}", batch.tag))).count();
        if batch.atomic() && there != 0 && there != 4 {
            half.push((&batch.tag, there));
        }
        if batch.answer.is_some() && there != 4 {
            lost.push((&batch.tag, there));
        }
    }
    assert!(half.is_empty(), "there by half: {half:?}");
    assert!(lost.is_empty(), "answered and not there: {lost:?}");
}

/// Each line of each batch has been done exactly once.
async fn all_once(server: &Server, batches: &[Batch]) {
    let (made, changed) = (made(server).await, changed(server).await);
    let mut wrong = Vec::new();
    for batch in batches {
        for i in 0..4 {
            let title = format!("{}-{i}", batch.tag);
            if made.get(&title) != Some(&1) {
                wrong.push((title.clone(), made.get(&title).copied()));
            }
        }
        if changed.get(&batch.tag) != Some(&1) {
            wrong.push((format!("change {}", batch.tag), changed.get(&batch.tag).copied()));
        }
    }
    assert!(wrong.is_empty(), "not done exactly once: {wrong:?}");
}

/// How often each product and brand was made, also those that are gone again.
async fn made(server: &Server) -> HashMap<String, i64> {
    let rows = ledger::rows::<(String, Value)>(
        server,
        "SELECT type, data FROM event WHERE type IN ('product.created', 'brand.created')",
    );
    let mut made = HashMap::new();
    for (kind, data) in rows.await {
        let member = if kind == "brand.created" { "name" } else { "title" };
        *made.entry(data[member].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    made
}

/// How often each batch changed the brand that all of them change.
async fn changed(server: &Server) -> HashMap<String, i64> {
    let sql = "SELECT type, data FROM event WHERE type = 'brand.updated'";
    let mut changed = HashMap::new();
    for (_, data) in ledger::rows::<(String, Value)>(server, sql).await {
        *changed.entry(data["description"].as_str().unwrap_or_default().to_owned()).or_default() +=
            1;
    }
    changed
}

async fn killed_amid_the_first_start(db: Db) {
    const PRODUCTS: i64 = 2_000;
    let setup = Setup::of(db, &[("BODEGA_DEMO_PRODUCTS", &PRODUCTS.to_string())]).await;
    let mut partial = 0;
    // In the migrations, at the founding, then within each of the import's transactions.
    for stage in 0..6 {
        let mut process = setup.begin();
        let began = Instant::now();
        let reached = async {
            while match stage {
                0 => began.elapsed() < Duration::from_millis(40),
                1 => count(&setup, "organization").await == 0,
                _ => count(&setup, "product").await < 400 * (stage - 1),
            } {
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the import goes on");
        process.kill().await.expect("a kill");
        let there = count(&setup, "product").await;
        partial += usize::from((1..PRODUCTS).contains(&there));
        println!("{db:?}: killed after {:?} with {there} products", began.elapsed());
    }
    assert!(partial >= 2, "no kill met the import under way");

    let server = setup.start().await;
    let list = "/v1/products?limit=1&count=true";
    let live = server.call("GET", list).send().await.expect(200);
    assert_eq!(live["total_count"], PRODUCTS);
    let sandbox = server.call_as(&server.test_key, "GET", list).send().await.expect(200);
    assert_eq!(sandbox["total_count"], 500);
    assert_eq!(server.number("SELECT COUNT(*) FROM organization").await, 2);
    assert_eq!(server.number("SELECT COUNT(*) FROM api_key").await, 2);
    for doubled in [
        "SELECT COUNT(*) FROM (SELECT 1 AS n FROM brand GROUP BY organization_id, name HAVING COUNT(*) > 1) AS d",
        "SELECT COUNT(*) FROM (SELECT 1 AS n FROM category GROUP BY organization_id, parent_id, name HAVING COUNT(*) > 1) AS d",
        "SELECT COUNT(*) FROM product WHERE NOT EXISTS (SELECT 1 FROM variant JOIN price ON price.variant_id = variant.id WHERE variant.product_id = product.id)",
    ] {
        assert_eq!(server.number(doubled).await, 0, "{doubled}");
    }
    ledger::check(&server).await;
}

/// How many rows another process has written so far; none while there is no table.
async fn count(setup: &Setup, table: &str) -> i64 {
    let url = setup.database_url.replace("mode=rwc", "mode=ro");
    let Ok(database) = sea_orm::Database::connect(url).await else { return 0 };
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let counted = ledger::try_rows::<(i64,)>(&database, &sql).await;
    let _ = database.close().await;
    counted.map_or(0, |rows| rows.first().map_or(0, |row| row.0))
}

/// Two nodes that start at once on an empty database make one demo, not two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_first_starts_at_once() {
    for _ in 0..3 {
        let setup = Setup::of(Db::Postgres, &[]).await;
        let (one, other) = tokio::join!(setup.start(), setup.start());
        assert_eq!(one.number("SELECT COUNT(*) FROM organization").await, 2);
        assert_eq!(one.number("SELECT COUNT(*) FROM product").await, 80);
        assert_eq!(one.live_key, other.live_key);
        one.call("GET", "/v1/products").send().await.expect(200);
        other.call("GET", "/v1/products").send().await.expect(200);
        ledger::check(&one).await;
    }
}

async fn stopped_with_calls_in_hand(db: Db) {
    const CALLS: usize = 12;
    const LINES: usize = 150;
    let setup = Setup::of(db, &[]).await;
    let mut server = setup.start().await;
    let (_, key) = server.key(&["catalog:read", "catalog:write"]).await;
    let api = server.api().with_key(&key);
    for _ in 0..7 {
        api.call("GET", "/v1/products?limit=1").send().await.expect(200);
    }
    let calls: Vec<_> = (0..CALLS)
        .map(|call| {
            let lines: Vec<_> = (0..LINES)
                .map(|i| {
                    let body = json!({ "name": format!("Stop {call}-{i}") });
                    json!({ "method": "POST", "path": "/v1/brands", "body": body })
                })
                .collect();
            let body = json!({ "atomic": call % 2 == 0, "operations": lines });
            let api = api.clone();
            tokio::spawn(async move { api.call("POST", "/v1/batch").json(&body).try_send().await })
        })
        .collect();
    // All of them have been read, and hardly one has been answered.
    sleep(Duration::from_millis(150)).await;
    let in_hand = calls.iter().filter(|call| !call.is_finished()).count();
    let began = Instant::now();
    let ended = server.stop().await;
    let took = began.elapsed();
    println!("{db:?}: {in_hand} calls in hand; ended after {took:?} with {ended}");
    assert!(in_hand > 0, "all calls were answered before the signal");
    assert_eq!(ended.code(), Some(0));
    assert!(took < Duration::from_secs(20), "a stop of {took:?}");
    for call in calls {
        let answer = call.await.expect("a call").expect("an answer to a call in hand");
        let body = answer.expect(200);
        assert_eq!(body["committed"], true);
        assert_eq!(body["results"].as_array().map(Vec::len), Some(LINES));
    }

    let server = setup.start().await;
    let of_key = "FROM request_log WHERE key_id = (SELECT id FROM api_key WHERE name = 'Test')";
    let logged = server.number(&format!("SELECT COUNT(*) {of_key}")).await;
    assert_eq!(logged, 7 + CALLS as i64, "calls in the request log");
    let counted = server
        .number("SELECT calls FROM key_usage WHERE key_id = (SELECT id FROM api_key WHERE name = 'Test')")
        .await;
    assert_eq!(counted, 7 + (CALLS * LINES) as i64, "units counted for the day");
    let made = "SELECT COUNT(*) FROM brand WHERE name LIKE 'Stop %'";
    assert_eq!(server.number(made).await, (CALLS * LINES) as i64);
}
