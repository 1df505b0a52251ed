//! What this process does beside answering calls: deliveries, chores, and the relay.

use std::sync::Arc;

use bodega_contract::Registry;
use bodega_courier::{Courier, Policy, Settings, SystemResolver};
use bodega_kernel::{Platform, Problem, Result};
use bodega_webhooks::{
    DELIVER, Deliverer, EventCatalog, FanOut, KnownEvent, REPLAY, ReadScopes, Replayer,
};
use bodega_worker::{Chore, Done, Handler, Parts, Relay, Stop, Taken, Work, Worker};
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::upkeep;

const CHORES: &str = "chores";

/// Endpoints worked off at once, and how many of one organization's, everywhere.
const ENDPOINTS: usize = 256;
const ENDPOINTS_OF_ONE: i64 = 128;

/// Replays done at once, and how many of one organization's, everywhere.
const REPLAYS_AT_ONCE: usize = 4;
const REPLAYS_OF_ONE: i64 = 1;

/// Chores done at once.
const CHORES_AT_ONCE: usize = 2;

/// Each chore, when it recurs, and what it does.
const RECURRING: [(&str, &str); 7] = [
    ("webhooks.erase", "17 * * * *"),
    ("requests.purge", "*/5 * * * *"),
    ("idempotency.purge", "*/5 * * * *"),
    ("audit.purge", "37 * * * *"),
    ("jobs.purge", "47 * * * *"),
    ("database.optimize", "23 * * * *"),
    ("database.shrink", "*/10 * * * *"),
];

/// Gives the domains what they need from the outside.
pub(crate) fn give_ports(config: &Config, platform: &Platform, registry: &'static Registry) {
    let versions = platform.versions.clone();
    let types = registry.events().iter().map(|(name, event)| (*name, event.about));
    platform.ports.give(EventCatalog {
        types: types.collect(),
        describe: Box::new(move |name| {
            let doc = bodega_docs::event_doc(registry, &versions, name)?;
            Some(KnownEvent { schema: doc.schema, sample: doc.sample })
        }),
    });
    platform.ports.give(ReadScopes::of(registry));
    platform.ports.give(policy(config));
    platform.ports.give(config.retention());
}

/// Where webhooks may go.
fn policy(config: &Config) -> Policy {
    Policy { allowed: config.webhook_allowed_ranges.clone(), https_only: config.webhook_https_only }
}

/// All that a process works on; to be called where the workers run.
fn parts(config: &Config, platform: &Arc<Platform>) -> std::result::Result<Parts, String> {
    let courier = Courier::new(policy(config), Settings::default(), SystemResolver::default())
        .map_err(|error| error.to_string())?;
    let deliverer = Deliverer::new(platform.clone(), Arc::new(courier));
    let fan_out = FanOut::beside(&deliverer);
    let deliver = Work {
        queue: DELIVER,
        handler: Arc::new(deliverer),
        concurrency: ENDPOINTS,
        share_max: ENDPOINTS_OF_ONE,
    };
    let replay = Work {
        queue: REPLAY,
        handler: Arc::new(Replayer::new(platform.clone())),
        concurrency: REPLAYS_AT_ONCE,
        share_max: REPLAYS_OF_ONE,
    };
    let chores = Work {
        queue: CHORES,
        handler: Arc::new(Chores(platform.clone())),
        concurrency: CHORES_AT_ONCE,
        share_max: i64::MAX,
    };
    Ok(Parts {
        work: vec![deliver, replay, chores],
        chores: RECURRING.map(|(name, cron)| Chore { name, cron, queue: CHORES }).to_vec(),
        relay: Relay::new(platform.clone(), vec![Arc::new(fan_out)]),
    })
}

/// The process's workers on threads of their own, so that a burst of deliveries takes none from the
/// calls.
pub(crate) struct Labor {
    runtime: Runtime,
    worker: Worker,
}

impl Labor {
    /// Starts working.
    pub(crate) fn start(
        config: &Config,
        platform: &Arc<Platform>,
    ) -> std::result::Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .thread_name("bodega-worker")
            .worker_threads(config.cores())
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let within = runtime.enter();
        let worker = Worker::start(platform.clone(), parts(config, platform)?);
        drop(within);
        Ok(Self { runtime, worker })
    }

    /// Ends what is in hand or gives it back. What it leaves is to be dropped when nobody needs the
    /// database any more: a connection to PostgreSQL lives on the thread that opened it.
    pub(crate) async fn stop(self) -> Ended {
        self.worker.stop().await;
        Ended(Some(self.runtime))
    }
}

/// The threads of workers that have stopped.
pub(crate) struct Ended(Option<Runtime>);

impl Drop for Ended {
    fn drop(&mut self) {
        // A runtime must not be dropped where others run.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Does what recurs.
struct Chores(Arc<Platform>);

impl Handler for Chores {
    fn run(&self, job: Taken, stop: Stop) -> BoxFuture<'static, Result<Done>> {
        let platform = self.0.clone();
        Box::pin(async move {
            match job.args["chore"].as_str().unwrap_or_default() {
                "webhooks.erase" => bodega_webhooks::erase(&platform, &stop).await?,
                "requests.purge" => drop(bodega_identity::purge_requests(&platform).await?),
                "idempotency.purge" => upkeep::purge_records(&platform).await?,
                "audit.purge" => drop(bodega_identity::purge_audit(&platform).await?),
                "jobs.purge" => drop(bodega_worker::purge_dead(&platform).await?),
                "database.shrink" => drop(platform.db.shrink().await?),
                "database.optimize" => platform.db.optimize().await?,
                other => return Err(Problem::internal(format!("no chore is called {other}"))),
            }
            Ok(Done::Finished)
        })
    }
}
