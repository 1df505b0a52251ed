//! What went wrong, as RFC 9457 problem details: one table of codes, in English and Spanish.
//!
//! The cause of a 500 travels apart ([`Problem::cause`]) into the log and never into an answer.

mod example;
mod remedy;
mod table;

use std::borrow::Cow;

use sea_orm::{DbErr, SqlErr};
use serde_json::{Map, Value, json};

use crate::budget::{STATEMENTS_MAX, TRANSACTION_MAX};
use crate::source::{OPEN_TOO_LONG, TOO_MANY_STATEMENTS};

pub use example::example;
pub use remedy::remedy;
pub use table::*;

use crate::{Noun, Trouble, Unique};

const ECHO_CHARS_MAX: usize = 1_000;

/// One kind of problem. `code` is a contract: it never changes.
#[derive(Debug)]
pub struct Code {
    /// `not_found`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it is called, in a few words.
    pub title: Text,
    /// What it means and what to do, for its page.
    pub about: Text,
}

/// The languages answers come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `es`.
    Spanish,
}

impl Language {
    /// The better of the two for an `Accept-Language` header; English when neither is named.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::English);
        for range in header.split(',').take(20) {
            let (tag, weight) = range.split_once(";q=").unwrap_or((range, "1"));
            let weight: f32 = weight.trim().parse().unwrap_or(0.0);
            let language = match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("es") => Self::Spanish,
                Some("en") => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }
}

/// A sentence in both languages.
#[derive(Clone, Debug)]
pub struct Text {
    en: Cow<'static, str>,
    es: Cow<'static, str>,
}

impl Text {
    /// The sentence in one language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Spanish => &self.es,
        }
    }

    pub(crate) const fn of(en: &'static str, es: &'static str) -> Self {
        Self { en: Cow::Borrowed(en), es: Cow::Borrowed(es) }
    }
}

/// A sentence in both languages.
pub fn text(en: impl Into<Cow<'static, str>>, es: impl Into<Cow<'static, str>>) -> Text {
    Text { en: en.into(), es: es.into() }
}

/// Where in the request something was wrong, and what.
#[derive(Clone, Debug)]
pub struct FieldError {
    /// `body`, `query`, `path` or `header`.
    pub place: &'static str,
    /// A JSON pointer (RFC 6901) into that place.
    pub pointer: String,
    /// `unknown_field`, `out_of_range`, …
    pub code: Cow<'static, str>,
    /// What is wrong, in a sentence.
    pub detail: Text,
}

impl FieldError {
    /// An error at a place of the request.
    pub fn new(
        place: &'static str,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: Text,
    ) -> Self {
        Self { place, pointer: pointer.into(), code: code.into(), detail }
    }

    /// An error in the body.
    pub fn body(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: Text,
    ) -> Self {
        Self::new("body", pointer, code, detail)
    }

    /// An error in a query parameter.
    pub fn query(name: &str, code: impl Into<Cow<'static, str>>, detail: Text) -> Self {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Self::new("query", pointer, code, detail)
    }
}

/// A problem, on its way to whoever caused it.
#[derive(Debug)]
pub struct Problem(Box<Details>);

/// What a problem says.
#[derive(Debug)]
pub struct Details {
    /// Its kind.
    pub code: &'static Code,
    /// This occurrence, in a sentence; the code's meaning where there is none.
    pub detail: Option<Text>,
    /// Where in the request.
    pub errors: Vec<FieldError>,
    /// Members of its own: `allowed`, `scope`.
    pub extra: Map<String, Value>,
    /// When it makes sense to try again.
    pub retry_after_s: Option<u64>,
    /// What really happened: for the log, never for the answer.
    pub cause: Option<String>,
}

