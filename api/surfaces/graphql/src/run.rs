//! Runs a plan: each root field is a call through the corridor, with a scope check, a transaction,
//! events, an audit row and a problem of its own.

use async_graphql::parser::types::OperationType;
use bodega_contract::{Caller, Deprecation, Operation, read_id};
use bodega_corridor::{Answer, Call, Visit};
use bodega_kernel::{FieldError, Problem, Result, text};
use futures::StreamExt;
use serde_json::Value;

use crate::calls;
use crate::engine::Engine;
use crate::error::{self, Fault};
use crate::model::{Field, Model, Source};
use crate::places::{self, ARGUMENTS};
use crate::plan::{self, Pick, Picked, Plan};
use crate::project::Writer;

/// So many reads of one request go on at once.
const AT_ONCE: usize = 4;

/// So many objects can be asked for by their ids in one field.
const NODES_MAX: usize = 100;

/// No answer is longer.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a plan is run with.
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) visit: &'a Visit<'a>,
    /// The name of the whole request, where it has one.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What came of a plan.
pub(crate) struct Done {
    /// What each field of the root is answered with; nothing, where it is no call.
    pub(crate) told: Vec<Option<Told>>,
    /// What was used that goes away.
    pub(crate) deprecated: Vec<(&'static Operation, Deprecation)>,
}

/// The same, as it is sent.
pub(crate) struct Written {
    /// `{…}`, as JSON.
    pub(crate) data: Vec<u8>,
    pub(crate) errors: Vec<Value>,
    /// The fields that gave the first answer to their key again.
    pub(crate) replayed: Vec<String>,
}

/// What a field of the root is answered with.
pub(crate) enum Told {
    Done {
        body: Value,
        replayed: bool,
    },
    /// A refusal that was kept with its key.
    Refused {
        body: Value,
    },
    Failed(Problem),
}

impl<'a> Run<'a> {
    /// Runs the fields of the root: those of a mutation one after the other.
    pub(crate) async fn plan(&self, plan: &Plan<'_>) -> Done {
        let mut deprecated = Vec::new();
        for root in &plan.roots {
            if let Some((operation, _)) = self.operation(root) {
                let call = calls::call(operation, root.object, root, None);
                deprecated.extend(call.deprecated().into_iter().map(|what| (operation, what)));
            }
        }
        let several = plan.roots.len() > 1;
        let at_once = if plan.kind == OperationType::Query { AT_ONCE } else { 1 };
        let told = futures::stream::iter(&plan.roots).map(|root| self.root(root, several));
        let told = told.buffered(at_once).collect().await;
        Done { told, deprecated }
    }

    fn operation(&self, root: &Picked<'_>) -> Option<(&'static Operation, bool)> {
        let operation = self.engine.registry.operations().get(root.operation?)?;
        Some((operation, operation.list.is_some()))
    }

    async fn root(&self, root: &Picked<'_>, several: bool) -> Option<Told> {
        if root.field()?.source == Source::Nodes {
            return Some(self.nodes(root).await.unwrap_or_else(Told::Failed));
        }
        let Some((operation, is_list)) = self.operation(root) else {
            // An id of no type there is.
            let nowhere = root.field()?.source == Source::Node;
            return nowhere.then(|| Told::Failed(Problem::not_found("object")));
        };
        let key = self.idempotency_key.map(|key| match several {
            // Each field needs a name of its own.
            true => format!("{}#{}", key.trim().trim_matches('"'), root.key),
            false => key.to_owned(),
        });
        let call = calls::call(operation, root.object, root, key);
        let told = self.call(root, call, is_list).await;
        Some(told.unwrap_or_else(Told::Failed))
    }

