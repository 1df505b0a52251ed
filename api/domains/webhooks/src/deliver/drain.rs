//! Working off an endpoint: everything that is due, many at once, in order where that was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering as Atomic};
use std::time::{Duration, Instant};

use bodega_courier::{Bytes, Carrier, Outcome};
use bodega_kernel::{Platform, Problem, Result, problem};
use bodega_worker::{Done, Handler, Stop, Taken};
use chrono::{DateTime, TimeDelta, Utc};
use entity::Owned;
use entity::webhooks::webhook_endpoint::{DisabledReason, EndpointState};
use entity::webhooks::{webhook_delivery, webhook_endpoint, webhook_health};
use futures::future::BoxFuture;
use futures::{TryStreamExt, stream};
use moka::sync::Cache;
use sea_orm::{ColumnTrait, QueryFilter};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::breaker::{self, FAILURES_MAX};
use super::entry::{Entry, Fate};
use super::events::Events;
use super::ledger::Ledger;
use super::pages::{self, After};
use super::shapes::Shapes;
use super::target::Target;
use super::{endpoint_of, payload, retry};
use crate::sight::beyond;
use entity::webhooks::webhook_endpoint::Ordering;

/// An endpoint gives its place to others after this, and comes back.
const SLICE: Duration = Duration::from_secs(2);

/// Messages on their way to one endpoint at once: as long as it answers, and once it fails.
const IN_FLIGHT: usize = 64;
const IN_FLIGHT_FAILING: usize = 4;

/// So many times more may wait for what came of them to be written.
const IN_HAND: usize = 4;

const TARGETS_KEPT: u64 = 1_000;

/// Sends deliveries.
#[derive(Clone)]
pub struct Deliverer(Arc<Inner>);

struct Inner {
    platform: Arc<Platform>,
    carrier: Arc<dyn Carrier>,
    ledger: Ledger,
    targets: Cache<(Uuid, i64), Arc<Target>>,
    events: Events,
}

/// One endpoint being worked off.
struct Run {
    target: Arc<Target>,
    /// Objects as the endpoint's selection shows them, until they are sent.
    shapes: Shapes,
    /// Messages that may be on their way at once.
    road: Semaphore,
    /// Failures one after the other, as far as is known here.
    failures: AtomicI64,
    /// Nothing more is to be sent: the endpoint is gone, or asked to be left alone.
    over: AtomicBool,
    gone: AtomicBool,
    /// One delivery is tried to find out about the endpoint.
    probing: bool,
    until: Instant,
    stop: Stop,
}

impl Run {
    fn is_over(&self) -> bool {
        self.over.load(Atomic::Relaxed)
            || self.failures.load(Atomic::Relaxed) >= FAILURES_MAX
            || self.stop.is_set()
    }

    fn takes_more(&self) -> bool {
        !self.is_over() && Instant::now() < self.until
    }

    /// When a delivery that failed is tried again, if it is.
    fn again(
        &self,
        delivery: &webhook_delivery::Model,
        now: DateTime<Utc>,
        asked: Option<Duration>,
    ) -> Fate {
        let next = retry::next(delivery.id, delivery.attempts + 1, now, asked);
        // No delivery is given up for what is done to find out about its endpoint.
        let next = next.or_else(|| self.probing.then(|| now + retry::LONGEST));
        next.map_or(Fate::Dead, Fate::Again)
    }

    /// Waits until the endpoint may be sent another message; false where it is not to be, because
    /// the place is needed for others first.
    async fn turn(&self) -> bool {
        let Some(pace) = &self.target.pace else { return true };
        let mut stop = self.stop.clone();
        tokio::select! {
            () = pace.until_ready() => !self.is_over(),
            () = tokio::time::sleep_until(self.until.into()) => false,
            () = stop.set() => false,
        }
    }
}

impl Handler for Deliverer {
    fn run(&self, job: Taken, stop: Stop) -> BoxFuture<'static, Result<Done>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.work(endpoint_of(&job.args)?, stop).await })
    }
}

