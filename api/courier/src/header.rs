//! Which headers of their own customers may add to their messages.

use std::fmt;

use bodega_kernel::{Language, Text, text};
use http::{HeaderName, HeaderValue};

/// The longest name of a header.
pub const HEADER_NAME_BYTES_MAX: usize = 128;
/// The longest value of a header.
pub const HEADER_VALUE_BYTES_MAX: usize = 2_048;

/// Headers that say how the message is carried, or what it is.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Prefixes of headers that the message itself sets, or that talk to proxies.
const RESERVED_PREFIXES: &[&str] = &["webhook-", "bodega-", "proxy-"];

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRefusal {
    /// The name has characters that no header's name has, or too many of them.
    Name,
    /// The value has characters that no header can carry.
    Value,
    /// The value has more than 2,048 bytes.
    ValueTooLong,
    /// The header is set by the message itself.
    Reserved,
}

/// Checks a header when an endpoint is saved, and gives it in the form that a message takes.
pub fn check_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderRefusal> {
    if name.len() > HEADER_NAME_BYTES_MAX {
        return Err(HeaderRefusal::Name);
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderRefusal::Name)?;
    let starts = |prefix: &&str| name.as_str().starts_with(prefix);
    if RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(starts) {
        return Err(HeaderRefusal::Reserved);
    }
    if value.len() > HEADER_VALUE_BYTES_MAX {
        return Err(HeaderRefusal::ValueTooLong);
    }
    // Beyond ASCII, receivers do not agree on what the bytes mean.
    if !value.is_ascii() {
        return Err(HeaderRefusal::Value);
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| HeaderRefusal::Value)?;
    // It may well be a token: it is not to be printed.
    value.set_sensitive(true);
    Ok((name, value))
}

impl HeaderRefusal {
    /// A name for it that never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Name => "header_name",
            Self::Value => "header_value",
            Self::ValueTooLong => "header_value_too_long",
            Self::Reserved => "header_reserved",
        }
    }

    /// What is wrong, in a sentence.
    pub fn text(self) -> Text {
        match self {
            Self::Name => text(
                "A header's name has 1 to 128 letters, digits and hyphens.",
                "El nombre de una cabecera tiene de 1 a 128 letras, dígitos y guiones.",
            ),
            Self::Value => text(
                "A header's value has printable ASCII characters only.",
                "El valor de una cabecera solo lleva caracteres ASCII imprimibles.",
            ),
            Self::ValueTooLong => text(
                "A header's value has at most 2,048 characters.",
                "El valor de una cabecera tiene como máximo 2.048 caracteres.",
            ),
            Self::Reserved => text(
                "This header is set by the message itself.",
                "Esta cabecera la fija el propio mensaje.",
            ),
        }
    }
}

impl fmt::Display for HeaderRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().get(Language::English))
    }
}

impl std::error::Error for HeaderRefusal {}
