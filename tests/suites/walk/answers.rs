//! Every answer has the shape that the document gives it, and the headers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bodega_tests::{Answer, Db, both};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::operations::Operation;
use super::walker::Walk;

both!(answers_are_as_documented, refusals_are_as_documented, events_hold_objects_as_documented);

/// Headers that are not on every answer that may have them.
const SOMETIMES: &[&str] = &[
    "Access-Control-Allow-Origin",
    "Deprecation",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
];

async fn answers_are_as_documented(db: Db) {
    let walk = Walk::stocked(db, 2).await;
    let shapes = Shapes::of(&walk).await;
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let mut queries = vec![String::new()];
        queries.extend(operation.choices("expand").iter().map(|path| format!("?expand={path}")));
        queries.extend(operation.choices("fields").iter().map(|field| format!("?fields={field}")));
        queries.extend(operation.is_list().then(|| "?limit=100&count=true".to_owned()));
        for query in queries {
            let mut ready = ready.clone();
            ready.path.push_str(&query);
            let seen = walk.send(operation, walk.call(&ready)).await;
            seen.done();
            shapes.hold(operation, &seen, &query);
            // Where a new object is, unless it is not this key's to read.
            let at = seen.body["id"].as_str().filter(|_| seen.status == 201);
            let at = at.map(|id| format!("{}/{id}", operation.path)).unwrap_or_default();
            assert_eq!(seen.header("location"), at, "{}", operation.id);
        }
        if operation.has_id() && operation.method == "GET" {
            let seen = walk.send(operation, walk.call(&ready).header("If-None-Match", "*")).await;
            assert_eq!(seen.status, 304, "{}", operation.id);
            shapes.hold(operation, &seen, "If-None-Match");
        }
    }
}

async fn refusals_are_as_documented(db: Db) {
    let walk = Walk::start(db).await;
    let shapes = Shapes::of(&walk).await;
    let (_, weak) = walk.server.key(&["events:read"]).await;
    for operation in &walk.operations {
        let ready = walk.ready(operation).await;
        let mut nope = ready.clone();
        nope.path.push_str("?nope=1&limit=x");
        let mut nothing = ready.clone();
        nothing.path = operation.path.clone();
        if operation.has_id() {
            nothing.path = operation.at(&operation.nowhere());
        }
        for (what, call) in [
            ("no key", walk.server.call_without_key(&operation.method, &ready.path)),
            ("no scope", walk.call_as(&weak, &ready)),
            ("a query", walk.call(&nope)),
            ("no JSON", walk.server.call(&operation.method, &ready.path).bytes("{")),
            ("a wrong body", walk.server.call(&operation.method, &ready.path).json(&json!([[1]]))),
            ("a wrong type", walk.server.call(&operation.method, &ready.path).raw("x")),
            ("no JSON wanted", walk.call(&ready).header("Accept", "text/html")),
            ("nothing there", walk.call(&nothing)),
            ("a stale version", walk.call(&ready).header("If-Match", "\"0\"")),
        ] {
            let seen = walk.send(operation, call).await;
            shapes.hold(operation, &seen, what);
        }
    }
}

async fn events_hold_objects_as_documented(db: Db) {
    let walk = Walk::start(db).await;
    let shapes = Shapes::of(&walk).await;
    for operation in walk.commands() {
        let ready = walk.ready(operation).await;
        walk.send(operation, walk.call(&ready)).await.done();
    }
    let list = walk.operation("event.list");
    let mut told = BTreeMap::new();
    for event in walk.all(&walk.server.live_key, list, "").await {
        let name = event["object_type"].as_str().expect("a type").to_owned();
        let get = walk.operation(&format!("{name}.get"));
        let members = get.choices("fields");
        let data = event["data"].as_object().expect("an object");
        let missing: Vec<_> = members.iter().filter(|one| !data.contains_key(*one)).collect();
        assert!(missing.is_empty(), "{}: without {missing:?}", event["type"]);
        shapes.check(get, 200, &event["data"], &format!("data of {}", event["type"]));
        *told.entry(event["type"].as_str().expect("a type").to_owned()).or_insert(0) += 1;
    }
    let declared = walk.commands().flat_map(|one| one.events.iter());
    let silent: Vec<_> = declared.filter(|name| !told.contains_key(*name)).collect();
    assert!(silent.is_empty(), "events that never came: {silent:?}");
}

