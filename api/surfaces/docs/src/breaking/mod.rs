//! What a new document takes from those who use the old one.
//!
//! Conservative: what it does not understand it compares for being the same. What it lets pass is
//! what the API says may come at any time: new operations, optional parameters and properties, new
//! members of answers, new values of an answer's `enum`, other problems.

mod resolve;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use resolve::{follow, strings};
use schema::{Checker, Direction};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Every change from the `blessed` OpenAPI document to the one of `now` that can break a client, a
/// line each, without repetition. Empty when there is none.
pub fn breaking_changes(blessed: &Value, now: &Value) -> Vec<String> {
    let mut documents =
        Documents { was: blessed, is: now, checker: Checker::new(blessed, now), found: Vec::new() };
    documents.paths();
    documents.webhooks();
    let mut seen = std::collections::BTreeSet::new();
    documents.found.retain(|line| seen.insert(line.clone()));
    documents.found
}

struct Documents<'a> {
    was: &'a Value,
    is: &'a Value,
    checker: Checker<'a>,
    found: Vec<String>,
}

/// Something in the old document, and what became of it.
#[derive(Clone, Copy)]
struct Pair<'a> {
    was: &'a Value,
    is: &'a Value,
}

impl<'a> Pair<'a> {
    /// The same member of both; null where there is none.
    fn member(self, name: &str) -> Self {
        Self { was: &self.was[name], is: &self.is[name] }
    }
}

impl<'a> Documents<'a> {
    fn fault(&mut self, at: &str, what: impl std::fmt::Display) {
        self.found.push(format!("{at}: {what}"));
    }

    /// Follows the references of both, each in its own document.
    fn follow(&self, pair: Pair<'a>) -> Pair<'a> {
        Pair { was: follow(self.was, pair.was), is: follow(self.is, pair.is) }
    }

    fn paths(&mut self) {
        let both = Pair { was: self.was, is: self.is }.member("paths");
        for (path, item) in members(both.was) {
            for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
                let at = match item[method]["operationId"].as_str() {
                    Some(id) => id.to_owned(),
                    None => format!("{} {path}", method.to_uppercase()),
                };
                match both.is[path].get(method) {
                    Some(is) => {
                        let items = Pair { was: item, is: &both.is[path] };
                        self.operation(&at, Pair { was: &item[method], is }, items);
                    }
                    None => {
                        let call = format!("{} {path}", method.to_uppercase());
                        self.fault(&at, format_args!("{call} is no longer there"));
                    }
                }
            }
        }
    }

    fn operation(&mut self, at: &str, pair: Pair<'a>, items: Pair<'a>) {
        if pair.was["operationId"] != pair.is["operationId"] {
            let is = &pair.is["operationId"];
            self.fault(at, format_args!("the operationId is now {is}"));
        }
        for scope in strings(&pair.is["x-scopes"]).difference(&strings(&pair.was["x-scopes"])) {
            self.fault(at, format_args!("now takes the scope {scope}"));
        }
        for event in strings(&pair.was["x-events"]).difference(&strings(&pair.is["x-events"])) {
            self.fault(at, format_args!("no longer emits {event}"));
        }
        self.security(at, pair);
        self.parameters(at, pair, items);
        self.request(at, self.follow(pair.member("requestBody")));
        self.responses(at, pair.member("responses"));
    }

    /// What was enough to be let in must still be.
    fn security(&mut self, at: &str, pair: Pair<'a>) {
        let effective = |operation: &'a Value, document: &'a Value| {
            let own = operation.get("security").or_else(|| document.get("security"));
            own.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
        };
        let was = effective(pair.was, self.was);
        let is = effective(pair.is, self.is);
        let open = |all: &[Value]| {
            all.is_empty() || all.iter().any(|one| one.as_object().is_some_and(Map::is_empty))
        };
        let suffices = |one: &Value| open(is) || is.contains(one);
        let before = if open(was) { open(is) } else { was.iter().all(suffices) };
        if !before {
            self.fault(at, "security is added");
        }
    }

