//! `POST /v1/batch`: up to 1,000 operations in one call, each as it would have been alone.

use bodega_contract::{Declared, Handler, Kind, Method, Operation, Output, Route, Schema, Schemas};
use bodega_kernel::{Cx, Problem, Result, Size, Tx, problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::corridor::{Walk, authorize};
use crate::prepare::Lines;
use crate::{Answer, Call, Corridor, idempotency};

/// The resource that batches are documented under.
const BATCH: &str = "batch";

/// Operations to do, in order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"atomic": true, "operations": [
    {"method": "POST", "path": "/v1/brands", "body": {"name": "Casa Norte"}},
    {"method": "GET", "path": "/v1/brands?limit=1"}
]})))]
pub struct BatchRequest {
    /// All or nothing: one transaction, undone when a line fails.
    #[serde(default)]
    #[schema(default = false)]
    pub atomic: bool,
    /// The operations, done in this order.
    #[schema(min_items = 1, max_items = 1000)]
    pub operations: Vec<BatchLine>,
}

/// One operation of a batch, as it would be called alone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchLine {
    /// The HTTP method.
    pub method: BatchMethod,
    /// The path with its query: `/v1/products?limit=1`.
    #[schema(pattern = "^/v1/[!-~]*$", max_length = 2048)]
    pub path: String,
    /// The body, where the operation takes one.
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
    /// The line's own idempotency key.
    #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$")]
    pub idempotency_key: Option<String>,
    /// The version the object must have, as in `If-Match`.
    #[schema(minimum = 1)]
    pub if_match: Option<i64>,
}

/// The methods a line can have.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BatchMethod {
    /// Read.
    Get,
    /// Create, or act.
    Post,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

