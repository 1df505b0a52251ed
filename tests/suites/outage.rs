//! The database goes away and comes back: calls are told so at once, and all goes on by itself.

use std::time::{Duration, Instant};

use bodega_tests::{Answer, Api, Db, Line, Proxy, Server, Setup};
use sea_orm::{ConnectOptions, ConnectionTrait};
use serde_json::json;
use tokio::time::sleep;

use crate::ledger;

/// How long a call may take to say that the database is away.
const PATIENCE: Duration = Duration::from_secs(4);

/// A node whose line to the database can be cut, and one whose line is always whole.
struct Nodes {
    line: Proxy,
    near: Server,
    far: Server,
}

impl Nodes {
    async fn start() -> Self {
        let setup = Setup::of(Db::Postgres, &[]).await;
        let far = setup.start().await;
        let url = &setup.database_url;
        let (host, rest) =
            url.split_once('@').map_or((url.as_str(), ""), |(user, rest)| (user, rest));
        let (address, name) = rest.split_once('/').expect("postgres://user@host:port/name");
        let line = Proxy::to(address).await;
        let mut through = setup.clone();
        through.database_url = format!("{host}@{}/{name}", line.address);
        Self { line, near: through.start().await, far }
    }
}

async fn get(api: &Api) -> Answer {
    api.call("GET", "/v1/brands?limit=1").send().await
}

/// Opens many of the pool's connections.
async fn warm(api: &Api) {
    let one = |api: Api| tokio::spawn(async move { get(&api).await });
    for call in (0..40).map(|_| one(api.clone())).collect::<Vec<_>>() {
        call.await.expect("an answer").expect(200);
    }
}

