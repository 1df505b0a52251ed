//! What operators and functions do.

use std::cmp::Ordering;
use std::rc::Rc;

use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike};

use super::budget::{Budget, Fault};
use super::pattern::Pattern;
use super::time;
use super::value::{ELEMENT_BYTES, Value, compare, equals};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Not,
    Negate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equals,
    NotEquals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
    In,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    ToText,
    ToInt,
    ToUint,
    ToDouble,
    ToBool,
    ToBytes,
    ToTimestamp,
    ToDuration,
    Same,
    TypeOf,
    HasValue,
    ValueOf,
    OrOptional,
    OrValue,
    Get(Getter),
}

/// A part of a time or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Getter {
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Getter {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDayOfYear" => Self::DayOfYear,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDate" => Self::Date,
            "getDayOfWeek" => Self::DayOfWeek,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }
}

type Made<'e> = Result<Value<'e>, Fault>;

/// Calls a function. What costs more than a step is paid for here.
pub(super) fn call<'e>(function: Function, args: &[Value<'e>], budget: &mut Budget) -> Made<'e> {
    use Function as F;
    let yes = |yes| Ok(Value::Bool(yes));
    match (function, args) {
        (F::Not, [Value::Bool(value)]) => yes(!value),
        (F::Negate, [Value::Int(number)]) => {
            number.checked_neg().map(Value::Int).ok_or_else(overflow)
        }
        (F::Negate, [Value::Double(number)]) => Ok(Value::Double(-number)),
        (F::Add, [a, b]) => add(a, b, budget),
        (F::Subtract | F::Multiply | F::Divide | F::Modulo, [a, b]) => arithmetic(function, a, b),
        (F::Equals, [a, b]) => yes(equals(a, b, budget)?),
        (F::NotEquals, [a, b]) => yes(!equals(a, b, budget)?),
        (F::Less, [a, b]) => yes(compare(a, b, budget)? == Ordering::Less),
        (F::LessEquals, [a, b]) => yes(compare(a, b, budget)? != Ordering::Greater),
        (F::Greater, [a, b]) => yes(compare(a, b, budget)? == Ordering::Greater),
        (F::GreaterEquals, [a, b]) => yes(compare(a, b, budget)? != Ordering::Less),
        (F::In, [needle, all]) => is_in(needle, all, budget),
        (F::Size, [value]) => size(value, budget),
        (F::Contains | F::StartsWith | F::EndsWith | F::Matches, [text, other]) => {
            let (Some(text), Some(other)) = (text.text(), other.text()) else {
                return Err(misfit(function, args));
            };
            texts(function, text, other, budget)
        }
        (F::ToText, [value]) => to_text(value, budget),
        (F::ToInt, [value]) => to_int(value, budget),
        (F::ToUint, [value]) => to_uint(value, budget),
        (F::ToDouble, [value]) => to_double(value, budget),
        (F::ToBool, [value]) => to_bool(value),
        (F::ToBytes, [value]) => to_bytes(value, budget),
        (F::ToTimestamp, [Value::Timestamp(time)]) => Ok(Value::Timestamp(*time)),
        (F::ToTimestamp, [Value::Int(seconds)]) => time::of_seconds(*seconds).map(Value::Timestamp),
        (F::ToTimestamp, [value]) => time::timestamp(parsed(value, budget)?).map(Value::Timestamp),
        (F::ToDuration, [Value::Duration(time)]) => Ok(Value::Duration(*time)),
        (F::ToDuration, [value]) => time::duration(parsed(value, budget)?).map(Value::Duration),
        (F::Same, [value]) => Ok(value.clone()),
        (F::TypeOf, [value]) => Ok(Value::Type(value.type_name())),
        (F::HasValue, [Value::Optional(value)]) => yes(value.is_some()),
        (F::ValueOf, [Value::Optional(Some(value))]) => Ok((**value).clone()),
        (F::ValueOf, [Value::Optional(None)]) => Err(Fault::wrong("an optional is empty")),
        (F::OrOptional, [Value::Optional(a), b @ Value::Optional(_)]) => {
            Ok(a.as_ref().map_or_else(|| b.clone(), |a| Value::Optional(Some(a.clone()))))
        }
        (F::OrValue, [Value::Optional(a), b]) => {
            Ok(a.as_ref().map_or_else(|| b.clone(), |a| (**a).clone()))
        }
        (F::Get(getter), [Value::Timestamp(time)]) => Ok(part_of_time(getter, time)),
        (F::Get(getter), [Value::Timestamp(time), zone]) => {
            let zone = time::zone(parsed(zone, budget)?)?;
            Ok(part_of_time(getter, &time.with_timezone(&zone)))
        }
        (F::Get(getter), [Value::Duration(time)]) => part_of_duration(getter, time),
        _ => Err(misfit(function, args)),
    }
}

