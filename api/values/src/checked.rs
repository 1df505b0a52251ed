//! A text that keeps a rule. [`crate::texts`] has the rules.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat};
use utoipa::openapi::{RefOr, Type};

use crate::{INLINE, Pattern};

/// What a text must be.
pub trait Rule: 'static {
    /// The fewest characters.
    const MIN: usize = 1;
    /// The most characters.
    const MAX: usize;
    /// A text that keeps the rule, for the docs.
    const EXAMPLE: &'static str;
    /// The `format` of the JSON schema, where there is one.
    const FORMAT: Option<&'static str> = None;

    /// The name of the type.
    fn name() -> String;
    /// What its characters must be.
    fn pattern() -> &'static Pattern;
}

/// A text that keeps the rule `R`. It is made by parsing, by serde, or read from a column.
pub struct Checked<R> {
    text: String,
    rule: PhantomData<fn() -> R>,
}

/// How a text breaks its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Fewer characters than this.
    TooShort(usize),
    /// More characters than this.
    TooLong(usize),
    /// Not what this says, in English.
    Pattern(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(min) => write!(f, "must have at least {min} characters"),
            Self::TooLong(max) => write!(f, "must have at most {max} characters"),
            Self::Pattern(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Wrong {}

impl<R> Checked<R> {
    /// What is known to keep the rule: read from where only such texts are written.
    pub(crate) fn trusted(text: String) -> Self {
        Self { text, rule: PhantomData }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl<R: Rule> Checked<R> {
    /// A text of the program's own, cut where it is too long. What it is made of must fit the
    /// pattern: a derived slug, a joined title.
    pub fn made(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if let Some((end, _)) = text.char_indices().nth(R::MAX) {
            text.truncate(end);
        }
        Self::trusted(text)
    }

    fn check(text: &str) -> Result<(), Wrong> {
        // Counting characters only where the bytes leave it open.
        if text.len() < R::MIN || (text.len() < R::MIN * 4 && text.chars().count() < R::MIN) {
            return Err(Wrong::TooShort(R::MIN));
        }
        if text.len() > R::MAX && text.chars().count() > R::MAX {
            return Err(Wrong::TooLong(R::MAX));
        }
        let pattern = R::pattern();
        if pattern.fits(text) { Ok(()) } else { Err(Wrong::Pattern(pattern.en)) }
    }
}

impl<R: Rule> FromStr for Checked<R> {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        Self::check(text).map(|()| Self::trusted(text.to_owned()))
    }
}

impl<R: Rule> TryFrom<String> for Checked<R> {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Self, Wrong> {
        Self::check(&text).map(|()| Self::trusted(text))
    }
}

impl<'de, R: Rule> Deserialize<'de> for Checked<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl<R> Serialize for Checked<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<R> Deref for Checked<R> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<R> fmt::Display for Checked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<R> fmt::Debug for Checked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<R> Clone for Checked<R> {
    fn clone(&self) -> Self {
        Self::trusted(self.text.clone())
    }
}

impl<R> PartialEq for Checked<R> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<R> PartialEq<str> for Checked<R> {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl<R> Eq for Checked<R> {}

impl<R> Hash for Checked<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<R> From<Checked<R>> for String {
    fn from(checked: Checked<R>) -> Self {
        checked.text
    }
}

impl<R: Rule> ComposeSchema for Checked<R> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let min = if R::MIN == 0 { None } else { Some(R::MIN) };
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(R::FORMAT.map(|format| SchemaFormat::Custom(format.to_owned())))
                .pattern(Some(R::pattern().regex))
                .min_length(min)
                .max_length(Some(R::MAX))
                .examples([serde_json::Value::from(R::EXAMPLE)])
                .extensions(Some(ExtensionsBuilder::new().add(INLINE, true).build()))
                .build(),
        ))
    }
}

impl<R: Rule> ToSchema for Checked<R> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(R::name())
    }
}
