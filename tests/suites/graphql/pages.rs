//! Links that lead to pages: connections on objects, read for all of them at once.

use bodega_tests::{Db, Server, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use crate::walk::walker::Walk;

both!(
    every_page_of_a_link_is_its_list,
    pages_are_counted_and_go_on,
    what_is_asked_of_a_link_is_checked,
);

async fn ask(server: &Server, document: &str) -> Value {
    let told = graph::send(server, &server.live_key, document, &json!({})).await;
    assert!(told.body.get("errors").is_none(), "{document}: {}", told.body);
    told.body["data"].clone()
}

/// The code of the first error, and where it is.
async fn refused(server: &Server, document: &str) -> (String, String) {
    let told = graph::send(server, &server.live_key, document, &json!({})).await;
    let error = &told.body["errors"][0]["extensions"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert!(error.is_object(), "{document}: {}", told.body);
    (text(&error["code"]), text(&error["errors"][0]["pointer"]))
}

async fn statements(server: &Server, document: &str) -> f64 {
    ask(server, document).await;
    let mut fewest = f64::MAX;
    for _ in 0..3 {
        let before = server.metric("bodega_sql_statements_total").await;
        ask(server, document).await;
        fewest = fewest.min(server.metric("bodega_sql_statements_total").await - before);
    }
    fewest
}

fn ids(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("rows: {rows}"));
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Each link that leads to pages shows what the list does that `x-links` names.
async fn every_page_of_a_link_is_its_list(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    let document = walk.server.openapi().await;
    let mut links = 0;
    for list in walk.lists() {
        let kind = graph.node(list);
        let told = document["components"]["schemas"][kind]["x-links"].clone();
        for link in told.as_array().into_iter().flatten().filter(|link| link["kind"] == "page") {
            let (name, path) = (link["name"].as_str().unwrap(), link["list"].as_str().unwrap());
            let filter = link["filter"].as_str().unwrap();
            assert!(graph.link(kind, name).1, "{kind}.{name} is a connection");
            let root = graph.root(list).name;
            let pages = format!(
                "{{ {root}(first: 20) {{ nodes {{ id {name}(first: 2) {{ nodes {{ id }} totalCount \
                 edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }} }} }}"
            );
            let page = ask(&walk.server, &pages).await;
            let rows = page[&root]["nodes"].as_array().expect("rows").clone();
            assert!(!rows.is_empty(), "{}", list.id);
            for row in rows {
                let of = row["id"].as_str().expect("an id");
                let list = format!("{path}?limit=2&count=true&{filter}={of}");
                let listed = walk.server.call("GET", &list).send().await.expect(200);
                let page = &row[name];
                assert_eq!(ids(&page["nodes"]), ids(&listed["data"]), "{list}");
                assert_eq!(page["totalCount"], listed["total_count"], "{list}");
                let more = !listed["next_cursor"].is_null();
                assert_eq!(page["pageInfo"]["hasNextPage"], more, "{list}");
                // Its cursors are good for that list too.
                if let Some(cursor) = page["pageInfo"]["endCursor"].as_str() {
                    let next = format!("{list}&cursor={cursor}");
                    let next = walk.server.call("GET", &next).send().await.expect(200);
                    assert_eq!(next["data"].as_array().is_some_and(|rows| !rows.is_empty()), more);
                }
            }
            links += 1;
        }
    }
    assert!(links >= 4, "links that lead to pages: {links}");
}

async fn shop(server: &Server) -> (String, String) {
    let post = async |path: &str, body: Value| {
        let made = server.call("POST", path).json(&body).send().await.expect(201);
        made["id"].as_str().expect("an id").to_owned()
    };
    let root = post("/v1/categories", json!({"name": "Raíz"})).await;
    let own = post("/v1/categories", json!({"name": "Hija", "parent_id": root})).await;
    for n in 0..7 {
        let status = if n % 2 == 0 { "active" } else { "draft" };
        let title = format!("P{}", (n * 3) % 7);
        let category = if n < 5 { &own } else { &root };
        let body = json!({"title": title, "status": status, "category_ids": [category]});
        post("/v1/products", body).await;
    }
    (root, own)
}

async fn pages_are_counted_and_go_on(db: Db) {
    let server = Server::start(db).await;
    let (root, own) = shop(&server).await;
    for n in 0..18 {
        let body = json!({"name": format!("Otra {n}"), "parent_id": root});
        server.call("POST", "/v1/categories").json(&body).send().await.expect(201);
    }
    let all = |inner: &str| format!("{{ categories(first: 20) {{ nodes {{ id {inner} }} }} }}");
    let one = all("products(first: 3) { nodes { id } }");
    assert_eq!(statements(&server, &one).await, 2.0, "the pages of twenty");
    let counted = all("products(first: 3) { totalCount nodes { id } }");
    assert_eq!(statements(&server, &counted).await, 3.0, "and how many each has");
    let nested =
        all("children(first: 3) { nodes { products(first: 2) { nodes { brand { id } } } } }");
    assert!(statements(&server, &nested).await <= 4.0, "pages in pages");

    // One link, asked for in several ways.
    let several = format!(
        "{{ category(id: \"{root}\") {{ a: products(first: 2) {{ nodes {{ id }} }} \
         b: products(first: 9, sort: TITLE_ASC) {{ totalCount nodes {{ title }} }} \
         c: products(filter: {{ status: {{ eq: ACTIVE }}, categoryId: {{ eq: \"{own}\" }} }}) \
         {{ totalCount nodes {{ title status }} }} products {{ totalCount }} }} }}"
    );
    let told = ask(&server, &several).await["category"].take();
    assert_eq!(ids(&told["a"]["nodes"]).len(), 2);
    let titles = |rows: &Value| {
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| row["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&told["b"]["nodes"]), ["P0", "P1", "P2", "P3", "P4", "P5", "P6"]);
    assert_eq!((&told["b"]["totalCount"], &told["products"]["totalCount"]), (&json!(7), &json!(7)));
    assert_eq!((&told["c"]["totalCount"], titles(&told["c"]["nodes"]).len()), (&json!(3), 3));

    // Page by page, to the end.
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = format!(
            "{{ category(id: \"{root}\") {{ products(first: 3, sort: TITLE_DESC{after}) {{ \
             edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} \
             }} }} }}"
        );
        let page = ask(&server, &page).await["category"]["products"].take();
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_empty());
        found.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    let path = format!("/v1/products?category_id={root}&sort=-title");
    let listed = server.call("GET", &path).send().await.expect(200);
    assert_eq!(ids(&Value::Array(found)), ids(&listed["data"]));

    // The same filter on the list itself.
    let list = format!(
        "{{ products(filter: {{ categoryId: {{ in: [\"{own}\"] }} }}) {{ totalCount nodes {{ id }} }} }}"
    );
    let told = ask(&server, &list).await["products"].take();
    assert_eq!((&told["totalCount"], ids(&told["nodes"]).len()), (&json!(5), 5));
}

async fn what_is_asked_of_a_link_is_checked(db: Db) {
    let server = Server::start(db).await;
    let (root, own) = shop(&server).await;
    let of = |category: &str, arguments: &str| {
        format!(
            "{{ category(id: \"{category}\") {{ products({arguments}) {{ nodes {{ id }} }} }} }}"
        )
    };
    let page = format!(
        "{{ category(id: \"{root}\") {{ products(first: 2) {{ pageInfo {{ endCursor }} }} \
         children(first: 1) {{ pageInfo {{ endCursor }} }} }} }}"
    );
    let told = ask(&server, &page).await["category"].take();
    let cursor = |link: &str| format!("after: {}", told[link]["pageInfo"]["endCursor"]);
    let good = cursor("products");
    ask(&server, &of(&root, &good)).await;
    let strange = async |document: String| {
        let (code, pointer) = refused(&server, &document).await;
        assert_eq!(code, "invalid_cursor", "{document}");
        assert!(pointer.starts_with("/products"), "{pointer}");
    };
    // Of another object, another link, another order, another filter, of nothing.
    strange(of(&own, &good)).await;
    strange(of(&root, &cursor("children"))).await;
    strange(of(&root, &format!("{good}, sort: TITLE_ASC"))).await;
    strange(of(&root, &format!("{good}, filter: {{ status: {{ eq: ACTIVE }} }}"))).await;
    strange(of(&root, "after: \"x\"")).await;
    // A cursor is of one object's list: it cannot go on with those of two.
    strange(format!("{{ categories {{ nodes {{ products({good}) {{ nodes {{ id }} }} }} }} }}"))
        .await;
    let bad = of(&root, &good);
    let foreign = graph::send(&server, &server.test_key, &bad, &json!({})).await;
    assert_eq!(foreign.body["errors"][0]["extensions"]["code"], "not_found", "{}", foreign.body);

    for first in ["0", "-1", "101", "2147483647"] {
        let (code, pointer) = refused(&server, &of(&root, &format!("first: {first}"))).await;
        let known = ["validation_failed", "query_too_large"].contains(&code.as_str());
        assert!(known, "{first}: {code} {pointer}");
    }
    let many: Vec<_> = (0..101).map(|_| format!("\"{own}\"")).collect();
    let many = format!("filter: {{ categoryId: {{ in: [{}] }} }}", many.join(", "));
    assert_eq!(refused(&server, &of(&root, &many)).await.0, "validation_failed");
    let wrong = "filter: { categoryId: { eq: \"brand_01h455vb4pex5vsknk084sn02q\" } }";
    assert_eq!(refused(&server, &of(&root, wrong)).await.0, "wrong_id_type");
    // What a link may not be asked is known before a change is made.
    let change = format!(
        "mutation {{ categoryUpdate(input: {{ id: \"{root}\", name: \"Otra\" }}) {{ \
         products(first: 0) {{ nodes {{ id }} }} }} }}"
    );
    assert_eq!(refused(&server, &change).await.0, "validation_failed");
    let path = format!("/v1/categories/{root}");
    assert_eq!(server.call("GET", &path).send().await.expect(200)["name"], "Raíz");
}
