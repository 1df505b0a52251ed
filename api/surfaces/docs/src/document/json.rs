//! Small schemas as JSON, for the types that only the document knows.

use bodega_kernel::json::WHOLE_MAX;
use serde_json::{Value, json};

/// That type.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A text of this pattern.
pub(super) fn word(pattern: &str, max_length: usize, about: &str) -> Value {
    json!({
        "type": "string", "description": about, "pattern": pattern, "maxLength": max_length,
    })
}

/// Any text.
pub(super) fn text(max_length: usize, about: &str) -> Value {
    word(super::plain::ANY_TEXT, max_length, about)
}

/// An id with this prefix.
pub(super) fn id(prefix: &str, about: &str) -> Value {
    let pattern = format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$");
    word(&pattern, prefix.len() + 27, about)
}

/// A whole number.
pub(super) fn whole(minimum: i64, about: &str) -> Value {
    json!({
        "type": "integer", "format": "int64", "description": about,
        "minimum": minimum, "maximum": WHOLE_MAX,
    })
}

/// Several of something.
pub(super) fn several(items: Value, max_items: usize, about: &str) -> Value {
    json!({"type": "array", "description": about, "items": items, "maxItems": max_items})
}

/// The same, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}
