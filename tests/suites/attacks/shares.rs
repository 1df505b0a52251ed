//! One tenant's many: many keys, many objects, many streams, many calls at once. Each has its share,
//! and others have theirs.

use std::time::{Duration, Instant};

use bodega_tests::{Api, Db, Server, Setup, both};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

both!(
    a_key_s_children_count_to_it,
    an_organization_s_keys_count_together,
    a_replaced_key_s_count_goes_on,
    a_plan_says_how_many_there_may_be,
    one_organization_leaves_places_for_others,
    one_organization_s_calls_leave_room_for_others,
);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// Reads, as many as that, in one call: 200, or the limit that has no room for them.
async fn read(api: &Api, calls: usize) -> Result<(), String> {
    let line = json!({"method": "GET", "path": "/v1/brands?limit=1"});
    let body = json!({"operations": vec![line; calls]});
    let answer = api.call("POST", "/v1/batch").json(&body).send().await;
    match answer.status {
        200 => Ok(()),
        _ => Err(text(&answer.expect_problem(429, "quota_exceeded")["violated-policies"][0])),
    }
}

async fn children_count(server: &Server) {
    let body = json!({"name": "A", "plan": "trial", "scopes": ["keys:write", "catalog:read"]});
    let parent = server.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
    let parent = server.api().with_key(&text(&parent["secret"]));
    let mut family = vec![parent.clone()];
    for generation in 0..3 {
        let maker = family[generation].clone();
        let child = maker.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
        family.push(parent.with_key(&text(&child["secret"])));
    }
    // Three calls were made with them; a second gives one back.
    let began = Instant::now();
    let (mut through, mut refused) = (3, Vec::new());
    for round in 0..24 {
        match read(&family[round % family.len()], 10).await {
            Ok(()) => through += 10,
            Err(policy) => refused.push(policy),
        }
    }
    let most = 60 + began.elapsed().as_secs() + 1;
    assert!((50..=most).contains(&through), "{through} calls of a family of a trial key");
    assert!(refused.iter().any(|policy| policy == "parent-minute"), "{refused:?}");
    // The header tells of the limit with least left, whosever it is.
    let answer = family[3].call("GET", "/v1/brands?limit=1").send().await;
    assert!(
        ["\"parent-minute\"", "\"minute\";r=0;"]
            .iter()
            .any(|least| answer.header("ratelimit").starts_with(least)),
        "{}",
        answer.header("ratelimit")
    );
}

async fn a_key_s_children_count_to_it(db: Db) {
    children_count(&Server::start(db).await).await;
}

/// The live keys of a new organization, made by the command line: none descends from another.
async fn keys_of(server: &Server, plan: &str, count: usize) -> (String, Vec<Api>) {
    let (organization, first) = server.organization("Tenant").await;
    let mut keys = Vec::new();
    for _ in 0..count {
        let words = [
            "keys",
            "create",
            "--organization",
            &organization,
            "--preset",
            "admin",
            "--plan",
            plan,
        ];
        let said = server.cli(&words).await;
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let secret = String::from_utf8(said.stdout).expect("a secret");
        keys.push(server.api().with_key(secret.trim()));
    }
    if plan == "trial" {
        // Its first key is larger, and would lend the organization its plan.
        let list = keys[0].call("GET", "/v1/api_keys?name=First%20key").send().await.expect(200);
        let path = format!("/v1/api_keys/{}/revoke", text(&list["data"][0]["id"]));
        server.api().with_key(&first).call("POST", &path).send().await.expect(200);
    }
    (organization, keys)
}

async fn organization_counts(server: &Server) {
    let (_, keys) = keys_of(server, "trial", 10).await;
    let (_, others) = keys_of(server, "trial", 1).await;
    let began = Instant::now();
    let (mut through, mut refused) = (1, Vec::new());
    for key in &keys {
        for _ in 0..5 {
            match read(key, 10).await {
                Ok(()) => through += 10,
                Err(policy) => refused.push(policy),
            }
        }
    }
    let most = 3 * (60 + began.elapsed().as_secs() + 1);
    assert!((150..=most).contains(&through), "{through} calls of ten trial keys");
    assert!(refused.iter().any(|policy| policy == "organization-minute"), "{refused:?}");
    read(&others[0], 10).await.expect("another organization's calls");
}

