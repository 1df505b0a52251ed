//! JSON as the API takes it: stricter than `serde_json`.
//!
//! No key twice (the parsers of two systems would each believe another one), no more than 32 levels,
//! and a whole number stays whole however it was written.

use std::fmt;

/// The largest whole number that every JSON reader keeps whole.
pub const WHOLE_MAX: i64 = 9_007_199_254_740_991;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::{FieldError, Problem, Result, problem, text};

/// How deep a document may nest.
pub const DEPTH_MAX: usize = 32;

/// Above this a float no longer tells neighbouring whole numbers apart.
const WHOLE_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads one document.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

fn malformed(error: serde_json::Error) -> Problem {
    let place = format!("{error}");
    Problem::new(&problem::MALFORMED_JSON).at(FieldError::body(
        "",
        "malformed_json",
        text(
            format!("The body is not acceptable JSON: {place}."),
            format!("El cuerpo no es JSON aceptable: {place}."),
        ),
    ))
}

/// Where a document has a NUL character, which PostgreSQL cannot keep: the pointer to it.
pub fn find_nul(value: &Value) -> Option<String> {
    let child = |key: &str, inner: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        find_nul(inner).map(|rest| format!("/{key}{rest}"))
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| child(&index.to_string(), item))
        }
        Value::Object(members) => {
            members.iter().find_map(|(key, inner)| match key.contains('\0') {
                true => Some(String::new()),
                false => child(key, inner),
            })
        }
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom("more than 32 levels deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() < WHOLE_FLOAT_MAX {
            return Ok(Value::from(value as i64));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_is_json_and_refuses_the_rest() {
        assert_eq!(
            parse(br#"{"a":[1,2.5,"x",null,true],"b":1e2}"#).unwrap(),
            json!({"a":[1,2.5,"x",null,true],"b":100})
        );
        for bad in [&b"{\"a\":1,\"a\":2}"[..], b"[1] 2", b"\"\xff\"", b"1e999", b"{", b"", b"NaN"] {
            assert_eq!(parse(bad).unwrap_err().code.code, "malformed_json", "{bad:?}");
        }
    }

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        assert_eq!(find_nul(&json!({"a": ["x", {"b/c": "\0"}]})).unwrap(), "/a/1/b~1c");
        assert_eq!(find_nul(&json!({"a": {"\0": 1}})).unwrap(), "/a");
        assert_eq!(find_nul(&json!({"a": "x"})), None);
    }

    #[test]
    fn depth_is_bounded_at_the_limit() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
