//! Limits of one process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bodega_contract::{LimitState, Limiter, Principal, Quota};
use dashmap::DashMap;
use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{DailyCounts, MINUTE_S, Standing, Violated, state};

const MINUTE_NS: u64 = MINUTE_S as u64 * 1_000_000_000;

/// Limits kept in memory. What a call is counted in is all of one organization, so that its entry is
/// one lock, under which the call takes from all of it or from nothing.
pub(crate) struct InMemory {
    /// When each limit of a minute is whole again, in nanoseconds since `began`.
    minutes: DashMap<Uuid, HashMap<Uuid, u64>>,
    counts: Arc<DailyCounts>,
    began: Instant,
}

impl InMemory {
    pub(crate) fn new(counts: Arc<DailyCounts>) -> Self {
        Self { minutes: DashMap::new(), counts, began: Instant::now() }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Forgets limits that are whole again.
    pub(crate) fn tidy(&self) {
        let now_ns = self.now_ns();
        self.minutes.retain(|_, all| {
            all.retain(|_, whole_at| *whole_at > now_ns);
            !all.is_empty()
        });
    }

    pub(crate) async fn check(&self, principal: &Principal, cost: u32) -> LimitState {
        let quotas = &principal.quotas;
        let mut standing = Vec::with_capacity(quotas.len());
        for quota in quotas.iter() {
            let today = self.counts.today(quota.id).await;
            standing.push(Standing { minute_left: 0, used: today.used, ends_s: today.ends_s });
        }
        let spent = quotas.iter().zip(&standing).find(|(quota, standing)| {
            standing.used.saturating_add(cost.into()) > u64::from(quota.per_day)
        });
        let mut violated = spent.map(|(quota, standing)| Violated::day(quota, standing.ends_s));
        let cost_now = if violated.is_some() { 0 } else { cost };
        let late = self.take(principal, cost_now, &mut standing);
        violated = violated.or(late);
        if violated.is_none() {
            for (quota, standing) in quotas.iter().zip(&mut standing) {
                self.counts.add(quota.id, cost);
                standing.used += u64::from(cost);
            }
        }
        state(quotas, &standing, violated)
    }

    /// GCRA: each limit has a time at which it is whole again, which every call moves on by its cost
    /// and which may be a minute ahead at most
    /// (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>). Says what is left in each, and
    /// which has no room.
    fn take(
        &self,
        principal: &Principal,
        cost: u32,
        standing: &mut [Standing],
    ) -> Option<Violated> {
        let mut all = self.minutes.entry(principal.organization).or_default();
        let now_ns = self.now_ns();
        let at = |all: &HashMap<Uuid, u64>, quota: &Quota| {
            all.get(&quota.id).copied().unwrap_or(0).max(now_ns)
        };
        let mut violated = None;
        for quota in principal.quotas.iter() {
            let next_ns = at(&all, quota).saturating_add(takes_ns(quota, cost));
            let over_ns = next_ns.saturating_sub(now_ns).saturating_sub(MINUTE_NS);
            // A nanosecond is what rounding may lose.
            if violated.is_none() && over_ns > 1 {
                let wait_s = Duration::from_nanos(over_ns).as_secs_f64().ceil();
                violated = Some(Violated::minute(quota, wait_s as u32));
            }
        }
        for (quota, standing) in principal.quotas.iter().zip(standing) {
            let mut whole_at = at(&all, quota);
            if violated.is_none() && cost > 0 {
                whole_at = whole_at.saturating_add(takes_ns(quota, cost));
                all.insert(quota.id, whole_at);
            }
            let room_ns = MINUTE_NS.saturating_sub(whole_at - now_ns);
            let left =
                room_ns.saturating_add(1).saturating_mul(quota.per_minute.into()) / MINUTE_NS;
            standing.minute_left = u32::try_from(left).unwrap_or(u32::MAX);
        }
        violated
    }
}

/// How far a call of this cost moves a limit on.
fn takes_ns(quota: &Quota, cost: u32) -> u64 {
    MINUTE_NS.saturating_mul(cost.into()) / u64::from(quota.per_minute.max(1))
}

impl Limiter for InMemory {
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState> {
        self.check(principal, cost).boxed()
    }
}
