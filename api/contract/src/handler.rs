//! From a typed function to a handler: what comes in is read, what goes out is written as JSON.

use std::future::Future;
use std::sync::Arc;

use bodega_kernel::{Cx, Id, Noun, Problem, Result, Shown, Tx};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::operation::{Handler, Input, Reply};

impl Input {
    pub(crate) fn id<V: Noun>(&self) -> Result<Id<V>> {
        Id::parse(self.id.as_deref().unwrap_or_default())
    }

    pub(crate) fn body<T: DeserializeOwned>(self) -> Result<T> {
        // What the schema cannot say (a quantity's digits, a currency's name) the type says here.
        serde_json::from_value(self.body).map_err(|error| {
            let detail = bodega_kernel::text(error.to_string(), format!("no es válido: {error}"));
            Problem::invalid(bodega_kernel::FieldError::body("", "invalid", detail))
        })
    }

    /// The object of the call, its version guarded where `If-Match` asks so.
    pub(crate) fn object<V: Noun>(&self, tx: &Tx) -> Result<Id<V>> {
        let id = self.id::<V>()?;
        if let Some(version) = self.if_match {
            tx.expect_version(id.uuid(), version);
        }
        Ok(id)
    }
}

pub(crate) fn reply<O: Serialize>(
    run: impl Future<Output = Result<O>> + Send + 'static,
) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move { Ok(Reply::One(Shown::of(&run.await?)?)) })
}

pub(crate) fn query(
    run: impl Fn(Cx, Input) -> BoxFuture<'static, Result<Reply>> + Send + Sync + 'static,
) -> Handler {
    Handler::Query(Arc::new(run))
}

pub(crate) fn command(
    run: impl Fn(Tx, Input) -> BoxFuture<'static, Result<Reply>> + Send + Sync + 'static,
) -> Handler {
    Handler::Command(Arc::new(run))
}

pub(crate) fn on_object<V: Noun, O, F>(
    run: impl Fn(Tx, Id<V>) -> F + Send + Sync + 'static,
) -> Handler
where
    O: Serialize + 'static,
    F: Future<Output = Result<O>> + Send + 'static,
{
    command(move |tx, input| match input.object::<V>(&tx) {
        Ok(id) => reply(run(tx, id)),
        Err(problem) => Box::pin(async { Err(problem) }),
    })
}

pub(crate) fn on_object_with<V: Noun, I, O, F>(
    run: impl Fn(Tx, Id<V>, I) -> F + Send + Sync + 'static,
) -> Handler
where
    I: DeserializeOwned + 'static,
    O: Serialize + 'static,
    F: Future<Output = Result<O>> + Send + 'static,
{
    command(move |tx, input| {
        match input.object::<V>(&tx).and_then(|id| Ok((id, input.body::<I>()?))) {
            Ok((id, body)) => reply(run(tx, id, body)),
            Err(problem) => Box::pin(async { Err(problem) }),
        }
    })
}