fn misfit(function: Function, args: &[Value<'_>]) -> Fault {
    let types: Vec<_> = args.iter().take(4).map(Value::type_name).collect();
    Fault::wrong(format!("{function:?} does not take ({})", types.join(", ")))
}

fn overflow() -> Fault {
    Fault::wrong("a number is too large")
}

fn add<'e>(a: &Value<'e>, b: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    if let (Some(a), Some(b)) = (a.text(), b.text()) {
        budget.make(a.len() + b.len())?;
        return Ok(Value::MadeText([a, b].concat().into()));
    }
    if let (Some(a), Some(b)) = (a.bytes(), b.bytes()) {
        budget.make(a.len() + b.len())?;
        return Ok(Value::MadeBytes([a, b].concat().into()));
    }
    match (a, b) {
        (Value::Items(_) | Value::List(_), b) => {
            let (Some(first), Some(second)) = (a.each(), b.each()) else {
                return Err(misfit(Function::Add, &[a.clone(), b.clone()]));
            };
            let elements = a.len().unwrap_or_default() + b.len().unwrap_or_default();
            budget.make(elements * ELEMENT_BYTES)?;
            Ok(Value::List(Rc::new(first.chain(second).collect())))
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Duration(a), Value::Duration(b)) => time::sum(*a, *b).map(Value::Duration),
        (Value::Timestamp(a), Value::Duration(b)) | (Value::Duration(b), Value::Timestamp(a)) => {
            time::later(*a, *b).map(Value::Timestamp)
        }
        _ => arithmetic(Function::Add, a, b),
    }
}

fn arithmetic<'e>(function: Function, a: &Value<'e>, b: &Value<'e>) -> Made<'e> {
    use Function as F;
    let zero = || Fault::wrong("a division by zero");
    match (function, a, b) {
        (F::Add, Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
        (F::Subtract, Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map(Value::Int),
        (F::Multiply, Value::Int(a), Value::Int(b)) => a.checked_mul(*b).map(Value::Int),
        (F::Divide | F::Modulo, Value::Int(_), Value::Int(0)) => return Err(zero()),
        (F::Divide, Value::Int(a), Value::Int(b)) => a.checked_div(*b).map(Value::Int),
        (F::Modulo, Value::Int(a), Value::Int(b)) => a.checked_rem(*b).map(Value::Int),
        (F::Add, Value::Uint(a), Value::Uint(b)) => a.checked_add(*b).map(Value::Uint),
        (F::Subtract, Value::Uint(a), Value::Uint(b)) => a.checked_sub(*b).map(Value::Uint),
        (F::Multiply, Value::Uint(a), Value::Uint(b)) => a.checked_mul(*b).map(Value::Uint),
        (F::Divide | F::Modulo, Value::Uint(_), Value::Uint(0)) => return Err(zero()),
        (F::Divide, Value::Uint(a), Value::Uint(b)) => a.checked_div(*b).map(Value::Uint),
        (F::Modulo, Value::Uint(a), Value::Uint(b)) => a.checked_rem(*b).map(Value::Uint),
        (F::Subtract, Value::Double(a), Value::Double(b)) => Some(Value::Double(a - b)),
        (F::Multiply, Value::Double(a), Value::Double(b)) => Some(Value::Double(a * b)),
        (F::Divide, Value::Double(a), Value::Double(b)) => Some(Value::Double(a / b)),
        (F::Subtract, Value::Duration(a), Value::Duration(b)) => {
            return time::difference(*a, *b).map(Value::Duration);
        }
        (F::Subtract, Value::Timestamp(a), Value::Duration(b)) => {
            return time::earlier(*a, *b).map(Value::Timestamp);
        }
        (F::Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
            return time::in_range(a.signed_duration_since(*b)).map(Value::Duration);
        }
        _ => return Err(misfit(function, &[a.clone(), b.clone()])),
    }
    .ok_or_else(overflow)
}

fn is_in<'e>(needle: &Value<'e>, all: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    if let Some(found) = all.member(needle, budget)? {
        return match found.is_some() || needle.is_key() || matches!(needle, Value::Double(_)) {
            true => Ok(Value::Bool(found.is_some())),
            false => Err(misfit(Function::In, &[needle.clone(), all.clone()])),
        };
    }
    let Some(items) = all.each() else {
        return Err(misfit(Function::In, &[needle.clone(), all.clone()]));
    };
    for item in items {
        if equals(&item, needle, budget)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn size<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    let size = match (value.text(), value.bytes()) {
        (Some(text), _) => {
            budget.read(text.len())?;
            Some(text.chars().count())
        }
        (None, Some(bytes)) => Some(bytes.len()),
        (None, None) => value.len(),
    };
    let size = size.and_then(|size| i64::try_from(size).ok()).map(Value::Int);
    size.ok_or_else(|| misfit(Function::Size, std::slice::from_ref(value)))
}

fn texts<'e>(function: Function, text: &str, other: &str, budget: &mut Budget) -> Made<'e> {
    Ok(Value::Bool(match function {
        Function::Contains => {
            budget.search(text.len() + other.len())?;
            text.contains(other)
        }
        Function::StartsWith => {
            budget.read(other.len())?;
            text.starts_with(other)
        }
        Function::EndsWith => {
            budget.read(other.len())?;
            text.ends_with(other)
        }
        _ => Pattern::compile_now(other, budget)?.is_in(text, budget)?,
    }))
}

/// A text that is about to be parsed.
fn parsed<'v>(value: &'v Value<'_>, budget: &mut Budget) -> Result<&'v str, Fault> {
    let text = value.text();
    let text = text.ok_or_else(|| Fault::wrong(format!("{} is no text", value.type_name())))?;
    budget.search(text.len())?;
    Ok(text)
}

fn to_text<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    let made = match value {
        Value::Text(_) | Value::MadeText(_) => return Ok(value.clone()),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bytes(_) | Value::MadeBytes(_) => {
            let bytes = value.bytes().unwrap_or_default();
            budget.make(bytes.len())?;
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| Fault::wrong("these bytes are no text"))?.to_owned()
        }
        Value::Timestamp(time) => time::written(time),
        Value::Duration(time) => time::written_duration(time),
        _ => return Err(misfit(Function::ToText, std::slice::from_ref(value))),
    };
    budget.make(made.len())?;
    Ok(Value::MadeText(made.into()))
}

