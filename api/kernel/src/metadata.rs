//! Changes to the caller's own pairs of text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bodega_values::{Metadata, PAIRS_MAX, pairs_schema};
use serde::Deserialize;
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::{FieldError, Problem, Result, problem, text};

/// A merge patch of [`Metadata`]: a pair with null is removed, any other is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct MetadataPatch(BTreeMap<String, Option<String>>);

impl MetadataPatch {
    /// Applies the patch.
    pub fn apply(self, metadata: &mut Metadata) -> Result<()> {
        for (key, value) in self.0 {
            match value {
                Some(value) => metadata.0.insert(key, value),
                None => metadata.0.remove(&key),
            };
        }
        if metadata.0.len() <= PAIRS_MAX {
            return Ok(());
        }
        let detail = text("would have more than 50 pairs", "tendría más de 50 pares");
        let error = FieldError::body("/metadata", "too_many_pairs", detail);
        Err(Problem::new(&problem::LIMIT_REACHED).at(error))
    }
}

impl ComposeSchema for MetadataPatch {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        pairs_schema(true, "Pairs to set; a pair with null is removed, the others stay.")
    }
}

impl ToSchema for MetadataPatch {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("MetadataPatch")
    }
}