impl Deliverer {
    /// Starts what it needs; to be called where the workers run.
    pub fn new(platform: Arc<Platform>, carrier: Arc<dyn Carrier>) -> Self {
        let ledger = Ledger::start(&platform);
        let targets = Cache::new(TARGETS_KEPT);
        let events = Events::default();
        Self(Arc::new(Inner { platform, carrier, ledger, targets, events }))
    }

    /// The events that it has at hand.
    pub(crate) fn events(&self) -> Events {
        self.0.events.clone()
    }
}

impl Inner {
    fn now(&self) -> DateTime<Utc> {
        bodega_kernel::micros(self.platform.clock.now())
    }

    async fn work(self: &Arc<Self>, endpoint: Uuid, stop: Stop) -> Result<Done> {
        let Some((row, health)) = self.load(endpoint).await? else { return Ok(Done::Finished) };
        let now = self.now();
        let wait = |at: Option<DateTime<Utc>>| at.filter(|at| *at > now);
        match (row.state, row.disabled_reason) {
            (EndpointState::Enabled, _) => match wait(health.held_until) {
                Some(until) => Ok(Done::Again(until)),
                None => self.drain(row, &health, stop).await,
            },
            (EndpointState::Disabled, Some(DisabledReason::Failing)) => {
                match wait(health.probe_at.max(health.held_until)) {
                    Some(at) => Ok(Done::Again(at)),
                    None => self.probe(row, &health, stop).await,
                }
            }
            // What waits goes on when the endpoint is resumed.
            _ => Ok(Done::Finished),
        }
    }

    async fn load(
        &self,
        endpoint: Uuid,
    ) -> Result<Option<(webhook_endpoint::Model, webhook_health::Model)>> {
        let db = self.platform.db.reader();
        let row = webhook_endpoint::Entity::of_every_organization()
            .filter(webhook_endpoint::Column::Id.eq(endpoint))
            .one(db)
            .await?;
        let health = webhook_health::Entity::of_every_organization()
            .filter(webhook_health::Column::Id.eq(endpoint))
            .one(db)
            .await?;
        Ok(row.zip(health))
    }

    fn target(&self, row: webhook_endpoint::Model) -> Result<Arc<Target>> {
        let key = (row.id, row.version);
        if let Some(target) = self.targets.get(&key) {
            return Ok(target);
        }
        let target = Target::of(&self.platform, row)?;
        self.targets.insert(key, target.clone());
        Ok(target)
    }

    fn run(
        &self,
        row: webhook_endpoint::Model,
        health: &webhook_health::Model,
        stop: Stop,
    ) -> Result<Run> {
        let failing = health.consecutive_failures > 0;
        Ok(Run {
            target: self.target(row)?,
            shapes: Shapes::default(),
            road: Semaphore::new(if failing { IN_FLIGHT_FAILING } else { IN_FLIGHT }),
            failures: AtomicI64::new(health.consecutive_failures),
            over: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            probing: false,
            until: Instant::now() + SLICE,
            stop,
        })
    }

    /// Sends what is due, and says when to come back.
    async fn drain(
        self: &Arc<Self>,
        row: webhook_endpoint::Model,
        health: &webhook_health::Model,
        stop: Stop,
    ) -> Result<Done> {
        let run = Arc::new(self.run(row, health, stop)?);
        let row = &run.target.row;
        let in_hand = IN_HAND * run.road.available_permits();
        match row.ordering {
            Ordering::None => self.drain_all(&run, in_hand).await?,
            Ordering::PerObject => self.drain_in_order(&run, in_hand).await?,
        }
        if run.gone.load(Atomic::Relaxed) {
            breaker::gone(&self.platform, row).await?;
            return Ok(Done::Finished);
        }
        if run.failures.load(Atomic::Relaxed) >= FAILURES_MAX {
            return Ok(Done::Again(breaker::open(&self.platform, row).await?));
        }
        // The one whose turn it is next, which may be due already.
        let next = pages::next_due(&self.platform, row.id, row.ordering).await?;
        Ok(next.map_or(Done::Finished, |due| Done::Again(due.max(self.now()))))
    }

