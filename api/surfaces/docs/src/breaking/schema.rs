//! Whether what was sent under one schema is still understood under another.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::resolve::{alternatives, component, follow, is_note, strings};

/// Which way the data goes: what an old client sends must fit the new schema, what a new server
/// answers must fit the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const EXACT: [&str; 4] = ["pattern", "format", "multipleOf", "uniqueItems"];

/// The keywords with a rule of their own; any other is compared for being the same.
const STRUCTURE: [&str; 8] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "items",
];

static ANYTHING: Value = Value::Bool(true);

/// No schema nests deeper without a component between, except one that is made of itself in a way
/// that [`component`] does not see.
const LEVELS_MAX: usize = 32;

type Compared = (String, String, Direction);

/// Compares the schemas of two documents, each pair of components once.
pub(super) struct Checker<'a> {
    was: &'a Value,
    is: &'a Value,
    done: HashMap<Compared, Vec<String>>,
    level: usize,
}

impl<'a> Checker<'a> {
    /// A checker over two documents.
    pub(super) fn new(was: &'a Value, is: &'a Value) -> Self {
        Self { was, is, done: HashMap::new(), level: 0 }
    }

    /// Every way in which `is` breaks what `was` allowed. `at` says where, for the message.
    pub(super) fn compare(
        &mut self,
        at: &str,
        was: &Value,
        is: &Value,
        direction: Direction,
    ) -> Vec<String> {
        let (Some(one), Some(other)) = (component(was), component(is)) else {
            return self.fits(at, was, is, direction);
        };
        let key = (one.to_owned(), other.to_owned(), direction);
        if let Some(found) = self.done.get(&key) {
            return found.clone();
        }
        // A type that is made of itself meets this pair again, and holds as far as the rest does.
        self.done.insert(key.clone(), Vec::new());
        let way = if direction == Direction::Request { "requests" } else { "answers" };
        let found = self.fits(&format!("schema {one} in {way}"), was, is, direction);
        self.done.insert(key, found.clone());
        found
    }

    /// Each alternative that may be sent must be one that is understood.
    fn fits(&mut self, at: &str, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        if self.level == LEVELS_MAX {
            let what = format!("{at}: nests too deep to compare, and changed");
            return (was != is).then_some(what).into_iter().collect();
        }
        self.level += 1;
        let found = self.each_fits(at, was, is, direction);
        self.level -= 1;
        found
    }

    fn each_fits(
        &mut self,
        at: &str,
        was: &Value,
        is: &Value,
        direction: Direction,
    ) -> Vec<String> {
        let (olds, news) = (alternatives(self.was, was), alternatives(self.is, is));
        let request = direction == Direction::Request;
        let (sent, known) = if request { (&olds, &news) } else { (&news, &olds) };
        let (sender, reader) = if request { (self.was, self.is) } else { (self.is, self.was) };
        let mut all = Vec::new();
        for one in sent {
            let kind = kind(follow(sender, one));
            let mut best: Option<Vec<String>> = None;
            for other in known.iter().filter(|other| kind_fits(kind, follow(reader, other))) {
                let (was, is) = if request { (one, other) } else { (other, one) };
                let found = match component(was).or_else(|| component(is)) {
                    Some(_) => self.compare(at, was, is, direction),
                    None => self.single(at, was, is, direction),
                };
                if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                    best = Some(found);
                }
            }
            let kind = kind.unwrap_or("any type");
            all.extend(best.unwrap_or_else(|| match direction {
                Direction::Request => vec![format!("{at}: {kind} is no longer taken")],
                Direction::Response => vec![format!("{at}: may now be {kind}")],
            }));
        }
        all
    }

    /// One alternative of each, of the same type.
    fn single(&mut self, at: &str, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        let mut found = values(was, is, direction);
        match direction {
            Direction::Request => found.extend(tighter(was, is)),
            Direction::Response => {
                let (was, is) = (&was["format"], &is["format"]);
                if !was.is_null() && was != is && (was, is) != (&"int64".into(), &"int32".into()) {
                    found.push(format!("format went from {was} to {is}"));
                }
            }
        }
        found.extend(other_rules(was, is));
        let mut found: Vec<_> = found.into_iter().map(|what| format!("{at}: {what}")).collect();
        found.extend(self.properties(at, was, is, direction));
        found.extend(self.inner(at, was, is, direction));
        found
    }

    fn properties(
        &mut self,
        at: &str,
        was: &Value,
        is: &Value,
        direction: Direction,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (name, rules) in was["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            match (is["properties"].get(name), direction) {
                (Some(new), _) => found.extend(self.compare(&at, rules, new, direction)),
                (None, Direction::Request) => found.push(format!("{at}: is no longer taken")),
                (None, Direction::Response) => found.push(format!("{at}: is no longer there")),
            }
        }
        let (old, new) = (strings(&was["required"]), strings(&is["required"]));
        match direction {
            Direction::Request => {
                let more = new.difference(&old);
                found.extend(more.map(|name| format!("{at}/{name}: is now required")));
            }
            Direction::Response => {
                let fewer = old.difference(&new);
                let fewer = fewer.filter(|name| is["properties"].get(**name).is_some());
                found.extend(fewer.map(|name| format!("{at}/{name}: may now be absent")));
            }
        }
        found
    }

    /// What arrays and maps are made of.
    fn inner(&mut self, at: &str, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        let mut found = Vec::new();
        for (rule, at) in [
            ("items", format!("{at}/*")),
            ("additionalProperties", format!("{at}/*")),
            ("propertyNames", format!("{at} names")),
        ] {
            let (was, is) = (was.get(rule), is.get(rule));
            let (was, is) = (was.unwrap_or(&ANYTHING), is.unwrap_or(&ANYTHING));
            match (was.as_bool(), is.as_bool(), direction) {
                // Nothing else was taken, nothing else was sent, or all of it still is.
                (Some(false), _, Direction::Request) | (_, Some(true), Direction::Request) => {}
                (_, Some(false), Direction::Response) | (Some(true), _, Direction::Response) => {}
                // Members that nobody knew of may come with any answer.
                (Some(false), _, Direction::Response) => {}
                (_, Some(false), Direction::Request) => {
                    found.push(format!("{at}: other members are no longer taken"));
                }
                _ => found.extend(self.compare(&at, was, is, direction)),
            }
        }
        found
    }
}

