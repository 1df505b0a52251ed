//! Limits: so many calls a minute (GCRA) and so many a day (UTC), of a key, of the keys that it
//! descends from, and of its organization.

mod daily;
mod memory;
mod redis;

pub(crate) use daily::DailyCounts;
pub(crate) use memory::InMemory;
pub(crate) use redis::InRedis;

use bodega_contract::{LimitState, Policy, Quota};

const MINUTE_S: u32 = 60;
const DAY_S: u32 = 86_400;

/// How a quota stands.
pub(crate) struct Standing {
    /// Calls left this minute.
    minute_left: u32,
    /// Calls used today.
    used: u64,
    /// When the day ends.
    ends_s: u32,
}

/// The limit that a call would have broken, and when there is room for it again.
pub(crate) struct Violated {
    name: &'static str,
    wait_s: u32,
}

impl Violated {
    fn minute(quota: &Quota, wait_s: u32) -> Self {
        // More than the whole quota at once: no wait will do.
        Self { name: quota.of.minute(), wait_s: wait_s.clamp(1, MINUTE_S) }
    }

    fn day(quota: &Quota, ends_s: u32) -> Self {
        Self { name: quota.of.day(), wait_s: ends_s }
    }
}

/// How the limits stand: of a minute and of a day those of which least is left.
pub(crate) fn state(
    quotas: &[Quota],
    standing: &[Standing],
    violated: Option<Violated>,
) -> LimitState {
    let minutes = quotas.iter().zip(standing).map(|(quota, standing)| {
        let spent = quota.per_minute.saturating_sub(standing.minute_left);
        let refill_s = u64::from(spent) * u64::from(MINUTE_S) / u64::from(quota.per_minute.max(1));
        Policy {
            name: quota.of.minute(),
            quota: quota.per_minute,
            window_s: MINUTE_S,
            remaining: standing.minute_left,
            reset_s: u32::try_from(refill_s).unwrap_or(MINUTE_S),
        }
    });
    let days = quotas.iter().zip(standing).map(|(quota, standing)| {
        let left = u64::from(quota.per_day).saturating_sub(standing.used);
        Policy {
            name: quota.of.day(),
            quota: quota.per_day,
            window_s: DAY_S,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset_s: standing.ends_s,
        }
    });
    let least = |policies: &mut dyn Iterator<Item = Policy>, window_s: u32| {
        let none = Policy { name: "minute", quota: 0, window_s, remaining: 0, reset_s: window_s };
        policies.min_by_key(|policy| policy.remaining).unwrap_or(none)
    };
    LimitState {
        policies: [least(&mut { minutes }, MINUTE_S), least(&mut { days }, DAY_S)],
        violated: violated.map(|violated| (violated.name, violated.wait_s)),
    }
}
