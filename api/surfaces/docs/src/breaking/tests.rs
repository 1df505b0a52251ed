//! One test for each kind of break, on a small document; and that what adds to it is none.

use serde_json::{Value, json};

use super::breaking_changes;
use crate::toy;

fn document() -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    json!({
        "openapi": "3.1.0",
        "security": [{"key": []}],
        "paths": {"/v1/things": {
            "get": {
                "operationId": "thing.list",
                "x-scopes": ["things:read"],
                "parameters": [
                    {"$ref": "#/components/parameters/limit"},
                    {"name": "status", "in": "query",
                     "schema": {"type": "string", "enum": ["a", "b"]}},
                    {"name": "fields", "in": "query", "style": "form", "explode": false,
                     "schema": {"type": "array", "items": {"type": "string", "maxLength": 9}}},
                ],
                "responses": {
                    "200": {
                        "headers": {"Link": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {
                            "type": "array", "items": reference("Thing"),
                        }}},
                    },
                    "304": {"description": "the same"},
                    "429": {"description": "too many"},
                },
            },
            "post": {
                "operationId": "thing.create",
                "x-scopes": ["things:write"],
                "x-events": ["thing.created", "thing.changed"],
                "requestBody": {"required": true, "content": {
                    "application/json": {"schema": reference("ThingCreate")},
                    "application/cbor": {"schema": reference("ThingCreate")},
                }},
                "responses": {"201": {"content": {
                    "application/json": {"schema": reference("Thing")},
                }}},
            },
        }},
        "webhooks": {"thing.created": {"post": {"requestBody": {"content": {
            "application/json": {"schema": {"type": "object", "properties": {
                "type": {"const": "thing.created"}, "data": reference("Thing"),
            }}},
        }}}}},
        "components": {
            "parameters": {"limit": {"name": "limit", "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100}}},
            "schemas": {
                "Thing": {
                    "type": "object", "required": ["id", "kind"],
                    "properties": {
                        "id": {"type": "string", "pattern": "^t_"},
                        "kind": {"type": "string", "enum": ["x", "y"]},
                        "size": {"type": ["integer", "null"], "format": "int64"},
                        "made": {"type": "string", "format": "date-time"},
                        "next": {"oneOf": [reference("Thing"), {"type": "null"}]},
                    },
                },
                "ThingCreate": {
                    "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 50},
                        "code": {"type": ["string", "null"], "pattern": "^[a-z]+$"},
                        "kind": {"type": "string", "enum": ["x", "y"]},
                        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
                        "notes": {"type": "object", "maxProperties": 5,
                                  "additionalProperties": {"type": "string", "maxLength": 9}},
                        "inner": {"allOf": [reference("ThingCreate")]},
                    },
                },
            },
        },
    })
}

/// The lines that follow from one change.
fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let (blessed, mut now) = (document(), document());
    change(&mut now);
    assert_ne!(blessed, now, "nothing was changed");
    breaking_changes(&blessed, &now)
}

/// Sets one place of the document; null takes it out.
fn set(pointer: &str, value: Value) -> Vec<String> {
    after(|now| {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/");
        match now.pointer_mut(parent).unwrap() {
            Value::Object(members) if value.is_null() => drop(members.shift_remove(&name)),
            Value::Object(members) => drop(members.insert(name, value)),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            _ => panic!("{pointer}"),
        }
    })
}

const LIST: &str = "/paths/~1v1~1things/get";
const CREATE: &str = "/paths/~1v1~1things/post";
const INPUT: &str = "/components/schemas/ThingCreate";
const VIEW: &str = "/components/schemas/Thing";

#[track_caller]
fn breaks(found: &[String], wanted: &str) {
    assert!(found.iter().any(|line| line.contains(wanted)), "{wanted:?} is not in {found:#?}");
}

#[test]
fn nothing_changed_and_nothing_breaks() {
    assert_eq!(breaking_changes(&document(), &document()), Vec::<String>::new());
    let real = crate::openapi(&toy::registry(), &toy::versions());
    assert_eq!(breaking_changes(&real, &real), Vec::<String>::new());
    let empty = json!({});
    assert_eq!(breaking_changes(&empty, &real), Vec::<String>::new());
    assert!(breaking_changes(&real, &empty).len() > 5);
}

