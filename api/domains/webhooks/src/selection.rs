//! Payloads in a shape of the receiver's own: a GraphQL selection of the object, run on each event
//! with the rights of whoever set it. The GraphQL door knows how; here it is a port.

use std::sync::Arc;

use bodega_kernel::{
    Actor, Cx, FieldError, Origin, Platform, Problem, Result, ScopeSet, Tx, problem, text,
};
use entity::webhooks::webhook_endpoint;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::endpoint::scopes;
use crate::event_type::EventPattern;
use crate::stored;

/// What runs selections: the GraphQL door, or a stand-in for it in tests.
pub trait Selector: Send + Sync + 'static {
    /// What a selection shows of each of a resource's objects, as the context may see them. A
    /// selection that does not fit is told at `/selection`; without objects it is only checked.
    fn select<'a>(
        &'a self,
        cx: &'a Cx,
        resource: &'a str,
        selection: &'a str,
        objects: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value>>>>;
}

/// The port.
#[derive(Clone)]
pub struct Selections(pub Arc<dyn Selector>);

/// An endpoint's selection.
pub(crate) struct Selection {
    resource: String,
    text: String,
    scopes: Arc<ScopeSet>,
}

impl Selection {
    /// The selection that an endpoint has.
    pub(crate) fn of(endpoint: &webhook_endpoint::Model) -> Option<Self> {
        let patterns: Vec<EventPattern> = stored(&endpoint.event_types);
        Some(Self {
            resource: one_resource(&patterns)?.to_owned(),
            text: endpoint.selection.clone()?,
            scopes: Arc::new(scopes(endpoint)),
        })
    }

    /// Whether it is of the objects that events of this type tell of.
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        kind.split_once('.').is_some_and(|(resource, _)| resource == self.resource)
    }

    /// What it shows of these objects, the platform acting with the rights of whoever saved it.
    pub(crate) async fn shapes(
        &self,
        platform: &Arc<Platform>,
        endpoint: &webhook_endpoint::Model,
        objects: Vec<Value>,
    ) -> Result<Vec<Result<Value>>> {
        let origin = Origin::system("webhook_endpoint.select", platform.versions.latest());
        let actor = Actor { kind: "system", id: None };
        let (organization, scopes) = (endpoint.organization_id, self.scopes.clone());
        let cx = Cx::reading(platform.clone(), organization, actor, scopes, origin);
        let port = platform.ports.get::<Selections>()?;
        port.0.select(&cx, &self.resource, &self.text, objects).await
    }
}

/// Checks a selection that is to be kept, with the rights it is to run with, the caller's.
pub(crate) async fn check(
    tx: &Tx,
    patterns: &[EventPattern],
    selection: Option<&str>,
) -> Result<()> {
    let Some(selection) = selection else { return Ok(()) };
    let Some(resource) = one_resource(patterns) else {
        let detail = text(
            "needs `event_types` of one kind of object, as `product.*`",
            "requiere `event_types` de un solo tipo de objeto, como `product.*`",
        );
        let error = FieldError::body("/selection", "selection_not_valid", detail);
        return Err(Problem::new(&problem::SELECTION_NOT_VALID).at(error));
    };
    let port = tx.platform.ports.get::<Selections>()?;
    port.0.select(tx.cx(), resource, selection, Vec::new()).await?;
    Ok(())
}

/// The resource that all patterns are of, where it is one.
fn one_resource(patterns: &[EventPattern]) -> Option<&str> {
    let mut all = patterns.iter().map(|pattern| Some(pattern.0.split_once('.')?.0));
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}
