//! Expansion: what is embedded is what is there, and no row costs a statement of its own.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};
use serde_json::Value;

use super::fixtures::{self, FIXTURES, Origin};
use super::operations::Operation;
use super::walker::{Walk, id_of};

both!(
    an_expansion_embeds_what_is_there,
    rows_cost_no_statements_of_their_own,
    what_cannot_be_embedded_is_refused,
);

const ROWS: usize = 20;

async fn an_expansion_embeds_what_is_there(db: Db) {
    let walk = Walk::stocked(db, 2).await;
    deepen(&walk).await;
    let (mut links, mut full) = (BTreeSet::new(), BTreeSet::new());
    for operation in expanding(&walk) {
        let id = &operation.id;
        let plain = read(&walk, operation, "").await;
        for path in operation.choices("expand") {
            let whole = read(&walk, operation, &format!("expand={path}")).await;
            let mut embedded = 0;
            for (row, plain) in whole.iter().zip(&plain) {
                embedded += check(&walk, id, row, plain, &path).await;
            }
            assert!(embedded > 0 || path.contains('.'), "{id}: {path} embeds nothing");
            assert_eq!(whole.len(), plain.len(), "{id}: {path}");
            links.insert(tail(&path));
            full.extend((embedded > 0).then(|| tail(&path)));
        }
        let all = operation.choices("expand");
        let some: Vec<_> = all.iter().take(20).map(String::as_str).collect();
        let together = read(&walk, operation, &format!("expand={}", some.join(","))).await;
        assert_eq!(together.len(), plain.len(), "{id}: all at once");
    }
    // Not every path from every object, a leaf of a tree has nothing below; but each two links.
    assert_eq!(full, links, "what embeds something, and what there is to embed");
}

/// The last two links of a path.
fn tail(path: &str) -> String {
    let links: Vec<&str> = path.rsplit('.').take(2).collect();
    links.into_iter().rev().collect::<Vec<_>>().join(".")
}

async fn rows_cost_no_statements_of_their_own(db: Db) {
    let walk = Walk::stocked(db, ROWS).await;
    for list in expanding(&walk).into_iter().filter(|one| one.is_list()) {
        let id = &list.id;
        for path in list.choices("expand").into_iter().chain([String::new()]) {
            let links = path.split('.').filter(|link| !link.is_empty()).count();
            let expand = if path.is_empty() { path.clone() } else { format!("&expand={path}") };
            let statements = async |limit: usize| {
                let before = walk.server.metric("bodega_sql_statements_total").await;
                let call = walk.server.call("GET", &format!("{}?limit={limit}{expand}", list.path));
                let page = walk.send(list, call).await.done();
                assert_eq!(page["data"].as_array().map(Vec::len), Some(limit), "{id}: {path}");
                walk.server.metric("bodega_sql_statements_total").await - before
            };
            // One for the rows and one for each link, two where a table lies between; fewer, where
            // nothing is left to go on from.
            let (least, most) = (1.0 + links.min(1) as f64, 1.0 + 2.0 * links as f64);
            let (one, many) = (statements(1).await, statements(ROWS).await);
            assert!(one >= 1.0 && one <= many, "{id}: {path}: {one} for a row, {many} for {ROWS}");
            assert!(
                many >= least && many <= most,
                "{id}: {path}: {many} statements for {ROWS} rows"
            );
            assert_eq!(
                statements(ROWS / 2).await,
                many,
                "{id}: {path}: statements for half the rows"
            );
        }
    }
}

async fn what_cannot_be_embedded_is_refused(db: Db) {
    let walk = Walk::start(db).await;
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let tries = async |expand: &str| {
            let mut ready = ready.clone();
            ready.path.push_str(&format!("?expand={expand}"));
            walk.send(operation, walk.call(&ready)).await
        };
        if operation.parameter("fields").is_none() {
            tries("brand").await.invalid("query", "/expand", "unknown_parameter");
            continue;
        }
        for bad in ["nope", "", "nope.brand", "organization", "id", "."] {
            tries(bad).await.invalid("query", "/expand", "unknown_link");
        }
        let Some(first) = operation.choices("expand").into_iter().next() else { continue };
        let nope = format!("{first}.nope");
        tries(&nope).await.invalid("query", "/expand", "unknown_link");
        let deep = [first.as_str(); 4].join(".");
        tries(&deep).await.invalid("query", "/expand", "too_deep");
        let many = vec![first.as_str(); 21].join(",");
        tries(&many).await.invalid("query", "/expand", "too_many");
        // The same path twice is embedded once.
        tries(&format!("{first},{first}")).await.done();
    }
}

