//! References, and schemas brought to one form, so that two ways to say the same compare equal.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// No chain of references is longer.
const STEPS_MAX: usize = 16;

/// What is there for people, and changes nothing for programs.
const NOTES: [&str; 11] = [
    "title",
    "description",
    "summary",
    "example",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
    "$comment",
];

/// What a reference leads to; a value that is none is itself.
pub(super) fn follow<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..STEPS_MAX {
        let Some(target) = value.get("$ref").and_then(Value::as_str) else { break };
        value =
            target.strip_prefix('#').and_then(|at| document.pointer(at)).unwrap_or(&Value::Null);
    }
    value
}

/// The component that a schema is, when it is nothing but a reference to it.
pub(super) fn component(schema: &Value) -> Option<&str> {
    let members = schema.as_object()?;
    let mut rules = members.iter().filter(|(name, _)| !is_note(name));
    let (Some((name, rule)), None) = (rules.next(), rules.next()) else { return None };
    match (name.as_str(), rule) {
        ("$ref", target) => target.as_str()?.rsplit('/').next(),
        ("allOf" | "oneOf" | "anyOf", Value::Array(parts)) if parts.len() == 1 => {
            component(parts.first()?)
        }
        _ => None,
    }
}

/// Whether a keyword is there for people.
pub(super) fn is_note(keyword: &str) -> bool {
    NOTES.contains(&keyword) || keyword.starts_with("x-")
}

/// The texts in a list.
pub(super) fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A schema as the alternatives that it allows, each without `oneOf`, `anyOf`, `allOf` or a list of
/// types at its top. One that allows anything is a single empty alternative. A component among the
/// alternatives stays a reference, so that the pair it makes with another is compared once.
pub(super) fn alternatives<'a>(document: &'a Value, schema: &'a Value) -> Vec<Cow<'a, Value>> {
    spread(document, Cow::Borrowed(follow(document, schema)), 0, false)
}

fn spread<'a>(
    document: &'a Value,
    schema: Cow<'a, Value>,
    level: usize,
    keep: bool,
) -> Vec<Cow<'a, Value>> {
    let Some(members) = schema.as_object().filter(|_| level < STEPS_MAX) else {
        // `true` allows anything; `false` and what is no schema are left as they are.
        let anything = || Cow::Owned(Map::new().into());
        return vec![if schema.as_bool() == Some(true) { anything() } else { schema }];
    };
    if keep && component(&schema).is_some() {
        let target = follow(document, &schema);
        let several = ["oneOf", "anyOf", "allOf"].iter().any(|rule| target.get(rule).is_some());
        if !several && !target["type"].is_array() {
            return vec![schema];
        }
    }
    let rest = |without: &str| {
        let mut rest = members.clone();
        rest.retain(|name, _| name != without && !is_note(name));
        rest
    };
    if members.contains_key("$ref") {
        let target = follow(document, &schema).clone();
        return spread_all(document, &rest("$ref"), vec![target], level, false);
    }
    if let Some(Value::Array(parts)) = members.get("allOf") {
        let mut whole = rest("allOf");
        for part in parts {
            let all = spread(document, Cow::Owned(part.clone()), level + 1, false);
            all.iter().take(1).for_each(|one| merge(&mut whole, one));
        }
        return spread(document, Cow::Owned(whole.into()), level + 1, false);
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(Value::Array(parts)) = members.get(keyword) {
            return spread_all(document, &rest(keyword), parts.clone(), level, true);
        }
    }
    if let Some(Value::Array(kinds)) = members.get("type") {
        let of_kind = |kind: &Value| {
            // Of null there is nothing more to say.
            let mut one = if kind == "null" { Map::new() } else { rest("type") };
            one.insert("type".to_owned(), kind.clone());
            Cow::Owned(one.into())
        };
        return kinds.iter().map(of_kind).collect();
    }
    vec![schema]
}

/// Each of the parts, with what stands beside them.
fn spread_all<'a>(
    document: &'a Value,
    beside: &Map<String, Value>,
    parts: Vec<Value>,
    level: usize,
    keep: bool,
) -> Vec<Cow<'a, Value>> {
    let with = |part: Value| {
        let keep = keep && beside.is_empty();
        let mut all = spread(document, Cow::Owned(part), level + 1, keep);
        for one in all.iter_mut().filter(|_| !beside.is_empty()) {
            let mut whole = beside.clone();
            merge(&mut whole, one);
            *one = Cow::Owned(whole.into());
        }
        all
    };
    parts.into_iter().flat_map(with).collect()
}

/// Adds what `part` asks for to `whole`: all of both must hold.
fn merge(whole: &mut Map<String, Value>, part: &Value) {
    for (name, value) in part.as_object().into_iter().flatten().filter(|(name, _)| !is_note(name)) {
        match (name.as_str(), whole.get_mut(name), value) {
            (_, None, value) => {
                whole.insert(name.clone(), value.clone());
            }
            ("required", Some(Value::Array(names)), Value::Array(more)) => {
                let new: Vec<_> = more.iter().filter(|one| !names.contains(one)).cloned().collect();
                names.extend(new);
            }
            ("properties", Some(Value::Object(all)), Value::Object(more)) => {
                for (property, rules) in more {
                    let both = match all.get(property) {
                        Some(own) => serde_json::json!({"allOf": [own, rules]}),
                        None => rules.clone(),
                    };
                    all.insert(property.clone(), both);
                }
            }
            // The later one is the narrower, as people write it.
            (_, Some(own), value) => *own = value.clone(),
        }
    }
}
