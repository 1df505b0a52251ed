//! What every document must hold, seen on the toy registry.

use serde_json::{Value, json};

use super::openapi;
use crate::toy;

fn document() -> Value {
    openapi(&toy::registry(), &toy::versions())
}

fn parameter<'a>(document: &'a Value, operation: &'a Value, name: &str) -> &'a Value {
    let all = operation["parameters"].as_array().unwrap();
    let all = all.iter().map(|one| match one["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
        None => one,
    });
    let mut found = all.filter(|one| one["name"] == name);
    found.next().unwrap_or(&Value::Null)
}

#[test]
fn the_toy_registry_is_sound() {
    assert_eq!(toy::registry().lint(), Vec::<String>::new());
}

#[test]
fn the_same_registry_makes_the_same_bytes() {
    let (one, other) = (document().to_string(), document().to_string());
    assert_eq!(one, other);
}

#[test]
fn every_operation_is_there_with_what_it_takes_and_answers() {
    let (document, registry) = (document(), toy::registry());
    for operation in registry.operations() {
        let method = operation.method.as_str().to_lowercase();
        let described = &document["paths"][&operation.path][&method];
        assert_eq!(described["operationId"], operation.id);
        let scopes = if operation.scope.is_empty() { json!([]) } else { json!([operation.scope]) };
        assert_eq!(described["x-scopes"], scopes);
        let answers = described["responses"].as_object().unwrap();
        for status in [operation.status, 400, 401, 403, 406, 422, 429, 500, 503, 507] {
            assert!(answers.contains_key(&status.to_string()), "{}: {status}", operation.id);
        }
        assert_eq!(operation.input.is_some(), described.get("requestBody").is_some());
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    let found = document.pointer(target.trim_start_matches('#'));
                    assert!(found.is_some(), "{target}");
                }
                open.extend(members.values());
            }
            _ => {}
        }
    }
}

#[test]
fn a_list_takes_what_its_rules_say() {
    let document = document();
    let list = &document["paths"]["/v1/categories"]["get"];
    let schema = |name: &str| &parameter(&document, list, name)["schema"];
    assert_eq!(schema("sort")["enum"], json!(["created_at", "-created_at", "name", "-name"]));
    assert_eq!(schema("parent_id")["pattern"], "^cat_[0-7][0-9a-hjkmnp-tv-z]{25}$");
    assert_eq!(schema("parent_id[in]")["maxItems"], 100);
    assert_eq!(parameter(&document, list, "parent_id[in]")["explode"], false);
    assert_eq!(schema("parent_id[is_null]")["type"], "boolean");
    assert_eq!(schema("position[gte]")["type"], "integer");
    assert!(schema("position[is_null]").is_null() && schema("position[contains]").is_null());
    let expand = schema("expand")["items"]["enum"].as_array().unwrap();
    assert!(expand.contains(&json!("parent.children.parent")) && expand.len() == 14);
    assert_eq!(schema("limit")["maximum"], 100);
    assert!(parameter(&document, list, "Idempotency-Key").is_null());
}

#[test]
fn a_change_takes_its_headers_and_both_media_types() {
    let document = document();
    let update = &document["paths"]["/v1/brands/{id}"]["patch"];
    for name in ["id", "Idempotency-Key", "If-Match", "Bodega-Version", "Accept-Language"] {
        assert!(parameter(&document, update, name).is_object(), "{name}");
    }
    assert_eq!(parameter(&document, update, "id")["required"], true);
    let kinds: Vec<_> = update["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["application/json", "application/merge-patch+json"]);
    assert_eq!(update["requestBody"]["required"], true);
    let example = &update["requestBody"]["content"]["application/json"]["example"];
    assert_eq!(example["name"], "Casa Sur");
}

#[test]
fn what_goes_away_says_so() {
    let document = document();
    let merge = &document["paths"]["/v1/brands/{id}/merge"]["post"];
    assert_eq!(merge["deprecated"], true);
    assert!(merge["responses"]["200"]["headers"]["Sunset"].is_object());
    let create = &document["components"]["schemas"]["BrandCreate"];
    assert_eq!(create["properties"]["slug"]["deprecated"], true);
    assert!(document["paths"]["/v1/brands"]["post"].get("deprecated").is_none());
}

#[test]
fn an_id_is_called_what_it_is() {
    let document = document();
    let id = &document["components"]["schemas"]["Category"]["properties"]["id"];
    assert_eq!(id["$ref"], "#/components/schemas/CategoryId");
    let names = document["components"]["schemas"].as_object().unwrap().keys();
    assert!(names.into_iter().all(|name| !name.contains('_')));
}

#[test]
fn links_are_optional_members_of_the_type() {
    let document = document();
    let category = &document["components"]["schemas"]["Category"];
    let reference = json!({"$ref": "#/components/schemas/Category"});
    assert_eq!(category["properties"]["parent"]["oneOf"], json!([reference, {"type": "null"}]));
    let children = &category["properties"]["children"];
    assert_eq!(children["$ref"], "#/components/schemas/CategoryExcerpt");
    let excerpt = &document["components"]["schemas"]["CategoryExcerpt"]["properties"]["data"];
    assert_eq!((&excerpt["items"], &excerpt["maxItems"]), (&reference, &json!(10)));
    let told = &category["x-links"];
    assert_eq!(told[0], json!({"name": "parent", "target": "Category", "kind": "one"}));
    assert_eq!((&told[1]["kind"], &told[1]["filter"]), (&json!("page"), &json!("parent_id")));
    let required = category["required"].as_array().unwrap();
    assert!(!required.contains(&json!("parent")) && required.contains(&json!("name")));
    let some = &document["components"]["schemas"]["CategoryFields"];
    assert!(some.get("required").is_none() && some["properties"]["children"].is_object());
}

#[test]
fn an_event_is_a_webhook() {
    let document = document();
    let created = &document["webhooks"]["brand.created"]["post"];
    assert_eq!(created["tags"], json!(["brand"]));
    let body = &created["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/BrandCreatedEvent");
    let schema = &document["components"]["schemas"]["BrandCreatedEvent"];
    assert_eq!(schema["allOf"][1]["properties"]["type"]["const"], "brand.created");
}

#[test]
fn every_schema_is_one_and_every_text_in_it_has_a_bound() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::validate(schema).is_ok(), "{name}");
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (field, rules) in properties.filter(|(_, rules)| rules["type"] == "string") {
            let ruled = ["maxLength", "enum", "const"].iter().any(|rule| !rules[*rule].is_null());
            assert!(ruled, "{name}.{field}");
        }
    }
}
