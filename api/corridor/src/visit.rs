//! Who was let in, and what they ask for: one call through most doors, several through some.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bodega_contract::{
    Caller, Deprecation, Entry, Handler, Kind, LimitState, Operation, Principal,
};
use bodega_kernel::budget::OBJECTS_PER_UNIT;
use bodega_kernel::{Actor, Budget, Cx, Origin, Problem, Result, Size, problem};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::corridor::{Answer, Call, Corridor, authorize};
use crate::noted::Noted;
use crate::{Expand, Place, batch};

/// A database that says nothing at all must not keep callers waiting to be let in.
const AUTHENTICATE_TIMEOUT: Duration = Duration::from_secs(3);

/// What became of a call: the answer, and what a door needs to say with it.
#[derive(Debug)]
pub struct Outcome {
    /// The answer or the problem.
    pub result: Result<Answer>,
    /// Who it was, where that is known.
    pub principal: Option<Arc<Principal>>,
    /// How the limits stand.
    pub limits: Option<LimitState>,
    /// The version it is answered in.
    pub version: &'static str,
    /// What of it goes away.
    pub deprecated: Vec<Deprecation>,
    /// How large the answer is.
    pub size: Size,
}

/// A caller who was let in. Each of its calls walks the corridor, with a scope check, a transaction,
/// events and an audit row of its own; what they cost is taken once, before the first.
pub struct Visit<'a> {
    corridor: &'a Corridor,
    caller: &'a Caller,
    noted: Noted,
    principal: Arc<Principal>,
    version: &'static str,
    limits: Option<LimitState>,
    cost: u32,
    /// What all its calls may cost together.
    budget: Arc<Budget>,
    started: Instant,
    created_at: DateTime<Utc>,
    /// What it came for, until the request log says what became of it.
    under_way: Option<(&'static str, &'static str)>,
}

/// The status in the request log of what its caller did not wait for.
const GONE_STATUS: u16 = 499;

/// Its code there.
const GONE: &str = "caller_gone";

/// What the request log is to say of a visit.
pub struct Leave<'a> {
    /// What was done: the operation, or a name of the door's own for several.
    pub operation: &'static str,
    /// The method it was asked with.
    pub method: &'static str,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The problem's code.
    pub code: Option<&'a str>,
    /// The caller's name for the call.
    pub idempotency_key: Option<String>,
    /// What it used that goes away.
    pub deprecated: Vec<(&'a Operation, Deprecation)>,
}

impl Corridor {
    /// Walks a call from one end to the other. What of it takes time to arrive is filled in once it is
    /// known who sent it; what is wrong with that goes to [`Call::fault`].
    pub async fn dispatch<'c>(
        &self,
        caller: &Caller,
        mut call: Call<'c>,
        fill: impl AsyncFnOnce(&mut Call<'c>, &Principal),
    ) -> Outcome {
        let operation = call.operation;
        let mut outcome = Outcome {
            result: Err(Problem::new(&problem::UNAUTHENTICATED)),
            principal: None,
            limits: None,
            version: self.platform.versions.latest(),
            deprecated: Vec::new(),
            size: Size::default(),
        };
        let mut visit = match self.admit(caller).await {
            Ok(visit) => visit,
            Err(problem) => {
                outcome.result = Err(problem);
                return outcome;
            }
        };
        outcome.principal = Some(visit.principal.clone());
        visit.begin(operation.id, operation.method.as_str());
        fill(&mut call, &visit.principal).await;
        call.read_body(&self.platform.apart).await;
        outcome.deprecated = call.deprecated();
        let idempotency_key = call.idempotency_key.clone();
        let stands = operation.kind != Kind::Query;
        outcome.result = match visit.charge(call.cost()).await {
            Ok(()) => {
                let result = visit.call(call).await;
                visit.settle(stands).await.and(result)
            }
            Err(problem) => Err(problem),
        };
        (outcome.limits, outcome.version) = (visit.limits.take(), visit.version);
        outcome.size = visit.budget.size();
        let (status, code) = match &outcome.result {
            Ok(answer) => {
                (answer.status, answer.body.text("code").filter(|_| answer.status >= 400))
            }
            Err(problem) => (problem.code.status, Some(problem.code.code)),
        };
        let (operation_id, method) = (operation.id, operation.method.as_str());
        let deprecated = outcome.deprecated.iter().map(|what| (operation, *what)).collect();
        let operation = operation_id;
        visit.leave(Leave { operation, method, status, code, idempotency_key, deprecated });
        outcome
    }

    /// Lets a caller in, if it is one who may come in. The caller pays with [`Visit::charge`] before
    /// the first call, and what it did goes to the request log with [`Visit::leave`].
    pub async fn admit<'a>(&'a self, caller: &'a Caller) -> Result<Visit<'a>> {
        let (started, created_at) = (Instant::now(), self.platform.clock.now());
        let principal = self.authenticate(caller).await?;
        let objects_max = u64::from(principal.plan.per_minute).saturating_mul(OBJECTS_PER_UNIT);
        Ok(Visit {
            corridor: self,
            caller,
            noted: Noted::of(caller),
            version: self.platform.versions.latest(),
            limits: None,
            cost: 0,
            // No more than the plan could ever pay.
            budget: Arc::new(Budget::of_objects(objects_max)),
            principal,
            started,
            created_at,
            under_way: None,
        })
    }

