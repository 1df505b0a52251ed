//! Automatic persisted queries: a document is sent once, then only its hash. A cache, not a list of
//! what may be asked.

use std::sync::Arc;

use bodega_kernel::{FieldError, Problem, problem, text};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::error::{Fault, Stop};
use crate::params::Params;

/// What is kept takes this much memory.
const KEPT_BYTES: u64 = 8 * 1024 * 1024;

/// Documents by their hash: whoever knows the hash knows the document.
pub(crate) struct Persisted(Cache<String, Arc<str>>);

impl Persisted {
    pub(crate) fn new() -> Self {
        let weight = |hash: &String, text: &Arc<str>| {
            u32::try_from(hash.len() + text.len()).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().weigher(weight).max_capacity(KEPT_BYTES).build())
    }

    /// The document that a request asks for.
    pub(crate) fn text(&self, params: &Params) -> Result<Arc<str>, Stop> {
        match (&params.query, params.hash()?) {
            (Some(query), Some(given)) if hash(query) != given => {
                let detail = text("is not the hash of `query`", "no es el hash de `query`");
                Err(wrong("/extensions/persistedQuery/sha256Hash", detail))
            }
            (Some(query), _) => Ok(query.as_str().into()),
            (None, Some(hash)) => self.0.get(&hash).ok_or_else(|| {
                let message = Some("PersistedQueryNotFound".to_owned());
                let unknown = Problem::new(&problem::PERSISTED_QUERY_NOT_FOUND);
                Fault { message, ..unknown.into() }.into()
            }),
            (None, None) => Err(wrong("/query", text("is required", "es obligatorio"))),
        }
    }

    /// Remembers a document that is in order.
    pub(crate) fn keep(&self, text: Arc<str>) {
        self.0.insert(hash(&text), text);
    }
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wrong(pointer: &str, detail: bodega_kernel::Text) -> Stop {
    let error = FieldError::body(pointer, "invalid", detail);
    Problem::new(&problem::MALFORMED_REQUEST).at(error).into()
}