    /// The objects with the ids that are asked for: those of a type are one call.
    async fn nodes(&self, root: &Picked<'_>) -> Result<Told> {
        let ids = root.arguments.get("ids").and_then(Value::as_array).map(Vec::as_slice);
        let ids = ids.unwrap_or_default();
        if ids.len() > NODES_MAX {
            let detail = text("has more than 100 ids", "tiene más de 100 ids");
            return Err(Problem::invalid(FieldError::new(ARGUMENTS, "/ids", "too_many", detail)));
        }
        let ids: Vec<_> = ids.iter().map(|id| id.as_str().and_then(read_id)).collect();
        let mut all = vec![Value::Null; ids.len()];
        for part in &root.parts {
            let Some((operation, _)) = self.operation(&part.picked) else { continue };
            let wanted = part.places.iter().filter_map(|place| *ids.get(*place)?);
            let wanted: Vec<_> = wanted.collect();
            let links = plan::links(&part.picked.fields);
            let found = self.visit.find(operation, &wanted, &links).await?;
            for place in &part.places {
                let object = ids.get(*place).and_then(|id| found.get(id.as_ref()?));
                if let (Some(here), Some(object)) = (all.get_mut(*place), object) {
                    *here = object.clone();
                }
            }
        }
        Ok(Told::Done { body: Value::Array(all), replayed: false })
    }

    async fn call(&self, root: &Picked<'_>, call: Call<'_>, is_list: bool) -> Result<Told> {
        // Views within what a command answers: whether their links may be read is asked first.
        let nested = !is_list && root.object.is_some_and(|object| object.resource.is_none());
        if nested {
            for (_, (resource, links)) in plan::views(&root.fields) {
                self.visit.embed(resource, Vec::new(), &links).await?;
            }
        }
        let Answer { status, body, replayed } = self.visit.call(call).await?;
        let mut body = body.tree()?;
        if status >= 400 {
            return Ok(Told::Refused { body });
        }
        if nested {
            embed(self.visit, &root.fields, &mut body).await?;
        }
        Ok(Told::Done { body, replayed })
    }
}

/// Writes what the fields of a plan's root are answered with.
pub(crate) fn write(
    model: &Model,
    plan: &Plan<'_>,
    told: Vec<Option<Told>>,
    introspected: &Value,
    caller: &Caller,
) -> Written {
    let mut writer = Writer::new(ANSWER_BYTES_MAX);
    let (mut errors, mut replays) = (Vec::new(), Vec::new());
    writer.out.push(b'{');
    for (index, (root, told)) in plan.roots.iter().zip(told).enumerate() {
        writer.key(index == 0, &root.key);
        match (&root.pick, told) {
            (Pick::TypeName(name), _) => writer.json(&Value::from(*name)),
            (Pick::Introspection, _) => writer.json(&introspected[&root.key]),
            (Pick::Field(field), Some(told)) => {
                let again =
                    matches!(told, Told::Done { replayed: true, .. } | Told::Refused { .. });
                replays.extend(again.then(|| root.key.clone()));
                errors.extend(write_one(&mut writer, model, (root, field), told, caller));
            }
            (Pick::Field(_), None) => writer.json(&Value::Null),
        }
    }
    writer.out.push(b'}');
    errors.extend(writer.faults.iter().map(|fault| fault.to_json(caller)));
    Written { data: writer.out, errors, replayed: replays }
}

/// Writes what a field is answered with; gives its error, where it has one.
fn write_one<'w>(
    writer: &mut Writer<'w>,
    model: &Model,
    (root, field): (&'w Picked<'_>, &Field),
    told: Told,
    caller: &Caller,
) -> Option<Value> {
    let path = vec![Value::from(root.key.as_str())];
    let error = match told {
        Told::Done { body, .. } => {
            writer.root(root, field, &body);
            return None;
        }
        Told::Refused { mut body } => {
            places::rename(model, root, &mut body);
            error::error(body, None, &[root.position], &path)
        }
        Told::Failed(problem) => {
            Fault::from(problem).at(path, root.position).of_field(caller, model, root)
        }
    };
    writer.json(&Value::Null);
    Some(error)
}

/// Embeds the links of views that are members of an object.
pub(crate) async fn embed(
    visit: &Visit<'_>,
    fields: &[Picked<'_>],
    object: &mut Value,
) -> Result<()> {
    for (name, (resource, links)) in plan::views(fields) {
        if let Some(member) = object.get_mut(name).filter(|member| member.is_object()) {
            visit.embed(resource, vec![member], &links).await?;
        }
    }
    Ok(())
}
