//! Two organizations on one server: neither can see, change, point at or find out about what is the
//! other's. A sandbox is an organization of its own too.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};
use serde_json::{Value, json};

use super::fixtures::nowhere;
use super::operations::{Operation, Parameter, id_prefix};
use super::seen::Seen;
use super::walker::{Walk, encode};

both!(
    what_is_of_another_organization_is_not_there,
    what_is_of_another_organization_cannot_be_pointed_at,
    lists_show_nothing_of_another_organization,
    the_sandbox_shows_nothing_of_the_live_organization,
);

async fn what_is_of_another_organization_is_not_there(db: Db) {
    let walk = Walk::start(db).await;
    let stranger = walk.stranger().await;
    // What has a name rather than an id is everybody's.
    let own = |one: &&Operation| one.has_id() && one.prefix().is_some();
    for operation in walk.operations.iter().filter(own) {
        let ready = walk.ready(operation).await;
        let rows = walk.rows().await;
        let theirs = walk.send(operation, walk.call_as(&stranger, &ready)).await;
        let mut nothing = ready.clone();
        nothing.path = operation.at(&operation.nowhere());
        let nothing = walk.send(operation, walk.call_as(&stranger, &nothing)).await;
        nothing.refused(404, "not_found");
        assert_eq!(anonymous(&theirs), anonymous(&nothing), "{}: can be told apart", operation.id);
        assert_eq!(names(&theirs), names(&nothing), "{}: headers differ", operation.id);
        // A guard tells nothing either.
        if operation.parameter("If-Match").is_some() {
            let call = walk.call_as(&stranger, &ready).header("If-Match", "\"1\"");
            walk.send(operation, call).await.refused(404, "not_found");
        }
        assert_eq!(walk.rows().await, rows, "{}: wrote something", operation.id);
        walk.send(operation, walk.call(&ready)).await.done();
    }
}

async fn what_is_of_another_organization_cannot_be_pointed_at(db: Db) {
    let walk = Walk::start(db).await;
    let stranger = walk.stranger().await;
    let mut tried = BTreeSet::new();
    for operation in walk.commands() {
        for reference in operation.references() {
            let mut ready = walk.ready_as(&stranger, operation).await;
            let random = nowhere(&reference.prefix);
            let resource = walk.resource(&random).expect("a resource with this prefix");
            let foreign = walk.object(&walk.server.live_key, resource).await;
            let field = reference.field.as_str();
            let (value, pointer) = match reference.many {
                true => (json!([foreign]), format!("/{field}/0")),
                false => (json!(foreign), format!("/{field}")),
            };
            ready.body.as_mut().expect("a body")[field] = value;
            let rows = walk.rows().await;
            let seen = walk.send(operation, walk.call_as(&stranger, &ready)).await;
            let problem = seen.refused(404, "not_found");
            let id = &operation.id;
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{id}: {problem}");
            assert_eq!(walk.rows().await, rows, "{id}: wrote something");
            let mut nothing = ready.clone();
            let body = nothing.body.as_mut().expect("a body");
            body[field] = if reference.many { json!([random]) } else { json!(random) };
            let nothing = walk.send(operation, walk.call_as(&stranger, &nothing)).await;
            assert_eq!(anonymous(&seen), anonymous(&nothing), "{id}: {field} can be told apart");
            tried.insert(field.to_owned());
        }
    }
    let known = ["brand_id", "category_ids", "parent_id", "product_id", "variant_id"];
    let missed: Vec<_> = known.iter().filter(|field| !tried.contains(**field)).collect();
    assert!(missed.is_empty(), "not tried: {missed:?}; tried: {tried:?}");
}

async fn lists_show_nothing_of_another_organization(db: Db) {
    let walk = Walk::start(db).await;
    let stranger = walk.stranger().await;
    shows_nothing_of_live(&walk, &stranger).await;
}

async fn the_sandbox_shows_nothing_of_the_live_organization(db: Db) {
    let walk = Walk::start(db).await;
    shows_nothing_of_live(&walk, &walk.server.test_key).await;
}

async fn shows_nothing_of_live(walk: &Walk, key: &str) {
    // Something in each of its lists.
    for operation in walk.operations.iter().filter(|one| one.verb == "get") {
        walk.ready_as(key, operation).await;
    }
    let mut live = BTreeSet::new();
    for list in walk.lists() {
        let rows = walk.all(&walk.server.live_key, list, "").await;
        live.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
    }
    for list in walk.lists() {
        let paths = list.choices("expand");
        let expand = paths.chunks(20).map(|paths| format!("&expand={}", paths.join(",")));
        for query in std::iter::once(String::new()).chain(expand) {
            let rows = walk.all(key, list, &query).await;
            assert!(!rows.is_empty(), "{}: nothing in the list to look at", list.id);
            let shown = rows.iter().flat_map(ids);
            let foreign: BTreeSet<_> = shown.filter(|id| live.contains(id)).collect();
            assert!(foreign.is_empty(), "{} shows {foreign:?}", list.id);
        }

        // What the live organization's rows hold finds nothing here.
        let theirs = walk.all(&walk.server.live_key, list, "").await;
        for filter in list.query().filter(|filter| is_about_ids(filter)) {
            let field = filter.name.split('[').next().unwrap_or_default();
            let found = theirs.iter().find_map(|row| row[field].as_str());
            let Some(value) = found.filter(|value| value.len() > 27) else { continue };
            let path = format!("{}?{}={value}", list.path, encode(&filter.name));
            let page = walk.send(list, walk.server.call_as(key, "GET", &path)).await.done();
            assert_eq!(page["data"], json!([]), "{}: {path}", list.id);
        }
    }
    for list in walk.lists() {
        let count = format!("{}?count=true&limit=1", list.path);
        let theirs = walk.send(list, walk.server.call_as(key, "GET", &count)).await.done();
        let shown = walk.all(key, list, "").await.len();
        // Calls are being noted while this counts them.
        if list.resource != "request" {
            assert_eq!(theirs["total_count"], shown, "{}: counts what it does not show", list.id);
        }
    }
}

/// Whether a filter compares with ids by "is" or "is one of".
fn is_about_ids(filter: &Parameter) -> bool {
    let field = filter.name.split('[').next().unwrap_or_default();
    let one =
        if filter.schema["type"] == "array" { &filter.schema["items"] } else { &filter.schema };
    let about = id_prefix(one).is_some() || (field.ends_with("_id") && field != "external_id");
    about && [field, &format!("{field}[in]")].contains(&filter.name.as_str())
}

/// All ids in an object, but for the one that a sandbox tells of its live organization.
fn ids(object: &Value) -> Vec<String> {
    match object {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| *name != "sandbox_of");
            told.flat_map(|(_, value)| ids(value)).collect()
        }
        _ => Vec::new(),
    }
}

/// A problem without what is of this one call.
fn anonymous(seen: &Seen) -> (u16, Value) {
    let mut body = seen.body.clone();
    let members = body.as_object_mut().expect("a problem");
    members.shift_remove("request_id");
    members.shift_remove("instance");
    (seen.status, body)
}

fn names(seen: &Seen) -> BTreeSet<String> {
    seen.headers.keys().map(|name| name.as_str().to_owned()).collect()
}
