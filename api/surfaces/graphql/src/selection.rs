//! A selection of one object, kept and run later: what shapes a webhook's payload.
//!
//! It is written as in a query, `{ id title brand { name } }`, checked when it is saved and
//! run on objects as the API shows them, with the links embedded by the rights of whoever is in the
//! context.

use std::sync::Arc;

use async_graphql::parser::types::Selection as Selected;
use bodega_corridor::Corridor;
use bodega_kernel::{Cx, FieldError, Problem, Result, problem, text};
use serde_json::Value;

use crate::cost::Cost;
use crate::document::Document;
use crate::engine::Engine;
use crate::error::Fault;
use crate::model::{QUERY, Source};
use crate::plan::{self, Plan};
use crate::project::Writer;
use crate::values::Variables;

/// The largest shape of one object: an object is bounded, what is linked to it is not.
const SHAPED_BYTES_MAX: usize = 256 * 1024;

/// A selection that fits a resource's objects.
struct Selection {
    resource: &'static str,
    document: Arc<Document>,
}

impl Engine {
    async fn selection(&self, resource: &str, text: &str) -> Result<Selection> {
        self.checked(resource, text).await.map_err(|fault| {
            let mut told = fault.message.unwrap_or_else(|| fault.problem.code.code.to_owned());
            if let Some(at) = fault.locations.first() {
                // The first line is ours.
                let line = at.line.saturating_sub(1);
                told = format!("line {line}, column {}: {told}", at.column);
            }
            let error = FieldError::body("/selection", "selection_not_valid", text_of(&told));
            Problem::new(&problem::SELECTION_NOT_VALID).at(error)
        })
    }

    async fn checked(&self, resource: &str, text: &str) -> std::result::Result<Selection, Fault> {
        let none = || Fault::invalid(format!("\"{resource}\" has no objects to select from."), []);
        let operations = self.registry.operations().iter().enumerate();
        let mut reads = operations.filter(|(_, one)| one.resource == resource && one.shaped);
        let found = reads.find(|(_, one)| one.has_id() && one.list.is_none());
        let (index, operation) = found.ok_or_else(none)?;
        let root = self.model.objects.get(QUERY).ok_or_else(none)?;
        let is_root = |source: &Source| *source == Source::Operation(index);
        let field = root.fields.iter().find(|field| is_root(&field.source)).ok_or_else(none)?;
        // As the selection of the field that reads one object: that it is no more is seen below.
        let wrapped = format!("{{ {}(id: \"\")\n{text}\n}}", field.name);
        let refused = |faults: Vec<Fault>| faults.into_iter().next().unwrap_or_else(none);
        let document = self.document(&wrapped).await.map_err(refused)?;
        let parsed = document.operation(None)?;
        let items = &parsed.node.selection_set.node.items;
        // Directives in front of the braces would be those of our own field.
        let alone = match items.as_slice() {
            [one] if document.ast.fragments.is_empty() => {
                matches!(&one.node, Selected::Field(own) if own.node.directives.is_empty())
            }
            _ => false,
        };
        if !alone {
            return Err(Fault::invalid("A selection is one pair of braces.", []));
        }
        let variables = Variables::new();
        let plan = Plan::new(&self.model, &document, &parsed.node, &variables)?;
        Cost::of(self.registry, &plan)?;
        drop(plan);
        Ok(Selection { resource: operation.resource, document })
    }

    /// What a selection shows of each of these objects; without objects it is only checked. It has to
    /// be in bounds, fit the schema, stand for itself, without variables, and lead to nothing that the
    /// context has no scope to read. What is wrong is told at `/selection` of the body it came in.
    pub async fn select(
        &self,
        corridor: &Corridor,
        cx: &Cx,
        resource: &str,
        text: &str,
        mut objects: Vec<Value>,
    ) -> Result<Vec<Result<Value>>> {
        let selection = self.selection(resource, text).await?;
        let failed = |fault: Fault| fault.problem;
        let operation = selection.document.operation(None).map_err(failed)?;
        let variables = Variables::new();
        let plan = Plan::new(&self.model, &selection.document, &operation.node, &variables)
            .map_err(failed)?;
        let root = plan.roots.first();
        let Some((root, field)) = root.and_then(|root| Some((root, root.field()?))) else {
            return Err(Problem::internal("a selection of nothing"));
        };
        let links = plan::links(&root.fields);
        let all = objects.iter_mut().collect();
        corridor.embed_as(cx, selection.resource, all, &links).await?;
        let shown = |object: &Value| {
            let mut writer = Writer::new(SHAPED_BYTES_MAX);
            writer.root(root, field, object);
            match writer.faults.into_iter().next() {
                Some(fault) => Err(fault.problem),
                None => serde_json::from_slice(&writer.out).map_err(Problem::internal),
            }
        };
        Ok(objects.iter().map(shown).collect())
    }
}

fn text_of(told: &str) -> bodega_kernel::Text {
    text(told.to_owned(), format!("no es una selección válida: {told}"))
}
