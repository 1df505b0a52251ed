//! Limits per key: so many calls a minute (GCRA) and so many a day (UTC).

mod daily;
mod memory;
mod redis;

pub(crate) use daily::DailyCounts;
pub(crate) use memory::InMemory;
pub(crate) use redis::InRedis;

use bodega_contract::{LimitState, Plan, Policy};

const MINUTE_S: u32 = 60;
const DAY_S: u32 = 86_400;

/// How the limits stand.
pub(crate) fn state(
    plan: Plan,
    minute_left: u32,
    day_left: u32,
    day_ends_s: u32,
    violated: Option<(&'static str, u32)>,
) -> LimitState {
    let spent = plan.per_minute.saturating_sub(minute_left);
    let refill_s = u64::from(spent) * u64::from(MINUTE_S) / u64::from(plan.per_minute.max(1));
    LimitState {
        policies: [
            Policy {
                name: "minute",
                quota: plan.per_minute,
                window_s: MINUTE_S,
                remaining: minute_left,
                reset_s: u32::try_from(refill_s).unwrap_or(MINUTE_S),
            },
            Policy {
                name: "day",
                quota: plan.per_day,
                window_s: DAY_S,
                remaining: day_left,
                reset_s: day_ends_s,
            },
        ],
        violated,
    }
}
