//! Limits of one process: `governor`'s GCRA, one limiter a quota.

use std::num::NonZeroU32;
use std::sync::Arc;

use bodega_contract::{LimitState, Limiter, Principal};
use dashmap::DashMap;
use futures::FutureExt;
use futures::future::BoxFuture;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

use super::{DailyCounts, MINUTE_S, state};

type Keyed = RateLimiter<Uuid, DashMapStateStore<Uuid>, DefaultClock, StateInformationMiddleware>;

/// Limits kept in memory.
pub(crate) struct InMemory {
    by_quota: DashMap<u32, Arc<Keyed>>,
    counts: Arc<DailyCounts>,
    clock: DefaultClock,
}

impl InMemory {
    pub(crate) fn new(counts: Arc<DailyCounts>) -> Self {
        Self { by_quota: DashMap::new(), counts, clock: DefaultClock::default() }
    }

    fn limiter(&self, per_minute: u32) -> Arc<Keyed> {
        if let Some(limiter) = self.by_quota.get(&per_minute) {
            return limiter.clone();
        }
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let make = || Arc::new(RateLimiter::dashmap(quota).with_middleware());
        self.by_quota.entry(per_minute).or_insert_with(make).clone()
    }

    /// Forgets keys whose limits are whole again.
    pub(crate) fn tidy(&self) {
        for limiter in &self.by_quota {
            limiter.retain_recent();
        }
    }

    pub(crate) async fn check(&self, principal: &Principal, cost: u32) -> LimitState {
        let plan = principal.plan;
        let today = self.counts.today(principal.key).await;
        let left = |used: u64| {
            u32::try_from(u64::from(plan.per_day).saturating_sub(used)).unwrap_or(u32::MAX)
        };
        if today.used + u64::from(cost) > u64::from(plan.per_day) {
            let violated = Some(("day", today.ends_s));
            return state(plan, plan.per_minute, left(today.used), today.ends_s, violated);
        }
        let cost_of = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let (minute_left, violated) =
            match self.limiter(plan.per_minute).check_key_n(&principal.key, cost_of) {
                Ok(Ok(snapshot)) => (snapshot.remaining_burst_capacity(), None),
                Ok(Err(not_until)) => {
                    let wait = not_until.wait_time_from(self.clock.now()).as_secs_f64().ceil();
                    (0, Some(("minute", (wait as u32).max(1))))
                }
                // More than the whole quota at once: no wait will do.
                Err(_) => (plan.per_minute, Some(("minute", MINUTE_S))),
            };
        if violated.is_none() {
            self.counts.add(principal.key, cost);
        }
        let used = today.used + if violated.is_none() { u64::from(cost) } else { 0 };
        state(plan, minute_left, left(used), today.ends_s, violated)
    }
}

impl Limiter for InMemory {
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState> {
        self.check(principal, cost).boxed()
    }
}
