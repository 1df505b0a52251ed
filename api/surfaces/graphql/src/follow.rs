//! Subscriptions: a log of what happened, followed through the corridor as any caller follows it, and
//! each entry answered with what was asked of it.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use bodega_contract::{Caller, Operation, Registry};
use bodega_corridor::{Call, Leave, Place, Visit};
use bodega_kernel::{FieldError, Problem, Result, text};
use serde_json::{Map, Value, json};

use crate::cost::Cost;
use crate::document::Document;
use crate::error::{Fault, Stop};
use crate::model::Source;
use crate::params::Params;
use crate::plan::{Picked, Plan};
use crate::project::Writer;
use crate::run;
use crate::service::{Service, answer};
use crate::values;

/// Whether the key still holds is looked at this often, also where nothing happens.
const WAIT_S: u64 = 2;

/// Entries read at once: what a follower who does not keep up has waiting here.
const READ_AT_ONCE: usize = 50;

/// The list that can be followed, where there is one.
pub(crate) fn feed(registry: &Registry) -> Option<&Operation> {
    let mut all = registry.operations().iter();
    all.find(|operation| operation.list.as_ref().is_some_and(|list| list.feed))
}

/// Something that is followed.
pub(crate) struct Subscription {
    service: Arc<Service>,
    caller: Caller,
    feed: &'static Operation,
    document: Arc<Document>,
    /// As it was asked: whether its document is still trusted is looked at again.
    params: Params,
    variables: values::Variables,
    /// The place in the log that was reached.
    after: i64,
    _place: Place,
}

/// What comes next.
pub(crate) enum Next {
    /// Answers, in order.
    Answers(Vec<Vec<u8>>),
    /// Nothing more: for this reason, or because the program stops.
    End(Option<Value>),
}

impl Service {
    /// Begins to follow. What is wrong is told as for a query.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> std::result::Result<Subscription, Stop> {
        let (operation, method) =
            (feed(self.engine.registry).map_or("graphql", |feed| feed.id), "GET");
        let mut visit = self.corridor.admit(caller).await?;
        visit.begin(operation, method);
        let mut begun = self.begin(&mut visit, caller, params).await;
        if begun.is_err() && visit.limits().is_none() {
            begun = visit.charge(1).await.map_err(Stop::from).and(begun);
        }
        let (status, code) = match &begun {
            Ok(_) => (200, None),
            Err(Stop::Problem(problem)) => (problem.code.status, Some(problem.code.code)),
            Err(Stop::Faults(faults)) => (400, faults.first().map(|one| one.problem.code.code)),
        };
        let (idempotency_key, deprecated) = (None, Vec::new());
        visit.leave(Leave { operation, method, status, code, idempotency_key, deprecated });
        begun
    }

    async fn begin(
        self: &Arc<Self>,
        visit: &mut Visit<'_>,
        caller: &Caller,
        params: &Params,
    ) -> std::result::Result<Subscription, Stop> {
        let document = self.document(visit.principal().organization, params).await?;
        let operation = document.operation(params.operation_name.as_deref())?;
        let feed = feed(self.engine.registry)
            .filter(|_| operation.node.ty == OperationType::Subscription)
            .ok_or_else(|| Fault::invalid("This is no subscription.", [operation.pos]))?;
        let variables = values::variables(&self.engine.model, &operation.node, &params.variables)?;
        let plan = Plan::new(&self.engine.model, &document, &operation.node, &variables)?;
        let [root] = plan.roots.as_slice() else {
            let message = "A subscription has one field at its root.";
            return Err(Fault::invalid(message, [operation.pos]).into());
        };
        known_types(self.engine.registry, root)?;
        visit.charge(Cost::of(self.engine.registry, &plan)?.units).await?;
        // What could not be read is said now, not with the first change.
        for (_, (resource, links)) in crate::plan::views(&root.fields) {
            visit.embed(resource, Vec::new(), &links).await?;
        }
        let after = match root.arguments.get("after").and_then(Value::as_i64) {
            Some(after) => after,
            None => newest(visit, feed).await?,
        };
        let place = visit.follow()?;
        drop(plan);
        Ok(Subscription {
            service: self.clone(),
            caller: caller.clone(),
            feed,
            params: params.clone(),
            document,
            variables,
            after,
            _place: place,
        })
    }
}

impl Subscription {
    /// Waits for what comes next. Nothing is lost where the wait is given up.
    pub(crate) async fn next(&mut self) -> Next {
        match self.wait().await {
            Ok(Some(answers)) => Next::Answers(answers),
            Ok(None) => Next::End(None),
            Err(problem) => Next::End(Some(Fault::from(problem).to_json(&self.caller))),
        }
    }

    async fn wait(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        let service = self.service.clone();
        let engine = &service.engine;
        loop {
            if service.corridor.platform().signals.is_closed() {
                return Ok(None);
            }
            let page = self.read(&service).await?;
            self.trusted(&service).await?;
            // Also past what is not for this caller, so that it is not looked through again.
            let after = page["reached"].as_i64().unwrap_or(self.after);
            let rows = rows(page);
            if rows.is_empty() {
                self.after = after;
                continue;
            }
            let operation = self.document.operation(self.params.operation_name.as_deref());
            let operation = operation.map_err(|fault| fault.problem)?;
            let plan = Plan::new(&engine.model, &self.document, &operation.node, &self.variables)
                .map_err(|fault| fault.problem)?;
            // Who lost the right to know while waiting hears nothing of it.
            let mut visit = service.corridor.admit(&self.caller).await?;
            let mut answers = Vec::new();
            for row in rows {
                for root in plan.roots.iter().filter(|root| is_wanted(root, &row)) {
                    answers.push(self.answer(&visit, root, &row).await);
                }
            }
            // What many objects cost is paid, or the subscription ends; a few come with the entries.
            if visit.budget().units() > 1 {
                visit.settle(false).await?;
            }
            self.after = after;
            if !answers.is_empty() {
                return Ok(Some(answers));
            }
        }
    }

