//! Limits that nodes share: one script in Redis takes from all of a call's limits, or from none.

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
use super::{DailyCounts, InMemory, Standing, Violated, state};

/// GCRA: a limit's theoretical arrival time moves on by one interval a call, and may be ahead of now
/// by one whole minute at most (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>). Redis's
/// own clock, so that nodes need not agree on the time. The day's count is never less than what the
/// database knows, which also has the calls made while Redis was away. Keys come in pairs, minute and
/// day, with the calls of a minute, of a day and the day's known count for each pair. Answers: violated
/// (0, 1 minute, 2 day), of which pair, wait in milliseconds; then for each pair the calls left this
/// minute and those used today.
const TAKE: &str = r"
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local window_us, cost, pairs_of = 60000000, tonumber(ARGV[1]), #KEYS / 2
local tats, uses, intervals = {}, {}, {}
local violated, which, wait_ms = 0, 0, 0
for i = 1, pairs_of do
  local per_minute, per_day = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  intervals[i] = window_us / per_minute
  tats[i] = math.max(tonumber(redis.call('GET', KEYS[2 * i - 1]) or '0'), now_us)
  uses[i] = math.max(tonumber(redis.call('GET', KEYS[2 * i]) or '0'), tonumber(ARGV[3 * i + 1]))
  if violated ~= 2 and uses[i] + cost > per_day then violated, which, wait_ms = 2, i, 0 end
  local over_us = tats[i] + intervals[i] * cost - now_us - window_us
  if violated == 0 and over_us > 1 then violated, which, wait_ms = 1, i, math.ceil(over_us / 1000) end
end
local answer = {violated, which, wait_ms}
for i = 1, pairs_of do
  if violated == 0 then
    tats[i] = tats[i] + intervals[i] * cost
    uses[i] = uses[i] + cost
    local kept_ms = math.ceil((tats[i] - now_us) / 1000) + 1000
    redis.call('SET', KEYS[2 * i - 1], string.format('%.0f', tats[i]), 'PX', kept_ms)
    redis.call('SET', KEYS[2 * i], string.format('%.0f', uses[i]), 'EX', 172800)
  end
  answer[2 * i + 2] = math.floor((window_us - (tats[i] - now_us)) / intervals[i] + 0.000001)
  answer[2 * i + 3] = uses[i]
end
return answer
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
        known: &[Today],
    ) -> redis::RedisResult<LimitState> {
        let (quotas, day) = (&principal.quotas, self.counts.day());
        // All keys in one slot, so that a cluster can run the script too.
        let tag = format!("bodega:limit:{{{}}}", principal.organization.simple());
        let mut script = self.script.arg(cost);
        for (quota, today) in quotas.iter().zip(known) {
            let id = quota.id.simple();
            script.key(format!("{tag}:{id}:minute")).key(format!("{tag}:{id}:{day}"));
            script.arg(quota.per_minute).arg(quota.per_day).arg(today.used);
        }
        let mut connection = self.connection.clone();
        let answer: Vec<i64> = script.invoke_async(&mut connection).await?;
        let [violated, which, wait_ms, pairs @ ..] = answer.as_slice() else {
            return Err((redis::ErrorKind::UnexpectedReturnType, "a short answer").into());
        };
        let standing: Vec<Standing> = pairs
            .chunks_exact(2)
            .zip(known)
            .map(|(pair, today)| {
                let number = |at: usize| pair.get(at).copied().unwrap_or(0).max(0);
                Standing {
                    minute_left: u32::try_from(number(0)).unwrap_or(u32::MAX),
                    used: u64::try_from(number(1)).unwrap_or(0),
                    ends_s: today.ends_s,
                }
            })
            .collect();
        let at = usize::try_from(*which).unwrap_or(0).saturating_sub(1);
        let violated =
            quotas.get(at).zip(known.get(at)).and_then(|(quota, today)| match violated {
                1 => {
                    let wait_s = u64::try_from(*wait_ms).unwrap_or(0).div_ceil(1_000);
                    Some(Violated::minute(quota, u32::try_from(wait_s).unwrap_or(u32::MAX)))
                }
                2 => Some(Violated::day(quota, today.ends_s)),
                _ => None,
            });
        if violated.is_none() {
            quotas.iter().for_each(|quota| self.counts.add(quota.id, cost));
        }
        Ok(state(quotas, &standing, violated))
    }
}

impl Limiter for InRedis {
    fn take<'a>(&'a self, principal: &'a Principal, cost: u32) -> BoxFuture<'a, LimitState> {
        async move {
            let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
            if self.asks(now_ms) {
                let mut known = Vec::with_capacity(principal.quotas.len());
                for quota in principal.quotas.iter() {
                    known.push(self.counts.today(quota.id).await);
                }
                let asked = timeout(PATIENCE, self.shared(principal, cost, &known)).await;
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