async fn an_organization_s_keys_count_together(db: Db) {
    organization_counts(&Server::start(db).await).await;
}

/// The same through Redis, where all limits are one script's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_counts_children_and_organizations() {
    let url = std::env::var("BODEGA_TEST_REDIS_URL").expect("BODEGA_TEST_REDIS_URL: use tests/run");
    let server = Setup::of(Db::Sqlite, &[("BODEGA_REDIS_URL", &url)]).await.start().await;
    children_count(&server).await;
    organization_counts(&server).await;
    assert_eq!(server.metric("bodega_limit_fallbacks_total").await, 0.0, "not in Redis");
}

async fn a_replaced_key_s_count_goes_on(db: Db) {
    let server = Server::start(db).await;
    let body = json!({"name": "A", "plan": "trial", "scopes": ["keys:write", "catalog:read"]});
    let made = server.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
    let (mut id, mut api) = (text(&made["id"]), server.api().with_key(&text(&made["secret"])));
    let began = Instant::now();
    let mut through = 0;
    for _ in 0..10 {
        through += if read(&api, 20).await.is_ok() { 20 } else { 0 };
        let path = format!("/v1/api_keys/{id}/rotate");
        let next = server.call("POST", &path).json(&json!({})).send().await.expect(200);
        (id, api) = (text(&next["id"]), api.with_key(&text(&next["secret"])));
    }
    let most = 60 + began.elapsed().as_secs() + 1;
    assert!((40..=most).contains(&through), "{through} calls of a key that was replaced");
}

async fn a_plan_says_how_many_there_may_be(db: Db) {
    let server = Server::start(db).await;
    let hook = |i: usize| json!({"url": format!("https://shop.example.com/{i}"), "event_types": ["brand.*"]});
    let document =
        |i: usize| json!({"name": "D", "text": format!("{{ brands {{ totalCount }} }} # {i}")});
    let key =
        |i: usize| json!({"name": format!("K {i}"), "scopes": ["catalog:read"], "plan": "trial"});
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = value.into();
        body
    };
    // Each kind in an organization of its own, so that calls are no limit: what is there at first, and
    // what the plan allows.
    type Body<'a> = Box<dyn Fn(usize) -> Value + 'a>;
    let kinds: Vec<(&str, &str, usize, usize, Body<'_>)> = vec![
        ("/v1/api_keys", "api_keys", 4, 50, Box::new(key)),
        ("/v1/webhook_endpoints", "webhook_endpoints", 0, 10, Box::new(hook)),
        (
            "/v1/webhook_endpoints",
            "filters",
            0,
            5,
            Box::new(move |i| with(hook(i), "filter", "true")),
        ),
        (
            "/v1/webhook_endpoints",
            "selections",
            0,
            5,
            Box::new(move |i| with(hook(i), "selection", "{ id }")),
        ),
        ("/v1/trusted_documents", "trusted_documents", 0, 100, Box::new(document)),
    ];
    for (path, of, there, allowed, body) in kinds {
        let (_, keys) = keys_of(&server, "trial", 4 - usize::from(of != "api_keys")).await;
        let room = allowed - there;
        // All but three one after the other, then more at once than there is room for.
        let mut lines: Vec<_> = (0..room - 3)
            .map(|i| json!({"method": "POST", "path": path, "body": body(i)}))
            .collect();
        for (key, chunk) in keys.iter().zip(lines.chunks_mut(45)) {
            let batch = json!({"operations": chunk});
            let done = key.call("POST", "/v1/batch").json(&batch).send().await.expect(200);
            for result in done["results"].as_array().expect("results") {
                assert_eq!(result["status"], 201, "{of}: {result}");
            }
        }
        let at_once: Vec<_> = (0..8)
            .map(|i| {
                let call = keys[2].call("POST", path).json(&body(10_000 + i));
                tokio::spawn(call.send())
            })
            .collect();
        let (mut made, mut full) = (Vec::new(), 0);
        for answer in at_once {
            let answer = answer.await.expect("an answer");
            if answer.status == 201 {
                made.push(text(&answer.body["id"]));
                continue;
            }
            let problem = answer.expect_problem(409, "limit_reached");
            assert_eq!(problem["limit"], allowed, "{of}: {problem}");
            assert_eq!(problem["of"], of, "{problem}");
            full += 1;
        }
        assert_eq!((made.len(), full), (3, 5), "{of}");
        // Where one goes another may come.
        let object = format!("{path}/{}", made[0]);
        match of {
            "api_keys" => {
                keys[0].call("POST", &format!("{object}/revoke")).send().await.expect(200)
            }
            "filters" => {
                let patch = json!({"filter": null});
                keys[0].call("PATCH", &object).json(&patch).send().await.expect(200)
            }
            _ => keys[0].call("DELETE", &object).send().await.expect(200),
        };
        keys[0].call("POST", path).json(&body(20_000)).send().await.expect(201);
        if of == "filters" {
            // Nor by changing one.
            let patch = json!({"filter": "true"});
            let refused = keys[0].call("PATCH", &object).json(&patch).send().await;
            assert_eq!(refused.expect_problem(409, "limit_reached")["of"], of);
        }
    }
}