    async fn drain_all(self: &Arc<Self>, run: &Arc<Run>, in_hand: usize) -> Result<()> {
        let (inner, paged) = (self.clone(), run.clone());
        let pages = stream::try_unfold(After::default(), move |after| {
            let (inner, run) = (inner.clone(), paged.clone());
            async move { inner.page(&run, after).await }
        });
        let deliveries = pages.map_ok(|page| stream::iter(page.into_iter().map(Result::Ok)));
        let (inner, run) = (self.clone(), run.clone());
        deliveries
            .try_flatten()
            .try_for_each_concurrent(in_hand, move |delivery| {
                let (inner, run) = (inner.clone(), run.clone());
                async move { inner.deliver(&run, &delivery).await.map(drop) }
            })
            .await
    }

    /// The next page of what is due, with its events at hand.
    async fn page(
        &self,
        run: &Run,
        after: After,
    ) -> Result<Option<(Vec<webhook_delivery::Model>, After)>> {
        if !run.takes_more() {
            return Ok(None);
        }
        let page = pages::due(&self.platform, run.target.row.id, self.now(), &after).await?;
        let Some(after) = page.last().map(After::of) else { return Ok(None) };
        self.prepare(run, &page).await?;
        Ok(Some((page, after)))
    }

    /// One object does not wait for the other; one event of an object waits for the other.
    async fn drain_in_order(self: &Arc<Self>, run: &Arc<Run>, in_hand: usize) -> Result<()> {
        while run.takes_more() {
            let chains = pages::chains(&self.platform, run.target.row.id, self.now()).await?;
            if chains.is_empty() {
                return Ok(());
            }
            self.prepare(run, chains.iter().flatten()).await?;
            let (inner, run) = (self.clone(), run.clone());
            stream::iter(chains.into_iter().map(Result::<_>::Ok))
                .try_for_each_concurrent(in_hand, move |chain| {
                    let (inner, run) = (inner.clone(), run.clone());
                    async move { inner.deliver_in_order(&run, &chain).await }
                })
                .await?;
        }
        Ok(())
    }

    /// The events of one object: while one is not delivered, those after it wait.
    async fn deliver_in_order(&self, run: &Run, chain: &[webhook_delivery::Model]) -> Result<()> {
        for delivery in chain {
            // Tried already, and waiting; the one before it was sent again.
            if delivery.due_at > self.now() {
                break;
            }
            match self.deliver(run, delivery).await? {
                Some(Fate::Delivered | Fate::Dead | Fate::Cancelled) => {}
                _ => break,
            }
        }
        Ok(())
    }

    /// Tries one delivery of an endpoint that only failed.
    async fn probe(
        &self,
        row: webhook_endpoint::Model,
        health: &webhook_health::Model,
        stop: Stop,
    ) -> Result<Done> {
        let Some(delivery) = pages::head(&self.platform, row.id, row.ordering).await? else {
            return Ok(Done::Again(self.now() + TimeDelta::minutes(1)));
        };
        let run =
            Run { probing: true, failures: AtomicI64::new(0), ..self.run(row, health, stop)? };
        match self.deliver(&run, &delivery).await? {
            Some(_) if run.gone.load(Atomic::Relaxed) => {
                breaker::gone(&self.platform, &run.target.row).await?;
                Ok(Done::Finished)
            }
            Some(Fate::Delivered) => {
                breaker::close(&self.platform, &run.target.row).await?;
                Ok(Done::Again(self.now()))
            }
            Some(Fate::Again(_) | Fate::Dead) => {
                Ok(Done::Again(breaker::put_off(&self.platform, health).await?))
            }
            // That told nothing of the endpoint; another one may.
            Some(Fate::Cancelled) | None => Ok(Done::Again(self.now())),
        }
    }