/// The type of an alternative, also where only its other keywords tell.
fn kind(schema: &Value) -> Option<&str> {
    if let Some(kind) = schema["type"].as_str() {
        return Some(kind);
    }
    let told = |keyword: &str| schema.get(keyword).is_some();
    if told("properties") || told("required") || told("additionalProperties") {
        return Some("object");
    }
    match schema.get("const").or_else(|| schema["enum"].get(0)) {
        Some(Value::String(_)) => Some("string"),
        Some(Value::Bool(_)) => Some("boolean"),
        _ => told("items").then_some("array"),
    }
}

/// Whether what is sent may be this; one that is several things itself tells when it is opened.
fn kind_fits(sent: Option<&str>, known: &Value) -> bool {
    match (sent, kind(known)) {
        _ if known.as_bool() == Some(false) => false,
        (_, None) => true,
        (Some(sent), Some(known)) => sent == known || (sent, known) == ("integer", "number"),
        (None, Some(_)) => false,
    }
}

/// The values that an alternative is limited to.
fn allowed(schema: &Value) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema["enum"].as_array()) {
        (Some(one), _) => Some(vec![one]),
        (None, Some(all)) => Some(all.iter().collect()),
        (None, None) => None,
    }
}

fn values(was: &Value, is: &Value, direction: Direction) -> Vec<String> {
    match (allowed(was), allowed(is), direction) {
        (Some(was), Some(is), Direction::Request) => {
            let gone = was.into_iter().filter(|value| !is.contains(value));
            gone.map(|value| format!("the value {value} is no longer taken")).collect()
        }
        (None, Some(_), Direction::Request) => vec!["only some values are taken now".to_owned()],
        // More values than before are what clients are told to expect; all others are not.
        (Some(was), Some(is), Direction::Response) if !is.iter().any(|one| was.contains(one)) => {
            vec!["none of its values is one that there was".to_owned()]
        }
        (Some(_), None, Direction::Response) => {
            vec!["is no longer one of a list of values".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// The rules for a request that were not there, or not as tight.
fn tighter(was: &Value, is: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut went = |rule: &str| {
        let (was, is) = (&was[rule], &is[rule]);
        found.push(match was.is_null() {
            true => format!("{rule} is now {is}"),
            false => format!("{rule} went from {was} to {is}"),
        });
    };
    for rule in UPPER {
        if let Some(new) = is[rule].as_f64()
            && was[rule].as_f64().is_none_or(|old| new < old)
        {
            went(rule);
        }
    }
    for rule in LOWER {
        // Nothing has a length below zero.
        let least = if rule.ends_with("inimum") { f64::NEG_INFINITY } else { 0.0 };
        if let Some(new) = is[rule].as_f64()
            && new > was[rule].as_f64().unwrap_or(least)
        {
            went(rule);
        }
    }
    for rule in EXACT {
        let (old, new) = (&was[rule], &is[rule]);
        let wider = (old, new) == (&"int32".into(), &"int64".into());
        if !new.is_null() && *new != false && old != new && !wider {
            went(rule);
        }
    }
    found
}

/// Keywords that this check does not know are safe only where they are the same.
fn other_rules(was: &Value, is: &Value) -> Vec<String> {
    let members = |schema: &Value| -> BTreeSet<String> {
        schema.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let known = |rule: &String| {
        let rule = rule.as_str();
        is_note(rule)
            || [&UPPER[..], &LOWER, &EXACT, &STRUCTURE].iter().any(|all| all.contains(&rule))
    };
    let all = members(was).union(&members(is)).cloned().collect::<Vec<_>>();
    let differ = all.iter().filter(|rule| !known(rule) && was[rule.as_str()] != is[rule.as_str()]);
    differ.map(|rule| format!("{rule} changed")).collect()
}