/// Headers by name, and what their values have to be.
type Headers = Vec<(String, Arc<Validator>)>;

/// What the document says of answers, ready to be held against them.
struct Shapes {
    bodies: BTreeMap<(String, u16), Arc<Validator>>,
    headers: BTreeMap<(String, u16), Headers>,
}

impl Shapes {
    async fn of(walk: &Walk) -> Self {
        let document = walk.server.openapi().await;
        // Hundreds of answers share few schemas, and a validator takes long to make.
        let known = RefCell::new(BTreeMap::<String, Arc<Validator>>::new());
        let compiled = |schema: &Value| {
            let make = || {
                let root = json!({"allOf": [schema], "components": document["components"]});
                let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
                let built = options.should_validate_formats(true).build(&root);
                Arc::new(built.expect("a schema"))
            };
            known.borrow_mut().entry(schema.to_string()).or_insert_with(make).clone()
        };
        let resolve = |value: &Value| match value["$ref"].as_str() {
            Some(at) => document.pointer(at.trim_start_matches('#')).expect("a target").clone(),
            None => value.clone(),
        };
        let (mut bodies, mut headers) = (BTreeMap::new(), BTreeMap::new());
        for operation in &walk.operations {
            let path = operation.path.replace('/', "~1");
            let at = format!("/paths/{path}/{}/responses", operation.method.to_lowercase());
            let responses = document.pointer(&at).and_then(Value::as_object).expect("responses");
            for (status, response) in responses {
                let key = (operation.id.clone(), status.parse().expect("a status"));
                let response = resolve(response);
                for (_, content) in response["content"].as_object().into_iter().flatten() {
                    bodies.insert(key.clone(), compiled(&content["schema"]));
                }
                let named = response["headers"].as_object().into_iter().flatten();
                let named = named
                    .map(|(name, header)| (name.clone(), compiled(&resolve(header)["schema"])));
                headers.insert(key, named.collect());
            }
        }
        Self { bodies, headers }
    }

    /// Fails unless the document describes this answer: its body and its headers.
    fn hold(&self, operation: &Operation, answer: &Answer, what: &str) {
        self.check(operation, answer.status, &answer.body, what);
        let id = &operation.id;
        for (name, schema) in &self.headers[&(id.clone(), answer.status)] {
            let value = answer.header(name);
            // A command tells the version of what it answers with, if that has one.
            let untold = operation.method != "GET" && answer.body["version"].is_null();
            // Without a key nobody is known whose limits could be told.
            let unknown = answer.status == 401 && name.starts_with("RateLimit");
            let optional =
                SOMETIMES.contains(&name.as_str()) || (name == "ETag" && untold) || unknown;
            assert!(
                optional || !value.is_empty(),
                "{id}: {what}: {} without {name}",
                answer.status
            );
            let value = value.parse::<u32>().map_or_else(|_| json!(value), |number| json!(number));
            let fits = value == ""
                || schema.is_valid(&value)
                || schema.is_valid(&json!(answer.header(name)));
            assert!(fits, "{id}: {what}: {name}: {value} is not as documented");
        }
    }

    fn check(&self, operation: &Operation, status: u16, body: &Value, what: &str) {
        let id = &operation.id;
        match self.bodies.get(&(id.clone(), status)) {
            Some(schema) => {
                let errors: Vec<_> =
                    schema.iter_errors(body).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{id}: {what}: {status} {body}: {errors:#?}");
            }
            None => assert!(body.is_null(), "{id}: {what}: a body with {status}: {body}"),
        }
    }
}
