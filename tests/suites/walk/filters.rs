//! Filters: each finds exactly the rows that it says, and refuses values that make no sense.

use std::collections::BTreeSet;

use bodega_tests::{Db, both};
use serde_json::Value;

use super::fixtures::nowhere;
use super::operations::{Operation, Parameter, id_prefix};
use super::walker::{Walk, encode, id_of, instant};

both!(each_filter_finds_what_it_says, values_that_make_no_sense_are_refused);

/// Of the query, what is no filter.
const OTHERS: &[&str] =
    &["limit", "cursor", "count", "sort", "fields", "expand", "after", "wait_s"];

const OPERATORS: &[&str] =
    &["ne", "gt", "gte", "lt", "lte", "in", "contains", "starts_with", "is_null"];

/// A filter of a list, taken apart.
struct Filter<'a> {
    name: &'a str,
    field: &'a str,
    operator: &'a str,
    /// Of one value.
    schema: &'a Value,
}

async fn each_filter_finds_what_it_says(db: Db) {
    let walk = Walk::stocked(db, 3).await;
    let mut tried = BTreeSet::new();
    for list in walk.lists() {
        let still = match list.parameter("created_at[lte]") {
            // More is noted while this looks.
            Some(_) => {
                walk.newest(&walk.server.live_key, &list.resource).await;
                let newest = walk.all(&walk.server.live_key, list, "").await[0].clone();
                let newest = newest["created_at"].as_str().expect("a time").to_owned();
                format!("&created_at[lte]={}", encode(&newest))
            }
            None => String::new(),
        };
        let rows = walk.all(&walk.server.live_key, list, &still).await;
        for filter in filters(list) {
            for value in samples(&filter, &rows) {
                let mut query = format!("{still}&{}={}", encode(filter.name), encode(&value));
                if filter.name == "created_at[lte]" {
                    query = format!("&{}={}", encode(filter.name), encode(&value));
                }
                let found = walk.all(&walk.server.live_key, list, &query).await;
                let found: Vec<_> = found.iter().map(id_of).collect();
                let holds = |row: &&Value| holds(&filter, &row[filter.field], &value);
                let wanted: Vec<_> = rows.iter().filter(holds).map(id_of).collect();
                assert_eq!(found, wanted, "{}: {query}", list.id);
                if !wanted.is_empty() && wanted.len() < rows.len() {
                    tried.insert(filter.operator.to_owned());
                }
            }
        }
    }
    // Each operator told rows from others somewhere.
    let missed: Vec<_> = OPERATORS.iter().filter(|one| !tried.contains(**one)).collect();
    assert!(missed.is_empty(), "operators that told nothing apart: {missed:?}");
}

async fn values_that_make_no_sense_are_refused(db: Db) {
    let walk = Walk::start(db).await;
    for list in walk.lists() {
        let id = &list.id;
        let tries = async |name: &str, value: &str| {
            let path = format!("{}?{}={}", list.path, encode(name), encode(value));
            walk.send(list, walk.server.call("GET", &path)).await
        };
        let all = filters(list);
        for filter in &all {
            let pointer = format!("/{}", filter.name);
            for bad in nonsense(filter) {
                tries(filter.name, bad).await.invalid("query", &pointer, "invalid");
            }
            for fine in extremes(filter) {
                tries(filter.name, fine).await.done();
            }
            tries(filter.name, "a\0b").await.invalid("query", &pointer, "invalid");
            if filter.operator == "in" {
                let many = vec!["1"; 101].join(",");
                tries(filter.name, &many).await.invalid("query", &pointer, "too_many");
            } else {
                let long = "x".repeat(1_001);
                tries(filter.name, &long).await.invalid("query", &pointer, "too_long");
            }
        }
        let fields: BTreeSet<_> = all.iter().map(|filter| filter.field).collect();
        for field in fields {
            let taken: BTreeSet<_> =
                all.iter().filter(|one| one.field == field).map(|one| one.operator).collect();
            let others = OPERATORS.iter().filter(|operator| !taken.contains(**operator));
            for operator in others.chain(&["nope", "EQ", "ne]["]) {
                let name = format!("{field}[{operator}]");
                let pointer = format!("/{name}");
                tries(&name, "1").await.invalid("query", &pointer, "unknown_operator");
            }
            let open = format!("{field}[ne");
            tries(&open, "1").await.invalid("query", &format!("/{open}"), "unknown_operator");
        }
        assert!(!all.is_empty() || *id == "organization.list", "{id}: no filters");
    }
}

fn filters(list: &Operation) -> Vec<Filter<'_>> {
    let all = list.query().filter(|one| !OTHERS.contains(&one.name.as_str()));
    let apart = |one: &'_ Parameter| -> (usize, usize) {
        let at = one.name.find('[').unwrap_or(one.name.len());
        (at, (at + 1).min(one.name.len()))
    };
    all.map(|one| {
        let (end, start) = apart(one);
        let several = one.schema["type"] == "array";
        Filter {
            name: &one.name,
            field: &one.name[..end],
            operator: one.name[start..].trim_end_matches(']'),
            schema: if several { &one.schema["items"] } else { &one.schema },
        }
    })
    .collect()
}

