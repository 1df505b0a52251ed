//! A request, from its parameters to its result, whatever carries it.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use bodega_contract::{Caller, Deprecation, Operation};
use bodega_corridor::{Corridor, Visit};
use bodega_kernel::{APART_BYTES, Problem, problem};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cost::Cost;
use crate::document::Document;
use crate::engine::Engine;
use crate::error::{Fault, Stop};
use crate::params::Params;
use crate::persisted::Persisted;
use crate::plan::Plan;
use crate::run::{self, Done, Run, Written};
use crate::trust::{self, Trust};
use crate::values;

/// What requests need to know.
pub(crate) struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) corridor: Arc<Corridor>,
    pub(crate) trust: Arc<dyn Trust>,
    pub(crate) persisted: Persisted,
    /// Whether the schema may be asked for.
    pub(crate) introspection: bool,
}

/// What the carrier of a request says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms<'a> {
    /// Only reads: it came by GET.
    pub(crate) reads_only: bool,
    /// The name of the whole request, where it has one.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What a request is answered with.
pub(crate) struct Reply {
    /// The answer, as JSON.
    pub(crate) body: Vec<u8>,
    /// The problem of a request that was not run.
    pub(crate) refused: Option<Problem>,
    /// The code of the first error.
    pub(crate) code: Option<String>,
    /// The one operation that was run, where it was one.
    pub(crate) operation: Option<&'static Operation>,
    /// Whether all of it was answered before.
    pub(crate) replayed: bool,
    /// What was used that goes away.
    pub(crate) deprecated: Vec<(&'static Operation, Deprecation)>,
}

impl Service {
    /// Whether a request is in order and a subscription.
    pub(crate) async fn is_subscription(&self, visit: &Visit<'_>, params: &Params) -> bool {
        let organization = visit.principal().organization;
        let Ok(document) = self.document(organization, params).await else { return false };
        let operation = document.operation(params.operation_name.as_deref());
        operation.is_ok_and(|operation| operation.node.ty == OperationType::Subscription)
    }

    /// Runs a query or a mutation of a caller who was let in.
    pub(crate) async fn run(
        &self,
        visit: &mut Visit<'_>,
        caller: &Caller,
        params: &Params,
        terms: Terms<'_>,
    ) -> Result<Reply, Problem> {
        match self.try_run(visit, caller, params, terms).await {
            Ok(reply) => Ok(reply),
            Err(Stop::Problem(problem)) => Err(problem),
            Err(Stop::Faults(mut faults)) => {
                // What is refused is not for nothing, or nothing would bound it.
                if visit.limits().is_none() {
                    visit.charge(1).await?;
                }
                let errors = faults.iter().map(|fault| fault.to_json(caller)).collect();
                let refused = (!faults.is_empty()).then(|| faults.swap_remove(0).problem);
                let code = refused.as_ref().map(|problem| problem.code.code.to_owned());
                let body = answer(errors, None, Map::new());
                let deprecated = Vec::new();
                Ok(Reply { body, refused, code, operation: None, replayed: false, deprecated })
            }
        }
    }

    async fn try_run(
        &self,
        visit: &mut Visit<'_>,
        caller: &Caller,
        params: &Params,
        terms: Terms<'_>,
    ) -> Result<Reply, Stop> {
        let document = self.document(visit.principal().organization, params).await?;
        let operation = document.operation(params.operation_name.as_deref())?;
        match operation.node.ty {
            OperationType::Mutation if terms.reads_only => {
                return Err(Problem::new(&problem::METHOD_NOT_ALLOWED).into());
            }
            OperationType::Subscription => {
                let message = "Subscriptions come as `text/event-stream` or over a web socket.";
                return Err(Fault::invalid(message, [operation.pos]).into());
            }
            _ => {}
        }
        let model = &self.engine.model;
        let variables = values::variables(model, &operation.node, &params.variables)?;
        let plan = Plan::new(model, &document, &operation.node, &variables)?;
        if plan.introspects() && !self.introspection {
            return Err(Fault::from(Problem::new(&problem::INTROSPECTION_OFF)).into());
        }
        let cost = Cost::of(self.engine.registry, &plan)?;
        visit.charge(cost.units).await?;
        let name = params.operation_name.as_deref();
        let introspected = match plan.introspects() {
            true => self.engine.introspect(&document, name, &params.variables).await?,
            false => Value::Null,
        };
        let run = Run { engine: &self.engine, visit, idempotency_key: terms.idempotency_key };
        let Done { told, deprecated } = run.plan(&plan).await;
        visit.settle(plan.kind == OperationType::Mutation).await?;
        let size = visit.budget().size().bytes.saturating_mul(plan.repeats());
        let done = match size > APART_BYTES {
            true => {
                let (engine, document, caller) =
                    (self.engine.clone(), document.clone(), caller.clone());
                let (name, variables) = (params.operation_name.clone(), variables.clone());
                // The plan points into the document: there it is made once more.
                let write = move || -> Result<Written, Fault> {
                    let operation = document.operation(name.as_deref())?;
                    let plan = Plan::new(&engine.model, &document, &operation.node, &variables)?;
                    Ok(run::write(&engine.model, &plan, told, &introspected, &caller))
                };
                self.corridor.platform().apart.run(write).await??
            }
            false => run::write(model, &plan, told, &introspected, caller),
        };
        let (units, objects) = (visit.cost(), visit.budget().objects());
        let mut extensions = Map::new();
        extensions.insert("cost".to_owned(), json!({"units": units, "objects": objects}));
        if !done.replayed.is_empty() {
            extensions.insert("replayed".to_owned(), json!(done.replayed));
        }
        let code = done.errors.first().and_then(|error| error["extensions"]["code"].as_str());
        Ok(Reply {
            code: code.map(str::to_owned),
            refused: None,
            operation: self.only(&plan),
            replayed: !plan.roots.is_empty() && done.replayed.len() == plan.roots.len(),
            deprecated,
            body: answer(done.errors, Some(done.data), extensions),
        })
    }

    /// The document of a request: its own text, or the one with its hash.
    pub(crate) async fn document(
        &self,
        organization: Uuid,
        params: &Params,
    ) -> Result<Arc<Document>, Stop> {
        let text = trust::text(self.trust.as_ref(), &self.persisted, organization, params).await?;
        let document = self.engine.document(&text).await.map_err(Stop::Faults)?;
        // What came whole with its hash can next time come by its hash alone.
        if params.query.is_some() && params.hash()?.is_some() {
            self.persisted.keep(text);
        }
        Ok(document)
    }

    fn only(&self, plan: &Plan<'_>) -> Option<&'static Operation> {
        let mut roots = plan.roots.iter().filter(|root| root.field().is_some());
        let first = roots.next()?.operation?;
        let operation = self.engine.registry.operations().get(first);
        operation.filter(|_| roots.next().is_none())
    }
}

/// A GraphQL answer; errors first, as the specification advises.
pub(crate) fn answer(
    errors: Vec<Value>,
    data: Option<Vec<u8>>,
    extensions: Map<String, Value>,
) -> Vec<u8> {
    let mut parts = Vec::new();
    if !errors.is_empty() {
        parts.push(("errors", Value::Array(errors).to_string().into_bytes()));
    }
    parts.extend(data.map(|data| ("data", data)));
    if !extensions.is_empty() {
        parts.push(("extensions", Value::Object(extensions).to_string().into_bytes()));
    }
    let mut out = vec![b'{'];
    for (index, (name, value)) in parts.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        out.extend_from_slice(format!("{comma}\"{name}\":").as_bytes());
        out.extend(value);
    }
    out.push(b'}');
    out
}
