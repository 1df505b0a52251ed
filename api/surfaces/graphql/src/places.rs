//! Where in a field's arguments something is wrong: the corridor says it as REST does, a caller of
//! this door wrote it another way.

use async_graphql::dynamic::TypeRef;
use serde_json::Value;

use crate::model::{Argument, ID, IDEMPOTENCY_KEY, IF_MATCH, INPUT, Model, PAIR_VALUE, named};
use crate::plan::Picked;

const FILTER: &str = "filter";

/// What the places of a problem document are called, for GraphQL's own.
pub(crate) const ARGUMENTS: &str = "arguments";

/// Gives each place that a problem document names as the caller of this field wrote it.
pub(crate) fn rename(model: &Model, picked: &Picked<'_>, document: &mut Value) {
    let errors = document.get_mut("errors").and_then(Value::as_array_mut);
    for error in errors.into_iter().flatten() {
        let (Some(place), Some(pointer)) = (error["in"].as_str(), error["pointer"].as_str()) else {
            continue;
        };
        if let Some(own) = own(model, picked, place, pointer) {
            error["pointer"] = own.into();
            error["in"] = ARGUMENTS.into();
        }
    }
}

/// A place in the arguments of a field, where REST's is in them.
fn own(model: &Model, picked: &Picked<'_>, place: &str, pointer: &str) -> Option<String> {
    let declared = &picked.field()?.arguments;
    let given = |name: &str| {
        let input = || picked.arguments.get(INPUT).and_then(|input| input.get(name));
        picked.arguments.get(name).or_else(input)
    };
    let beside = |name: &str| match declared.iter().any(|one| one.name == INPUT) {
        true => format!("/{INPUT}/{name}"),
        false => format!("/{name}"),
    };
    match place {
        "body" => {
            let input = declared.iter().find(|one| one.name == INPUT)?;
            let given = picked.arguments.get(INPUT);
            let rest = members(model, &input.kind, given, pointer.split('/').skip(1));
            Some(format!("/{INPUT}{rest}"))
        }
        "path" => Some(beside(ID)),
        "header" => {
            let name = match pointer {
                "/If-Match" => IF_MATCH,
                "/Idempotency-Key" => IDEMPOTENCY_KEY,
                _ => return None,
            };
            // It may have come as a header indeed.
            given(name).map(|_| beside(name))
        }
        "query" => parameter(model, declared, pointer, &given),
        _ => None,
    }
}

/// The members of an input that a pointer leads through; what is not of the schema stays as it is.
fn members<'p>(
    model: &Model,
    kind: &TypeRef,
    given: Option<&Value>,
    segments: impl Iterator<Item = &'p str>,
) -> String {
    let (mut path, mut kind, mut given) = (String::new(), Some(kind), given);
    for segment in segments {
        let input = kind.and_then(|kind| model.inputs.get(named(kind)));
        if input.is_some_and(|input| input.is_pair) {
            // What is a map there is a list of pairs here.
            let names = given.and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
            let place = names.into_iter().position(|name| *name == unescaped(segment));
            path.push_str(
                &place.map_or_else(String::new, |place| format!("/{place}/{PAIR_VALUE}")),
            );
            break;
        }
        given = given.and_then(|given| match given {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            given => given.get(segment),
        });
        let fields = input.map(|one| &one.fields);
        let field = fields.and_then(|fields| fields.iter().find(|field| field.rest == segment));
        path.push('/');
        path.push_str(field.map_or(segment, |field| field.name.as_str()));
        // An index leads to an item of a list, which is of the same named type.
        let index = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if !index {
            kind = field.map(|field| &field.kind);
        }
    }
    path
}

/// The argument that a parameter of the query string stands for.
fn parameter<'v>(
    model: &Model,
    declared: &[Argument],
    pointer: &str,
    given: &impl Fn(&str) -> Option<&'v Value>,
) -> Option<String> {
    let name = pointer.strip_prefix('/')?;
    let either = |ahead: &str, back: &str| {
        let back_only = given(back).is_some_and(|value| !value.is_null());
        Some(format!("/{}", if back_only { back } else { ahead }))
    };
    match name {
        "limit" => return either("first", "last"),
        "cursor" => return either("after", "before"),
        "last" | "sort" => return Some(pointer.to_owned()),
        _ => {}
    }
    let (field, operator) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some(both) => both,
        None => (name, "eq"),
    };
    let filter = declared.iter().find(|one| one.name == FILTER)?;
    let known = model.inputs.get(named(&filter.kind))?;
    known.fields.iter().find(|one| one.rest == field)?;
    Some(format!("/{FILTER}{}", members(model, &filter.kind, None, [field, operator].into_iter())))
}

/// The first thing that is wrong, in a sentence: `name must not be blank`.
pub(crate) fn first_fault(document: &Value) -> Option<String> {
    let error = document.get("errors")?.get(0)?;
    let (pointer, detail) = (error["pointer"].as_str()?, error["detail"].as_str()?);
    let mut segments = pointer.split('/').skip(1);
    let mut path: Vec<_> = segments.by_ref().map(unescaped).collect();
    if error["in"] == ARGUMENTS && path.first().is_some_and(|first| first == INPUT) {
        path.remove(0);
    }
    let path = path.join(".");
    Some(match (path.as_str(), is_sentence(detail)) {
        ("", _) => detail.to_owned(),
        (path, true) => format!("{path}: {detail}"),
        (path, false) => format!("{path} {detail}"),
    })
}

/// Whether words stand for themselves, or go on from the name of what they are about.
fn is_sentence(detail: &str) -> bool {
    detail.chars().next().is_some_and(char::is_uppercase)
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_fault_is_told_in_words() {
        let told = |pointer: &str, detail: &str| {
            let error = json!({"in": ARGUMENTS, "pointer": pointer, "detail": detail});
            first_fault(&json!({"errors": [error]}))
        };
        assert_eq!(
            told("/input/name", "must not be blank").as_deref(),
            Some("name must not be blank")
        );
        assert_eq!(told("/input/options/0/values", "x").as_deref(), Some("options.0.values x"));
        assert_eq!(told("/input", "A body is required").as_deref(), Some("A body is required"));
        assert_eq!(
            told("/input/brandId", "There is no such brand here.").as_deref(),
            Some("brandId: There is no such brand here.")
        );
        assert_eq!(told("/filter/createdAt/gte", "x").as_deref(), Some("filter.createdAt.gte x"));
        assert_eq!(first_fault(&json!({"detail": "x"})), None);
    }
}
