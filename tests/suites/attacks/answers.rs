//! Answers that would be too large: through cycles of links, shared parents, many lists in one call,
//! one value under many names. Each is refused before it is made.

use std::time::{Duration, Instant};

use bodega_tests::{Answer, Api, Db, Server, both};
use serde_json::{Value, json};

use super::bystander::Bystander;

both!(
    cycles_of_links_are_refused_before_they_are_made,
    many_lists_in_one_call_share_one_bound,
    a_change_that_cannot_be_shown_is_not_made,
    what_an_answer_costs_is_what_it_holds,
);

/// Nothing that is refused takes longer, also in a build for tests on a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// What one attack may make the process grow by.
const GROWTH_MIB_MAX: u64 = 160;

const SIBLINGS: usize = 400;

/// Categories under one root, products in all of them, and texts that weigh.
struct Shop {
    server: Server,
    trial: Api,
    root: String,
    product: String,
}

async fn batch(api: &Api, lines: Vec<Value>) -> Vec<Value> {
    let body = json!({"atomic": true, "operations": lines});
    let done = api.call("POST", "/v1/batch").json(&body).send().await.expect(200);
    let results = done["results"].as_array().cloned().unwrap_or_default();
    let failed = results.iter().find(|one| one["body"]["code"] != "batch_aborted");
    assert_eq!(done["committed"], true, "{:?}", failed.map(|one| one["body"].to_string()));
    results.into_iter().map(|mut result| result["body"].take()).collect()
}

