//! What the GraphQL door does for the domains, and they for it: neither knows the other.

use std::sync::{Arc, Weak};

use bodega_corridor::Corridor;
use bodega_graphql::{Engine, Trust};
use bodega_identity::{DocumentCheck, TrustedDocuments};
use bodega_kernel::{Cx, Problem, Result, problem};
use bodega_webhooks::Selector;
use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

/// Runs selections and checks documents.
pub(crate) struct Graphql {
    engine: Arc<Engine>,
    /// The corridor holds the platform, and the platform this.
    corridor: Weak<Corridor>,
}

impl Graphql {
    pub(crate) fn new(engine: &Arc<Engine>, corridor: &Arc<Corridor>) -> Arc<Self> {
        Arc::new(Self { engine: engine.clone(), corridor: Arc::downgrade(corridor) })
    }
}

impl Selector for Graphql {
    fn select<'a>(
        &'a self,
        cx: &'a Cx,
        resource: &'a str,
        selection: &'a str,
        objects: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value>>>> {
        Box::pin(async move {
            let stopping = || Problem::new(&problem::BUSY).retry_after(1);
            let corridor = self.corridor.upgrade().ok_or_else(stopping)?;
            self.engine.select(&corridor, cx, resource, selection, objects).await
        })
    }
}

impl DocumentCheck for Graphql {
    fn check<'a>(&'a self, document: &'a str) -> BoxFuture<'a, std::result::Result<(), String>> {
        Box::pin(self.engine.check(document))
    }
}

/// Tells the door what organizations trust.
pub(crate) struct Trusted(pub(crate) Arc<TrustedDocuments>);

impl Trust for Trusted {
    fn only(&self, organization: Uuid) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.0.only(organization))
    }

    fn find<'a>(
        &'a self,
        organization: Uuid,
        hash: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>>> {
        Box::pin(self.0.find(organization, hash))
    }
}