    pub(crate) async fn authenticate(&self, caller: &Caller) -> Result<Arc<Principal>> {
        let authenticated = self.authenticator.authenticate(caller);
        match tokio::time::timeout(AUTHENTICATE_TIMEOUT, authenticated).await {
            Ok(principal) => principal,
            Err(_) => Err(Problem::new(&problem::DATABASE_UNAVAILABLE).retry_after(2)),
        }
    }
}

impl Visit<'_> {
    /// Takes what is about to be done from the caller's limits.
    pub async fn charge(&mut self, cost: u32) -> Result<()> {
        let plan = self.principal.plan;
        let max = plan.per_minute.min(plan.per_day);
        if cost > max {
            // What is refused is not for nothing, or nothing would bound it.
            self.take(1).await?;
            let problem = Problem::new(&problem::COST_ABOVE_PLAN);
            return Err(problem.with("cost", cost).with("max", max));
        }
        self.take(cost).await?;
        let (asked, pinned) = (self.caller.version.as_deref(), &self.principal.api_version);
        self.version = self.corridor.platform.versions.choose(asked, pinned)?;
        Ok(())
    }

    /// Takes what the objects of the answers cost, where that is more than the calls themselves: it
    /// is known only once they are there. Where there is not as much left, all that is left is taken,
    /// and the answer is refused: unless it stands, because something was changed.
    pub async fn settle(&mut self, stands: bool) -> Result<()> {
        let owed = self.budget.units().saturating_sub(self.cost);
        if owed == 0 {
            return Ok(());
        }
        let Err(refused) = self.take(owed).await else { return Ok(()) };
        let left = self.limits.iter().flat_map(|limits| limits.policies).map(|one| one.remaining);
        if let Some(left) = left.min().filter(|left| *left > 0) {
            let _ = self.take(left).await;
        }
        if stands { Ok(()) } else { Err(refused) }
    }

    async fn take(&mut self, cost: u32) -> Result<()> {
        let limits = self.corridor.limiter.take(&self.principal, cost).await;
        (self.limits, self.cost) = (Some(limits), self.cost.saturating_add(cost));
        if let Some((policy, retry_s)) = limits.violated {
            return Err(Problem::new(&problem::QUOTA_EXCEEDED)
                .with("violated-policies", vec![policy])
                .retry_after(retry_s.into()));
        }
        Ok(())
    }

    /// Walks one call.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer> {
        // Who waits for news holds no connection meanwhile: it takes a place rather than a turn.
        let _place = (call.waits() && !call.placed).then(|| self.follow()).transpose()?;
        let writes = call.operation.kind != Kind::Query;
        let _turn = match call.waits() || self.budget.has_turn() {
            true => None,
            false => Some(self.corridor.turns.next(self.principal.organization, writes).await?),
        };
        let operation = call.operation;
        let cx = self.cx(operation.id);
        let walk = self.corridor.enter(cx, self.caller, self.version, call);
        let answer = self.corridor.guarded(walk).await?;
        if operation.list.as_ref().is_some_and(|list| list.feed) {
            // It may have waited. Who lost the right to know meanwhile hears nothing of it.
            let principal = self.corridor.authenticate(self.caller).await?;
            authorize(&principal.scopes, operation.scope)?;
        }
        Ok(answer)
    }

    /// The objects with these ids, as the operation that gets one of them shows it, links embedded.
    /// What is not there is missing. However many they are, they are read in one statement.
    pub async fn find(
        &self,
        operation: &Operation,
        ids: &[Uuid],
        links: &[Expand],
    ) -> Result<HashMap<Uuid, Value>> {
        let by_ids = operation.by_ids.as_ref();
        let by_ids = by_ids.ok_or_else(|| Problem::internal("not to be found by ids"))?;
        let _turn = match self.budget.has_turn() {
            true => None,
            false => Some(self.corridor.turns.next(self.principal.organization, false).await?),
        };
        let cx = self.cx(operation.id);
        authorize(&cx.scopes, operation.scope)?;
        self.corridor.authorize_links(&cx, operation.resource, links)?;
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let read = async {
            cx.wait_turn().await?;
            let mut found = by_ids(cx.clone(), wanted).await?;
            let objects = found.objects.iter_mut().map(|(object, _)| object).collect();
            self.corridor.embed(&cx, operation.resource, objects, links).await?;
            let versions = &self.corridor.platform.versions;
            let mut trees = Vec::with_capacity(found.objects.len());
            for (object, _) in &found.objects {
                let mut tree = object.tree()?;
                versions.downgrade(self.version, operation.id, &mut tree);
                trees.push(tree);
            }
            Ok((found.of, trees))
        };
        let (of, mut trees) = self.corridor.guarded(read).await?;
        let place = |id: &Uuid| of.get(id).and_then(|places| places.first().copied());
        // What is asked for again stands in the answer again.
        let mut seen = HashSet::new();
        let again = ids.iter().filter_map(place).filter(|place| !seen.insert(*place));
        let again = again.filter_map(|place| trees.get(place).map(Size::of));
        self.budget.take(again.sum(), &problem::ANSWER_TOO_LARGE)?;
        let taken = of.iter().filter_map(|(id, places)| {
            let tree = trees.get_mut(*places.first()?)?;
            Some((*id, tree.take()))
        });
        Ok(taken.collect())
    }

    /// Embeds links in objects of a resource: [`Corridor::embed_as`] the caller.
    pub async fn embed(
        &self,
        resource: &str,
        objects: Vec<&mut Value>,
        links: &[Expand],
    ) -> Result<()> {
        self.corridor.embed_as(&self.cx(""), resource, objects, links).await
    }

    /// Takes a place among those who follow a log; it is free again when it is dropped.
    pub fn follow(&self) -> Result<Place> {
        self.corridor.followers.enter(self.principal.organization, self.principal.key)
    }

    /// Who it is.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What its calls have cost so far.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What it took from the limits.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// How the limits stand, once they were charged.
    pub fn limits(&self) -> Option<&LimitState> {
        self.limits.as_ref()
    }

    /// The version that answers come in.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// What is about to be done, for the request log: where the caller goes away before it is done,
    /// the log says so.
    pub fn begin(&mut self, operation: &'static str, method: &'static str) {
        self.under_way = Some((operation, method));
    }

    /// Ends it without a word in the request log: what it came for is done in another visit.
    pub fn pass(mut self) {
        self.under_way = None;
    }

    /// Notes what was done in the request log.
    pub fn leave(mut self, what: Leave<'_>) {
        self.under_way = None;
        self.note(what);
    }

    fn note(&self, what: Leave<'_>) {
        let Self { corridor, caller, noted, principal, .. } = self;
        let subject = |(operation, deprecation): (&Operation, Deprecation)| {
            (format!("{}{}", operation.id, deprecation.field.unwrap_or_default()), deprecation)
        };
        corridor.recorder.record(Entry {
            id: caller.request_id,
            organization: principal.organization,
            key: principal.key,
            door: caller.door,
            operation: what.operation,
            method: what.method,
            path: noted.path.clone(),
            status: what.status,
            code: what.code.map(str::to_owned),
            duration_us: i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX),
            ip: caller.ip,
            user_agent: noted.user_agent.clone(),
            api_version: self.version.to_owned(),
            idempotency_key: what.idempotency_key.as_deref().map(Noted::key),
            created_at: self.created_at,
            cost: self.cost,
            deprecated: what.deprecated.into_iter().map(subject).collect(),
        });
    }

    fn cx(&self, operation: &'static str) -> Cx {
        let Self { corridor, caller, noted, principal, .. } = self;
        Cx::of_call(
            corridor.platform.clone(),
            principal.organization,
            Actor { kind: "api_key", id: Some(principal.actor_id.clone()) },
            principal.scopes.clone(),
            Origin {
                request_id: caller.request_id,
                traceparent: noted.traceparent.clone(),
                operation,
                ip: caller.ip.map(|ip| ip.to_string()),
                user_agent: noted.user_agent.clone(),
                api_version: self.version.to_owned(),
                language: caller.language,
            },
            self.budget.clone(),
        )
        .allowing(principal.numbers)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let Some((operation, method)) = self.under_way.take() else { return };
        let (idempotency_key, deprecated) = (None, Vec::new());
        let (status, code) = (GONE_STATUS, Some(GONE));
        self.note(Leave { operation, method, status, code, idempotency_key, deprecated });
    }
}

impl Call<'_> {
    /// Whether it waits for news of a log.
    fn waits(&self) -> bool {
        let asked = |wanted| self.query.iter().find(|(name, _)| name == wanted);
        let wait = asked("wait_s").filter(|_| asked("after").is_some());
        let feed = self.operation.list.as_ref().is_some_and(|list| list.feed);
        feed && !self.at_once && wait.is_some_and(|(_, wait_s)| wait_s != "0")
    }

    /// What it takes from the limits.
    pub fn cost(&self) -> u32 {
        match self.operation.handler {
            Handler::Batch => batch::cost(self.body.as_ref()),
            _ => self.operation.cost,
        }
    }

    /// What it uses that goes away.
    pub fn deprecated(&self) -> Vec<Deprecation> {
        let used = |deprecation: &Deprecation| match (deprecation.field, &self.body) {
            (None, _) => true,
            (Some(pointer), Some(body)) => body.pointer(pointer).is_some(),
            (Some(_), None) => false,
        };
        self.operation.deprecated.iter().copied().filter(used).collect()
    }
}
