//! The schemas of bodies: those of the registry, and what the document adds to them.

use std::collections::{BTreeMap, BTreeSet};

use bodega_contract::{LINK_ROWS, Leads, Operation};
use serde_json::{Value, json};

use super::json::{or_null, reference, several, whole, word};
use super::{Source, problem, spoken, states, webhooks};

/// The page of a type. (Not its list: `PriceList` is a thing that a shop has.)
pub(super) fn page_of(view: &str) -> String {
    format!("{view}Page")
}

/// The type, cut to some of its fields.
pub(super) fn fields_of(view: &str) -> String {
    format!("{view}Fields")
}

/// The first objects of a type that a link leads to.
fn excerpt_of(view: &str) -> String {
    format!("{view}Excerpt")
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
            states::add(registry, resource, schema);
        }
    }
    let links = registry.resources().flat_map(|(resource, _)| registry.links(resource));
    let paged: BTreeSet<_> =
        links.filter(|link| registry.pages(link).is_some()).map(|link| link.target).collect();
    for view in paged.into_iter().filter_map(|target| registry.view(target)) {
        add(&mut all, excerpt_of(view), excerpt(view));
    }
    for operation in registry.operations() {
        if let Some(schema) = operation.input.as_ref().and_then(|input| all.get_mut(&input.name)) {
            let pointers = operation.deprecated.iter().filter_map(|deprecation| deprecation.field);
            pointers.for_each(|pointer| deprecate(schema, pointer));
        }
    }
    let shaped = registry.operations().iter().filter(|operation| operation.shaped);
    let views: BTreeSet<_> = shaped.map(|operation| operation.output.schema()).collect();
    for view in views {
        if let Some(cut) = all.get(view).map(cut) {
            add(&mut all, fields_of(view), cut);
            let is_log = |operation: &Operation| {
                let list = operation.list.as_ref().is_some_and(|list| list.feed);
                list && operation.output.schema() == view
            };
            let mut page = page(view);
            if registry.operations().iter().any(is_log) {
                page["properties"]["reached"] = reached();
            }
            add(&mut all, page_of(view), page);
        }
    }
    for (name, schema) in problem::schemas().into_iter().chain(webhooks::schemas(source)) {
        add(&mut all, name, schema);
    }
    all
}

/// Adds a type of the document's own. A resource's type of the same name would be shown wrong.
fn add(all: &mut BTreeMap<String, Value>, name: String, schema: Value) {
    debug_assert!(!all.contains_key(&name), "{name} is a type of a resource already");
    all.insert(name, schema);
}

/// Adds the links of a resource to its type: they are there when `expand` asks for them.
fn link(source: &Source<'_>, resource: &str, schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let mut told = Vec::new();
    for link in source.registry.links(resource) {
        let Some(view) = source.registry.view(link.target) else { continue };
        let target = reference(view);
        let said = spoken(link.name);
        let about = format!("The {said}, where `expand` asks for `{}`.", link.name);
        let mut own = json!({"name": link.name, "target": view});
        let property = match &link.leads {
            Leads::One(_) => {
                own["kind"] = "one".into();
                json!({"description": about, "oneOf": [target, {"type": "null"}]})
            }
            Leads::Few { max, .. } => {
                (own["kind"], own["max"]) = ("bounded".into(), (*max).into());
                let about = format!("{about} All of them: there are never more than {max}.");
                several(target, usize::try_from(*max).unwrap_or(usize::MAX), &about)
            }
            Leads::Pages { filter, .. } => {
                (own["kind"], own["max"]) = ("page".into(), LINK_ROWS.into());
                let list = source.registry.list(link.target).map(|list| list.path.as_str());
                (own["list"], own["filter"]) = (list.into(), (*filter).into());
                let about = format!(
                    "{about} There may be any number: these are the first {LINK_ROWS}, newest \
                     first, and `next_url` leads to the rest."
                );
                let mut excerpt = reference(&excerpt_of(view));
                excerpt["description"] = about.into();
                excerpt
            }
        };
        properties.entry(link.name).or_insert(property);
        told.push(own);
    }
    if let Some(members) = schema.as_object_mut().filter(|_| !told.is_empty()) {
        members.insert("x-links".to_owned(), told.into());
    }
}

/// The first objects of a link that may lead to many.
fn excerpt(view: &str) -> Value {
    let about = "The path and query of the list that goes on after these, in the same order; null \
                 where there are no more.";
    json!({
        "type": "object",
        "description": format!(
            "The first `{view}` objects that a link leads to, newest first, and where the rest is."
        ),
        "required": ["data", "has_more", "next_url"],
        "properties": {
            "data": several(
                reference(view),
                usize::try_from(LINK_ROWS).unwrap_or(usize::MAX),
                "The first of them.",
            ),
            "has_more": {"type": "boolean", "description": "Whether there are more."},
            "next_url": or_null(word("^/v1/[A-Za-z0-9_/?=&-]+$", 5_000, about)),
        },
    })
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
        members.retain(|name, _| {
            !["required", "examples", "x-links", "x-states"].contains(&name.as_str())
        });
        let about = "As much of the object as `fields` asks for.";
        members.insert("description".to_owned(), about.into());
    }
    cut
}

fn reached() -> Value {
    let about = "With `after`: the last `sequence` that was looked at, including events that your key \
                 cannot see. Pass it as `after` to go on.";
    whole(0, about)
}

fn page(view: &str) -> Value {
    let either = json!({"anyOf": [reference(view), reference(&fields_of(view))]});
    let cursor = |about: &str| or_null(word("^[A-Za-z0-9_-]+$", 4_096, about));
    json!({
        "type": "object",
        "description": format!("A page of `{view}` objects."),
        "required": ["data", "next_cursor", "prev_cursor"],
        "properties": {
            "data": several(either, 100, "The objects."),
            "next_cursor": cursor("Where the next page starts; null on the last one."),
            "prev_cursor": cursor("Where the page before starts; null on the first one."),
            "total_count": whole(0, "How many match in all, where `count=true` asks for it."),
        },
    })
}
