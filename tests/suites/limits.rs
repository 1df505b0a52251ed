//! Keys and their limits: exact on one node, shared by several through Redis, never in the way when
//! Redis is not there; and a key that is ended is ended everywhere at once.

use std::time::{Duration, Instant};

use bodega_tests::{Answer, Api, Db, Line, Proxy, Server, Setup, both};
use serde_json::{Value, json};
use tokio::time::sleep;

both!(
    the_minute_is_sixty_calls,
    a_batch_takes_as_much_as_its_lines,
    the_day_goes_on_after_a_restart,
    a_revoked_key_is_refused_at_once,
    a_rotated_key_overlaps_as_long_as_it_was_told,
    a_key_gives_nothing_that_it_does_not_have,
    last_use_is_seen,
);

const MINUTE: u64 = 60;

/// A key of the demo organization: `(id, secret)`.
async fn key(server: &Server, plan: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": "Limited", "scopes": scopes, "plan": plan });
    let made = server.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
    (text(&made["id"]), text(&made["secret"]))
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// One number of a limit: `r` of `"minute";r=59;t=1`.
fn limit(answer: &Answer, header: &str, policy: &str, member: &str) -> u64 {
    let all = answer.header(header);
    let one = all.split(", ").find(|one| one.starts_with(&format!("\"{policy}\"")));
    let one = one.unwrap_or_else(|| panic!("no {policy} in {header}: {all}"));
    let value = one.split(';').find_map(|pair| pair.strip_prefix(&format!("{member}=")));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {member} in {one}"))
}

fn left(answer: &Answer, policy: &str) -> u64 {
    limit(answer, "ratelimit", policy, "r")
}

async fn get(api: &Api) -> Answer {
    api.call("GET", "/v1/brands?limit=1").send().await
}

/// Calls at once, each on the API of its turn: how many were let through, how many not.
async fn storm(apis: &[Api], calls: usize) -> (u64, u64) {
    let tasks: Vec<_> = (0..calls)
        .map(|i| {
            let api = apis[i % apis.len()].clone();
            tokio::spawn(async move { get(&api).await.status })
        })
        .collect();
    let (mut through, mut refused) = (0, 0);
    for task in tasks {
        match task.await.expect("an answer") {
            200 => through += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    (through, refused)
}

async fn the_minute_is_sixty_calls(db: Db) {
    let server = Server::start(db).await;
    let (_, secret) = key(&server, "trial", &["catalog:read"]).await;
    let api = server.api().with_key(&secret);
    let began = Instant::now();
    // A second gives one call back.
    let back = || began.elapsed().as_secs() + 1;
    for call in 1..=20 {
        let answer = get(&api).await;
        let policy = |policy, member| limit(&answer, "ratelimit-policy", policy, member);
        assert_eq!((policy("minute", "q"), policy("minute", "w")), (60, 60));
        assert_eq!((policy("day", "q"), policy("day", "w")), (10_000, 86_400));
        let (minute, day) = (left(&answer, "minute"), left(&answer, "day"));
        assert!((MINUTE - call..MINUTE - call + back()).contains(&minute), "{call}: {minute} left");
        assert_eq!(day, 10_000 - call);
        let whole = limit(&answer, "ratelimit", "minute", "t");
        assert_eq!(whole, MINUTE - minute, "seconds until the minute is whole");
        assert!(limit(&answer, "ratelimit", "day", "t") <= 86_400);
        answer.expect(200);
    }
    let (through, refused) = storm(std::slice::from_ref(&api), 60).await;
    println!("{db:?}: {} calls let through in {:?}", 20 + through, began.elapsed());
    assert!((40..40 + back()).contains(&through), "{through} after 20");
    assert!(refused > 0);

    let refused = loop {
        let answer = get(&api).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(left(&refused, "minute"), 0);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert_eq!(wait, 1);
    let problem = refused.expect_problem(429, "quota_exceeded");
    assert_eq!(problem["violated-policies"], json!(["minute"]));
    sleep(Duration::from_secs(wait)).await;
    get(&api).await.expect(200);
}

async fn a_batch_takes_as_much_as_its_lines(db: Db) {
    let server = Server::start(db).await;
    let (_, secret) = key(&server, "trial", &["catalog:read"]).await;
    let api = server.api().with_key(&secret);
    let batch = async |lines: usize| {
        let line = json!({ "method": "GET", "path": "/v1/brands?limit=1" });
        let body = json!({ "operations": vec![line; lines] });
        api.call("POST", "/v1/batch").json(&body).send().await
    };
    let done = batch(25).await;
    assert_eq!((left(&done, "minute"), left(&done, "day")), (35, 9_975));
    assert_eq!(done.expect(200)["results"].as_array().map(Vec::len), Some(25));
    // More than is left takes nothing.
    batch(40).await.expect_problem(429, "quota_exceeded");
    // More than the plan ever allows is not to be tried again; it costs a unit to be told.
    let never = batch(61).await;
    assert!(never.headers.get("retry-after").is_none(), "no wait will do");
    let never = never.expect_problem(422, "cost_above_plan");
    assert_eq!((&never["cost"], &never["max"]), (&json!(61), &json!(60)));
    let after = batch(30).await;
    assert!((4..8).contains(&left(&after, "minute")), "{}", after.header("ratelimit"));
    assert_eq!(left(&after, "day"), 9_944);
}

async fn the_day_goes_on_after_a_restart(db: Db) {
    let mut server = Server::start(db).await;
    let (_, secret) = key(&server, "standard", &["catalog:read"]).await;
    let mut expected = 100_000;
    for end in ["TERM", "TERM", "KILL"] {
        let api = server.api().with_key(&secret);
        for _ in 0..17 {
            expected -= 1;
            assert_eq!(left(&get(&api).await, "day"), expected);
        }
        if end == "KILL" {
            // What is counted is written every second.
            sleep(Duration::from_millis(1_500)).await;
            server = server.restart().await;
        } else {
            assert_eq!(server.stop().await.code(), Some(0));
            server = server.another().await;
        }
    }
    let api = server.api().with_key(&secret);
    assert_eq!(left(&get(&api).await, "day"), expected - 1);
}

async fn a_revoked_key_is_refused_at_once(db: Db) {
    let one = Server::start(db).await;
    let other = if db == Db::Postgres { Some(one.another().await) } else { None };
    let far = other.as_ref().unwrap_or(&one);
    let mut slowest = Duration::ZERO;
    for round in 0..6 {
        let (id, secret) = key(&one, "scale", &["catalog:read"]).await;
        let api = far.api().with_key(&secret);
        get(&api).await.expect(200);
        // By the command line, beside the running program, and by the other node.
        if round % 2 == 0 {
            let words = ["keys", "revoke", "--organization", &one.organization, &id];
            let said = one.cli(&words).await;
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        } else {
            one.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);
        }
        let began = Instant::now();
        while get(&api).await.status == 200 {
            assert!(began.elapsed() < Duration::from_secs(5), "it goes on");
        }
        slowest = slowest.max(began.elapsed());
        get(&api).await.expect_problem(401, "unauthenticated");
    }
    println!("{db:?}: a revoked key was refused after {slowest:?} at the latest");
    assert!(slowest < Duration::from_millis(500));
}

async fn a_rotated_key_overlaps_as_long_as_it_was_told(db: Db) {
    let server = Server::start(db).await;
    let (id, old) = key(&server, "standard", &["catalog:read"]).await;
    let old = server.api().with_key(&old);
    get(&old).await.expect(200);
    let rotated = Instant::now();
    let call = server.call("POST", &format!("/v1/api_keys/{id}/rotate"));
    let made = call.json(&json!({ "overlap_seconds": 2 })).send().await.expect(200);
    assert_eq!(made["rotated_from_id"], json!(id));
    let new = server.api().with_key(&text(&made["secret"]));
    while rotated.elapsed() < Duration::from_millis(1_700) {
        get(&old).await.expect(200);
        get(&new).await.expect(200);
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(2_100).saturating_sub(rotated.elapsed())).await;
    get(&old).await.expect_problem(401, "unauthenticated");
    get(&new).await.expect(200);
    let again = server.call("POST", &format!("/v1/api_keys/{id}/rotate")).json(&json!({}));
    again.send().await.expect_problem(409, "invalid_transition");
}

async fn a_key_gives_nothing_that_it_does_not_have(db: Db) {
    let server = Server::start(db).await;
    let (strong, _) = key(&server, "scale", &["catalog:read", "catalog:write"]).await;
    let all = server.call("GET", "/v1/api_keys?name=Demo").send().await.expect(200);
    let everything = text(&all["data"][0]["id"]);
    let own = ["keys:read", "keys:write", "catalog:read"];
    let (weak, secret) = key(&server, "trial", &own).await;
    let small = json!({ "name": "Small", "scopes": ["catalog:read"], "plan": "trial" });
    let api = server.api().with_key(&secret);
    let create = |body: Value| ("POST", "/v1/api_keys".to_owned(), body);
    let change = |id: &str, body: Value| ("PATCH", format!("/v1/api_keys/{id}"), body);
    let rotate = |id: &str| ("POST", format!("/v1/api_keys/{id}/rotate"), json!({}));
    let scopes = |scopes: Value| json!({ "name": "S", "scopes": scopes, "plan": "trial" });
    let attempts = [
        create(scopes(json!(["catalog:write"]))),
        create(scopes(json!(["catalog:read", "organizations:create"]))),
        create(json!({ "name": "P", "preset": "write", "plan": "trial" })),
        create(json!({ "name": "P", "preset": "admin", "plan": "trial" })),
        create(json!({ "name": "L", "scopes": ["catalog:read"], "plan": "standard" })),
        create(json!({ "name": "L", "scopes": ["catalog:read"] })),
        change(&weak, json!({ "scopes": ["catalog:write"] })),
        change(&weak, json!({ "plan": "scale" })),
        rotate(&strong),
        rotate(&everything),
        ("POST", "/v1/organizations".to_owned(), json!({ "name": "Mine" })),
    ];
    let before = server.number("SELECT COUNT(*) FROM api_key").await;
    for (method, path, body) in &attempts {
        let answer = api.call(method, path).json(body).send().await;
        assert_eq!(answer.status, 403, "{method} {path} {body}: {}", answer.body);
        let larger = ["standard", "scale"].iter().any(|plan| body["plan"] == *plan);
        let larger =
            larger || (method == &"POST" && path.ends_with("keys") && body["plan"].is_null());
        let code = if larger { "beyond_own_rights" } else { "insufficient_scope" };
        answer.expect_problem(403, code);
    }
    // Nor through a batch, line by line or as one.
    for (method, path, body) in &attempts {
        sleep(Duration::from_millis(20)).await;
        let line = json!({ "method": method, "path": path, "body": body });
        let body = json!({ "atomic": path.len() % 2 == 0, "operations": [line] });
        let done = api.call("POST", "/v1/batch").json(&body).send().await.expect(200);
        assert_eq!(done["results"][0]["status"], 403, "{path} {done}");
    }
    assert_eq!(server.number("SELECT COUNT(*) FROM api_key").await, before);
    api.call("POST", "/v1/api_keys").json(&small).send().await.expect(201);
    api.call("POST", &format!("/v1/api_keys/{weak}/rotate"))
        .json(&json!({}))
        .send()
        .await
        .expect(200);
}

async fn last_use_is_seen(db: Db) {
    let server = Server::start(db).await;
    let (id, secret) = key(&server, "standard", &["catalog:read"]).await;
    let path = format!("/v1/api_keys/{id}");
    let seen = async || server.call("GET", &path).send().await.expect(200)["last_used_at"].clone();
    assert_eq!(seen().await, Value::Null);
    let mut last = Value::Null;
    for _ in 0..2 {
        get(&server.api().with_key(&secret)).await.expect(200);
        let began = Instant::now();
        while seen().await == last {
            assert!(began.elapsed() < Duration::from_secs(2), "not seen within two seconds");
            sleep(Duration::from_millis(10)).await;
        }
        println!("{db:?}: last use seen after {:?}", began.elapsed());
        last = seen().await;
    }
    assert_eq!(server.call("GET", &path).send().await.expect(200)["version"], 1);
}

/// Without Redis each node has a minute of its own, and they learn of each other's day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_without_redis() {
    let one = Server::start(Db::Postgres).await;
    let other = one.another().await;
    let (_, secret) = key(&one, "trial", &["catalog:read"]).await;
    let apis = [one.api().with_key(&secret), other.api().with_key(&secret)];
    let began = Instant::now();
    let (through, _) = storm(&apis, 150).await;
    let most = 2 * (MINUTE + began.elapsed().as_secs() + 1);
    println!("without Redis: {through} calls let through by two nodes");
    assert!((2 * MINUTE..=most).contains(&through), "{through}");
    // Each learns the sum when it next writes its own.
    let mut used = through;
    for _ in 0..2 {
        sleep(Duration::from_millis(2_200)).await;
        for api in &apis {
            get(api).await.expect(200);
            used += 1;
        }
    }
    sleep(Duration::from_millis(1_200)).await;
    let seen = 10_000 - left(&get(&apis[0]).await, "day");
    assert!((used - 1..=used + 1).contains(&seen), "{seen} seen of {}", used + 1);
}

fn redis() -> String {
    let url = std::env::var("BODEGA_TEST_REDIS_URL")
        .expect("BODEGA_TEST_REDIS_URL names a Redis server: use tests/run");
    url.trim_start_matches("redis://").trim_end_matches('/').to_owned()
}

/// Through Redis two nodes are one: the same minute, the same day; and without it each goes on alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_redis_and_then_without() {
    let line = Proxy::to(&redis()).await;
    let url = format!("redis://{}/", line.address);
    let setup = Setup::of(Db::Postgres, &[("BODEGA_REDIS_URL", &url)]).await;
    let (one, other) = tokio::join!(setup.start(), setup.start());
    let (_, secret) = key(&one, "trial", &["catalog:read"]).await;
    let apis = [one.api().with_key(&secret), other.api().with_key(&secret)];
    let began = Instant::now();
    let (through, refused) = storm(&apis, 150).await;
    println!("with Redis: {through} let through and {refused} refused by two nodes");
    let most = MINUTE + began.elapsed().as_secs() + 1;
    assert!((MINUTE..=most).contains(&through), "{through} of two nodes");
    let problem = loop {
        let answer = get(&apis[1]).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(problem.header("retry-after"), "1");
    assert_eq!(problem.expect_problem(429, "quota_exceeded")["violated-policies"][0], "minute");

    let (_, secret) = key(&one, "standard", &["catalog:read"]).await;
    let apis = [one.api().with_key(&secret), other.api().with_key(&secret)];
    let mut used = 0;
    let mut count = async |calls: usize| {
        for call in 0..calls {
            used += 1;
            let answer = get(&apis[call % 2]).await;
            assert_eq!(answer.status, 200);
            let seen = 100_000 - left(&answer, "day");
            assert_eq!(seen, used, "calls of the day, on both nodes");
        }
        used
    };
    count(30).await;

    for away in [Line::Cut, Line::Refused, Line::Silent] {
        line.set(away);
        let (mut slowest, mut calls) = (Duration::ZERO, 0);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1_500) {
            let sent = Instant::now();
            get(&apis[calls % 2]).await.expect(200);
            slowest = slowest.max(sent.elapsed());
            calls += 1;
            sleep(Duration::from_millis(20)).await;
        }
        println!("Redis {away:?}: {calls} calls, the slowest took {slowest:?}");
        assert!(slowest < Duration::from_millis(1_000), "a call waited {slowest:?} for Redis");
        assert!(fallbacks(&one).await > 0.0 && fallbacks(&other).await > 0.0);
        line.set(Line::Whole);
        println!("Redis back after {:?}", shared_again(&[&one, &other], &apis).await);
    }
    // What was counted without Redis is not forgotten.
    sleep(Duration::from_millis(2_500)).await;
    get(&apis[0]).await.expect(200);
    sleep(Duration::from_millis(1_500)).await;
    let seen = 100_000 - left(&get(&apis[0]).await, "day");
    let sql = "SELECT calls FROM key_usage WHERE key_id = (SELECT id FROM api_key \
               WHERE name = 'Limited' AND plan = 'standard')";
    let stored = u64::try_from(one.number(sql).await).expect("a count");
    println!("{seen} calls seen today, {stored} stored");
    assert!(seen.abs_diff(stored) <= 2, "{seen} seen, {stored} stored");
}

/// A node starts while Redis is away, and uses it when it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_does_not_wait_for_redis() {
    let line = Proxy::to(&redis()).await;
    line.set(Line::Cut);
    let url = format!("redis://{}/", line.address);
    let setup = Setup::of(Db::Sqlite, &[("BODEGA_REDIS_URL", &url)]).await;
    let began = Instant::now();
    let server = setup.start().await;
    println!("started without Redis in {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10));
    get(&server.api()).await.expect(200);
    assert!(fallbacks(&server).await > 0.0, "the call without Redis was not counted as such");
    line.set(Line::Whole);
    println!("used after {:?}", shared_again(&[&server], &[server.api()]).await);
}

/// How many calls a node has limited by itself, because Redis was away.
async fn fallbacks(server: &Server) -> f64 {
    server.metric("bodega_limit_fallbacks_total").await
}

/// Calls until no node limits by itself any more; says how long that took.
async fn shared_again(nodes: &[&Server], apis: &[Api]) -> Duration {
    let began = Instant::now();
    loop {
        let mut alone = 0.0;
        for (node, api) in nodes.iter().zip(apis) {
            let before = fallbacks(node).await;
            get(api).await.expect(200);
            alone += fallbacks(node).await - before;
        }
        if alone == 0.0 {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "Redis is not used again");
        sleep(Duration::from_millis(50)).await;
    }
}
