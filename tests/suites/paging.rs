//! Walking through lists by cursor: no row is lost or doubled while others come and go, both ways
//! give the same, and the last page costs what the first does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bodega_tests::{Api, Db, Server, both};
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ledger::{self, id_of};

both!(a_walk_amid_changes, both_ways_agree_and_cost_the_same);

const ROWS: usize = 100_000;
/// How often times are taken before they are believed to be bad.
const ROUNDS: usize = 10;
const CHANGES_SEED: u64 = 0x0b0d_e6a5_eed0_0001;

/// Rows whose titles and times are shared by several, so that ties are broken again and again.
#[expect(clippy::disallowed_methods, reason = "the test's own rows, on its own connection")]
async fn load(server: &Server) {
    let series = match server.backend() {
        DbBackend::Postgres => format!("SELECT i FROM generate_series(0, {ROWS} - 1) AS g(i)"),
        _ => format!(
            "WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < {ROWS} - 1) \
             SELECT i FROM g"
        ),
    };
    let (id, title, time) = match server.backend() {
        DbBackend::Postgres => (
            "gen_random_uuid()",
            "'Walk ' || lpad((i::bigint * 7919 % 50000)::text, 5, '0')",
            "to_timestamp(1700000000 + i / 10)",
        ),
        _ => (
            "randomblob(16)",
            "printf('Walk %05d', i * 7919 % 50000)",
            "strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + i / 10, 'unixepoch') || '+00:00'",
        ),
    };
    let sql = format!(
        "INSERT INTO product (id, organization_id, title, slug, description, kind, status, \
           brand_id, tax_category, category_ids, options, external_id, metadata, version, \
           created_at, updated_at) \
         SELECT {id}, (SELECT id FROM organization WHERE mode = 'live'), {title}, 'walk-' || i, \
           NULL, 'good', CASE WHEN i % 5 = 0 THEN 'archived' ELSE 'active' END, NULL, NULL, \
           '[]', '[]', NULL, '{{}}', 1, {time}, {time} FROM ({series}) AS series"
    );
    let began = Instant::now();
    let database = server.database().await;
    // The demo's own products would be among them.
    let work = database.begin().await.expect("a transaction");
    for sql in [
        "DELETE FROM price",
        "DELETE FROM variant",
        "DELETE FROM product_category",
        "DELETE FROM product",
        &sql,
    ] {
        work.execute_unprepared(sql).await.expect(sql);
    }
    work.commit().await.expect("a commit");
    // What the server's own upkeep does sooner or later; it decides which index is taken.
    database.execute_unprepared("ANALYZE product").await.expect("ANALYZE");
    println!("{:?}: {ROWS} rows in {:?}", server.backend(), began.elapsed());
}

async fn page(api: &Api, query: &str, cursor: Option<&str>) -> Value {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let path = format!("/v1/products?limit=100&fields=id&{query}{cursor}");
    api.call("GET", &path).send().await.expect(200)
}

fn ids(page: &Value) -> impl Iterator<Item = String> {
    let rows = page["data"].as_array().expect("rows");
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned())
}

