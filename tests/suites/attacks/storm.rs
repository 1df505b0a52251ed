//! Eight attackers at once, each with every attack that this suite knows, and a shop of another
//! organization that goes on. The process stays small, and no call of the shop fails.
//!
//! How much longer the shop's calls take is printed; `BODEGA_STORM_RATIO` makes it a bound, for a
//! quiet machine and a release build (`BODEGA_TEST_BINARY`).

use std::time::Duration;

use bodega_tests::{Api, Db, Server, both};
use serde_json::{Value, json};

use super::bystander::Bystander;

both!(eight_attackers_at_once);

const ATTACKERS: usize = 8;

/// Times that each attacker goes through all attacks.
const ROUNDS: usize = 2;

/// What the process may take at most, all attackers together.
const PEAK_MIB_MAX: u64 = 512;

/// How long the shop is watched before the storm.
const QUIET: Duration = Duration::from_secs(8);

/// An attack: a method, a path and a body.
type Attack = (&'static str, String, Vec<u8>);

async fn eight_attackers_at_once(db: Db) {
    let server = Server::start(db).await;
    let ids = furnish(&server).await;
    let attacks: Vec<Attack> = attacks(&ids);
    let shop = Bystander::of(&server).await;
    let quiet = shop.begin();
    tokio::time::sleep(QUIET).await;
    let quiet = quiet.end().await;

    let (_, rich) = server.organization("Attacker").await;
    let others = [server.live_key.clone(), rich];
    let at_work = shop.begin();
    let storm = (0..ATTACKERS).map(|n| {
        let api = server.api().with_key(&others[usize::from(n == 0)]);
        let attacks = attacks.clone();
        tokio::spawn(async move { attack(&api, &attacks, n).await })
    });
    for attacker in storm.collect::<Vec<_>>() {
        attacker.await.expect("an attacker");
    }
    let stormy = at_work.end().await;
    let (peak, ratio) = (server.peak_mib(), stormy.p99().as_secs_f64() / quiet.p99().as_secs_f64());
    println!(
        "{db:?}: peak {peak} MiB; p99 {:?} quiet ({} calls), {:?} in the storm ({} calls): {ratio:.1} times",
        quiet.p99(),
        quiet.count(),
        stormy.p99(),
        stormy.count(),
    );
    assert!(peak < PEAK_MIB_MAX, "{peak} MiB");
    let bound = std::env::var("BODEGA_STORM_RATIO").ok().and_then(|ratio| ratio.parse().ok());
    assert!(bound.is_none_or(|bound: f64| ratio <= bound), "{ratio:.1} times the quiet p99");
}

async fn attack(api: &Api, attacks: &[Attack], first: usize) {
    for (method, path, body) in attacks.iter().cycle().skip(first).take(attacks.len() * ROUNDS) {
        let call = api.call(method, path);
        let call = if body.is_empty() { call } else { call.bytes(body.clone()) };
        // Closed, refused or answered: all the same to an attacker. But nothing breaks.
        if let Ok((status, _)) = call.drain().await {
            assert_ne!(status, 500, "{method} {path}");
        }
    }
}

/// What makes answers large: categories with many siblings, products with long texts in them.
async fn furnish(server: &Server) -> Vec<String> {
    let make = async |lines: Vec<Value>| -> Vec<String> {
        let body = json!({"atomic": true, "operations": lines});
        let done = server.call("POST", "/v1/batch").json(&body).send().await.expect(200);
        let results = done["results"].as_array().cloned().unwrap_or_default();
        let id = |one: &Value| one["body"]["id"].as_str().expect("an id").to_owned();
        results.iter().map(id).collect()
    };
    let post = |path: &str, body: Value| json!({"method": "POST", "path": path, "body": body});
    let root = make(vec![post("/v1/categories", json!({"name": "Raíz"}))]).await;
    let child = |n: usize| json!({"name": format!("Hija {n}"), "parent_id": root[0]});
    let children = make((0..300).map(|n| post("/v1/categories", child(n))).collect()).await;
    let text = "ñ".repeat(4_000);
    let product = |n: usize| json!({"title": format!("P {n}"), "description": text, "category_ids": children[..10]});
    make((0..100).map(|n| post("/v1/products", product(n))).collect()).await;
    vec![root[0].clone(), children[0].clone()]
}

fn attacks(ids: &[String]) -> Vec<Attack> {
    let graphql = |query: String| ("POST", "/graphql".to_owned(), json!({"query": query}));
    let get = |path: &str| ("GET", path.to_owned(), Value::Null);
    let pages = |link: &str, first: usize, inner: &str| {
        format!("{link}(first: {first}) {{ totalCount nodes {{ {inner} }} }}")
    };
    let nest = (0..5)
        .fold("id".to_owned(), |inner, _| format!("parent {{ {} }}", pages("children", 5, &inner)));
    let list = |inner: &str| format!("products(first: 100) {{ nodes {{ {inner} }} }}");
    let many = |times: usize, each: &dyn Fn(usize) -> String| {
        (0..times).map(each).collect::<Vec<_>>().join(" ")
    };
    let names = many(45, &|n| format!("a{n}: description"));
    let roots = many(20, &|n| format!("a{n}: {}", list("description title")));
    let lines = |path: &str, count: usize| vec![json!({"method": "GET", "path": path}); count];
    let batch = |atomic: bool, operations: Vec<Value>| {
        ("POST", "/v1/batch".to_owned(), json!({"atomic": atomic, "operations": operations}))
    };
    let wide: serde_json::Map<String, Value> =
        (0..50_000).map(|n| (format!("f{n}"), json!(n))).collect();
    let cel = format!("['x']{} == 'y'", ".map(a,a+a+a+a)[0]".repeat(17));
    let endpoint = |filter: &str| {
        let body =
            json!({"url": "https://shop.example.com/h", "event_types": ["*"], "filter": filter});
        ("POST", "/v1/webhook_endpoints".to_owned(), body)
    };
    let all = vec![
        graphql(format!(
            "{{ category(id: \"{}\") {{ {} }} }}",
            ids[0],
            pages("children", 5, &nest)
        )),
        graphql(format!("{{ category(id: \"{}\") {{ {nest} }} }}", ids[1])),
        graphql(format!(
            "{{ {} }}",
            list(&format!("categories {{ parent {{ {} }} }}", pages("children", 20, "id")))
        )),
        graphql(format!("{{ {} }}", list(&names))),
        graphql(format!("{{ {roots} }}")),
        get("/v1/products?limit=100&expand=categories.parent.children"),
        get("/v1/categories?limit=100&expand=parent.children.parent"),
        get(
            "/v1/categories?limit=100&expand=parent.products,children.products,products.categories",
        ),
        batch(false, lines("/v1/products?limit=100", 590)),
        batch(true, lines("/v1/products?limit=100&expand=categories", 590)),
        batch(true, lines("/v1/events?after=0&wait_s=30&limit=100", 200)),
        batch(false, lines("/v1/events?after=0&wait_s=30&limit=100", 200)),
        ("POST", "/v1/brands".to_owned(), Value::Object(wide)),
        (
            "POST",
            "/v1/products".to_owned(),
            json!({"title": "T", "category_ids": vec![1; 200_000]}),
        ),
        endpoint(&cel),
        endpoint("'a'.matches('((a{1,500}){1,500}){1,500}')"),
        endpoint("event.data.title.matches('(a*)*b')"),
    ];
    let bytes = |body: Value| if body.is_null() { Vec::new() } else { body.to_string().into() };
    all.into_iter().map(|(method, path, body)| (method, path, bytes(body))).collect()
}