    /// Gets what these deliveries send to hand, all at once.
    async fn prepare(
        &self,
        run: &Run,
        deliveries: impl IntoIterator<Item = &webhook_delivery::Model> + Clone,
    ) -> Result<()> {
        self.events.fetch(&self.platform, deliveries.clone()).await?;
        let Some(selection) = &run.target.selection else { return Ok(()) };
        let mut events = Vec::new();
        for delivery in deliveries.into_iter().filter(|delivery| delivery.payload.is_none()) {
            let event = self.events.get(&self.platform, delivery).await?;
            events.extend(event.filter(|event| run.target.sight.covers(event)));
        }
        run.shapes.fill(&self.platform, &run.target.row, selection, events).await
    }

    /// What is posted; or why there is nothing to post, and what then becomes of the delivery: what
    /// was erased stays so; a selection may be mended.
    async fn body(
        &self,
        run: &Run,
        delivery: &webhook_delivery::Model,
    ) -> Result<Result<Bytes, (Problem, Fate)>> {
        let mended = |problem| (problem, run.again(delivery, self.now(), None));
        if let Some(payload) = &delivery.payload {
            return Ok(Ok(Bytes::from(payload.clone())));
        }
        let Some(event) = self.events.get(&self.platform, delivery).await? else {
            return Ok(Err((Problem::new(&problem::PAYLOAD_GONE), Fate::Dead)));
        };
        // Its rights may have been taken away since the event was meant for it.
        if !run.target.sight.covers(&event) {
            let refused = Problem::new(&problem::INSUFFICIENT_SCOPE).detail(beyond(&event));
            return Ok(Err((refused, Fate::Cancelled)));
        }
        let selected = match &run.target.selection {
            None => None,
            Some(selection) => {
                let (platform, row) = (&self.platform, &run.target.row);
                match run.shapes.take(platform, row, selection, &event).await? {
                    Ok(selected) => Some(selected),
                    Err(problem) => return Ok(Err(mended(problem))),
                }
            }
        };
        let (versions, row) = (&self.platform.versions, &run.target.row);
        payload::body(versions, row, &event, delivery, selected.as_ref()).map(Ok)
    }

    /// Tries one delivery and writes down what came of it; `None` where it was not tried.
    async fn deliver(&self, run: &Run, delivery: &webhook_delivery::Model) -> Result<Option<Fate>> {
        let road = run.road.acquire().await.map_err(Problem::internal)?;
        if !run.takes_more() || !run.turn().await {
            return Ok(None);
        }
        let body = match self.body(run, delivery).await? {
            Ok(body) => body,
            Err((why, fate)) => {
                self.ledger.record(Entry::unsent(delivery, &why, fate, self.now())).await?;
                return Ok(Some(fate));
            }
        };
        let now = self.now();
        let receipt = self.carrier.send(run.target.message(delivery, body, now)?).await;
        drop(road);
        let outcome = receipt.outcome;
        let labels = [("outcome", outcome.code())];
        metrics::counter!("bodega_webhook_attempts_total", &labels).increment(1);
        metrics::histogram!("bodega_webhook_attempt_seconds")
            .record(receipt.duration.as_secs_f64());

        let follows = self.fate(run, delivery, outcome);
        self.ledger.record(Entry::sent(delivery, receipt, follows, now)).await?;
        Ok(Some(follows.0))
    }

    /// What follows from an outcome, for the delivery and for the run.
    fn fate(
        &self,
        run: &Run,
        delivery: &webhook_delivery::Model,
        outcome: Outcome,
    ) -> (Fate, Option<DateTime<Utc>>) {
        if outcome.is_delivered() {
            run.failures.store(0, Atomic::Relaxed);
            return (Fate::Delivered, None);
        }
        run.failures.fetch_add(1, Atomic::Relaxed);
        let now = self.now();
        let asked = match outcome {
            Outcome::Gone => {
                run.gone.store(true, Atomic::Relaxed);
                run.over.store(true, Atomic::Relaxed);
                return (Fate::Dead, None);
            }
            Outcome::RetryLater { after: Some(after), .. } => {
                run.over.store(true, Atomic::Relaxed);
                Some(after.wait(now))
            }
            _ => None,
        };
        let held = asked.and_then(|asked| TimeDelta::from_std(asked).ok()).map(|wait| now + wait);
        (run.again(delivery, now, asked), held)
    }
}
