//! Limits that nodes share: one script in Redis takes from both limits, or from none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bodega_contract::{LimitState, Limiter, Principal};
use futures::FutureExt;
use futures::future::BoxFuture;
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::timeout;

use super::daily::Today;
use super::{DailyCounts, InMemory, state};

/// GCRA: a key's theoretical arrival time moves on by one interval a call, and may be ahead of now by
/// one whole minute at most (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>). Redis's
/// own clock, so that nodes need not agree on the time. The day's count is never less than what the
/// database knows, which also has the calls made while Redis was away. Answers: violated (0, 1 minute, 2 day),
/// calls left this minute, wait in milliseconds, calls used today.
const TAKE: &str = r"
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local per_minute, per_day, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval_us, window_us = 60000000 / per_minute, 60000000
local used = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[4]))
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

/// How long Redis is left alone once it did not answer; then one call asks it again.
const REST_MS: u64 = 1_000;

/// Limits kept in Redis, and in memory while it is away.
pub(crate) struct InRedis {
    connection: ConnectionManager,
    script: Script,
    counts: Arc<DailyCounts>,
    fallback: Arc<InMemory>,
    began: Instant,
    /// Until when Redis is left alone, in milliseconds since `began`; 0 while it answers.
    rests_until_ms: AtomicU64,
}

impl InRedis {
    /// Connects when first asked: a node starts whether Redis is there or not.
    pub(crate) fn open(
        url: &str,
        counts: Arc<DailyCounts>,
        fallback: Arc<InMemory>,
    ) -> Result<Self, String> {
        let failed = |error: redis::RedisError| format!("redis_url is not valid: {error}");
        let client = redis::Client::open(url).map_err(failed)?;
        // No retries, because every call waits for them; the next call is the next try.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(failed)?;
        let (script, began) = (Script::new(TAKE), Instant::now());
        let rests_until_ms = AtomicU64::new(0);
        Ok(Self { connection, script, counts, fallback, began, rests_until_ms })
    }

    /// Whether it is this call's turn to ask Redis.
    fn asks(&self, now_ms: u64) -> bool {
        let until_ms = self.rests_until_ms.load(Ordering::Acquire);
        let first = || {
            let (next, order) = (now_ms + REST_MS, Ordering::AcqRel);
            self.rests_until_ms.compare_exchange(until_ms, next, order, Ordering::Relaxed).is_ok()
        };
        until_ms == 0 || (until_ms <= now_ms && first())
    }

    async fn shared(
        &self,
        principal: &Principal,
        cost: u32,
        today: Today,
    ) -> redis::RedisResult<LimitState> {
        let plan = principal.plan;
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
            let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
            if self.asks(now_ms) {
                let today = self.counts.today(principal.key).await;
                let asked = timeout(PATIENCE, self.shared(principal, cost, today)).await;
                let error = match asked {
                    Ok(Ok(state)) => {
                        if self.rests_until_ms.swap(0, Ordering::AcqRel) > 0 {
                            tracing::info!("Redis answers again; limits are shared");
                        }
                        return state;
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "it takes too long".to_owned(),
                };
                let rested = self.rests_until_ms.swap(now_ms + REST_MS, Ordering::AcqRel);
                if rested == 0 {
                    tracing::warn!(error, "Redis does not answer; limits are this node's own");
                }
            }
            metrics::counter!("bodega_limit_fallbacks_total").increment(1);
            self.fallback.check(principal, cost).await
        }
        .boxed()
    }
}
