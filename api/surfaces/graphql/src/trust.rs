//! Which documents may be asked: what an organization trusts, told by whoever keeps its list.

use std::sync::Arc;

use bodega_kernel::{Problem, Result, problem};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::error::Stop;
use crate::params::Params;
use crate::persisted::{Persisted, hash};

/// Who keeps the organizations' lists.
pub trait Trust: Send + Sync + 'static {
    /// Whether an organization allows no other documents than those on its list.
    fn only(&self, organization: Uuid) -> BoxFuture<'_, Result<bool>>;

    /// The document of this hash (SHA-256, hexadecimal, lower case) on the organization's list.
    fn find<'a>(
        &'a self,
        organization: Uuid,
        hash: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>>>;
}

/// The text of the document that a request asks for: its own, or the one of its hash.
pub(crate) async fn text(
    trust: &dyn Trust,
    persisted: &Persisted,
    organization: Uuid,
    params: &Params,
) -> std::result::Result<Arc<str>, Stop> {
    let only = trust.only(organization).await?;
    let asked = match (&params.query, params.hash()?) {
        (Some(query), _) if only => Some(hash(query)),
        (None, Some(hash)) => Some(hash),
        _ => None,
    };
    if let Some(hash) = &asked
        && let Some(text) = trust.find(organization, hash).await?
    {
        return Ok(text);
    }
    match only {
        true => Err(Problem::new(&problem::DOCUMENT_NOT_TRUSTED).into()),
        false => persisted.text(params),
    }
}
