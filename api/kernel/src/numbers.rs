//! How many objects of a kind an organization may have, as its plan says.

use entity::Owned;
use sea_orm::{PaginatorTrait, Select};

use crate::{Problem, Result, Tx, problem, text};

/// How many objects of a kind an organization may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Numbers {
    /// API keys that have not ended.
    pub api_keys: u32,
    /// Webhook endpoints.
    pub webhook_endpoints: u32,
    /// Webhook endpoints with a filter.
    pub filters: u32,
    /// Webhook endpoints with a selection.
    pub selections: u32,
    /// Trusted documents.
    pub trusted_documents: u32,
}

impl Tx {
    /// Checks that there is room for one more of `those`, where the plan says how many there may be.
    /// Whoever adds one at the same moment waits for the end of this.
    pub async fn room_for<E>(
        &self,
        what: &'static str,
        allowed: impl FnOnce(&Numbers) -> u32,
        those: Select<E>,
    ) -> Result<()>
    where
        E: Owned,
        E::Model: Send + Sync,
    {
        let Some(max) = self.numbers.as_ref().map(allowed) else { return Ok(()) };
        self.alone(what).await?;
        if those.count(self.db()).await? < u64::from(max) {
            return Ok(());
        }
        Err(Problem::new(&problem::LIMIT_REACHED).with("limit", max).with("of", what).detail(text(
            format!("The plan allows an organization {max} of these: {what}."),
            format!("El plan permite a una organización {max} de éstos: {what}."),
        )))
    }
}