    fn parameters(&mut self, at: &str, pair: Pair<'a>, items: Pair<'a>) {
        let was = parameters(self.was, items.was, pair.was);
        let is = parameters(self.is, items.is, pair.is);
        for ((place, name), one) in &was {
            let at = format!("{at} {place} parameter {name}");
            match is.get(&(*place, *name)) {
                Some(other) => self.parameter(&at, Pair { was: one, is: other }),
                None => self.fault(&at, "is no longer taken"),
            }
        }
        for ((place, name), one) in &is {
            if one["required"] == true && !was.contains_key(&(*place, *name)) {
                self.fault(at, format_args!("the {place} parameter {name} is new and required"));
            }
        }
    }

    fn parameter(&mut self, at: &str, pair: Pair<'a>) {
        if pair.is["required"] == true && pair.was["required"] != true {
            self.fault(at, "is now required");
        }
        for rule in ["style", "explode"] {
            if pair.was[rule] != pair.is[rule] {
                self.fault(
                    at,
                    format_args!("{rule} went from {} to {}", pair.was[rule], pair.is[rule]),
                );
            }
        }
        self.compare(at, pair, Direction::Request);
        self.contents(at, pair.member("content"), Direction::Request);
    }

    fn request(&mut self, at: &str, pair: Pair<'a>) {
        let at = format!("{at} request body");
        match (pair.was.is_object(), pair.is.is_object()) {
            (true, true) => {
                if pair.is["required"] == true && pair.was["required"] != true {
                    self.fault(&at, "is now required");
                }
                self.contents(&at, pair.member("content"), Direction::Request);
            }
            (true, false) => self.fault(&at, "is no longer taken"),
            (false, true) if pair.is["required"] == true => self.fault(&at, "is new and required"),
            (false, _) => {}
        }
    }

    fn responses(&mut self, at: &str, pair: Pair<'a>) {
        for (status, was) in members(pair.was) {
            if !status.starts_with('2') && !status.starts_with('3') {
                continue;
            }
            let at = format!("{at} answer {status}");
            let Some(is) = pair.is.get(status) else {
                self.fault(&at, "is no longer given");
                continue;
            };
            let both = self.follow(Pair { was, is });
            for (name, _) in members(&both.was["headers"]) {
                if both.is["headers"].get(name).is_none() {
                    self.fault(&at, format_args!("the header {name} is no longer sent"));
                }
            }
            self.contents(&at, both.member("content"), Direction::Response);
        }
    }

    fn contents(&mut self, at: &str, pair: Pair<'a>, direction: Direction) {
        for (kind, was) in members(pair.was) {
            match pair.is.get(kind) {
                Some(is) => {
                    let both = self.follow(Pair { was, is });
                    self.compare(at, both, direction);
                }
                None => self.fault(at, format_args!("{kind} is no longer there")),
            }
        }
    }

    /// Compares the `schema` members of two.
    fn compare(&mut self, at: &str, pair: Pair<'a>, direction: Direction) {
        match (pair.was.get("schema"), pair.is.get("schema")) {
            (Some(was), Some(is)) => {
                self.found.extend(self.checker.compare(at, was, is, direction))
            }
            (Some(_), None) if direction == Direction::Response => {
                self.fault(at, "no longer says what it holds");
            }
            (None, Some(is)) if direction == Direction::Request => {
                let any = &Value::Bool(true);
                self.found.extend(self.checker.compare(at, any, is, direction));
            }
            _ => {}
        }
    }

    /// What is sent to a client's own endpoint is read there like an answer.
    fn webhooks(&mut self) {
        let both = Pair { was: self.was, is: self.is }.member("webhooks");
        for (name, was) in members(both.was) {
            let at = format!("webhook {name}");
            let Some(is) = both.is.get(name) else {
                self.fault(&at, "is no longer sent");
                continue;
            };
            let both = Pair { was, is }.member("post").member("requestBody");
            let both = self.follow(both);
            self.contents(&at, both.member("content"), Direction::Response);
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

type Parameters<'a> = BTreeMap<(&'a str, &'a str), &'a Value>;

/// The parameters of an operation, those of its path among them, by place and name.
fn parameters<'a>(document: &'a Value, item: &'a Value, operation: &'a Value) -> Parameters<'a> {
    let lists = [&item["parameters"], &operation["parameters"]];
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    all.map(|one| follow(document, one))
        .filter_map(|one| Some(((one["in"].as_str()?, one["name"].as_str()?), one)))
        .collect()
}
