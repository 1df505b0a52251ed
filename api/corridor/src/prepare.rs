//! What commands work out before their transaction is opened: who has much to read keeps nobody
//! waiting with a transaction in hand.

use std::collections::HashMap;

use bodega_contract::{Input, Method, Prepared, Route};
use bodega_kernel::{Problem, Result, problem};
use serde_json::Value;

use crate::batch::BatchLine;
use crate::corridor::{Call, Corridor, Walk, authorize};

/// Lines of one atomic batch that may have something worked out before: each reads much.
const LINES_MAX: usize = 5;

/// What was worked out for the lines of an atomic batch, by their places.
pub(crate) type Lines = HashMap<usize, Result<Prepared>>;

impl Corridor {
    /// What an authorized and valid call needs before its transaction, if anything.
    pub(crate) async fn prepared(
        &self,
        walk: &Walk<'_>,
        call: &Call<'_>,
    ) -> Option<Result<Prepared>> {
        let prepare = call.operation.prepare.as_ref()?;
        let body = call.body.clone().unwrap_or_default();
        let input = Input { id: call.id.clone(), body, ..Input::default() };
        Some(prepare(walk.cx.clone(), input).await)
    }

    /// The same for the lines of an atomic batch, before any of them is done. What is wrong with a
    /// line is told when its turn comes.
    pub(crate) async fn prepare_lines(&self, walk: &Walk<'_>, body: &Value) -> Lines {
        let mut lines = Lines::new();
        for (index, line) in body["operations"].as_array().into_iter().flatten().enumerate() {
            if !self.needs_preparing(line) {
                continue;
            }
            let prepared = match lines.len() < LINES_MAX {
                true => self.prepare_line(walk, line, index).await,
                false => Some(Err(Problem::new(&problem::LIMIT_REACHED).with("limit", LINES_MAX))),
            };
            lines.extend(prepared.map(|prepared| (index, prepared)));
        }
        lines
    }

    fn needs_preparing(&self, line: &Value) -> bool {
        let path = line["path"].as_str().unwrap_or_default();
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let route = self.registry().route(Some(Method::Post), path);
        line["method"] == "POST"
            && matches!(route, Route::To(operation, _) if operation.prepare.is_some())
    }

    async fn prepare_line(
        &self,
        walk: &Walk<'_>,
        line: &Value,
        index: usize,
    ) -> Option<Result<Prepared>> {
        let line: BatchLine = serde_json::from_value(line.clone()).ok()?;
        let mut call = self.line(line, None, index).ok()?;
        authorize(&walk.cx.scopes, call.operation.scope).ok()?;
        self.valid(walk, &mut call).await.ok()?;
        self.prepared(walk, &call).await
    }
}
