//! From a root field to a call, and from a page to a connection.

use bodega_contract::Operation;
use bodega_corridor::{Ask, Call, Pages};
use bodega_kernel::{FieldError, Problem, Way, text};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{ID, IDEMPOTENCY_KEY, IF_MATCH, INPUT, Object, PagePart};
use crate::plan::{self, Picked};

/// The call that a field of a query or a mutation stands for.
pub(crate) fn call<'a>(
    operation: &'a Operation,
    object: Option<&Object>,
    picked: &Picked<'_>,
    idempotency_key: Option<String>,
) -> Call<'a> {
    let mut body = picked.arguments.get(INPUT).cloned();
    let mut take = |name: &str| match body.as_mut().and_then(Value::as_object_mut) {
        // The members stay in the order they came: a retry by another door is then the same request.
        Some(input) => input.shift_remove(name),
        None => picked.arguments.get(name).cloned(),
    };
    let [id, if_match, own_key] = [ID, IF_MATCH, IDEMPOTENCY_KEY].map(&mut take);
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let mut call = Call {
        id: text(id),
        if_match: if_match.and_then(|version| version.as_i64()),
        idempotency_key: text(own_key).or(idempotency_key),
        body,
        ..Call::of(operation)
    };
    if operation.list.is_some() {
        page(&mut call, picked);
    } else if object.is_some_and(|object| object.resource == Some(operation.resource)) {
        call.ask.links = plan::links(&picked.fields);
    }
    call
}

/// What a connection's arguments ask of a list.
fn page(call: &mut Call<'_>, picked: &Picked<'_>) {
    let given = |name: &str| picked.arguments.get(name).filter(|value| !value.is_null());
    let (forward, backward) = (["first", "after"], ["last", "before"]);
    let back = backward.iter().any(|name| given(name).is_some());
    if back && forward.iter().any(|name| given(name).is_some()) {
        let detail = text(
            "goes one way: `first` and `after`, or `last` and `before`",
            "va en un sentido: `first` y `after`, o `last` y `before`",
        );
        call.fault = Some(Problem::invalid(FieldError::query("last", "invalid", detail)));
    }
    let Pages { query, lists, .. } = asked(picked, if back { backward } else { forward });
    call.query.extend(query);
    call.ask = Ask {
        links: plan::page_links(&picked.fields),
        lists,
        way: Some(if back { Way::Backward } else { Way::Forward }),
    };
}

/// What is asked of the pages that a link leads to.
pub(crate) fn pages(picked: &Picked<'_>) -> Pages {
    let pages = asked(picked, ["first", "after"]);
    Pages { name: picked.pages.clone(), ..pages }
}

/// What the pages of a link are called in the object: by what is asked of them, since one link may be
/// asked for in several ways. Short, however much is asked: each object that has them says it.
pub(crate) fn pages_name(picked: &Picked<'_>) -> String {
    let link = picked.field().map(|field| field.rest.as_str()).unwrap_or_default();
    let asked = (picked.wants(PagePart::Total), &picked.arguments);
    let asked = Sha256::digest(serde_json::to_vec(&asked).unwrap_or_default());
    format!(
        "{link}#{}",
        asked.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>()
    )
}

/// What the arguments of a connection ask of a list.
fn asked(picked: &Picked<'_>, [limit, cursor]: [&str; 2]) -> Pages {
    let given = |name: &str| picked.arguments.get(name).filter(|value| !value.is_null());
    let mut pages = Pages::default();
    for (name, value) in
        [("limit", given(limit)), ("cursor", given(cursor)), ("sort", given("sort"))]
    {
        pages.query.extend(value.map(|value| (name.to_owned(), plain(value))));
    }
    if picked.wants(PagePart::Total) {
        pages.query.push(("count".to_owned(), "true".to_owned()));
    }
    for (field, operators) in given("filter").and_then(Value::as_object).into_iter().flatten() {
        for (operator, value) in operators.as_object().into_iter().flatten() {
            let name = match operator.as_str() {
                "eq" => field.clone(),
                operator => format!("{field}[{operator}]"),
            };
            match value {
                Value::Null => {}
                Value::Array(items) => pages.lists.push((name, items.iter().map(plain).collect())),
                value => pages.query.push((name, plain(value))),
            }
        }
    }
    pages
}

/// A value as it would stand in a query string.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
