//! The schema, and the documents that were found to fit it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::dynamic::Schema;
use async_graphql::parser::types::DocumentOperations;
use async_graphql::{Request, ServerError, Variables};
use bodega_contract::Registry;
use bodega_kernel::Problem;
use futures::FutureExt;
use moka::sync::Cache;
use serde_json::{Map, Value};

use crate::document::Document;
use crate::error::Fault;
use crate::model::Model;
use crate::schema::{self, Step};

/// Documents that are remembered take this much memory together, by their text's length.
const REMEMBERED_BYTES: u64 = 4 * 1024 * 1024;

/// What a document takes in memory, as a multiple of its text.
const GROWTH: usize = 16;

/// The schema of a registry.
pub struct Engine {
    pub(crate) registry: &'static Registry,
    pub(crate) model: Model,
    schema: Schema,
    documents: Cache<String, Arc<Document>>,
}

impl Engine {
    /// The schema of everything in the registry.
    pub fn new(registry: &'static Registry) -> Result<Self, String> {
        let model = Model::new(registry);
        if !model.faults.is_empty() {
            return Err(format!("not to be said in GraphQL: {}", model.faults.join("; ")));
        }
        let schema = schema::build(&model).map_err(|error| error.to_string())?;
        let weight = |text: &String, _: &Arc<Document>| {
            u32::try_from(text.len().saturating_mul(GROWTH)).unwrap_or(u32::MAX)
        };
        let documents =
            Cache::builder().weigher(weight).max_capacity(REMEMBERED_BYTES * GROWTH as u64).build();
        Ok(Self { registry, model, schema, documents })
    }

    /// The schema as text.
    pub fn sdl(&self) -> String {
        schema::sdl(&self.schema)
    }

    /// A document that is within its bounds and fits the schema; what is wrong with it, else.
    pub(crate) async fn document(&self, text: &str) -> Result<Arc<Document>, Vec<Fault>> {
        if let Some(known) = self.documents.get(text) {
            return Ok(known);
        }
        let document = Document::read(text).map_err(|fault| vec![fault])?;
        let mut request = Request::new("").data(Step::Validate);
        if let DocumentOperations::Multiple(all) = &document.ast.operations {
            request.operation_name = all.keys().next().map(ToString::to_string);
        }
        request.set_parsed_query(document.ast.clone());
        // The validator is not ours: should it panic, this request alone is to suffer.
        let validated = AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await;
        let errors = match validated {
            Ok(response) => response.errors,
            Err(_) => return Err(vec![Problem::internal("the validator panicked").into()]),
        };
        if !errors.is_empty() {
            return Err(errors.into_iter().take(20).map(fault).collect());
        }
        let document = Arc::new(document);
        self.documents.insert(text.to_owned(), document.clone());
        Ok(document)
    }

    /// Whether a document can be asked: it is within its bounds and fits the schema. If not, why.
    pub async fn check(&self, text: &str) -> Result<(), String> {
        let told = |fault: &Fault| {
            let said = fault.message.as_deref().unwrap_or(fault.problem.code.code);
            match fault.locations.first() {
                Some(at) => format!("line {}, column {}: {said}", at.line, at.column),
                None => said.to_owned(),
            }
        };
        match self.document(text).await {
            Ok(_) => Ok(()),
            Err(faults) => Err(faults.first().map(told).unwrap_or_default()),
        }
    }

    /// What a valid document asks of the schema itself; null for all else that it asks.
    pub(crate) async fn introspect(
        &self,
        document: &Document,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<Value, Fault> {
        let mut request = Request::new("").data(Step::Execute);
        request.operation_name = operation_name.map(str::to_owned);
        request.variables = Variables::from_json(Value::Object(variables.clone()));
        request.set_parsed_query(document.ast.clone());
        let response = AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await;
        match response {
            Ok(response) => match response.errors.into_iter().next() {
                Some(error) => Err(fault(error)),
                None => response.data.into_json().map_err(|error| Problem::internal(error).into()),
            },
            Err(_) => Err(Problem::internal("the introspection panicked").into()),
        }
    }
}

fn fault(error: ServerError) -> Fault {
    Fault::invalid(error.message, error.locations)
}
