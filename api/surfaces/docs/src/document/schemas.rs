//! The schemas of bodies: those of the registry, and what the document adds to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::plain::ANY_TEXT;
use super::{Source, spoken, webhooks};

/// As many objects as one expansion brings.
const EXPANSION_MAX: usize = 10_000;

/// The page of a type. (Not its list: `PriceList` is a thing that a shop has.)
pub(super) fn page_of(view: &str) -> String {
    format!("{view}Page")
}

/// The type, cut to some of its fields.
pub(super) fn fields_of(view: &str) -> String {
    format!("{view}Fields")
}

/// All schemas by name.
pub(super) fn components(source: &Source<'_>) -> BTreeMap<String, Value> {
    let registry = source.registry;
    let mut all = registry.schemas().0.clone();
    for (resource, _) in registry.resources() {
        if let Some(view) = registry.view(resource)
            && let Some(schema) = all.get_mut(view)
        {
            link(source, resource, schema);
        }
    }
    for operation in registry.operations() {
        if let Some(schema) = operation.input.as_ref().and_then(|input| all.get_mut(&input.name)) {
            let pointers = operation.deprecated.iter().filter_map(|deprecation| deprecation.field);
            pointers.for_each(|pointer| deprecate(schema, pointer));
        }
        let view = operation.output.schema();
        if operation.shaped
            && let Some(cut) = all.get(view).map(cut)
        {
            all.insert(fields_of(view), cut);
            all.insert(page_of(view), page(view));
        }
    }
    all.insert("Problem".to_owned(), problem());
    all.insert("ProblemError".to_owned(), problem_error());
    all.extend(webhooks::schemas(source));
    all.values_mut().for_each(restrict);
    all
}

/// Adds the links of a resource to its type: they are there when `expand` asks for them.
fn link(source: &Source<'_>, resource: &str, schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for link in source.registry.links(resource) {
        let Some(view) = source.registry.view(link.target) else { continue };
        let target = json!({"$ref": format!("#/components/schemas/{view}")});
        let said = spoken(link.name);
        let about = format!("The {said}, where `expand` asks for `{}`.", link.name);
        let property = match link.one {
            true => json!({"description": about, "oneOf": [target, {"type": "null"}]}),
            false => json!({
                "description": about, "type": "array", "items": target, "maxItems": EXPANSION_MAX,
            }),
        };
        properties.entry(link.name).or_insert(property);
    }
}

fn deprecate(schema: &mut Value, pointer: &str) {
    let property = format!("/properties{pointer}");
    if let Some(Value::Object(property)) = schema.pointer_mut(&property) {
        property.insert("deprecated".to_owned(), Value::Bool(true));
    }
}

/// The same type with nothing required.
fn cut(schema: &Value) -> Value {
    let mut cut = schema.clone();
    if let Some(members) = cut.as_object_mut() {
        members.retain(|name, _| name != "required" && name != "examples");
        let about = "As much of the object as `fields` asks for.";
        members.insert("description".to_owned(), about.into());
    }
    cut
}

fn page(view: &str) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let cursor = |about: &str| {
        json!({
            "type": ["string", "null"], "description": about,
            "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 4096,
        })
    };
    json!({
        "type": "object",
        "description": format!("A page of `{view}` objects."),
        "required": ["data", "next_cursor", "prev_cursor"],
        "properties": {
            "data": {
                "type": "array",
                "description": "The objects.",
                "items": {"anyOf": [reference(view), reference(&fields_of(view))]},
                "maxItems": 100,
            },
            "next_cursor": cursor("Where the next page starts; null on the last one."),
            "prev_cursor": cursor("Where the page before starts; null on the first one."),
            "total_count": {
                "type": "integer", "format": "int64",
                "description": "How many match in all, where `count=true` asks for it.",
                "minimum": 0, "maximum": 9_007_199_254_740_991_i64,
            },
        },
    })
}

