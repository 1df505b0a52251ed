//! Connections: the same pages, orders and filters as REST's lists, in both directions.

use bodega_graphql::names::upper;
use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::graph::{self, Graph};
use crate::walk::walker::Walk;

both!(
    pages_go_both_ways_and_meet_nothing_twice,
    each_sort_and_filter_shows_what_rest_shows,
    what_a_connection_cannot_do_is_refused,
);

async fn ids(walk: &Walk, name: &str, arguments: &str) -> (Vec<String>, Value) {
    let document = format!(
        "{{ {name}({arguments}) {{ edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage \
         hasPreviousPage startCursor endCursor }} }} }}"
    );
    let told = graph::send(&walk.server, &walk.server.live_key, &document, &json!({})).await;
    let told = told.expect(200);
    assert!(told.get("errors").is_none(), "{document}: {told}");
    let page = told["data"][name].clone();
    let edges = page["edges"].as_array().expect("edges").iter();
    let ids = edges.map(|edge| edge["node"]["id"].as_str().expect("an id").to_owned());
    (ids.collect(), page)
}

async fn pages_go_both_ways_and_meet_nothing_twice(db: Db) {
    let walk = Walk::stocked(db, 7).await;
    let graph = Graph::of(&walk.server).await;
    for list in walk.lists().filter(|list| list.resource != "request") {
        let (id, name) = (&list.id, graph.root(list).name);
        let all = walk.all(&walk.server.live_key, list, "").await;
        let all: Vec<_> = all.iter().map(|row| row["id"].as_str().expect("an id")).collect();
        let all = &all[..all.len().min(20)];
        let (mut forward, mut after) = (Vec::new(), String::new());
        while forward.len() < all.len() {
            let (ids, page) = ids(&walk, &name, &format!("first: 3{after}")).await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_empty(), "{id}");
            after = format!(", after: {}", page["pageInfo"]["endCursor"]);
            forward.extend(ids);
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(&forward[..all.len()], all, "{id} forward");
        // Back from the last of them, and from the end of the list.
        let (_, page) = ids(&walk, &name, &format!("first: {}", all.len())).await;
        let before = &page["pageInfo"]["endCursor"];
        let back = ids(&walk, &name, &format!("last: 4, before: {before}")).await;
        let expected = &all[all.len().saturating_sub(5)..all.len() - 1];
        assert_eq!(back.0, expected, "{id} backward");
        assert_eq!(back.1["pageInfo"]["hasPreviousPage"], all.len() > 5, "{id} backward");
        let (from_end, page) = ids(&walk, &name, "last: 2").await;
        assert_eq!(page["pageInfo"]["hasNextPage"], false, "{id} from the end");
        let whole = walk.all(&walk.server.live_key, list, "").await;
        let last: Vec<_> = whole.iter().rev().take(2).rev().map(|row| row["id"].clone()).collect();
        assert_eq!(json!(from_end), json!(last), "{id} from the end");
        // Any edge's cursor goes on where REST would.
        let (_, page) = ids(&walk, &name, "first: 2").await;
        let middle = &page["edges"][0]["cursor"];
        let (next, _) = ids(&walk, &name, &format!("first: 1, after: {middle}")).await;
        assert_eq!(next.first().map(String::as_str), all.get(1).copied(), "{id} from an edge");
    }
}

async fn each_sort_and_filter_shows_what_rest_shows(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let graph = Graph::of(&walk.server).await;
    let mut tried = 0;
    for list in walk.lists().filter(|list| list.resource != "request") {
        let name = graph.root(list).name;
        let sample = walk.all(&walk.server.live_key, list, "").await;
        let sample = sample.first().cloned().unwrap_or_default();
        let asked = list.query().filter_map(|parameter| {
            let (field, operator) = match parameter.name.split_once('[') {
                Some((field, rest)) => (field, rest.trim_end_matches(']')),
                None => (parameter.name.as_str(), "eq"),
            };
            let value = sample.get(field)?;
            Some(match (operator, value) {
                ("is_null", _) => (parameter, field, operator, json!(true)),
                (_, Value::Null | Value::Array(_) | Value::Object(_)) => return None,
                ("in", value) => (parameter, field, operator, json!([value])),
                (_, value) => (parameter, field, operator, value.clone()),
            })
        });
        for (parameter, field, operator, value) in asked {
            let plain = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
            let raw = value.as_array().map_or_else(|| plain(&value), |items| plain(&items[0]));
            let query = format!(
                "{}={}&limit=100",
                crate::walk::walker::encode(&parameter.name),
                crate::walk::walker::encode(&raw)
            );
            let rest = walk.server.call("GET", &format!("{}?{query}", list.path)).send().await;
            let rest = rest.expect(200);
            let filter = json!({field: {operator: value}});
            let kind = graph.root(list).argument("filter").expect("a filter");
            let variables = json!({"first": 100, "filter": graph.said(kind, &filter)});
            let document = graph.root(list).document(&variables, "{ nodes { id } }");
            let key = &walk.server.live_key;
            let told = graph::send(&walk.server, key, &document, &variables).await.expect(200);
            let ids = |rows: &Value| -> Vec<Value> {
                let rows = rows.as_array().unwrap_or_else(|| panic!("{}: {told}", list.id));
                rows.iter().map(|row| row["id"].clone()).collect()
            };
            let same = ids(&told["data"][&name]["nodes"]) == ids(&rest["data"]);
            assert!(same, "{}: {query}: {told}", list.id);
            tried += 1;
        }
        let sort = list.parameter("sort").expect("a sort");
        for value in sort.schema["enum"].as_array().into_iter().flatten() {
            let value = value.as_str().expect("a sort");
            let rest = format!("{}?limit=10&sort={value}", list.path);
            let rest = walk.server.call("GET", &rest).send().await.expect(200);
            let choice = match value.strip_prefix('-') {
                Some(field) => upper(&format!("{field}_desc")),
                None => upper(&format!("{value}_asc")),
            };
            let (found, _) = ids(&walk, &name, &format!("first: 10, sort: {choice}")).await;
            let rows = rest["data"].as_array().expect("rows").iter();
            let rows: Vec<_> = rows.map(|row| row["id"].as_str().expect("an id")).collect();
            assert_eq!(found, rows, "{}: {value}", list.id);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} sorts and filters");
}

async fn what_a_connection_cannot_do_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for (arguments, code) in [
        ("first: 1, last: 1", "validation_failed"),
        ("first: 0", "validation_failed"),
        ("first: 101", "validation_failed"),
        ("last: -1", "validation_failed"),
        ("after: \"nonsense\"", "invalid_cursor"),
        ("filter: {brandId: {eq: \"prod_01k78agk00e008000000000001\"}}", "wrong_id_type"),
    ] {
        let document = format!("{{ products({arguments}) {{ nodes {{ id }} }} }}");
        let key = &walk.server.live_key;
        let told = graph::send(&walk.server, key, &document, &json!({})).await.expect(200);
        assert_eq!(told["errors"][0]["extensions"]["code"], code, "{arguments}: {told}");
    }
    // A value may have a comma in it: it is one of a list, not a text to cut up.
    let title = "Bolts, nuts, washers";
    let body = json!({"title": title});
    walk.server.call("POST", "/v1/products").json(&body).send().await.expect(201);
    let document =
        "query($titles: [String!]) { products(filter: {title: {in: $titles}}) { totalCount } }";
    let variables = json!({"titles": [title, "x"]});
    let told = graph::send(&walk.server, &walk.server.live_key, document, &variables).await;
    assert_eq!(told.expect(200)["data"]["products"]["totalCount"], 1);
}