    /// A page of what there is after the place reached; an empty one, where nothing came for a while.
    async fn read(&self, service: &Service) -> Result<Value> {
        let visit = service.corridor.admit(&self.caller).await?;
        let mut call = Call { placed: true, ..Call::of(self.feed) };
        call.query = [
            ("after", self.after.to_string()),
            ("wait_s", WAIT_S.to_string()),
            ("limit", READ_AT_ONCE.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        visit.call(call).await?.body.tree()
    }

    /// Ends what was begun before its document was trusted no more, or others no more allowed.
    async fn trusted(&self, service: &Service) -> Result<()> {
        let visit = service.corridor.admit(&self.caller).await?;
        match service.document(visit.principal().organization, &self.params).await {
            Ok(_) => Ok(()),
            Err(Stop::Problem(problem)) => Err(problem),
            Err(Stop::Faults(faults)) => {
                let fault = faults.into_iter().next();
                Err(fault.map_or_else(|| Problem::internal("no fault"), |fault| fault.problem))
            }
        }
    }

    async fn answer(&self, visit: &Visit<'_>, root: &Picked<'_>, row: &Value) -> Vec<u8> {
        let mut errors = Vec::new();
        let mut writer = Writer::new(run::ANSWER_BYTES_MAX);
        writer.out.push(b'{');
        writer.key(true, &root.key);
        match shown(visit, root, row).await {
            Ok(value) => {
                if let Some(field) = root.field() {
                    writer.root(root, field, &value);
                }
            }
            Err(problem) => {
                let path = vec![Value::from(root.key.as_str())];
                let fault = Fault::from(problem).at(path, root.position);
                errors.push(fault.of_field(&self.caller, &self.service.engine.model, root));
                writer.json(&Value::Null);
            }
        }
        writer.out.push(b'}');
        errors.extend(writer.faults.iter().map(|fault| fault.to_json(&self.caller)));
        answer(errors, Some(writer.out), Map::new())
    }
}

/// What a follower is shown of an entry, links embedded.
async fn shown(visit: &Visit<'_>, root: &Picked<'_>, row: &Value) -> Result<Value> {
    let mut value = match root.field().map(|field| &field.source) {
        Some(Source::Changes(Some(_))) => json!({"event": row, "object": row["data"]}),
        _ => row.clone(),
    };
    run::embed(visit, &root.fields, &mut value).await?;
    Ok(value)
}

/// Whether a field asks for an entry.
fn is_wanted(root: &Picked<'_>, row: &Value) -> bool {
    let Some(field) = root.field() else { return false };
    let given = |name: &str| root.arguments.get(name).filter(|value| !value.is_null());
    let of_kind = match field.source {
        Source::Changes(Some(resource)) => row["object_type"] == resource,
        _ => true,
    };
    let any = |name: &str, holds: &dyn Fn(&str) -> bool| {
        let all = given(name).and_then(Value::as_array);
        all.is_none_or(|all| all.iter().filter_map(Value::as_str).any(holds))
    };
    of_kind
        && given("id").is_none_or(|id| *id == row["object_id"])
        && any("objects", &|id| row["object_id"] == id)
        && any("types", &|kind| fits(kind, row["type"].as_str().unwrap_or_default()))
}

/// `order.*` stands for every event of an order, `*` for all.
fn fits(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => pattern == kind,
    }
}

/// Refuses types that no event has.
fn known_types(registry: &Registry, root: &Picked<'_>) -> Result<()> {
    let asked = root.arguments.get("types").and_then(Value::as_array);
    for (index, asked) in asked.into_iter().flatten().enumerate() {
        let asked = asked.as_str().unwrap_or_default();
        if !registry.events().keys().any(|kind| fits(asked, kind)) {
            let detail = text("is no type of event", "no es un tipo de evento");
            let pointer = format!("/types/{index}");
            let error = FieldError::new("query", pointer, "unknown_value", detail);
            return Err(Problem::invalid(error));
        }
    }
    Ok(())
}

/// The last place of the log.
async fn newest(visit: &Visit<'_>, feed: &Operation) -> Result<i64> {
    let mut call = Call::of(feed);
    call.query = [("sequence[is_null]", "false"), ("limit", "1")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let rows = rows(visit.call(call).await?.body.tree()?);
    Ok(rows.first().and_then(|row| row["sequence"].as_i64()).unwrap_or(0))
}

fn rows(mut page: Value) -> Vec<Value> {
    match page.get_mut("data").map(Value::take) {
        Some(Value::Array(rows)) => rows,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest() {
        assert!(fits("order.confirmed", "order.confirmed"));
        assert!(fits("order.*", "order.confirmed") && fits("*", "order.confirmed"));
        assert!(!fits("order", "order.confirmed") && !fits("brand.*", "order.confirmed"));
    }
}