/// Values to filter by: such as the rows have, and one that none has.
fn samples(filter: &Filter<'_>, rows: &[Value]) -> Vec<String> {
    if filter.operator == "is_null" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let mut found: Vec<String> = rows.iter().filter_map(|row| plain(&row[filter.field])).collect();
    found.sort();
    found.dedup();
    let two: Vec<String> = [found.len() / 3, found.len() * 2 / 3]
        .iter()
        .filter_map(|at| found.get(*at).cloned())
        .collect();
    let mut samples = match filter.operator {
        "in" => {
            let listed = two.iter().filter(|one| !one.contains(',')).cloned().collect::<Vec<_>>();
            vec![listed.join(",")]
        }
        // The case does not matter; what means something to the database does not.
        "contains" => two.iter().map(|one| part(one, 1).to_uppercase()).collect(),
        "starts_with" => two.iter().map(|one| part(one, 0).to_uppercase()).collect(),
        _ => two,
    };
    samples.retain(|one| !one.is_empty());
    if matches!(filter.operator, "contains" | "starts_with") {
        samples.extend(["%", "_", "\\", "a%b", "%%"].map(str::to_owned));
    }
    samples.push(absent(filter));
    samples
}

/// Some characters of a text, from its start or from within.
fn part(text: &str, skip: usize) -> String {
    text.chars().skip(skip).take(4).collect()
}

/// A value of the right kind that no row has.
fn absent(filter: &Filter<'_>) -> String {
    if let Some(prefix) = id_prefix(filter.schema) {
        return nowhere(&prefix);
    }
    match (&filter.schema["enum"][0], filter.schema["type"].as_str(), &filter.schema["format"]) {
        (Value::String(first), ..) => first.clone(),
        (_, Some("integer"), _) => "17".to_owned(),
        (_, Some("boolean"), _) => "true".to_owned(),
        (_, _, format) if format == "date-time" => "2020-02-29T12:00:00.5+02:00".to_owned(),
        _ => "nothing is called so".to_owned(),
    }
}

/// Whether a row whose field has this value is to be found.
fn holds(filter: &Filter<'_>, has: &Value, wanted: &str) -> bool {
    if filter.operator == "is_null" {
        return has.is_null() == (wanted == "true");
    }
    // What is empty is neither this nor that.
    let Some(text) = plain(has) else { return false };
    let time = filter.schema["format"] == "date-time";
    let order = || match has {
        Value::Number(number) => {
            number.as_i64().cmp(&Some(wanted.parse::<i64>().expect("a number")))
        }
        // The value that none has lies before them all.
        _ if time && wanted.starts_with("2020") => std::cmp::Ordering::Greater,
        _ => instant(has).cmp(&instant(&Value::from(wanted))),
    };
    let (text, lower) = (text.clone(), text.to_ascii_lowercase());
    match filter.operator {
        "" => text == wanted,
        "ne" => text != wanted,
        "in" => wanted.split(',').any(|one| one == text),
        "contains" => lower.contains(&wanted.to_ascii_lowercase()),
        "starts_with" => lower.starts_with(&wanted.to_ascii_lowercase()),
        "gt" => order().is_gt(),
        "gte" => order().is_ge(),
        "lt" => order().is_lt(),
        "lte" => order().is_le(),
        other => panic!("{}: the operator {other} is not known here", filter.name),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Values that are of no use to a filter of this kind.
fn nonsense(filter: &Filter<'_>) -> &'static [&'static str] {
    let kind = filter.schema["type"].as_str().unwrap_or_default();
    match (&filter.schema["enum"], kind, &filter.schema["format"]) {
        (Value::Array(_), ..) => &["nope", "", "ACTIVE"],
        (_, "integer", _) => &["x", "", "1.5", "0x10", "99999999999999999999"],
        (_, "boolean", _) => &["yes", "", "1"],
        (_, _, format) if format == "date-time" => {
            &["yesterday", "", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "0"]
        }
        _ if id_prefix(filter.schema).is_some() => &["x", "", "17", "prod"],
        _ => &[],
    }
}

/// Values at the edge of what a filter of this kind takes.
fn extremes(filter: &Filter<'_>) -> &'static [&'static str] {
    let kind = filter.schema["type"].as_str().unwrap_or_default();
    match (kind, &filter.schema["format"]) {
        ("integer", _) => &["0", "-1", "9007199254740991", "-9007199254740991"],
        (_, format) if format == "date-time" => &[
            "9999-12-31T23:59:59.999999Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00.123456789-12:00",
        ],
        _ if id_prefix(filter.schema).is_none()
            && filter.schema.get("enum").is_none()
            && kind == "string" =>
        {
            &["", "ñandú 日本 💥", "'; DROP TABLE product; --", "\"", "\\", "%", "+ +"]
        }
        _ => &[],
    }
}
