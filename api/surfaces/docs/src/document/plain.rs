//! Small schemas, each with its bounds.

use bodega_contract::FilterKind;
use bodega_kernel::ID_PREFIX;
use bodega_kernel::json::WHOLE_MAX;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{ArrayBuilder, KnownFormat, RefOr, SchemaFormat, Type};

/// Any text: the API takes no NUL anywhere.
pub(super) const ANY_TEXT: &str = r"^[^\x00]*$";

/// Any text that can stand in a list parted by commas.
const ANY_PART: &str = r"^[^\x00,]*$";

/// How long a filter's text may be, and each of several: all of them have to fit into one path.
const FILTER_CHARS_MAX: usize = 1_000;
const PART_CHARS_MAX: usize = 300;

/// How many values `[in]` takes.
const IN_MAX: usize = 100;

/// A text of this pattern.
pub(super) fn text(pattern: &str, max_length: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .max_length(Some(max_length))
}

/// One of these words.
pub(super) fn choice<S: Into<serde_json::Value>>(
    options: impl IntoIterator<Item = S>,
) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(options))
}

/// An instant.
pub(super) fn time() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .max_length(Some(35))
}

/// A small whole number.
pub(super) fn small(minimum: i64, maximum: i64) -> ObjectBuilder {
    whole(minimum, maximum).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
}

/// A whole number.
pub(super) fn whole(minimum: i64, maximum: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(minimum))
        .maximum(Some(maximum))
}

/// Yes or no.
pub(super) fn yes_or_no() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// Several of something, parted by commas.
pub(super) fn several(item: ObjectBuilder, max_items: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(item).min_items(Some(1)).max_items(Some(max_items))
}

/// An id of this prefix.
pub(super) fn id(prefix: &str) -> ObjectBuilder {
    let length = prefix.len() + 27;
    text(&format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"), length)
        .min_length(Some(length))
        .extensions(Some(ExtensionsBuilder::new().add(ID_PREFIX, prefix).build()))
}

/// What such an id looks like.
pub(super) fn id_example(prefix: &str) -> String {
    format!("{prefix}_01k78agk00e008000000000001")
}

/// What a filter of this kind compares with.
pub(super) fn filtered(kind: &FilterKind) -> RefOr<Schema> {
    value(kind, text(ANY_TEXT, FILTER_CHARS_MAX)).into()
}

/// What a filter of this kind takes several of.
pub(super) fn filtered_in(kind: &FilterKind) -> RefOr<Schema> {
    several(value(kind, text(ANY_PART, PART_CHARS_MAX)), IN_MAX).into()
}

fn value(kind: &FilterKind, text: ObjectBuilder) -> ObjectBuilder {
    match kind {
        FilterKind::Text => text,
        FilterKind::Choice(options) => choice(options.iter().map(String::as_str)),
        FilterKind::Id(prefix) => id(prefix),
        FilterKind::Time => time(),
        FilterKind::Int => whole(-WHOLE_MAX, WHOLE_MAX),
        FilterKind::Bool => yes_or_no(),
    }
}
