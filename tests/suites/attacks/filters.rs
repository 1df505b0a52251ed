//! Filter expressions that once ended the process, or held up everybody: saved by a call, changed
//! by one, or found in the database by a program that starts.

use bodega_tests::{Db, Server, Setup, both};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::hook::Hook;

both!(filters_that_kill_are_harmless);

/// What the process may take beyond what it takes at rest, in KiB.
const MORE_KIB_MAX: u64 = 150 * 1024;

/// Accepted, and stopped when they run.
fn costly() -> Vec<String> {
    let tens = "[0,1,2,3,4,5,6,7,8,9]";
    vec![
        format!("['x']{}[0].size() > 0", ".map(a,a+a+a+a)".repeat(17)),
        format!("['x']{0} == ['x']{0}", ".map(a,[a,a,a,a])".repeat(12)),
        format!(
            "{tens}.all(a,{tens}.all(b,{tens}.all(c,{tens}.all(d,{tens}.all(e,{tens}.all(f,true))))))"
        ),
    ]
}

/// Refused when they are saved; as rows, they let nothing through.
fn refused() -> Vec<String> {
    vec![
        "event.data.name.matches('(((((a{99}){99}){99}){99}){99})')".to_owned(),
        "event.data.name.matches('(?i)\\\\pL{900}')".to_owned(),
        "(".repeat(900),
        "!".repeat(900),
        "a?b:".repeat(240),
        "(\")\"+".repeat(190),
    ]
}

async fn filters_that_kill_are_harmless(db: Db) {
    let setup = Setup::of(db, &[("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#)]).await;
    let mut server = setup.start().await;
    let (_, other) = server.organization("Vecina").await;
    let (hook, own) = (Hook::open().await, Hook::open().await);
    let body = json!({"url": hook.url, "event_types": ["brand.*"]});
    server.call_as(&other, "POST", "/v1/webhook_endpoints").json(&body).send().await.expect(201);
    let resting = peak_kib(&server);

    // By calls.
    let key = server.live_key.clone();
    let make = async |server: &Server, filter: &str| {
        let body = json!({"url": own.url, "event_types": ["brand.*"], "filter": filter});
        server.call_as(&key, "POST", "/v1/webhook_endpoints").json(&body).send().await
    };
    let mut endpoints = Vec::new();
    for filter in costly() {
        let made = make(&server, &filter).await.expect(201);
        endpoints.push(id(&made));
    }
    let harmless = id(&make(&server, "true").await.expect(201));
    let path = format!("/v1/webhook_endpoints/{harmless}");
    for filter in refused() {
        make(&server, &filter).await.expect_problem(409, "filter_not_valid");
        let patch = json!({"filter": filter});
        let patched = server.call_as(&key, "PATCH", &path).json(&patch).send().await;
        patched.expect_problem(409, "filter_not_valid");
    }
    let patch = json!({"filter": costly()[0]});
    server.call_as(&key, "PATCH", &path).json(&patch).send().await.expect(200);
    endpoints.push(harmless);
    brand(&server, &key, "Casa Norte").await;
    brand(&server, &other, "Otra").await;
    assert_eq!(hook.take(200).await.body["data"]["name"], "Otra");
    for endpoint in &endpoints {
        disabled(&server, &key, endpoint).await;
    }

    // From rows that another hand has written, before a start.
    let rows: Vec<String> = costly().into_iter().chain(refused()).collect();
    let mut written = Vec::new();
    for filter in &rows {
        let endpoint = id(&make(&server, "true").await.expect(201));
        written.push((endpoint, filter));
    }
    let database = server.database().await;
    for (endpoint, filter) in &written {
        let path = format!("/v1/webhook_endpoints/{endpoint}");
        let name = json!({"description": endpoint});
        server.call_as(&key, "PATCH", &path).json(&name).send().await.expect(200);
        let sql = "UPDATE webhook_endpoint SET filter = $1 WHERE description = $2";
        let values = [filter.as_str().into(), endpoint.as_str().into()];
        let row = Statement::from_sql_and_values(server.backend(), sql, values);
        database.execute_raw(row).await.expect("a row");
    }
    database.close().await.expect("closed");
    assert!(peak_kib(&server) < resting + MORE_KIB_MAX, "{} of {resting}", peak_kib(&server));
    assert!(server.stop().await.success());
    let server = setup.start().await;
    let resting = peak_kib(&server);
    brand(&server, &key, "Casa Sur").await;
    brand(&server, &other, "Otra más").await;
    assert_eq!(hook.take(200).await.body["data"]["name"], "Otra más");
    let events = server.call_as(&key, "GET", "/v1/events?type=brand.created").send().await;
    let event = events.expect(200)["data"][0]["id"].clone();
    for (endpoint, filter) in &written {
        if costly().contains(filter) {
            disabled(&server, &key, endpoint).await;
        }
        let path = format!("/v1/webhook_endpoints/{endpoint}/explain");
        let ask = json!({"event_id": event});
        let told = server.call_as(&key, "POST", &path).json(&ask).send().await.expect(200);
        let checks = told["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["check"] == "filter").expect("one");
        assert_eq!(check["passed"], false);
        let detail = check["detail"].as_str().expect("words");
        let said = detail.contains("more steps or memory") || detail.contains("not valid any more");
        assert!(said, "{filter}: {detail}");
    }
    assert!(peak_kib(&server) < resting + MORE_KIB_MAX, "{} of {resting}", peak_kib(&server));
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

async fn brand(server: &Server, key: &str, name: &str) {
    let body = json!({ "name": name });
    server.call_as(key, "POST", "/v1/brands").json(&body).send().await.expect(201);
}

/// Waits until an endpoint is disabled because of its filter.
async fn disabled(server: &Server, key: &str, endpoint: &str) {
    let path = format!("/v1/webhook_endpoints/{endpoint}");
    for _ in 0..400 {
        let row = server.call_as(key, "GET", &path).send().await.expect(200);
        if row["disabled_reason"] == "filter_too_costly" {
            assert_eq!(row["state"], "disabled");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{endpoint} was not disabled");
}

/// The most memory that the process has had.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse().ok()).expect("a number")
}
