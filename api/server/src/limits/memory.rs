//! Limits of one process: `governor`'s GCRA, one limiter a quota.

use std::num::NonZeroU32;
use std::sync::Arc;

use bodega_contract::{LimitState, Limiter, Principal, Quota};
use dashmap::DashMap;
use futures::FutureExt;
use futures::future::BoxFuture;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Rate, RateLimiter};
use uuid::Uuid;

use super::{DailyCounts, MINUTE_S, Standing, Violated, state};

type Keyed = RateLimiter<Uuid, DashMapStateStore<Uuid>, DefaultClock, StateInformationMiddleware>;

/// Limits kept in memory.
pub(crate) struct InMemory {
    by_rate: DashMap<u32, Arc<Keyed>>,
    counts: Arc<DailyCounts>,
    clock: DefaultClock,
}

impl InMemory {
    pub(crate) fn new(counts: Arc<DailyCounts>) -> Self {
        Self { by_rate: DashMap::new(), counts, clock: DefaultClock::default() }
    }

    fn limiter(&self, per_minute: u32) -> Arc<Keyed> {
        if let Some(limiter) = self.by_rate.get(&per_minute) {
            return limiter.clone();
        }
        let rate = Rate::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let make = || Arc::new(RateLimiter::dashmap(rate).with_middleware());
        self.by_rate.entry(per_minute).or_insert_with(make).clone()
    }

    /// Forgets limits that are whole again.
    pub(crate) fn tidy(&self) {
        for limiter in &self.by_rate {
            limiter.retain_recent();
        }
    }

    pub(crate) async fn check(&self, principal: &Principal, cost: u32) -> LimitState {
        let quotas = &principal.quotas;
        let mut standing = Vec::with_capacity(quotas.len());
        for quota in quotas.iter() {
            let today = self.counts.today(quota.id).await;
            let minute_left = quota.per_minute;
            standing.push(Standing { minute_left, used: today.used, ends_s: today.ends_s });
        }
        let spent = quotas.iter().zip(&standing).find(|(quota, standing)| {
            standing.used.saturating_add(cost.into()) > u64::from(quota.per_day)
        });
        let spent = spent.map(|(quota, standing)| Violated::day(quota, standing.ends_s));
        let violated = spent.or_else(|| self.take(quotas, cost, &mut standing));
        if violated.is_none() {
            for (quota, standing) in quotas.iter().zip(&mut standing) {
                self.counts.add(quota.id, cost);
                standing.used += u64::from(cost);
            }
        }
        state(quotas, &standing, violated)
    }

    /// Takes from each limit of a minute, the key's own first: who asks too much spends what is
    /// theirs before it is what others share. Says what is left in each, and which has no room.
    fn take(&self, quotas: &[Quota], cost: u32, standing: &mut [Standing]) -> Option<Violated> {
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        for (quota, standing) in quotas.iter().zip(standing) {
            match self.limiter(quota.per_minute).check_key_n(&quota.id, cost) {
                Ok(Ok(snapshot)) => standing.minute_left = snapshot.remaining_burst_capacity(),
                Ok(Err(not_until)) => {
                    standing.minute_left = 0;
                    let wait = not_until.wait_time_from(self.clock.now()).as_secs_f64().ceil();
                    return Some(Violated::minute(quota, wait as u32));
                }
                // More than the whole quota at once: no wait will do.
                Err(_) => return Some(Violated::minute(quota, MINUTE_S)),
            }
        }
        None
    }
}

impl Limiter for InMemory {
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState> {
        self.check(principal, cost).boxed()
    }
}