#[test]
fn operations_stay() {
    breaks(&set("/paths/~1v1~1things", json!(null)), "thing.list: GET /v1/things is no longer");
    breaks(&set(CREATE, json!(null)), "thing.create: POST /v1/things is no longer there");
    breaks(&set(&format!("{LIST}/operationId"), json!("thing.all")), "operationId is now");
}

#[test]
fn what_a_key_needs_does_not_grow() {
    let scopes = json!(["things:read", "admin"]);
    breaks(&set(&format!("{LIST}/x-scopes"), scopes), "now takes the scope admin");
    breaks(&set(&format!("{LIST}/security"), json!([{"other": []}])), "security is added");
    assert!(set(&format!("{LIST}/security"), json!([{"key": []}, {"other": []}])).is_empty());
    assert!(set(&format!("{LIST}/security"), json!([])).is_empty());
    let (mut open, now) = (document(), document());
    open["security"] = json!([{}]);
    breaks(&breaking_changes(&open, &now), "thing.list: security is added");
}

#[test]
fn events_stay() {
    breaks(&set(&format!("{CREATE}/x-events"), json!(["thing.created"])), "emits thing.changed");
    breaks(&set("/webhooks/thing.created", json!(null)), "webhook thing.created: is no longer");
    let moved = "/webhooks/thing.created/post/requestBody/content/application~1json/schema\
                 /properties/type";
    breaks(&set(moved, json!({"const": "other"})), "none of its values");
}

#[test]
fn parameters_stay_and_are_not_narrowed() {
    let at = |index: u8, rest: &str| format!("{LIST}/parameters/{index}{rest}");
    breaks(&set(&at(1, "/required"), json!(true)), "query parameter status: is now required");
    breaks(&set(&at(1, "/name"), json!("state")), "query parameter status: is no longer taken");
    breaks(&set(&at(1, "/schema/enum"), json!(["a"])), "the value \"b\" is no longer taken");
    breaks(&set(&at(2, "/explode"), json!(true)), "explode went from false to true");
    breaks(&set(&at(2, "/schema/items/maxLength"), json!(3)), "maxLength went from 9 to 3");
    let new = json!({"name": "shop", "in": "query", "required": true, "schema": {}});
    let found = after(|now| {
        now.pointer_mut(&format!("{LIST}/parameters")).unwrap().as_array_mut().unwrap().push(new);
    });
    breaks(&found, "the query parameter shop is new and required");
    let shared = "/components/parameters/limit/schema";
    breaks(&set(&format!("{shared}/maximum"), json!(50)), "limit: maximum went from 100 to 50");
    breaks(&set(&format!("{shared}/minimum"), json!(2)), "limit: minimum went from 1 to 2");
    breaks(&set(&format!("{shared}/type"), json!("string")), "limit: integer is no longer taken");
}

#[test]
fn a_request_is_still_taken() {
    let at = |rest: &str| format!("{INPUT}/{rest}");
    breaks(&set(&at("required"), json!(["name", "kind"])), "/kind: is now required");
    breaks(&set(&at("properties/code"), json!(null)), "/code: is no longer taken");
    breaks(&set(&at("properties/name/type"), json!("integer")), "/name: string is no longer");
    breaks(&set(&at("properties/name/maxLength"), json!(20)), "maxLength went from 50 to 20");
    breaks(&set(&at("properties/name/minLength"), json!(2)), "minLength went from 1 to 2");
    breaks(&set(&at("properties/name/pattern"), json!("^a")), "pattern is now \"^a\"");
    breaks(&set(&at("properties/name/format"), json!("email")), "format is now \"email\"");
    breaks(&set(&at("properties/code/pattern"), json!("^[a-f]+$")), "/code: pattern went from");
    breaks(&set(&at("properties/code/type"), json!("string")), "/code: null is no longer taken");
    breaks(&set(&at("properties/kind/enum"), json!(["x", "z"])), "the value \"y\"");
    breaks(&set(&at("properties/name/enum"), json!(["x"])), "only some values are taken now");
    breaks(&set(&at("properties/tags/maxItems"), json!(5)), "/tags: maxItems went from 10 to 5");
    breaks(&set(&at("properties/tags/items/maxLength"), json!(5)), "/tags/*: maxLength is now 5");
    breaks(&set(&at("properties/tags/uniqueItems"), json!(true)), "uniqueItems is now true");
    breaks(&set(&at("properties/notes/maxProperties"), json!(1)), "maxProperties went from 5 to 1");
    let notes = at("properties/notes/additionalProperties");
    breaks(&set(&notes, json!(false)), "other members are no longer taken");
    breaks(&set(&at("properties/name/not"), json!({"const": "a"})), "/name: not changed");
    let body = format!("{CREATE}/requestBody");
    breaks(
        &set(&format!("{body}/content/application~1cbor"), json!(null)),
        "application/cbor is no",
    );
    breaks(&set(&body, json!(null)), "request body: is no longer taken");
    let get = json!({"required": true, "content": {}});
    breaks(&set(&format!("{LIST}/requestBody"), get), "request body: is new and required");
}