fn problem() -> Value {
    let words = |about: &str, max_items: u32| {
        json!({
            "type": "array", "description": about, "maxItems": max_items,
            "items": {"type": "string", "pattern": "^[!-~]+$", "maxLength": 100},
        })
    };
    let word = |about: &str| json!({"type": "string", "description": about, "pattern": "^[!-~]+$", "maxLength": 100});
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). Decide on `code`; there may be more members.",
        "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
        "properties": {
            "type": {
                "type": "string", "format": "uri-reference", "pattern": "^/problems/[a-z_]+$",
                "maxLength": 100, "description": "The page about this kind of problem.",
            },
            "title": {
                "type": "string", "maxLength": 100,
                "description": "What it is called, in the language asked for.",
            },
            "status": {
                "type": "integer", "format": "int32", "minimum": 400, "maximum": 599,
                "description": "The HTTP status.",
            },
            "detail": {
                "type": "string", "maxLength": 4096,
                "description": "This occurrence, in the language asked for.",
            },
            "instance": {
                "type": "string", "format": "uri-reference", "maxLength": 16_384,
                "description": "The path of the call.",
            },
            "code": {
                "type": "string", "pattern": "^[a-z_]+$", "maxLength": 64,
                "description": "Its kind. What a code means never changes; new ones may come.",
            },
            "request_id": {
                "type": "string", "pattern": "^req_[0-7][0-9a-hjkmnp-tv-z]{25}$", "maxLength": 30,
                "description": "The call's own id, as in `Request-Id`.",
            },
            "errors": {
                "type": "array", "maxItems": 100,
                "description": "Where in the request, and what is wrong there.",
                "items": {"$ref": "#/components/schemas/ProblemError"},
            },
            "scope": word("The scope that is missing."),
            "expected_prefix": word("What an id of the right type starts with."),
            "current_version": {
                "type": "integer", "format": "int64",
                "minimum": 1, "maximum": 9_007_199_254_740_991_i64,
                "description": "The version that the object has now.",
            },
            "from": word("The state that the object is in."),
            "to": word("The state that it cannot go to."),
            "allowed": words("The states that the object can go to from where it is.", 100),
            "versions": words("The versions of the API.", 1000),
            "violated-policies": words("The limits that are used up.", 10),
        },
    })
}

fn problem_error() -> Value {
    json!({
        "type": "object",
        "description": "One thing that is wrong with a request.",
        "required": ["in", "pointer", "code", "detail"],
        "properties": {
            "in": {
                "type": "string", "enum": ["body", "query", "path", "header"],
                "description": "The part of the request.",
            },
            "pointer": {
                "type": "string", "maxLength": 4096,
                "description": "A JSON pointer (RFC 6901) into that part; empty for all of it.",
            },
            "code": {
                "type": "string", "pattern": "^[a-z_]+$", "maxLength": 64,
                "description": "What is wrong, as a word; new ones may come.",
            },
            "detail": {
                "type": "string", "maxLength": 4096,
                "description": "What is wrong, in the language asked for.",
            },
        },
    })
}

/// Says of each free text what holds for all of them: there is no NUL in it.
fn restrict(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let text = match members.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => false,
    };
    let ruled =
        ["format", "pattern", "enum", "const"].iter().any(|rule| members.contains_key(*rule));
    if text && !ruled {
        members.insert("pattern".to_owned(), ANY_TEXT.into());
    }
    each_inner(members, restrict);
}

/// Visits the schemas that a schema is made of. (Examples and defaults only look like schemas.)
fn each_inner(members: &mut Map<String, Value>, visit: fn(&mut Value)) {
    for (keyword, inner) in members {
        match (keyword.as_str(), inner) {
            ("items" | "additionalProperties" | "propertyNames", inner) => visit(inner),
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(all)) => {
                all.iter_mut().for_each(visit);
            }
            ("properties", Value::Object(all)) => all.values_mut().for_each(visit),
            _ => {}
        }
    }
}