/// A walk from one end on: the ids in order, and each page's own cursor.
async fn walk(api: &Api, query: &str, pages_max: usize) -> (Vec<String>, Vec<Option<String>>) {
    let (mut seen, mut cursors, mut cursor) = (Vec::new(), Vec::new(), None);
    while cursors.len() < pages_max {
        let page = page(api, query, cursor.as_deref()).await;
        seen.extend(ids(&page));
        cursors.push(cursor);
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    (seen, cursors)
}

async fn a_walk_amid_changes(db: Db) {
    let server = Server::start(db).await;
    load(&server).await;
    let all: Vec<(Uuid,)> = ledger::rows(&server, "SELECT id FROM product").await;
    let all: Vec<String> = all.into_iter().map(|(id,)| id_of("prod", id)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let made = Arc::new(AtomicUsize::new(0));

    // Every 50th row is for the one who deletes; nobody touches the others.
    let doomed: Vec<String> = all.iter().step_by(50).cloned().collect();
    let (api, end) = (server.api(), stop.clone());
    let victims = doomed.clone();
    let deleting = tokio::spawn(async move {
        let mut gone = 0;
        for id in victims {
            if end.load(Ordering::Relaxed) {
                break;
            }
            api.call("DELETE", &format!("/v1/products/{id}")).send().await.expect(200);
            gone += 1;
        }
        gone
    });
    let (api, end, count) = (server.api(), stop.clone(), made.clone());
    let creating = tokio::spawn(async move {
        let mut random = CHANGES_SEED;
        while !end.load(Ordering::Relaxed) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let title = format!("Walk {:05}", (random >> 33) % 50_000);
            let body = json!({ "title": title });
            api.call("POST", "/v1/products").json(&body).send().await.expect(201);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });

    let began = Instant::now();
    let (seen, cursors) = walk(&server.api(), "sort=title", usize::MAX).await;
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let gone = deleting.await.expect("the one who deletes");
    creating.await.expect("the one who creates");
    let made = made.load(Ordering::Relaxed);
    println!("{db:?}: {} pages in {took:?}, {made} rows made and {gone} deleted", cursors.len());
    assert!(made > 50 && gone > 50, "hardly anything changed meanwhile");

    let mut times: HashMap<&str, usize> = HashMap::new();
    for id in &seen {
        *times.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(5).collect();
    assert!(twice.is_empty(), "seen twice: {twice:?}");
    let doomed: HashSet<&str> = doomed.iter().map(String::as_str).collect();
    let stayed = all.iter().map(String::as_str).filter(|id| !doomed.contains(id));
    let missed: Vec<_> = stayed.filter(|id| !times.contains_key(id)).take(5).collect();
    assert!(missed.is_empty(), "never seen: {missed:?}");
}

async fn both_ways_agree_and_cost_the_same(db: Db) {
    let server = Server::start(db).await;
    load(&server).await;
    let api = server.api();
    for (query, rows, pages_max) in [
        ("sort=-created_at", ROWS, usize::MAX),
        ("status=archived", ROWS / 5, usize::MAX),
        ("sort=title", 20_000, 200),
    ] {
        let (forward, cursors) = walk(&api, query, pages_max).await;
        assert_eq!(forward.len(), rows, "{query}");
        assert_eq!(forward.iter().collect::<HashSet<_>>().len(), rows, "{query}");
        back_again(&api, query, &forward, &cursors).await;
        // A page that is found by counting rows costs a hundred times as much here, each time;
        // whatever else the machine does only adds to some times.
        let mut ratio = f64::INFINITY;
        for _ in 0..ROUNDS {
            let (first, last) = times(&api, query, &cursors).await;
            println!(
                "{db:?}: {query}: {} pages; median of the first {:?}, of the last {:?}",
                cursors.len(),
                first[10],
                last[10],
            );
            ratio = ratio.min(last[0].as_secs_f64() / first[0].as_secs_f64());
            if ratio < 2.0 {
                break;
            }
        }
        assert!(ratio < 2.0, "{query}: deep pages cost {ratio:.2} times as much");
    }
    explained(&server).await;
}

/// From the last page back, as far as 200 pages go: the same rows in the other direction.
async fn back_again(api: &Api, query: &str, forward: &[String], cursors: &[Option<String>]) {
    let last = cursors.last().expect("a page").as_deref();
    let mut at = page(api, query, last).await;
    let mut end = (cursors.len() - 1) * 100;
    assert!(ids(&at).eq(forward[end..].iter().cloned()), "{query}: the last page again");
    for _ in 0..200 {
        let Some(cursor) = at["prev_cursor"].as_str() else { break };
        at = page(api, query, Some(cursor)).await;
        let start = end - 100;
        assert!(ids(&at).eq(forward[start..end].iter().cloned()), "{query}: rows {start} to {end}");
        end = start;
    }
    assert!(end == 0 || cursors.len() > 200, "{query}: the way back ended before row {end}");
    if end == 0 {
        assert_eq!(at["prev_cursor"], Value::Null, "{query}: something before the first page");
    }
}

/// The times of early and of late pages, fastest first, asked for in turn so that noise meets both.
async fn times(
    api: &Api,
    query: &str,
    cursors: &[Option<String>],
) -> (Vec<Duration>, Vec<Duration>) {
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for i in 0..20 {
        for (times, place) in [(&mut early, i), (&mut late, cursors.len() - 21 + i)] {
            let began = Instant::now();
            page(api, query, cursors[place].as_deref()).await;
            times.push(began.elapsed());
        }
    }
    early.sort_unstable();
    late.sort_unstable();
    (early, late)
}

/// The database reads a page from an index, in its order, and sorts nothing.
async fn explained(server: &Server) {
    let postgres = server.backend() == DbBackend::Postgres;
    let literals = match postgres {
        true => "quote_literal(organization_id), quote_literal(created_at), quote_literal(id)",
        false => "quote(organization_id), quote(created_at), quote(id)",
    };
    let sql = format!("SELECT {literals} FROM product WHERE slug = 'walk-5000'");
    let found: Vec<(String, String, String)> = ledger::rows(server, &sql).await;
    let (organization, time, id) = found.first().expect("the row");
    for (filter, index) in [
        ("", "product_organization_id_created_at_id_idx"),
        ("AND status = 'archived'", "product_organization_id_status_created_at_id_idx"),
    ] {
        let select = format!(
            "SELECT * FROM product WHERE organization_id = {organization} {filter} \
             AND (created_at, id) < ({time}, {id}) \
             ORDER BY created_at DESC, id DESC LIMIT 101"
        );
        let plan: Vec<String> = match postgres {
            true => {
                let sql = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {select}");
                let rows: Vec<(String,)> = ledger::rows(server, &sql).await;
                rows.into_iter().map(|row| row.0).collect()
            }
            false => {
                let sql = format!("EXPLAIN QUERY PLAN {select}");
                let rows: Vec<(i64, i64, i64, String)> = ledger::rows(server, &sql).await;
                rows.into_iter().map(|row| row.3).collect()
            }
        };
        let plan = plan.join("\n");
        let wrong = ["Sort", "Seq Scan on product", "TEMP B-TREE", "SCAN product"];
        let wrong = wrong.into_iter().find(|step| plan.contains(step));
        assert!(plan.contains(index) && wrong.is_none(), "{filter} ({wrong:?}):\n{plan}");
    }
}
