//! When a delivery that failed is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Waits after the first try, the second, and so on: three days and a half in all, as Standard
/// Webhooks suggests. After the last of them the delivery is dead.
const WAITS_S: [i64; 10] = [5, 30, 120, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];

/// What a probe that fails puts a delivery off by, when it has had all its waits.
pub(crate) const LONGEST: TimeDelta = TimeDelta::days(1);

/// Each wait is this much shorter or longer, in percent, so that what failed together does not come
/// back together.
const JITTER: u64 = 20;

/// When to try again after `attempts` tries; never, after the last. A receiver that asks for more
/// time gets it.
pub(crate) fn next(
    delivery: Uuid,
    attempts: i32,
    now: DateTime<Utc>,
    asked: Option<Duration>,
) -> Option<DateTime<Utc>> {
    let failed = usize::try_from(attempts - 1).ok()?;
    let wait_ms = WAITS_S.get(failed)? * 1_000;
    let percent = 100 - JITTER + scatter(delivery, attempts) % (2 * JITTER + 1);
    let wait = TimeDelta::milliseconds(wait_ms * i64::try_from(percent).ok()? / 100);
    let asked = asked.and_then(|asked| TimeDelta::from_std(asked).ok()).unwrap_or_default();
    Some(now + wait.max(asked))
}

/// The same for the same try of the same delivery, so that a test can tell it.
fn scatter(delivery: Uuid, attempts: i32) -> u64 {
    // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
    let bytes = delivery.as_bytes().iter().copied().chain(attempts.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_kept_within_its_jitter() {
        let now = DateTime::UNIX_EPOCH;
        for _ in 0..200 {
            let delivery = Uuid::now_v7();
            for (index, wait_s) in WAITS_S.iter().enumerate() {
                let attempts = i32::try_from(index).unwrap() + 1;
                let wait = (next(delivery, attempts, now, None).unwrap() - now).num_milliseconds();
                assert!((wait_s * 800..=wait_s * 1_200).contains(&wait), "{wait} for {wait_s}");
            }
            assert_eq!(next(delivery, 11, now, None), None);
        }
    }

    #[test]
    fn a_receiver_gets_the_time_it_asks_for_and_never_less_than_ours() {
        let (delivery, now) = (Uuid::now_v7(), DateTime::UNIX_EPOCH);
        let asked =
            |s| (next(delivery, 1, now, Some(Duration::from_secs(s))).unwrap() - now).num_seconds();
        assert_eq!(asked(600), 600);
        assert!(asked(1) >= 4);
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let waits: std::collections::HashSet<_> =
            (0..100).filter_map(|_| next(Uuid::now_v7(), 5, DateTime::UNIX_EPOCH, None)).collect();
        assert!(waits.len() > 20, "{}", waits.len());
    }
}