async fn timed(call: impl Future<Output = Answer>) -> (Answer, Duration) {
    let began = Instant::now();
    (call.await, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end() {
    away_and_back(Line::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_refused() {
    away_and_back(Line::Refused).await;
}

async fn away_and_back(how: Line) {
    let Nodes { line, near, far } = Nodes::start().await;
    let api = near.api();
    let (id, secret) = near.key(&["catalog:read"]).await;
    let doomed = api.with_key(&secret);
    // Every connection of the pool is open and was used.
    let calls = (0..40).map(|_| {
        tokio::spawn({
            let api = api.clone();
            async move { get(&api).await }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("an answer").expect(200);
    }
    get(&doomed).await.expect(200);

    line.set(how);
    let create = |i: usize| {
        let call = api.call("POST", "/v1/brands").json(&json!({ "name": format!("Away {i}") }));
        call.header("Idempotency-Key", &format!("away-{i}"))
    };
    let (mut slowest, mut answered) = (Duration::ZERO, 0);
    for round in 0..2 {
        let calls: Vec<_> = (0..30)
            .map(|i| match i % 3 {
                0 => tokio::spawn(timed(create(round * 30 + i).send())),
                1 => tokio::spawn(timed(api.call("GET", "/v1/products?limit=1").send())),
                _ => tokio::spawn(timed(doomed.call("GET", "/v1/products?limit=1").send())),
            })
            .collect();
        for call in calls {
            let (answer, took) = call.await.expect("an answer");
            assert_ne!(answer.header("retry-after"), "");
            answer.expect_problem(503, "database_unavailable");
            (slowest, answered) = (slowest.max(took), answered + 1);
        }
    }
    assert!(slowest < PATIENCE, "a call waited {slowest:?}");
    let ((ready, ready_took), (alive, alive_took)) = tokio::join!(
        timed(near.call_without_key("GET", "/readyz").send()),
        timed(near.call_without_key("GET", "/livez").send()),
    );
    assert_eq!((ready.status, alive.status), (503, 200));
    assert!(ready_took < PATIENCE && alive_took < Duration::from_millis(500));
    far.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);

    line.set(Line::Whole);
    let began = Instant::now();
    let mut tries = 0;
    loop {
        // Whatever else happens, the key that was ended meanwhile opens nothing.
        let refused = get(&doomed).await;
        assert!(matches!(refused.status, 401 | 503), "{}: {}", refused.status, refused.body);
        let answer = get(&api).await;
        if answer.status == 200 && refused.status == 401 {
            break;
        }
        tries += 1;
        assert!(began.elapsed() < Duration::from_secs(5), "not back: {}", answer.body);
        sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{how:?}: {answered} calls answered 503, the slowest after {slowest:?}; ready {ready_took:?}; \
         back after {:?} ({tries} tries)",
        began.elapsed()
    );
    for _ in 0..30 {
        get(&doomed).await.expect_problem(401, "unauthenticated");
        get(&api).await.expect(200);
    }
    assert_eq!(near.call_without_key("GET", "/readyz").send().await.status, 200);
    // What was refused was not done, and is done when asked for again.
    assert_eq!(far.number("SELECT COUNT(*) FROM brand WHERE name LIKE 'Away %'").await, 0);
    for i in (0..60).filter(|i| i % 30 % 3 == 0) {
        create(i).send().await.expect(201);
    }
    assert_eq!(far.number("SELECT COUNT(*) FROM brand WHERE name LIKE 'Away %'").await, 20);
    // Changes made elsewhere are heard of again.
    let (id, secret) = far.key(&["catalog:read"]).await;
    let late = api.with_key(&secret);
    get(&late).await.expect(200);
    far.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);
    let began = Instant::now();
    while get(&late).await.status == 200 {
        assert!(began.elapsed() < Duration::from_millis(500), "a revoked key goes on");
    }
    ledger::check(&far).await;
}

/// A network that is lost, not closed: nothing says so, and nothing may wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_fall_silent() {
    let Nodes { line, near, far } = Nodes::start().await;
    let api = near.api();
    let (id, secret) = near.key(&["catalog:read"]).await;
    let doomed = api.with_key(&secret);
    warm(&api).await;
    get(&doomed).await.expect(200);
    line.set(Line::Silent);
    let calls: Vec<_> = (0..10)
        .map(|_| tokio::spawn(timed(api.call("GET", "/v1/products?limit=1").send())))
        .collect();
    let (ready, ready_took) = timed(near.call_without_key("GET", "/readyz").send()).await;
    println!("Silent: ready {} after {ready_took:?}", ready.status);
    assert_eq!(ready.status, 503);
    assert!(ready_took < PATIENCE, "/readyz waited {ready_took:?}");
    let mut slowest = Duration::ZERO;
    for call in calls {
        let (answer, took) = call.await.expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_ne!(answer.header("retry-after"), "");
        slowest = slowest.max(took);
    }
    println!("Silent: the slowest call was answered after {slowest:?}");
    assert!(slowest < Duration::from_secs(14), "a call waited {slowest:?}");
    far.call("POST", &format!("/v1/api_keys/{id}/revoke")).send().await.expect(200);
    line.set(Line::Whole);
    let began = Instant::now();
    while get(&api).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(5), "not back");
        sleep(Duration::from_millis(50)).await;
    }
    println!("Silent: back after {:?}", began.elapsed());
    let began = Instant::now();
    while get(&doomed).await.status != 401 {
        assert!(began.elapsed() < Duration::from_secs(2), "a key ended meanwhile goes on");
    }
}

/// Another program holds SQLite's write lock: readers go on, writers are told to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_writer_on_sqlite() {
    let server = Server::start(Db::Sqlite).await;
    let api = server.api();
    let mut options = ConnectOptions::new(&server.database_url);
    options.max_connections(1);
    let other = sea_orm::Database::connect(options).await.expect("the database");
    other.execute_unprepared("BEGIN IMMEDIATE").await.expect("the write lock");
    let create = |i: usize| {
        let call = api.call("POST", "/v1/brands").json(&json!({ "name": format!("Locked {i}") }));
        call.header("Idempotency-Key", &format!("locked-{i}"))
    };
    let writes: Vec<_> = (0..8).map(|i| tokio::spawn(timed(create(i).send()))).collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let (answer, took) = timed(get(&api)).await;
        answer.expect(200);
        assert!(took < Duration::from_millis(500), "a read waited {took:?} for a writer");
        sleep(Duration::from_millis(50)).await;
    }
    let mut slowest = Duration::ZERO;
    for write in writes {
        let (answer, took) = write.await.expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_ne!(answer.header("retry-after"), "");
        let code = answer.body["code"].as_str().unwrap_or_default();
        assert!(matches!(code, "busy" | "database_unavailable"), "{code}");
        slowest = slowest.max(took);
    }
    other.execute_unprepared("ROLLBACK").await.expect("the lock given back");
    let began = Instant::now();
    for i in 0..8 {
        while create(i).send().await.status != 201 {
            assert!(began.elapsed() < Duration::from_secs(5), "still locked");
            sleep(Duration::from_millis(50)).await;
        }
    }
    println!("SQLite locked: told after {slowest:?}, back after {:?}", began.elapsed());
    // Up to five seconds for a turn among the organization's own calls, and five for the lock.
    assert!(slowest < Duration::from_secs(12), "told after {slowest:?}");
    let made = "SELECT COUNT(*) FROM brand WHERE name LIKE 'Locked %'";
    assert_eq!(server.number(made).await, 8);
    ledger::check(&server).await;
}
