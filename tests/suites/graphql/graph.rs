//! The GraphQL schema of a started server, and documents made for any operation.

use std::collections::BTreeMap;

use bodega_graphql::names::{camel, pascal, upper};
use bodega_tests::{Answer, Server};
use serde_json::{Map, Value, json};

use crate::walk::operations::Operation;

const INTROSPECTION: &str = "{ __schema { types { kind name inputFields { name type { ...T } } enumValues { name } \
    fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// What the server says that it can be asked.
pub struct Graph {
    types: BTreeMap<String, Value>,
}

/// An operation as a field of a root.
pub struct Root<'a> {
    /// `mutation`.
    pub kind: &'static str,
    /// `productArchive`.
    pub name: String,
    field: &'a Value,
}

/// Sends a document with a key.
pub async fn send(server: &Server, key: &str, query: &str, variables: &Value) -> Answer {
    let body = json!({"query": query, "variables": variables});
    let call = server.call_as(key, "POST", "/graphql").json(&body);
    call.header("Accept", "application/graphql-response+json").send().await
}

impl Graph {
    /// Asks the server.
    pub async fn of(server: &Server) -> Self {
        let answer = send(server, &server.live_key, INTROSPECTION, &json!({})).await.expect(200);
        let types = answer["data"]["__schema"]["types"].as_array().expect("types").iter();
        let named =
            types.map(|one| (one["name"].as_str().expect("a name").to_owned(), one.clone()));
        Self { types: named.collect() }
    }