fn post(path: &str, body: Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

impl Shop {
    async fn open(db: Db) -> Self {
        let server = Server::start(db).await;
        let api = server.api();
        let text = "ñ".repeat(4_000);
        let root = batch(&api, vec![post("/v1/categories", json!({"name": "Raíz"}))]).await;
        let root = root[0]["id"].as_str().expect("an id").to_owned();
        let under = |n: usize| json!({"name": format!("Hija {n}"), "parent_id": root});
        let children = (0..SIBLINGS).map(|n| post("/v1/categories", under(n))).collect();
        let children = batch(&api, children).await;
        let ids: Vec<_> = children.iter().take(10).map(|one| one["id"].clone()).collect();
        let product = |n: usize| json!({"title": format!("Pesado {n}"), "description": text, "category_ids": ids});
        let products = (0..100).map(|n| post("/v1/products", product(n))).collect();
        let products = batch(&api, products).await;
        let product = products[0]["id"].as_str().expect("an id").to_owned();
        let body = json!({"name": "Trial", "preset": "admin", "plan": "trial"});
        let trial = api.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
        let trial = api.with_key(trial["secret"].as_str().expect("a secret"));
        Self { server, trial, root, product }
    }

    /// Sends it and checks what every attack is held to.
    async fn attack(&self, what: &str, send: impl AsyncFn() -> Answer) -> Answer {
        let bystander = Bystander::of(&self.server).await;
        self.server.forget_peak();
        let before = self.server.peak_mib();
        let at_work = bystander.begin();
        let began = Instant::now();
        let answer = send().await;
        let took = began.elapsed();
        let times = at_work.end().await;
        let growth = self.server.peak_mib().saturating_sub(before);
        println!(
            "{what}: {} in {took:?}, {growth} MiB more, others {:?}",
            answer.status,
            times.p99()
        );
        assert!(took < REFUSED_WITHIN, "{what}: {took:?}");
        assert!(growth < GROWTH_MIB_MAX, "{what}: {growth} MiB");
        assert!(answer.bytes.len() < 16 * 1024 * 1024, "{what}: {} bytes", answer.bytes.len());
        answer
    }
}

async fn ask(api: &Api, document: &str) -> Answer {
    let call = api.call("POST", "/graphql").json(&json!({"query": document}));
    call.header("Accept", "application/json").send().await
}

/// The code of the first error of a GraphQL answer, or of a problem.
fn code(answer: &Answer) -> String {
    let told = answer.body["errors"][0]["extensions"]["code"].as_str();
    told.or(answer.body["code"].as_str()).unwrap_or_default().to_owned()
}

async fn cycles_of_links_are_refused_before_they_are_made(db: Db) {
    let shop = Shop::open(db).await;
    let live = shop.server.api();
    let nest = |levels: usize, first: usize| {
        let inner = (0..levels).fold("id".to_owned(), |inner, _| {
            format!("id parent {{ children(first: {first}) {{ totalCount nodes {{ {inner} }} }} }}")
        });
        let root = &shop.root;
        format!(
            "{{ category(id: \"{root}\") {{ children(first: {first}) {{ nodes {{ {inner} }} }} }} }}"
        )
    };
    // What pages may amount to is known before any is read.
    for (levels, first) in [(4, 20), (2, 100), (1, 100)] {
        let (what, child) = (format!("{levels} cycles of {first}"), nest(levels, first));
        for api in [&live, &shop.trial] {
            let told = shop.attack(&what, async || ask(api, &child).await).await;
            let fits = levels == 1 && told.body["errors"].is_null();
            assert!(fits || code(&told).ends_with("_too_large"), "{:.300}", told.body.to_string());
        }
    }
    let told = ask(&live, &nest(2, 100)).await;
    assert_eq!(told.body["errors"][0]["extensions"]["limit"], "objects");

    let through = "categories { parent { children(first: 30) { nodes { id } } } } brand { name }";
    let list = format!("{{ products(first: 100) {{ nodes {{ {through} }} }} }}");
    let told = shop.attack("shared parents", async || ask(&live, &list).await).await;
    assert_eq!(code(&told), "expansion_too_large");
    for expand in ["categories.parent.products", "categories.parent.children", "categories.parent"]
    {
        let path = format!("/v1/products?limit=100&expand={expand}");
        let told = shop.attack(expand, async || live.call("GET", &path).send().await).await;
        let fits = expand != "categories.parent.products" && told.status == 200;
        assert!(fits || code(&told) == "expansion_too_large", "{expand}: {}", told.status);
    }
    // One at a time, each costs what it holds, and a small one is answered.
    let path = format!("/v1/products/{}?expand=categories.parent", shop.product);
    live.call("GET", &path).send().await.expect(200);

    // A collection holds many products, and many collections share them.
    let products = live.call("GET", "/v1/products?limit=100&fields=id").send().await.expect(200);
    let ids: Vec<_> = products["data"].as_array().into_iter().flatten().map(|p| &p["id"]).collect();
    let body = |n: usize| json!({"title": format!("Vitrina {n}"), "product_ids": ids});
    batch(&live, (0..100).map(|n| post("/v1/collections", body(n))).collect()).await;
    let path = "/v1/collections?limit=100&expand=products.categories";
    let told = shop.attack("shared products", async || live.call("GET", path).send().await).await;
    assert_eq!(code(&told), "expansion_too_large");
}

async fn many_lists_in_one_call_share_one_bound(db: Db) {
    let shop = Shop::open(db).await;
    let live = shop.server.api();
    let line = json!({"method": "GET", "path": "/v1/products?limit=100"});
    for atomic in [false, true] {
        let body = json!({"atomic": atomic, "operations": vec![line.clone(); 590]});
        let send = async || live.call("POST", "/v1/batch").json(&body).send().await;
        let told = shop.attack("590 full lists", send).await;
        let results = told.expect(200)["results"].clone();
        let results = results.as_array().expect("results");
        assert_eq!(results.len(), 590);
        let refused = |result: &&Value| result["body"]["code"] == "answer_too_large";
        let aborted = |result: &&Value| result["body"]["code"] == "batch_aborted";
        let whole = results.iter().filter(|result| result["status"] == 200).count();
        let told = results.iter().filter(refused).count();
        match atomic {
            false => assert!(whole > 5 && whole + told == 590, "{whole} and {told}"),
            true => assert_eq!((told, results.iter().filter(aborted).count()), (1, 589)),
        }
    }
    // A trial key cannot pay for as many, so it is told once and for all.
    let body = json!({"operations": vec![line; 590]});
    let told = shop.trial.call("POST", "/v1/batch").json(&body).send().await;
    assert!(told.headers.get("retry-after").is_none());
    assert_eq!(told.expect_problem(422, "cost_above_plan")["cost"], 590);

    let root = |n: usize| format!("a{n}: products(first: 100) {{ nodes {{ description }} }}");
    let roots = format!("{{ {} }}", (0..20).map(root).collect::<Vec<_>>().join(" "));
    let told = shop.attack("20 lists of GraphQL", async || ask(&live, &roots).await).await;
    assert_eq!(code(&told), "answer_too_large", "{:.300}", told.body.to_string());
    let names: Vec<_> = (0..45).map(|n| format!("a{n}: description")).collect();
    let names = format!("{{ products(first: 100) {{ nodes {{ {} }} }} }}", names.join(" "));
    let told = shop.attack("one value under many names", async || ask(&live, &names).await).await;
    assert_eq!(code(&told), "answer_too_large");
    assert_eq!(told.body["data"]["products"], Value::Null);
}

async fn a_change_that_cannot_be_shown_is_not_made(db: Db) {
    let shop = Shop::open(db).await;
    let live = shop.server.api();
    let patch = |title: &str, inner: &str| {
        let input = format!("{{ id: \"{}\", title: \"{title}\" }}", shop.product);
        format!("mutation {{ productUpdate(input: {input}) {{ {inner} }} }}")
    };
    let large = patch(
        "Cambiado",
        "title categories { parent { children(first: 100) { nodes { name } } } }",
    );
    let told = shop.attack("a mutation's links", async || ask(&live, &large).await).await;
    assert_eq!(code(&told), "expansion_too_large", "{:.300}", told.body.to_string());
    let path = format!("/v1/products/{}", shop.product);
    let product = live.call("GET", &path).send().await.expect(200);
    assert_eq!((&product["title"], &product["version"]), (&json!("Pesado 0"), &json!(1)));
    let small = patch("Cambiado", "title categories { name parent { name } }");
    let told = ask(&live, &small).await.expect(200);
    assert_eq!(told["data"]["productUpdate"]["title"], "Cambiado", "{told}");
}

async fn what_an_answer_costs_is_what_it_holds(db: Db) {
    let shop = Shop::open(db).await;
    let left = |answer: &Answer| -> i64 {
        let limits = answer.header("ratelimit");
        let day = limits.split(", ").find(|one| one.contains("day\"")).expect("a day's limit");
        let rest = day.split("r=").nth(1).expect("what is left");
        rest.split(';').next().and_then(|rest| rest.parse().ok()).expect("a number")
    };
    let live = shop.server.api();
    let get = async |path: &str| left(&live.call("GET", path).send().await);
    let before = get("/v1/products?limit=1").await;
    assert_eq!(get("/v1/products?limit=100").await, before - 1, "a page is a call");
    // A product, its ten categories and the parent of each, for ten products.
    let ten = "/v1/products?limit=10&expand=categories.parent";
    assert_eq!(get(ten).await, before - 1 - 3, "210 objects are three units");
    // What was refused was made in part, and is paid for.
    let told = live.call("GET", "/v1/products?limit=100&expand=categories.parent.products").send();
    let told = told.await;
    assert!(left(&told) < before - 1 - 3 - 5, "{}", told.header("ratelimit"));
}
