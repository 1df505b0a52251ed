//! Limits that nodes share: one script in Redis takes from both limits, or from none.

use std::sync::Arc;
use std::time::Duration;

use bodega_contract::{LimitState, Limiter, Principal};
use futures::FutureExt;
use futures::future::BoxFuture;
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use super::{DailyCounts, InMemory, state};

/// GCRA: a key's theoretical arrival time moves on by one interval a call, and may be ahead of now by
/// one whole minute at most (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>). Redis's
/// own clock, so that nodes need not agree on the time. Answers: violated (0, 1 minute, 2 day),
/// calls left this minute, wait in milliseconds, calls used today.
const TAKE: &str = r"
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local per_minute, per_day, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval_us, window_us = 60000000 / per_minute, 60000000
local used = tonumber(redis.call('GET', KEYS[2]) or ARGV[4])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now_us)
local function left(at) return math.floor((window_us - (at - now_us)) / interval_us + 0.000001) end
if used + cost > per_day then return {2, left(tat), 0, used} end
local next_tat = tat + interval_us * cost
if next_tat - now_us > window_us + 1 then
  local wait_us = next_tat - now_us - window_us
  return {1, left(tat), math.ceil(wait_us / 1000), used}
end
redis.call('SET', KEYS[1], string.format('%.0f', next_tat), 'PX', math.ceil((next_tat - now_us) / 1000) + 1000)
redis.call('SET', KEYS[2], used + cost, 'EX', 172800)
return {0, left(next_tat), 0, used + cost}
";

/// A limit that is slow is worse than one that is only this node's.
const PATIENCE: Duration = Duration::from_millis(250);

/// Limits kept in Redis, and in memory while it is away.
pub(crate) struct InRedis {
    connection: ConnectionManager,
    script: Script,
    counts: Arc<DailyCounts>,
    fallback: Arc<InMemory>,
}

impl InRedis {
    pub(crate) async fn connect(
        url: &str,
        counts: Arc<DailyCounts>,
        fallback: Arc<InMemory>,
    ) -> Result<Self, String> {
        let failed = |error: redis::RedisError| format!("cannot reach Redis: {error}");
        let client = redis::Client::open(url).map_err(failed)?;
        let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_connection_manager_with_config(config).await.map_err(failed)?;
        Ok(Self { connection, script: Script::new(TAKE), counts, fallback })
    }

    async fn shared(&self, principal: &Principal, cost: u32) -> redis::RedisResult<LimitState> {
        let (plan, today) = (principal.plan, self.counts.today(principal.key).await);
        let day = self.counts.day();
        // Both keys in one slot, so that a cluster can run the script too.
        let tag = format!("bodega:limit:{{{}}}", principal.key.simple());
        let mut connection = self.connection.clone();
        let (violated, minute_left, wait_ms, used): (u8, i64, u64, u64) = self
            .script
            .key(format!("{tag}:minute"))
            .key(format!("{tag}:{day}"))
            .arg(plan.per_minute)
            .arg(plan.per_day)
            .arg(cost)
            .arg(today.used)
            .invoke_async(&mut connection)
            .await?;
        let violated = match violated {
            0 => None,
            1 => Some(("minute", u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(60).max(1))),
            _ => Some(("day", today.ends_s)),
        };
        if violated.is_none() {
            self.counts.add(principal.key, cost);
        }
        let minute_left = u32::try_from(minute_left.max(0)).unwrap_or(0);
        let day_left = u32::try_from(u64::from(plan.per_day).saturating_sub(used)).unwrap_or(0);
        Ok(state(plan, minute_left, day_left, today.ends_s, violated))
    }
}

impl Limiter for InRedis {
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState> {
        async move {
            match self.shared(principal, cost).await {
                Ok(state) => state,
                Err(error) => {
                    tracing::warn!(%error, "Redis does not answer; limits are this node's own");
                    metrics::counter!("bodega_limit_fallbacks_total").increment(1);
                    self.fallback.check(principal, cost).await
                }
            }
        }
        .boxed()
    }
}
