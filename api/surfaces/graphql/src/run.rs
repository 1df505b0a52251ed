//! Runs a plan: each root field is a call through the corridor, with a scope check, a transaction,
//! events, an audit row and a problem of its own.

use async_graphql::parser::types::OperationType;
use bodega_contract::{Caller, Deprecation, Operation};
use bodega_corridor::{Answer, Call, Visit};
use bodega_kernel::{Problem, Result};
use futures::StreamExt;
use serde_json::Value;

use crate::calls;
use crate::engine::Engine;
use crate::error::{self, Fault};
use crate::model::{self, Field};
use crate::plan::{self, Pick, Picked, Plan};
use crate::project::Writer;

/// So many reads of one request go on at once.
const AT_ONCE: usize = 4;

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
        let field = root.field()?;
        let operation = model::operation(self.engine.registry, &field.source)?;
        Some((operation, operation.list.is_some()))
    }

    async fn root(&self, root: &Picked<'_>, several: bool) -> Option<Told> {
        let (operation, is_list) = self.operation(root)?;
        let key = self.idempotency_key.map(|key| match several {
            // Each field needs a name of its own.
            true => format!("{}#{}", key.trim().trim_matches('"'), root.key),
            false => key.to_owned(),
        });
        let call = calls::call(operation, root.object, root, key);
        let told = self.call(root, call, is_list).await;
        Some(told.unwrap_or_else(Told::Failed))
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
        if is_list {
            body = calls::connection(root, body);
        }
        if nested {
            embed(self.visit, &root.fields, &mut body).await?;
        }
        Ok(Told::Done { body, replayed })
    }
}

/// Writes what the fields of a plan's root are answered with.
pub(crate) fn write(
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
                errors.extend(write_one(&mut writer, root, field, told, caller));
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
    root: &'w Picked<'_>,
    field: &Field,
    told: Told,
    caller: &Caller,
) -> Option<Value> {
    let path = vec![Value::from(root.key.as_str())];
    let error = match told {
        Told::Done { body, .. } => {
            writer.root(root, field, &body);
            return None;
        }
        Told::Refused { body } => error::error(body, None, &[root.position], &path),
        Told::Failed(problem) => Fault::from(problem).at(path, root.position).to_json(caller),
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
