//! What a list can be filtered and sorted by, and how a filter's value is read.

use bodega_kernel::{Filter, FilterValue, ID_PREFIX, Op, Through, json::WHOLE_MAX};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// So many rows of a page that a link leads to are shown where nobody says how many.
pub const LINK_ROWS: u64 = 10;

/// What a list can be filtered and sorted by.
#[derive(Clone, Debug, Default)]
pub struct ListRules {
    /// The filters.
    pub filters: Vec<FilterRule>,
    /// The sortable fields.
    pub sorts: Vec<&'static str>,
    /// Whether it is a log that can be followed.
    pub feed: bool,
}

impl ListRules {
    /// The filter of this name.
    pub fn filter(&self, name: &str) -> Option<&FilterRule> {
        self.filters.iter().find(|rule| rule.name == name)
    }
}

/// A field that filters.
#[derive(Clone, Debug)]
pub struct FilterRule {
    /// The field.
    pub name: &'static str,
    /// What it holds.
    pub kind: FilterKind,
    /// Whether it can be empty.
    pub nullable: bool,
    /// How the rows are found, where the field is no column of theirs.
    pub through: Option<Through>,
    /// What it finds, where its name alone does not say it.
    pub about: Option<&'static str>,
}

impl FilterRule {
    /// The operators that it takes beside "equals", by the name they have in a query string.
    pub fn operators(&self) -> impl Iterator<Item = (&'static str, Op)> + use<> {
        // Rows that an object does not find are most of them, and no index knows them.
        let only_found = self.through.is_some();
        let own = self.kind.operators().iter().copied();
        let own = own.filter(move |(_, op)| !only_found || *op == Op::In);
        own.chain(self.nullable.then_some(("is_null", Op::IsNull)))
    }

    /// The condition that a value is to be put into.
    pub fn condition(&self, op: Op, values: Vec<FilterValue>) -> Filter {
        Filter { through: self.through.clone(), ..Filter::new(self.name, op, values) }
    }
}

/// What a filter's field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterKind {
    /// Any text.
    Text,
    /// One of these.
    Choice(Vec<String>),
    /// An id with this prefix.
    Id(String),
    /// An instant.
    Time,
    /// A whole number.
    Int,
    /// Yes or no.
    Bool,
}

/// How ids of this schema begin; nothing, where it is none of ids.
pub fn id_prefix(schema: &Value) -> Option<&str> {
    schema.get(ID_PREFIX)?.as_str()
}

/// Whether a schema is of a type, or of it and null.
pub(crate) fn is_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::Array(names) => names.iter().any(|name| name == kind),
        name => name == kind,
    }
}

impl FilterKind {
    /// From the field's schema.
    pub(crate) fn of(schema: &Value) -> Option<Self> {
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return Some(Self::Choice(
                options.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            ));
        }
        let is = |kind: &str| is_type(schema, kind);
        Some(match id_prefix(schema) {
            Some(prefix) => Self::Id(prefix.to_owned()),
            None if is("string") && schema["format"] == "date-time" => Self::Time,
            None if is("string") => Self::Text,
            None if is("integer") => Self::Int,
            None if is("boolean") => Self::Bool,
            None => return None,
        })
    }

    /// The operators that make sense for it, by the name they have in a query string.
    fn operators(&self) -> &'static [(&'static str, Op)] {
        const EQUAL: &[(&str, Op)] = &[("ne", Op::Ne), ("in", Op::In)];
        const ORDER: &[(&str, Op)] = &[
            ("ne", Op::Ne),
            ("gt", Op::Gt),
            ("gte", Op::Gte),
            ("lt", Op::Lt),
            ("lte", Op::Lte),
            ("in", Op::In),
        ];
        const TEXT: &[(&str, Op)] = &[
            ("ne", Op::Ne),
            ("in", Op::In),
            ("contains", Op::Contains),
            ("starts_with", Op::StartsWith),
        ];
        match self {
            Self::Text => TEXT,
            Self::Choice(_) | Self::Id(_) => EQUAL,
            Self::Time | Self::Int => ORDER,
            Self::Bool => &[],
        }
    }

    /// Reads a value as it stands in a query string.
    pub fn read(&self, raw: &str) -> Result<FilterValue, WrongValue> {
        match self {
            Self::Text => Some(FilterValue::Text(raw.to_owned())),
            Self::Choice(all) if all.iter().any(|one| one == raw) => {
                Some(FilterValue::Text(raw.to_owned()))
            }
            Self::Choice(_) => None,
            Self::Id(prefix) => match raw.rsplit_once('_') {
                Some((given, suffix)) if given != prefix && suffix.len() == 26 => {
                    return Err(WrongValue::Prefix(prefix.clone()));
                }
                _ => read_id(raw).map(FilterValue::Uuid),
            },
            Self::Time => DateTime::parse_from_rfc3339(raw)
                .ok()
                .map(|time| FilterValue::Time(bodega_kernel::micros(time.with_timezone(&Utc)))),
            Self::Int => raw
                .parse()
                .ok()
                .filter(|n: &i64| (-WHOLE_MAX..=WHOLE_MAX).contains(n))
                .map(FilterValue::Int),
            Self::Bool => raw.parse().ok().map(FilterValue::Bool),
        }
        .ok_or(WrongValue::Value)
    }
}

/// Why a value is none.
#[derive(Clone, Debug)]
pub enum WrongValue {
    /// An id of another type; the prefix it should have.
    Prefix(String),
    /// Anything else.
    Value,
}

/// The UUID in an id of any prefix.
pub fn read_id(text: &str) -> Option<Uuid> {
    use type_safe_id::{DynamicType, TypeSafeId};
    text.parse::<TypeSafeId<DynamicType>>().ok().map(|id| id.uuid())
}