/// Makes objects that point at others which have children.
async fn deepen(walk: &Walk) {
    let live = walk.server.live_key.as_str();
    for fixture in FIXTURES.iter().filter(|fixture| fixture.origin == Origin::Made) {
        let mut body = fixture.create.expect("a body")();
        walk.settle(live, fixture.resource, &mut body).await;
        for id in strings(&body) {
            let Some(other) = walk.resource(&id).and_then(fixtures::of) else { continue };
            // What is about to be made is a child itself.
            if other.children.iter().all(|(child, _)| *child != fixture.resource) {
                walk.add_children(live, other, &id).await;
            }
            if let Some(field) = other.own_field() {
                let mut below = other.create.expect("a body")();
                below[field] = id.into();
                walk.make(live, other.resource, below).await;
            }
        }
        walk.make(live, fixture.resource, body).await;
    }
}

/// All texts in a value.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// The objects on the first page that a link leads to. What comes next is where the page says.
async fn follow<'p>(walk: &Walk, id: &str, page: &'p Value) -> Vec<&'p Value> {
    let rows: Vec<_> = page["data"].as_array().expect("rows").iter().collect();
    assert_eq!(page["has_more"], !page["next_url"].is_null(), "{id}: {page}");
    if let Some(next) = page["next_url"].as_str() {
        let rest = walk.server.call("GET", next).send().await.expect(200);
        let more: Vec<_> = rest["data"].as_array().expect("rows").iter().map(id_of).collect();
        assert!(!more.is_empty(), "{id}: {next}: nothing more");
        assert!(rows.iter().all(|row| !more.contains(&id_of(row))), "{id}: {next}: again");
        assert!(!rest["prev_cursor"].is_null(), "{id}: {next}: begins anew");
    }
    rows
}

fn expanding(walk: &Walk) -> Vec<&Operation> {
    let found = walk.operations.iter().filter(|one| one.parameter("expand").is_some());
    let found: Vec<_> = found.collect();
    assert!(found.len() >= 8, "operations that expand: {}", found.len());
    found
}

/// The newest objects, all by a list or each by a read.
async fn read(walk: &Walk, operation: &Operation, query: &str) -> Vec<Value> {
    let list = walk.operation(&format!("{}.list", operation.resource));
    let own = if operation.is_list() { query } else { "" };
    let path = format!("{}?limit=5&{own}", list.path);
    let page = walk.send(list, walk.server.call("GET", &path)).await.done();
    let rows = page["data"].as_array().expect("rows").clone();
    if operation.is_list() {
        return rows;
    }
    let mut objects = Vec::new();
    for row in rows {
        let path = format!("{}?{query}", operation.at(&id_of(&row)));
        objects.push(walk.send(operation, walk.server.call("GET", &path)).await.done());
    }
    objects
}

/// Holds what a row embeds along a path against what is there by itself; says how many objects.
async fn check(walk: &Walk, id: &str, row: &Value, plain: &Value, path: &str) -> usize {
    let (link, rest) = path.split_once('.').unwrap_or((path, ""));
    let embedded = row.get(link).unwrap_or_else(|| panic!("{id}: no {link} in {row}"));
    let mut bare = row.clone();
    bare.as_object_mut().expect("an object").shift_remove(link);
    assert_eq!(&bare, plain, "{id}: {path}: the rest of the object");
    let objects: Vec<&Value> = match embedded {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().collect(),
        page if page.get("has_more").is_some() => follow(walk, id, page).await,
        one => vec![one],
    };
    if let Some(key) = plain.get(format!("{link}_id")) {
        assert_eq!(&embedded["id"], key, "{id}: {path}: the object that {link}_id names");
    }
    let mut count = if rest.is_empty() { objects.len() } else { 0 };
    // Those at the front stand for the others, or a walk along three links would not end.
    for object in objects.into_iter().take(3) {
        let object_id = id_of(object);
        let resource = walk.resource(&object_id).expect("an id of a resource");
        let get = walk.operation(&format!("{resource}.get"));
        let call = walk.server.call("GET", &get.at(&object_id));
        let alone = walk.send(get, call).await.done();
        if rest.is_empty() {
            let lasting = |object: &Value| {
                let mut object = object.clone();
                // A key is used meanwhile, by this very walk.
                object.as_object_mut().map(|members| members.shift_remove("last_used_at"));
                object
            };
            assert_eq!(lasting(object), lasting(&alone), "{id}: {path}: as it is by itself");
        } else {
            count += Box::pin(check(walk, id, object, &alone, rest)).await;
        }
    }
    count
}
