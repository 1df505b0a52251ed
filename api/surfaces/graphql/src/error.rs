//! Errors as GraphQL answers carry them: the problem of the corridor, in `extensions`.

use async_graphql::Pos;
use bodega_contract::Caller;
use bodega_kernel::{Problem, problem, text};
use serde_json::{Map, Value, json};

use crate::model::Model;
use crate::places;
use crate::plan::Picked;

/// Something that went wrong with a document, or with one field of it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) problem: Problem,
    /// What a client shows, where the problem's own words will not do.
    pub(crate) message: Option<String>,
    pub(crate) locations: Vec<Pos>,
    /// Which field of the answer is null because of it.
    pub(crate) path: Vec<Value>,
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self { problem, message: None, locations: Vec::new(), path: Vec::new() }
    }
}

impl Fault {
    /// The document does not fit the schema.
    pub(crate) fn invalid(message: impl Into<String>, at: impl IntoIterator<Item = Pos>) -> Self {
        Self {
            message: Some(message.into()),
            locations: at.into_iter().collect(),
            ..Problem::new(&problem::QUERY_INVALID).into()
        }
    }

    /// The document goes beyond a bound.
    pub(crate) fn too_large(limit: &'static str, max: usize) -> Self {
        Problem::new(&problem::QUERY_TOO_LARGE)
            .with("limit", limit)
            .with("max", max)
            .detail(text(
                format!("The document goes beyond a bound: at most {max} {}.", spoken(limit)),
                format!("El documento rebasa un límite: `{limit}` es {max} como máximo."),
            ))
            .into()
    }

    pub(crate) fn at(mut self, path: Vec<Value>, position: Pos) -> Self {
        (self.path, self.locations) = (path, vec![position]);
        self
    }

    /// The error of a GraphQL answer.
    pub(crate) fn to_json(&self, caller: &Caller) -> Value {
        error(self.document(caller), self.message.as_deref(), &self.locations, &self.path)
    }

    /// The error of a field: places in its arguments are named as its caller wrote them.
    pub(crate) fn of_field(&self, caller: &Caller, model: &Model, picked: &Picked<'_>) -> Value {
        let mut document = self.document(caller);
        places::rename(model, picked, &mut document);
        error(document, self.message.as_deref(), &self.locations, &self.path)
    }

    fn document(&self, caller: &Caller) -> Value {
        let request_id = caller.request_id();
        if let Some(cause) = &self.problem.cause {
            let (path, code) = (&caller.path, self.problem.code.code);
            tracing::error!(request_id, path, code, cause, "a field failed");
        }
        let mut document = self.problem.to_json(caller.language, &caller.path, &request_id);
        if let (Some(seconds), Some(members)) =
            (self.problem.retry_after_s, document.as_object_mut())
        {
            members.insert("retry_after".to_owned(), seconds.into());
        }
        document
    }
}

/// Why a request is not run.
pub(crate) enum Stop {
    /// Before it was known to be GraphQL: a problem document.
    Problem(Problem),
    /// The document, its variables or what it asks for: a GraphQL answer without data.
    Faults(Vec<Fault>),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

impl Stop {
    /// As the errors of a GraphQL answer.
    pub(crate) fn errors(self, caller: &Caller) -> Vec<Value> {
        match self {
            Self::Problem(problem) => vec![Fault::from(problem).to_json(caller)],
            Self::Faults(faults) => faults.iter().map(|fault| fault.to_json(caller)).collect(),
        }
    }
}

/// A problem document, as the error of a GraphQL answer: also one that was kept with its key.
pub(crate) fn error(
    document: Value,
    message: Option<&str>,
    locations: &[Pos],
    path: &[Value],
) -> Value {
    let first = places::first_fault(&document);
    let members = match document {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let first = message.map(str::to_owned).or(first);
    let detail = || members.get("detail").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut error = json!({ "message": first.unwrap_or_else(detail) });
    if !locations.is_empty() {
        let at = |one: &Pos| json!({"line": one.line, "column": one.column});
        error["locations"] = locations.iter().map(at).collect();
    }
    if !path.is_empty() {
        error["path"] = path.into();
    }
    let pointer = members.get("errors").map(|errors| errors[0]["pointer"].clone());
    let mut extensions = Map::new();
    extensions.extend(members.into_iter().filter(|(name, _)| name != "instance"));
    if let Some(pointer) = pointer {
        extensions.insert("pointer".to_owned(), pointer);
    }
    error["extensions"] = extensions.into();
    error
}

fn spoken(limit: &str) -> String {
    limit.replace('_', " ")
}
