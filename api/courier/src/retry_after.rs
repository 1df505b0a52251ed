//! When a receiver wants to be asked again.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest that a receiver can put a message off.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A `Retry-After` header. A date stays a date until it is compared with the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// So long after the answer.
    Wait(Duration),
    /// Not before this instant.
    At(DateTime<Utc>),
}

impl RetryAfter {
    /// Reads the header: seconds, or a date in any of HTTP's three forms. What is neither counts as
    /// absent.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
            // Digits that do not fit are a long time, not a mistake.
            let seconds = header.parse().unwrap_or(u64::MAX);
            return Some(Self::Wait(Duration::from_secs(seconds).min(RETRY_AFTER_MAX)));
        }
        httpdate::parse_http_date(header).ok().map(|at| Self::At(at.into()))
    }

    /// How long to wait from `now` on: nothing for a date that has passed, and never more than 24
    /// hours.
    pub fn wait(self, now: DateTime<Utc>) -> Duration {
        match self {
            Self::Wait(wait) => wait.min(RETRY_AFTER_MAX),
            Self::At(at) => (at - now).to_std().unwrap_or_default().min(RETRY_AFTER_MAX),
        }
    }
}