/// What became of the lines.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchResults {
    /// Whether what the lines changed is there: always, unless the batch is atomic and one failed.
    pub committed: bool,
    /// One result a line, in the same order.
    #[schema(max_items = 1000)]
    pub results: Vec<BatchResult>,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchResult {
    /// The HTTP status it would have had alone.
    #[schema(minimum = 200, maximum = 599)]
    pub status: u16,
    /// Whether this is the first answer to its idempotency key again.
    pub replayed: bool,
    /// The answer, or the problem.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// The declaration, for the registry's list.
pub fn batches() -> Declared {
    let mut schemas = Schemas::default();
    let operation = Operation {
        id: "batch.run",
        resource: BATCH,
        verb: "run",
        kind: Kind::Batch,
        method: Method::Post,
        path: "/v1/batch".to_owned(),
        scope: "",
        cost: 1,
        summary: "Run a batch".to_owned(),
        about: "Up to 1,000 operations in one call; the results come in order, each as it would have \
                been alone, and the scope and limits of each count. With `atomic: true` they are one \
                transaction: when a line fails nothing is done, and the others say `batch_aborted`. \
                It costs as many units of the limits as its lines would alone; one that costs more \
                than the key's plan allows in a minute is refused (`cost_above_plan`). The answers \
                share one bound: a line begun after it is reached says `answer_too_large`; the lines \
                of an atomic batch that changes something may read 1,000 objects. \
                Without it, give the batch an `Idempotency-Key` and every line is safe to retry. No \
                line waits for news: `wait_s` is taken for 0."
            .to_owned(),
        input: Some(Schema::new(schemas.add::<BatchRequest>())),
        output: Output::One(schemas.add_output::<BatchResults>()),
        status: 200,
        list: None,
        shaped: false,
        // What its lines are given back may hold a secret.
        secret: true,
        prefix: "",
        emits: Vec::new(),
        fails: vec![&problem::BATCH_ABORTED],
        deprecated: Vec::new(),
        prepare: None,
        transition: None,
        by_ids: None,
        handler: Handler::Batch,
    };
    Declared::bare(BATCH, "Many operations in one call", schemas, vec![operation])
}

/// What a batch takes from the limits: as much as its lines would have alone.
pub(crate) fn cost(body: Option<&Value>) -> u32 {
    let lines = body.and_then(|body| body["operations"].as_array()).map_or(1, Vec::len);
    u32::try_from(lines.clamp(1, 1000)).unwrap_or(1)
}

impl Corridor {
    /// Runs the lines of a batch that is already valid: within `tx` where it is atomic and changes
    /// something, else each on its own. Says what became of them, and whether it is to stay.
    pub(crate) async fn run_batch(
        &self,
        walk: &Walk<'_>,
        tx: Option<&Tx>,
        body: Value,
        key: Option<&str>,
        mut prepared: Lines,
    ) -> Result<(Value, bool)> {
        let batch: BatchRequest = serde_json::from_value(body).map_err(Problem::internal)?;
        let atomic = batch.atomic;
        let paths: Vec<_> = batch.operations.iter().map(|line| line.path.clone()).collect();
        let mut results = Vec::with_capacity(paths.len());
        let mut committed = true;
        for (index, line) in batch.operations.into_iter().enumerate() {
            // A line without a key of its own takes the batch's, so that a retry finds what was done.
            let result = match self.line(line, key.filter(|_| !atomic), index) {
                Ok(call) => {
                    let prepared = prepared.remove(&index);
                    self.next_line(walk, Call { prepared, ..call }, tx).await
                }
                Err(problem) => Err(problem),
            };
            let result = match result {
                // What may pass next time is the whole batch's problem: it is not kept with its key.
                Err(problem) if atomic && is_passing(&problem) => return Err(problem),
                result => result,
            };
            // A refusal that is given again is one all the same.
            let failed = result.as_ref().map_or(true, |answer| answer.status >= 400);
            let result = as_result(walk.cx, result, &paths[index])?;
            if failed && atomic {
                committed = false;
                let aborted = || Err(Problem::new(&problem::BATCH_ABORTED));
                let others = paths.iter().map(|path| as_result(walk.cx, aborted(), path));
                results = others.collect::<Result<_>>()?;
                results[index] = result;
                break;
            }
            results.push(result);
        }
        if atomic && committed {
            self.still_holds(walk, "").await?;
        }
        let results = results.into_iter().map(BatchResult::into_value).collect();
        let members = [("committed", Value::from(committed)), ("results", results)];
        let body = members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Ok((Value::Object(body), committed))
    }

    /// Whether no line of a batch changes anything: it needs no transaction, in which others would wait
    /// for what it reads.
    pub(crate) fn only_reads(&self, body: &Value) -> bool {
        let lines = body["operations"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.iter().all(|line| {
            let path = line["path"].as_str().unwrap_or_default();
            let path = path.split_once('?').map_or(path, |(path, _)| path);
            let method = line["method"].as_str().and_then(Method::named);
            // What leads nowhere is refused without having done anything.
            !matches!(self.registry().route(method, path),
                Route::To(operation, _) if operation.kind != Kind::Query)
        })
    }

    /// One line, begun only while the caller may and the answer has room for more.
    async fn next_line(&self, walk: &Walk<'_>, call: Call<'_>, tx: Option<&Tx>) -> Result<Answer> {
        self.still_holds(walk, call.operation.scope).await?;
        tx.map_or(walk.cx, Tx::cx).budget.check()?;
        let is_query = call.operation.kind == Kind::Query;
        let answer = self.walk_line(walk, call, tx).await?;
        if !is_query {
            // It is done, so it is told; the next line finds that there is no more room.
            let size = answer.body.size();
            let budget = &tx.map_or(walk.cx, Tx::cx).budget;
            let _ = budget.take(Size { objects: 0, ..size }, &problem::ANSWER_TOO_LARGE);
        }
        Ok(answer)
    }

    /// Whether the caller may still do what it could when the call began: a key that is revoked, or
    /// loses rights, in the middle of a batch does no more.
    async fn still_holds(&self, walk: &Walk<'_>, scope: &str) -> Result<()> {
        let principal = self.authenticate(walk.caller).await?;
        authorize(&principal.scopes, scope)?;
        match principal.scopes.covers(&walk.cx.scopes) {
            true => Ok(()),
            false => Err(Problem::new(&problem::INSUFFICIENT_SCOPE)),
        }
    }

    /// The call that a line stands for.
    pub(crate) fn line(
        &self,
        line: BatchLine,
        key: Option<&str>,
        index: usize,
    ) -> Result<Call<'_>> {
        let method = match line.method {
            BatchMethod::Get => Method::Get,
            BatchMethod::Post => Method::Post,
            BatchMethod::Patch => Method::Patch,
            BatchMethod::Delete => Method::Delete,
        };
        let (path, query) = line.path.split_once('?').unwrap_or((&line.path, ""));
        let (operation, id) = match self.registry().route(Some(method), path) {
            Route::To(operation, id) if operation.kind != Kind::Batch => (operation, id),
            Route::OtherMethods(_) => return Err(Problem::new(&problem::METHOD_NOT_ALLOWED)),
            _ => return Err(Problem::new(&problem::NOT_FOUND)),
        };
        let idempotency_key = match (&line.idempotency_key, key) {
            (Some(own), _) => Some(idempotency::key(own)?),
            (None, Some(key)) => Some(format!("{key}#{index}")),
            (None, None) => None,
        };
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (body, if_match) = (line.body, line.if_match);
        // One that waits holds up the lines after it and, with a transaction open, all who write.
        let at_once = true;
        Ok(Call { id, query, body, if_match, idempotency_key, at_once, ..Call::of(operation) })
    }
}

impl BatchResult {
    /// As JSON, the body moved: it may be large.
    fn into_value(self) -> Value {
        let Self { status, replayed, body } = self;
        let members = [("status", status.into()), ("replayed", replayed.into()), ("body", body)];
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

/// Whether another try could end otherwise.
fn is_passing(problem: &Problem) -> bool {
    problem.code.status >= 500
        || problem.retry_after_s.is_some()
        || problem.code.code == problem::UNAUTHENTICATED.code
}

fn as_result(cx: &Cx, result: Result<Answer>, path: &str) -> Result<BatchResult> {
    Ok(match result {
        Ok(Answer { status, body, replayed }) => {
            BatchResult { status, replayed, body: body.tree()? }
        }
        Err(problem) => {
            let request_id = bodega_kernel::tagged("req", cx.origin.request_id);
            if let Some(cause) = &problem.cause {
                tracing::error!(request_id, path, code = problem.code.code, cause, "a line failed");
            }
            let body = problem.to_json(cx.origin.language, path, &request_id);
            BatchResult { status: problem.code.status, replayed: false, body }
        }
    })
}
