//! From a root field to a call, and from a page to a connection.

use bodega_contract::Operation;
use bodega_corridor::{Ask, Call};
use bodega_kernel::{FieldError, Problem, Way, text};
use serde_json::{Map, Value, json};

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
    let [limit, cursor] = if back { backward } else { forward };
    call.ask = Ask {
        links: plan::page_links(&picked.fields),
        lists: Vec::new(),
        way: Some(if back { Way::Backward } else { Way::Forward }),
    };
    let mut put = |name: &str, value: String| call.query.push((name.to_owned(), value));
    for (name, value) in [("limit", given(limit)), ("cursor", given(cursor))] {
        value.into_iter().for_each(|value| put(name, plain(value)));
    }
    given("sort").into_iter().for_each(|sort| put("sort", plain(sort)));
    if picked.wants(PagePart::Total) {
        put("count", "true".to_owned());
    }
    for (field, operators) in given("filter").and_then(Value::as_object).into_iter().flatten() {
        for (operator, value) in operators.as_object().into_iter().flatten() {
            let name = match operator.as_str() {
                "eq" => field.clone(),
                operator => format!("{field}[{operator}]"),
            };
            match value {
                Value::Null => {}
                Value::Array(items) => {
                    call.ask.lists.push((name, items.iter().map(plain).collect()));
                }
                value => call.query.push((name, plain(value))),
            }
        }
    }
}

/// A value as it would stand in a query string.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A page as a connection: what of it is asked for.
pub(crate) fn connection(picked: &Picked<'_>, mut page: Value) -> Value {
    let mut take = |name: &str| page.get_mut(name).map(Value::take).unwrap_or_default();
    let cursors = match take("cursors") {
        Value::Array(cursors) => cursors,
        _ => Vec::new(),
    };
    let (next, previous) = (take("next_cursor"), take("prev_cursor"));
    let (total, rows) = (take("total_count"), take("data"));
    let info = json!({
        "hasNextPage": !next.is_null(),
        "hasPreviousPage": !previous.is_null(),
        "startCursor": cursors.first(),
        "endCursor": cursors.last(),
    });
    let mut all = Map::new();
    all.insert("pageInfo".to_owned(), info);
    all.insert("totalCount".to_owned(), total);
    if picked.wants(PagePart::Edges) {
        if picked.wants(PagePart::Nodes) {
            all.insert("nodes".to_owned(), rows.clone());
        }
        let rows = match rows {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        let each = rows.into_iter().zip(cursors);
        let edges = each.map(|(node, cursor)| json!({"node": node, "cursor": cursor}));
        all.insert("edges".to_owned(), edges.collect());
    } else {
        all.insert("nodes".to_owned(), rows);
    }
    all.into()
}
