//! What expressions work with. A value of the event is borrowed from it, and one that was made is
//! shared, so that handing it on copies nothing.

use std::cmp::Ordering;
use std::rc::Rc;

use chrono::{DateTime, FixedOffset, TimeDelta};
use serde_json::{Map, Value as Json};

use super::budget::{Budget, Fault, STEP};

/// What an element of a list or a map counts for.
pub(super) const ELEMENT_BYTES: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Value<'e> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(&'e str),
    Bytes(&'e [u8]),
    Items(&'e [Json]),
    Members(&'e Map<String, Json>),
    MadeText(Rc<str>),
    MadeBytes(Rc<[u8]>),
    List(Rc<Vec<Value<'e>>>),
    Map(Rc<Vec<(Value<'e>, Value<'e>)>>),
    Timestamp(DateTime<FixedOffset>),
    Duration(TimeDelta),
    Optional(Option<Rc<Value<'e>>>),
    Type(&'static str),
}

impl<'e> From<&'e Json> for Value<'e> {
    fn from(json: &'e Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(*yes),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Double(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::Items(items),
            Json::Object(members) => Self::Members(members),
        }
    }
}

impl<'e> Value<'e> {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) | Self::MadeText(_) => "string",
            Self::Bytes(_) | Self::MadeBytes(_) => "bytes",
            Self::Items(_) | Self::List(_) => "list",
            Self::Members(_) | Self::Map(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::MadeText(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::MadeBytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// How many elements a list or a map has.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Items(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Members(members) => members.len(),
            Self::Map(entries) => entries.len(),
            _ => return None,
        })
    }

    /// An element of a list, by its place.
    pub(super) fn item(&self, at: usize) -> Option<Value<'e>> {
        match self {
            Self::Items(items) => items.get(at).map(Value::from),
            Self::List(items) => items.get(at).cloned(),
            _ => None,
        }
    }

    /// What a loop over a list or a map goes through: elements, or keys.
    pub(super) fn each(&self) -> Option<Box<dyn Iterator<Item = Value<'e>> + '_>> {
        Some(match self {
            Self::Items(items) => Box::new(items.iter().map(Value::from)),
            Self::List(items) => Box::new(items.iter().cloned()),
            Self::Members(members) => Box::new(members.keys().map(|key| Value::Text(key))),
            Self::Map(entries) => Box::new(entries.iter().map(|(key, _)| key.clone())),
            _ => return None,
        })
    }

    /// The value of a key; the outer `None` where this is no map.
    pub(super) fn member(
        &self,
        key: &Value<'e>,
        budget: &mut Budget,
    ) -> Result<Option<Option<Value<'e>>>, Fault> {
        match self {
            Self::Members(members) => {
                let Some(name) = key.text() else { return Ok(Some(None)) };
                budget.read(name.len())?;
                Ok(Some(members.get(name).map(Value::from)))
            }
            Self::Map(entries) => {
                for (own, value) in entries.iter() {
                    budget.spend(STEP)?;
                    if equals(own, key, budget)? {
                        return Ok(Some(Some(value.clone())));
                    }
                }
                Ok(Some(None))
            }
            _ => Ok(None),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Uint(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether a map can have it for a key; whole numbers fit whatever their type is.
    pub(super) fn is_key(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Int(_) | Self::Uint(_)) || self.text().is_some()
    }
}

/// Whether two values are the same. Values of different types are not, but for numbers.
pub(super) fn equals(a: &Value<'_>, b: &Value<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    budget.spend(STEP)?;
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        budget.read(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.bytes(), b.bytes()) {
        budget.read(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => return equals(a, b, budget),
            (a, b) => a.is_none() && b.is_none(),
        },
        (Value::Items(_) | Value::List(_), Value::Items(_) | Value::List(_)) => {
            return lists_equal(a, b, budget);
        }
        (Value::Members(_) | Value::Map(_), Value::Members(_) | Value::Map(_)) => {
            return maps_equal(a, b, budget);
        }
        (a, b) => numbers(a, b) == Some(Ordering::Equal),
    })
}

fn lists_equal(a: &Value<'_>, b: &Value<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for at in 0..a.len().unwrap_or_default() {
        match (a.item(at), b.item(at)) {
            (Some(a), Some(b)) if equals(&a, &b, budget)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn maps_equal<'e>(a: &Value<'e>, b: &Value<'e>, budget: &mut Budget) -> Result<bool, Fault> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for key in a.each().into_iter().flatten() {
        let (Some(Some(one)), Some(Some(other))) =
            (a.member(&key, budget)?, b.member(&key, budget)?)
        else {
            return Ok(false);
        };
        if !equals(&one, &other, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How two numbers compare; `None` where they are no numbers, or one is not a number (NaN).
fn numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Uint(b)) => {
            Some(u64::try_from(*a).map_or(Ordering::Less, |a| a.cmp(b)))
        }
        (Value::Uint(a), Value::Int(b)) => {
            Some(u64::try_from(*b).map_or(Ordering::Greater, |b| a.cmp(&b)))
        }
        (a, b) => a.number()?.partial_cmp(&b.number()?),
    }
}

/// How two values compare; a fault where they do not.
pub(super) fn compare(
    a: &Value<'_>,
    b: &Value<'_>,
    budget: &mut Budget,
) -> Result<Ordering, Fault> {
    budget.spend(STEP)?;
    let order = match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (a, b) => match (a.text().zip(b.text()), a.bytes().zip(b.bytes())) {
            (Some((a, b)), _) => {
                budget.read(a.len().min(b.len()))?;
                Some(a.cmp(b))
            }
            (_, Some((a, b))) => {
                budget.read(a.len().min(b.len()))?;
                Some(a.cmp(b))
            }
            (None, None) => numbers(a, b),
        },
    };
    order.ok_or_else(|| {
        Fault::wrong(format!("{} and {} do not compare", a.type_name(), b.type_name()))
    })
}