/// For logs: the cause too.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.code)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::ops::Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: &'static Code) -> Self {
        Self(Box::new(Details {
            code,
            detail: None,
            errors: Vec::new(),
            extra: Map::new(),
            retry_after_s: None,
            cause: None,
        }))
    }

    /// What is special about this occurrence.
    pub fn detail(mut self, detail: Text) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// Where in the request.
    pub fn at(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// The same, where what its places are in is a part of the request of this name.
    pub fn under(mut self, name: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, &format!("/{name}"));
        }
        self
    }

    /// A member of its own.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(name.to_owned(), value.into());
        self
    }

    /// When to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Something went wrong inside; the answer will not say what.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(&INTERNAL_ERROR);
        problem.0.cause = Some(cause.to_string());
        problem
    }

    /// Nothing there, or nothing that this caller may know of.
    pub fn not_found(noun: &str) -> Self {
        Self::new(&NOT_FOUND).detail(text(
            format!("There is no such {} here.", noun.replace('_', " ")),
            format!("No existe ese objeto ({noun}) aquí."),
        ))
    }

    /// The body points at an object that is not there.
    pub fn no_such<V: crate::Noun>(pointer: &str) -> Self {
        let missing = Self::not_found(V::NAME);
        let detail = missing.detail.clone().unwrap_or_else(|| missing.code.about.clone());
        missing.at(FieldError::body(pointer, "not_found", detail))
    }

    /// The caller's key does not have this scope.
    pub fn lacks(scope: &str) -> Self {
        Self::new(&INSUFFICIENT_SCOPE).with("scope", scope).detail(text(
            format!("The key does not have the scope `{scope}`."),
            format!("La clave no tiene el permiso `{scope}`."),
        ))
    }

    /// An id of another kind.
    pub fn wrong_id_type(noun: &str, prefix: &str) -> Self {
        Self::new(&WRONG_ID_TYPE).with("expected_prefix", prefix).detail(text(
            format!("The id of a {} starts with `{prefix}_`.", noun.replace('_', " ")),
            format!("El id de este tipo de objeto ({noun}) empieza con `{prefix}_`."),
        ))
    }

    /// One thing wrong with the request.
    pub fn invalid(error: FieldError) -> Self {
        Self::new(&VALIDATION_FAILED).at(error)
    }

    /// The document of RFC 9457.
    pub fn to_json(&self, language: Language, instance: &str, request_id: &str) -> Value {
        let details = &*self.0;
        let detail = details.detail.as_ref().unwrap_or(&details.code.about);
        let mut body = json!({
            "type": format!("/problems/{}", details.code.code),
            "title": details.code.title.get(language),
            "status": details.code.status,
            "detail": detail.get(language),
            "instance": instance,
            "code": details.code.code,
            "request_id": request_id,
        });
        if let Some(members) = body.as_object_mut() {
            if !details.errors.is_empty() {
                let errors: Vec<_> = details.errors.iter().map(|e| e.to_json(language)).collect();
                members.insert("errors".to_owned(), errors.into());
            }
            members.extend(details.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        body
    }
}

/// Names and values that come from the caller are echoed only so far.
fn cut(text: &str) -> &str {
    text.char_indices().nth(ECHO_CHARS_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

impl FieldError {
    fn to_json(&self, language: Language) -> Value {
        json!({
            "in": self.place,
            "pointer": cut(&self.pointer),
            "code": self.code,
            "detail": cut(self.detail.get(language)),
        })
    }
}

/// The database decides conflicts: a violated constraint becomes the problem it stands for.
impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if let Some(trouble) = Trouble::of(&error) {
            let mut problem = trouble.problem();
            problem.0.cause = Some(error.to_string());
            return problem;
        }
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(message)) => taken(&[], &message),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::new(&IN_USE),
            _ if is_ours(&error, TOO_MANY_STATEMENTS) => {
                Self::new(&TOO_MUCH_WORK).with("limit", "statements").with("max", STATEMENTS_MAX)
            }
            _ if is_ours(&error, OPEN_TOO_LONG) => Self::new(&BUSY)
                .with("limit", "transaction_ms")
                .with("max", TRANSACTION_MAX.as_millis() as u64)
                .retry_after(1),
            _ if is_contention(&error) => Self::new(&BUSY).retry_after(1),
            _ if is_restricted(&error) => Self::new(&IN_USE),
            _ => Self::internal(error),
        }
    }
}

