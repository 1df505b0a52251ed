//! Each log is kept as long as the operator has set, and what was erased gives its room back.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::json;
use tokio::time::sleep;

both!(each_log_is_kept_as_long_as_is_set);

/// Lets a chore recur now, and waits until what it is to bring about is so.
async fn chore(server: &Server, name: &str, mut done: impl AsyncFnMut() -> bool) {
    let sql = format!(
        "UPDATE job_schedule SET next_at = '2020-01-01T00:00:00+00:00' WHERE name = '{name}'"
    );
    let (began, database) = (Instant::now(), server.database().await);
    while database.execute_unprepared(&sql).await.expect("an update").rows_affected() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "no chore is called {name}");
        sleep(Duration::from_millis(50)).await;
    }
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(40), "{name} did not do it");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn each_log_is_kept_as_long_as_is_set(db: Db) {
    let settings = [
        ("BODEGA_RETENTION_DAYS_REQUESTS", "3"),
        ("BODEGA_RETENTION_DAYS_AUDIT", "10"),
        ("BODEGA_RETENTION_DAYS_DEAD_JOBS", "5"),
        ("BODEGA_RETENTION_DAYS_EVENTS", "20"),
        ("BODEGA_RETENTION_DAYS_DELIVERIES", "20"),
        ("BODEGA_RETENTION_DAYS_ATTEMPTS", "20"),
        ("BODEGA_RETENTION_HOURS_IDEMPOTENCY", "72"),
    ];
    let server = Server::start_with(db, &settings).await;
    for name in ["Old", "New"] {
        let call = server.call("POST", "/v1/brands").header("Idempotency-Key", name);
        call.json(&json!({ "name": name })).send().await.expect(201);
    }
    let count = async |table: &str, of: &str| {
        server.number(&format!("SELECT COUNT(*) FROM {table} WHERE {of}")).await
    };
    while count("request_log", "operation = 'brand.create'").await < 2
        || count("event", "sequence IS NULL").await > 0
    {
        sleep(Duration::from_millis(50)).await;
    }
    // One of each is made older than its log is kept.
    let database = server.database().await;
    let id = match server.backend() {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    for (table, of) in [
        ("request_log", "operation = 'brand.create'"),
        ("audit_entry", "operation = 'brand.create'"),
        ("event", "type = 'brand.created'"),
    ] {
        let sql = format!(
            "UPDATE {table} SET created_at = '2026-01-01T00:00:00+00:00' \
             WHERE id = (SELECT id FROM {table} WHERE {of} ORDER BY id LIMIT 1)"
        );
        database.execute_unprepared(&sql).await.expect("an update");
    }
    let aged = "UPDATE idempotency_record SET created_at = '2026-01-01T00:00:00+00:00' \
                WHERE idempotency_key = 'Old'";
    database.execute_unprepared(aged).await.expect("an update");
    for (day, state) in [("2026-01-01", "dead"), ("2099-01-01", "dead")] {
        let sql = format!(
            "INSERT INTO job (id, queue, args, priority, state, attempts, attempts_max, run_at, \
             again, created_at) VALUES ({id}, 'nobody', '{{}}', 0, '{state}', 9, 9, \
             '{day}T00:00:00+00:00', false, '{day}T00:00:00+00:00')"
        );
        database.execute_unprepared(&sql).await.expect("a job");
    }
    let before = [
        count("request_log", "operation = 'brand.create'").await,
        count("audit_entry", "operation = 'brand.create'").await,
        count("event", "type = 'brand.created'").await,
    ];
    let one_less = async |table: &str, of: &str, before: i64| count(table, of).await == before - 1;
    let of = "operation = 'brand.create'";
    chore(&server, "requests.purge", async || one_less("request_log", of, before[0]).await).await;
    chore(&server, "audit.purge", async || one_less("audit_entry", of, before[1]).await).await;
    let of = "type = 'brand.created'";
    chore(&server, "webhooks.erase", async || one_less("event", of, before[2]).await).await;
    let of = "queue = 'nobody'";
    chore(&server, "jobs.purge", async || count("job", of).await == 1).await;
    let of = "idempotency_key IN ('Old', 'New')";
    chore(&server, "idempotency.purge", async || count("idempotency_record", of).await == 1).await;
}

/// Rows that are gone leave the file, in steps, while others write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_has_shrunk_inside_gives_room_back() {
    const MIB: u64 = 1 << 20;
    let server = Server::start(Db::Sqlite).await;
    let (file, database) = (server.folder().join("bodega.db"), server.database().await);
    let run = async |sql: &str| database.execute_unprepared(sql).await.expect(sql);
    run("INSERT INTO setting (name, value) WITH RECURSIVE n(i) AS (\
         SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24000) \
         SELECT 'filler' || i, printf('%02000d', i) FROM n")
    .await;
    run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let length = || std::fs::metadata(&file).expect("the file").len();
    let full = length();
    run("DELETE FROM setting WHERE name LIKE 'filler%'").await;
    run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    assert!(full > 40 * MIB && length() == full, "the room is free inside only");
    let began = Instant::now();
    let body = json!({ "name": "Meanwhile" });
    let mut slowest = Duration::ZERO;
    chore(&server, "database.shrink", async || {
        let asked = Instant::now();
        server.call("POST", "/v1/brands").json(&body).send().await.expect(201);
        slowest = slowest.max(asked.elapsed());
        server.number("SELECT freelist_count FROM pragma_freelist_count").await <= 1_024
    })
    .await;
    // The file follows when its log of changes is written back, which a busy one does by itself.
    run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    println!(
        "from {} MiB to {} MiB within {:?}; the slowest change meanwhile took {slowest:?}",
        full / MIB,
        length() / MIB,
        began.elapsed()
    );
    assert!(length() < 16 * MIB, "{} MiB are kept", length() / MIB);
}
