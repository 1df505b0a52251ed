//! What the command line does beside serving.

mod backup;
mod contract;
mod doctor;
mod identity;
mod import;
mod listen;
mod restore;
mod trigger;
mod worker;

pub(crate) use backup::backup;
pub(crate) use contract::contract;
pub(crate) use doctor::doctor;
pub(crate) use identity::{keys, organizations};
pub(crate) use import::import;
pub(crate) use listen::listen;
pub(crate) use restore::restore;
pub(crate) use trigger::trigger;
pub(crate) use worker::worker;

use bodega_contract::{Authenticator, Caller, LimitState, Limiter, Principal, Recorder};
use bodega_corridor::Corridor;
use bodega_identity::Organization;
use bodega_kernel::{Id, Problem};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

use crate::app;
use crate::config::Config;

/// Runs what is missing of the migrations, or says what is.
pub(crate) async fn migrate(config: &Config, status: bool) -> Result<(), String> {
    let url = config.database()?;
    let pending = crate::migrate::pending(&url).await.map_err(|error| error.to_string())?;
    if status {
        pending.iter().for_each(|step| println!("missing  {step}"));
        println!("{} to run", pending.len());
        return Ok(());
    }
    crate::migrate::up(&url).await?;
    println!("{} run", pending.len());
    Ok(())
}

/// A corridor for the command line: nobody calls it, so nobody is let in.
async fn corridor(config: &Config) -> Result<Corridor, String> {
    let platform = app::platform(config, config.migrate).await?;
    let registry = Box::leak(Box::new(app::registry()));
    let closed = Arc::new(Closed);
    Ok(Corridor::new(registry, platform, closed.clone(), closed.clone(), closed))
}

struct Closed;

impl Authenticator for Closed {
    fn authenticate<'a>(
        &'a self,
        _caller: &'a Caller,
    ) -> BoxFuture<'a, bodega_kernel::Result<Arc<Principal>>> {
        async { Err(Problem::new(&bodega_kernel::problem::UNAUTHENTICATED)) }.boxed()
    }
}

impl Limiter for Closed {
    fn take<'a>(&'a self, principal: &'a Principal, _cost: u32) -> BoxFuture<'a, LimitState> {
        async { crate::limits::state(&principal.quotas, &[], None) }.boxed()
    }
}

impl Recorder for Closed {
    fn record(&self, _entry: bodega_contract::Entry) {}
}

fn organization(id: &str) -> Result<Id<Organization>, String> {
    Id::parse(id).map_err(|_| format!("{id} is not the id of an organization (org_…)"))
}

/// A problem, as the command line says it.
fn said(problem: &Problem) -> String {
    let body = problem.to_json(bodega_kernel::Language::English, "", "");
    let detail = body["detail"].as_str().unwrap_or_default();
    format!("{}: {detail} {}", problem.code.code, problem.cause.as_deref().unwrap_or_default())
}