#[test]
fn an_answer_is_still_understood() {
    let at = |rest: &str| format!("{VIEW}/{rest}");
    breaks(&set(&at("properties/size"), json!(null)), "in answers/size: is no longer there");
    breaks(&set(&at("properties/size/type"), json!("string")), "/size: may now be string");
    breaks(&set(&at("properties/id/type"), json!(["string", "null"])), "/id: may now be null");
    breaks(&set(&at("properties/made/format"), json!("date")), "format went from \"date-time\"");
    breaks(&set(&at("properties/kind/enum"), json!(null)), "no longer one of a list of values");
    breaks(&set(&at("required"), json!(["id"])), "/kind: may now be absent");
    breaks(&set(&at("properties/next"), json!({"type": "string"})), "/next: may now be string");
    breaks(&set(&format!("{LIST}/responses/200"), json!(null)), "answer 200: is no longer given");
    breaks(&set(&format!("{LIST}/responses/304"), json!(null)), "answer 304: is no longer given");
    let header = format!("{LIST}/responses/200/headers/Link");
    breaks(&set(&header, json!(null)), "the header Link is no longer sent");
    let content = format!("{LIST}/responses/200/content/application~1json");
    breaks(&set(&content, json!(null)), "application/json is no longer there");
}

#[test]
fn what_is_added_or_loosened_breaks_nothing() {
    let fine = |pointer: String, value: Value| {
        assert_eq!(set(&pointer, value), Vec::<String>::new(), "{pointer}");
    };
    fine("/paths/~1v1~1others".to_owned(), json!({"get": {"operationId": "other.list"}}));
    fine(format!("{LIST}/x-events"), json!(["thing.listed"]));
    fine(format!("{LIST}/responses/429"), json!(null));
    fine(format!("{LIST}/responses/503"), json!({"description": "busy"}));
    fine(format!("{LIST}/x-scopes"), json!([]));
    fine(format!("{LIST}/summary"), json!("All things"));
    fine("/components/parameters/limit/schema/maximum".to_owned(), json!(500));
    fine("/components/parameters/limit/schema/type".to_owned(), json!("number"));
    for (place, value) in [
        ("properties/new", json!({"type": "string"})),
        ("properties/name/maxLength", json!(500)),
        ("properties/name/minLength", json!(0)),
        ("properties/name/type", json!(["string", "null"])),
        ("properties/code/pattern", json!(null)),
        (
            "properties/code",
            json!({"oneOf": [
                {"type": "null"}, {"type": "string", "pattern": "^[a-z]+$"},
            ]}),
        ),
        ("properties/kind/enum", json!(["x", "y", "z"])),
        ("properties/kind/description", json!("Its kind.")),
        ("required", json!([])),
        ("additionalProperties", json!(null)),
    ] {
        fine(format!("{INPUT}/{place}"), value);
    }
    for (place, value) in [
        ("properties/new", json!({"type": "string"})),
        ("properties/kind/enum", json!(["x", "y", "z"])),
        ("properties/size/type", json!("integer")),
        ("properties/size/format", json!("int32")),
        ("properties/id/maxLength", json!(30)),
        ("required", json!(["id", "kind", "size"])),
    ] {
        fine(format!("{VIEW}/{place}"), value);
    }
}

#[test]
fn types_made_of_themselves_come_to_an_end_and_are_told_once() {
    let found = set(&format!("{VIEW}/properties/made"), json!(null));
    assert_eq!(found, ["schema Thing in answers/made: is no longer there"]);
}
