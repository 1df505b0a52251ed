//! Picks what was asked for out of what the corridor answered, straight into the bytes to send.

use std::io::Write as _;

use async_graphql::dynamic::TypeRef;
use bodega_kernel::budget::exceeded;
use bodega_kernel::{Problem, problem};
use serde_json::{Value, json};

use crate::error::Fault;
use crate::model::{Field, PAIR_NAME, PAIR_VALUE, PagePart, Source};
use crate::plan::{Pick, Picked};

/// Writes answers, and gathers what is wrong with them.
pub(crate) struct Writer<'a> {
    pub(crate) out: Vec<u8>,
    /// A value can be asked for under many names, so the text has a bound of its own.
    bytes_max: usize,
    pub(crate) faults: Vec<Fault>,
    path: Vec<Segment<'a>>,
}

/// A step from the root of the answer to a value.
enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// Why a value is not written.
enum Stopped {
    /// It may not be null, and is: what holds it is null instead.
    Missing,
    /// There is no more room: the field of the root is null instead.
    Full,
}

impl<'a> Writer<'a> {
    /// A writer of so many bytes at most, and the value that goes beyond them.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { out: Vec::new(), bytes_max, faults: Vec::new(), path: Vec::new() }
    }

    /// Writes the value of a field of the root.
    pub(crate) fn root(&mut self, picked: &'a Picked<'_>, field: &Field, value: &Value) {
        let start = self.out.len();
        self.path = vec![Segment::Key(&picked.key)];
        if let Err(stopped) = self.value(&field.kind, picked, value) {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
            if let Stopped::Full = stopped {
                let max = u64::try_from(self.bytes_max).unwrap_or(u64::MAX);
                let problem = exceeded(&problem::ANSWER_TOO_LARGE, "bytes", max);
                let path = vec![Value::from(picked.key.as_str())];
                self.faults.push(Fault::from(problem).at(path, picked.position));
            }
        }
        self.path.clear();
    }

    /// Writes any JSON.
    pub(crate) fn json(&mut self, value: &Value) {
        // Writing to memory fails only where the value is no JSON, and it is.
        let _ = serde_json::to_writer(&mut self.out, value);
    }

    /// Writes the name of a member, after a comma where it is not the first.
    pub(crate) fn key(&mut self, first: bool, key: &str) {
        // Response keys are names: nothing in them needs an escape.
        let _ = write!(self.out, "{}\"{key}\":", if first { "" } else { "," });
    }

    fn value(
        &mut self,
        kind: &TypeRef,
        picked: &'a Picked<'_>,
        value: &Value,
    ) -> Result<(), Stopped> {
        if self.out.len() > self.bytes_max {
            return Err(Stopped::Full);
        }
        if let TypeRef::NonNull(inner) = kind {
            if value.is_null() {
                let cause = "a field that may not be null is";
                let path = self.path.iter().map(|segment| match segment {
                    Segment::Key(key) => Value::from(*key),
                    Segment::Index(index) => Value::from(*index),
                });
                let fault = Fault::from(Problem::internal(cause));
                self.faults.push(fault.at(path.collect(), picked.position));
                return Err(Stopped::Missing);
            }
            return self.filled(inner, picked, value);
        }
        let (start, depth) = (self.out.len(), self.path.len());
        let filled = match value.is_null() {
            true => Err(Stopped::Missing),
            false => self.filled(kind, picked, value),
        };
        if let Err(Stopped::Missing) = filled {
            self.out.truncate(start);
            self.path.truncate(depth);
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        filled
    }

    fn filled(
        &mut self,
        kind: &TypeRef,
        picked: &'a Picked<'_>,
        value: &Value,
    ) -> Result<(), Stopped> {
        match (kind, value) {
            (TypeRef::List(inner), Value::Array(items)) => {
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.path.push(Segment::Index(index));
                    self.value(inner, picked.at(index), item)?;
                    self.path.pop();
                }
                self.out.push(b']');
                Ok(())
            }
            // A map is a list of pairs here.
            (TypeRef::List(_), Value::Object(map)) => {
                let pair =
                    |(name, value): (&String, &Value)| json!({PAIR_NAME: name, PAIR_VALUE: value});
                let pairs = Value::Array(map.iter().map(pair).collect());
                self.filled(kind, picked, &pairs)
            }
            (_, Value::Object(_)) if picked.object.is_some() => self.object(&picked.fields, value),
            (_, Value::String(rest)) if picked.choices.is_some() => {
                // What the schema does not know goes out as it is.
                let name = picked.choices.and_then(|choices| choices.name(rest));
                let _ = write!(self.out, "\"{}\"", name.unwrap_or(rest));
                Ok(())
            }
            _ => {
                self.json(value);
                Ok(())
            }
        }
    }

    fn object(&mut self, fields: &'a [Picked<'_>], object: &Value) -> Result<(), Stopped> {
        self.out.push(b'{');
        for (index, picked) in fields.iter().enumerate() {
            self.key(index == 0, &picked.key);
            self.path.push(Segment::Key(&picked.key));
            match &picked.pick {
                Pick::TypeName(name) => self.json(&Value::from(*name)),
                Pick::Introspection => self.out.extend_from_slice(b"null"),
                Pick::Field(field) => {
                    self.field(field, picked, object)?;
                }
            }
            self.path.pop();
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes a field of an object, or of a page of a list.
    fn field(
        &mut self,
        field: &Field,
        picked: &'a Picked<'_>,
        object: &Value,
    ) -> Result<(), Stopped> {
        let kind = &field.kind;
        match field.source {
            Source::Pages => self.value(kind, picked, &object[&picked.pages]),
            Source::Page(PagePart::Nodes) => self.value(kind, picked, &object["data"]),
            Source::Page(PagePart::Total) => self.value(kind, picked, &object["total_count"]),
            Source::Page(PagePart::Edges) => self.edges(picked, object),
            Source::Page(PagePart::Info) => {
                let cursors = object["cursors"].as_array();
                let info = json!({
                    "hasNextPage": !object["next_cursor"].is_null(),
                    "hasPreviousPage": !object["prev_cursor"].is_null(),
                    "startCursor": cursors.and_then(|all| all.first()),
                    "endCursor": cursors.and_then(|all| all.last()),
                });
                self.value(kind, picked, &info)
            }
            _ => self.value(kind, picked, &object[&field.rest]),
        }
    }

    /// Writes the rows of a page, each with its cursor.
    fn edges(&mut self, picked: &'a Picked<'_>, page: &Value) -> Result<(), Stopped> {
        let all = |name: &str| page[name].as_array().map(Vec::as_slice).unwrap_or_default();
        self.out.push(b'[');
        for (index, (row, cursor)) in all("data").iter().zip(all("cursors")).enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.path.push(Segment::Index(index));
            self.out.push(b'{');
            for (index, part) in picked.fields.iter().enumerate() {
                self.key(index == 0, &part.key);
                self.path.push(Segment::Key(&part.key));
                match &part.pick {
                    Pick::TypeName(name) => self.json(&Value::from(*name)),
                    Pick::Introspection => self.out.extend_from_slice(b"null"),
                    Pick::Field(field) => {
                        let value = if field.rest == "cursor" { cursor } else { row };
                        self.value(&field.kind, part, value)?;
                    }
                }
                self.path.pop();
            }
            self.out.push(b'}');
            self.path.pop();
        }
        self.out.push(b']');
        Ok(())
    }
}