fn to_int<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        Value::Double(number) => {
            let fits = *number > i64::MIN as f64 && *number < i64::MAX as f64;
            fits.then_some(*number as i64)
        }
        Value::Timestamp(time) => Some(time.timestamp()),
        value => parsed(value, budget)?.parse().ok(),
    };
    number.map(Value::Int).ok_or_else(|| misfit(Function::ToInt, std::slice::from_ref(value)))
}

fn to_uint<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    let number = match value {
        Value::Uint(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Double(number) => {
            (*number >= 0.0 && *number < u64::MAX as f64).then_some(*number as u64)
        }
        value => parsed(value, budget)?.parse().ok(),
    };
    number.map(Value::Uint).ok_or_else(|| misfit(Function::ToUint, std::slice::from_ref(value)))
}

fn to_double<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    let number = match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        value => parsed(value, budget)?.parse().ok(),
    };
    number.map(Value::Double).ok_or_else(|| misfit(Function::ToDouble, std::slice::from_ref(value)))
}

fn to_bool<'e>(value: &Value<'e>) -> Made<'e> {
    if let Value::Bool(yes) = value {
        return Ok(Value::Bool(*yes));
    }
    match value.text() {
        Some("1" | "t" | "true" | "TRUE" | "True") => Ok(Value::Bool(true)),
        Some("0" | "f" | "false" | "FALSE" | "False") => Ok(Value::Bool(false)),
        _ => Err(misfit(Function::ToBool, std::slice::from_ref(value))),
    }
}

fn to_bytes<'e>(value: &Value<'e>, budget: &mut Budget) -> Made<'e> {
    match value {
        Value::Bytes(_) | Value::MadeBytes(_) => Ok(value.clone()),
        Value::Text(text) => Ok(Value::Bytes(text.as_bytes())),
        Value::MadeText(text) => {
            budget.make(text.len())?;
            Ok(Value::MadeBytes(text.as_bytes().into()))
        }
        _ => Err(misfit(Function::ToBytes, std::slice::from_ref(value))),
    }
}

fn part_of_time<'e>(getter: Getter, time: &DateTime<FixedOffset>) -> Value<'e> {
    Value::Int(match getter {
        Getter::FullYear => time.year().into(),
        Getter::Month => time.month0().into(),
        Getter::DayOfYear => time.ordinal0().into(),
        Getter::DayOfMonth => time.day0().into(),
        Getter::Date => time.day().into(),
        Getter::DayOfWeek => time.weekday().num_days_from_sunday().into(),
        Getter::Hours => time.hour().into(),
        Getter::Minutes => time.minute().into(),
        Getter::Seconds => time.second().into(),
        Getter::Milliseconds => time.timestamp_subsec_millis().into(),
    })
}

fn part_of_duration<'e>(getter: Getter, time: &TimeDelta) -> Made<'e> {
    Ok(Value::Int(match getter {
        Getter::Hours => time.num_hours(),
        Getter::Minutes => time.num_minutes(),
        Getter::Seconds => time.num_seconds(),
        Getter::Milliseconds => time.num_milliseconds(),
        _ => return Err(misfit(Function::Get(getter), &[Value::Duration(*time)])),
    }))
}