/// Opens a stream of events: the line, if there is a place.
async fn follow(server: &Server, key: &str) -> Option<TcpStream> {
    let address = server.url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET /v1/events/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    line.write_all(request.as_bytes()).await.expect("sent");
    let mut head = [0; 12];
    line.read_exact(&mut head).await.expect("an answer");
    match &head[9..] {
        b"200" => Some(line),
        b"503" => None,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

async fn one_organization_leaves_places_for_others(db: Db) {
    let server = Server::start(db).await;
    let (_, victim) = server.organization("Victim").await;
    let mut lines = Vec::new();
    for _ in 0..6 {
        let (_, key) = server.key(&["events:read"]).await;
        for _ in 0..45 {
            lines.extend(follow(&server, &key).await);
        }
    }
    println!("{db:?}: {} streams of one organization's six keys", lines.len());
    assert_eq!(lines.len(), 200, "places of one organization");
    let own = follow(&server, &victim).await;
    assert!(own.is_some(), "no place for another organization");
    // Who waits for news takes one too.
    let waits = server.call("GET", "/v1/events?after=1&wait_s=1").send().await;
    waits.expect_problem(503, "busy");
    let waits = server.call_as(&victim, "GET", "/v1/events?after=0&wait_s=1").send().await;
    waits.expect(200);
}

async fn one_organization_s_calls_leave_room_for_others(db: Db) {
    let server = Server::start(db).await;
    let (_, victim) = server.organization("Victim").await;
    let victim = server.api().with_key(&victim);
    let (_, key) = server.key(&["catalog:read", "catalog:write"]).await;
    let attacker = server.api().with_key(&key);
    let flood: Vec<_> = (0..64)
        .map(|call| {
            let api = attacker.clone();
            tokio::spawn(async move {
                let line = |i: usize| {
                    let body = json!({"name": format!("Flood {call} {i}")});
                    json!({"method": "POST", "path": "/v1/brands", "body": body})
                };
                let body =
                    json!({"atomic": true, "operations": (0..60).map(line).collect::<Vec<_>>()});
                api.call("POST", "/v1/batch").json(&body).send().await.status
            })
        })
        .collect();
    let (mut slowest, mut calls) = (Duration::ZERO, 0);
    while flood.iter().any(|call| !call.is_finished()) && calls < 200 {
        let began = Instant::now();
        let body = json!({"name": format!("Mine {calls}")});
        victim.call("POST", "/v1/brands").json(&body).send().await.expect(201);
        victim.call("GET", "/v1/brands?limit=1").send().await.expect(200);
        slowest = slowest.max(began.elapsed());
        calls += 1;
    }
    let mut statuses = Vec::new();
    for call in flood {
        statuses.push(call.await.expect("an answer"));
    }
    println!("{db:?}: {calls} writes and reads beside 64 batches, the slowest took {slowest:?}");
    assert!(calls > 0 && slowest < Duration::from_secs(5));
    // Its own calls wait for their turn, or are told to come again.
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200));
}