    /// The field that an operation is.
    pub fn root(&self, operation: &Operation) -> Root<'_> {
        let resource = camel(&operation.resource);
        let name = match operation.verb.as_str() {
            "get" => resource,
            "list" => camel(operation.path.trim_start_matches("/v1/")),
            verb => resource + &pascal(verb),
        };
        let (kind, root) = match operation.is_command() {
            true => ("mutation", "Mutation"),
            false => ("query", "Query"),
        };
        let found = self.fields(root).iter().find(|field| field["name"] == *name);
        let field = found.unwrap_or_else(|| panic!("{}: no field {root}.{name}", operation.id));
        Root { kind, name, field }
    }

    /// The type of the objects of a list.
    pub fn node(&self, list: &Operation) -> &str {
        named(&self.root(list).field["type"]).trim_end_matches("Connection")
    }

    /// The type of what an operation on one object answers with.
    pub fn view(&self, operation: &Operation) -> &str {
        named(&self.root(operation).field["type"])
    }

    /// The type of the objects that a link leads to from those of `kind`, and whether by pages.
    pub fn link(&self, kind: &str, link: &str) -> (&str, bool) {
        let found = self.fields(kind).iter().find(|field| field["name"] == *link);
        let target = named(&found.unwrap_or_else(|| panic!("{kind} has no {link}"))["type"]);
        match target.strip_suffix("Connection") {
            Some(node) => (node, true),
            None => (target, false),
        }
    }

    /// A selection along links, with the id of each object; `first` of what comes by pages.
    pub fn along(&self, kind: &str, links: &[&str], first: usize) -> String {
        let Some((link, rest)) = links.split_first() else { return "id".to_owned() };
        let (target, pages) = self.link(kind, link);
        let inner = self.along(target, rest, first);
        match pages {
            true => format!("id {link}(first: {first}) {{ nodes {{ {inner} }} }}"),
            false => format!("id {link} {{ {inner} }}"),
        }
    }

    /// The fields of the root of this name.
    pub fn fields(&self, kind: &str) -> &[Value] {
        let found = self.types.get(kind).unwrap_or_else(|| panic!("no type {kind}"));
        found["fields"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// A selection of all that this object has.
    pub fn selection(&self, kind: &str, sample: &Value) -> String {
        let members = sample.as_object().unwrap_or_else(|| panic!("an object: {sample}"));
        let mut parts = Vec::new();
        for (name, value) in members {
            let name = camel(name);
            let found = self.fields(kind).iter().find(|field| field["name"] == *name);
            let field = found.unwrap_or_else(|| panic!("{kind} has no field {name}"));
            let inner = named(&field["type"]);
            let pairs = as_pairs(&field["type"], value);
            let value = pairs.as_ref().unwrap_or(value);
            let sample = value.as_array().map_or(Some(value), |items| items.first());
            match (self.is_object(inner), sample) {
                (true, Some(sample)) if sample.is_object() => {
                    parts.push(format!("{name} {}", self.selection(inner, sample)));
                }
                (true, _) => parts.push(format!("{name} {{ __typename }}")),
                (false, _) => parts.push(name),
            }
        }
        format!("{{ {} }}", parts.join(" "))
    }

    /// What an operation takes, as variables: what REST has in path, body and headers.
    pub fn variables(
        &self,
        operation: &Operation,
        id: Option<&str>,
        body: Option<&Value>,
        guards: &[(&str, Value)],
    ) -> Value {
        let root = self.root(operation);
        let mut all = Map::new();
        all.extend(id.map(|id| ("id".to_owned(), id.into())));
        if let Some(body) = body {
            let input = root.argument("input").unwrap_or_else(|| panic!("{}: no input", root.name));
            let taken = self.said(input, body);
            all.extend(taken.as_object().cloned().unwrap_or_default());
        }
        all.extend(guards.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        match root.argument("input") {
            Some(_) => json!({"input": all}),
            None => Value::Object(all),
        }
    }

    /// What REST says, as GraphQL says it: a value of this type, going in or coming out.
    pub fn said(&self, kind: &Value, value: &Value) -> Value {
        if let Some(pairs) = as_pairs(kind, value) {
            return self.said(kind, &pairs);
        }
        let members = |fields: &Value| {
            let given = value.as_object().into_iter().flatten();
            let said = given.map(|(name, value)| {
                let name = camel(name);
                let mut fields = fields.as_array().into_iter().flatten();
                let field = fields.find(|field| field["name"] == *name);
                let said = field.map_or(value.clone(), |field| self.said(&field["type"], value));
                (name, said)
            });
            Value::Object(said.collect())
        };
        if let Value::Array(items) = value {
            let inner = inner(kind);
            return items.iter().map(|item| self.said(inner, item)).collect();
        }
        let of = self.types.get(named(kind)).unwrap_or(&Value::Null);
        match (of["kind"].as_str(), value) {
            (Some("OBJECT"), Value::Object(_)) => members(&of["fields"]),
            (Some("INPUT_OBJECT"), Value::Object(_)) => members(&of["inputFields"]),
            (Some("ENUM"), Value::String(choice)) => upper(choice).into(),
            _ => value.clone(),
        }
    }

    /// What REST answers an operation with, as GraphQL says it.
    pub fn answer(&self, operation: &Operation, rest: &Value) -> Value {
        let kind = &self.root(operation).field["type"];
        match operation.is_list() {
            true => self.said(&json!({"name": self.node(operation)}), rest),
            false => self.said(kind, rest),
        }
    }

    /// A document that calls an operation with all the arguments that `variables` have, and selects
    /// all that `sample` has.
    pub fn document(&self, operation: &Operation, variables: &Value, sample: &Value) -> String {
        let root = self.root(operation);
        let kind = named(&root.field["type"]);
        let selection = match operation.is_list() {
            true => {
                let node = kind.trim_end_matches("Connection");
                format!("{{ nodes {} pageInfo {{ hasNextPage }} }}", self.selection(node, sample))
            }
            false => self.selection(kind, sample),
        };
        root.document(variables, &selection)
    }

    fn is_object(&self, name: &str) -> bool {
        self.types.get(name).is_some_and(|one| one["kind"] == "OBJECT")
    }
}

impl<'a> Root<'a> {
    /// The type of an argument.
    pub fn argument(&self, name: &str) -> Option<&'a Value> {
        let mut all = self.field["args"].as_array().into_iter().flatten();
        all.find(|one| one["name"] == name).map(|one| &one["type"])
    }

    /// A document with this selection.
    pub fn document(&self, variables: &Value, selection: &str) -> String {
        let given = variables.as_object().expect("variables");
        let arguments = self.field["args"].as_array().expect("arguments").iter();
        let arguments: Vec<_> = arguments
            .filter_map(|one| Some((one["name"].as_str()?, &one["type"])))
            .filter(|(name, _)| given.contains_key(*name))
            .collect();
        assert_eq!(arguments.len(), given.len(), "{}: {variables}", self.name);
        let (kind, name) = (self.kind, &self.name);
        if arguments.is_empty() {
            return format!("{kind} {{ {name} {selection} }}");
        }
        let declared: Vec<_> =
            arguments.iter().map(|(name, kind)| format!("${name}: {}", written(kind))).collect();
        let passed: Vec<_> = arguments.iter().map(|(name, _)| format!("{name}: ${name}")).collect();
        let (declared, passed) = (declared.join(", "), passed.join(", "));
        format!("{kind}({declared}) {{ {name}({passed}) {selection} }}")
    }
}

/// A type as a document writes it.
fn written(kind: &Value) -> String {
    match kind["kind"].as_str() {
        Some("NON_NULL") => format!("{}!", written(&kind["ofType"])),
        Some("LIST") => format!("[{}]", written(&kind["ofType"])),
        _ => kind["name"].as_str().expect("a name").to_owned(),
    }
}

/// The name of a type, without lists and "not null".
pub fn named(kind: &Value) -> &str {
    match kind["name"].as_str() {
        Some(name) => name,
        None => named(&kind["ofType"]),
    }
}

/// A map of REST, where GraphQL has a list of pairs.
fn as_pairs(kind: &Value, value: &Value) -> Option<Value> {
    let list = kind["kind"] == "LIST" || kind["ofType"]["kind"] == "LIST";
    let map = value.as_object().filter(|_| list)?;
    Some(map.iter().map(|(name, value)| json!({"name": name, "value": value})).collect())
}

/// The type of a list's items.
fn inner(kind: &Value) -> &Value {
    match kind["kind"].as_str() {
        Some("NON_NULL") => inner(&kind["ofType"]),
        Some("LIST") => &kind["ofType"],
        _ => kind,
    }
}