impl Problem {
    /// What the database said when a `V` was written: a violated unique index is the problem that
    /// the resource ties to it.
    pub(crate) fn writing<V: Noun>(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(message)) => taken(V::UNIQUE, &message),
            _ => error.into(),
        }
    }
}

/// `duplicate key … "variant_sku_key"` (PostgreSQL) or `… failed: variant.organization_id, variant.sku`
/// (SQLite): both end with the last column of the index.
fn taken(unique: &[Unique], message: &str) -> Problem {
    let column = match message.split('"').nth(1) {
        Some(index) => index.strip_suffix("_key").unwrap_or(index),
        None => message.rsplit('.').next().unwrap_or_default(),
    };
    let known = unique.iter().find(|unique| {
        let table = column.strip_suffix(unique.column);
        table.is_some_and(|table| table.is_empty() || table.ends_with('_'))
    });
    match known {
        Some(Unique { pointer, code, .. }) => Problem::new(code).at(FieldError::body(
            *pointer,
            code.code,
            text("is taken by another object", "ya lo usa otro objeto"),
        )),
        None => {
            let mut problem = Problem::new(&CONFLICT).retry_after(1);
            problem.0.cause = Some(message.to_owned());
            problem
        }
    }
}

/// Whether it was the call's budget that stopped it.
fn is_ours(error: &DbErr, said: &str) -> bool {
    matches!(error, DbErr::Custom(own) if own == said)
}

/// Lock time-outs, deadlocks, serialization failures and statements that were interrupted: nothing was
/// written, trying again is right.
fn is_contention(error: &DbErr) -> bool {
    // PostgreSQL's SQLSTATE; SQLite's primary and extended SQLITE_BUSY codes, SQLITE_LOCKED,
    // SQLITE_INTERRUPT, and SQLITE_PROTOCOL, which is a lost race for its log of changes.
    let states = ["40001", "40P01", "55P03", "57014", "5", "261", "517", "773", "6", "9", "15"];
    state_is(error, &states)
}

/// `ON DELETE RESTRICT` stepped in. SeaORM knows only the plain foreign key violation; PostgreSQL 18
/// has a SQLSTATE of its own for this one, and SQLite reports it as a trigger's (there are no others).
fn is_restricted(error: &DbErr) -> bool {
    state_is(error, &["23001", "1811"])
}

fn state_is(error: &DbErr, states: &[&str]) -> bool {
    use sea_orm::RuntimeErr;
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    sql_state(cause).is_some_and(|state| states.contains(&state.as_str()))
}

fn sql_state(error: &sea_orm::SqlxError) -> Option<String> {
    error.as_database_error()?.code().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_constraint_names_what_is_taken() {
        for message in [
            r#"duplicate key value violates unique constraint "variant_sku_key""#,
            "UNIQUE constraint failed: variant.organization_id, variant.sku",
        ] {
            let unique = [
                Unique::EXTERNAL_ID,
                Unique { column: "sku", pointer: "/sku", code: &EXTERNAL_ID_TAKEN },
            ];
            let problem = taken(&unique, message);
            assert_eq!(problem.code.code, "external_id_taken");
            assert_eq!(problem.errors[0].pointer, "/sku");
        }
        let other = taken(&[Unique::EXTERNAL_ID], "UNIQUE constraint failed: brand.id");
        assert_eq!(other.code.code, "conflict");
    }

    #[test]
    fn the_language_follows_the_weights() {
        assert_eq!(Language::accepted("es-MX,es;q=0.9,en;q=0.8"), Language::Spanish);
        assert_eq!(Language::accepted("en;q=0.9, es;q=0.2"), Language::English);
        assert_eq!(Language::accepted("fr, de"), Language::English);
        assert_eq!(Language::accepted("¡;q=x"), Language::English);
    }
}
