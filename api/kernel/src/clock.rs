//! Time as a port: tests and sandboxes can turn the clock.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The instant it is.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The machine's clock, turned by as much as a test likes.
#[derive(Debug, Default)]
pub struct TurnedClock {
    ahead_ms: AtomicI64,
}

impl TurnedClock {
    /// Turns the clock forward.
    pub fn turn(&self, by: TimeDelta) {
        self.ahead_ms.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }
}

/// Cut to microseconds, which is what PostgreSQL keeps: a time read back equals the time written.
pub fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}
