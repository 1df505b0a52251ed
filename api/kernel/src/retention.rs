//! How long each log is kept.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Platform, micros};

/// How long each log is kept: given as a port at the start; as here where nobody gives it.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Days of the request log.
    pub requests_days: u32,
    /// Days of events. One that is still to be delivered stays.
    pub events_days: u32,
    /// Days of deliveries that have ended.
    pub deliveries_days: u32,
    /// Days of the tries of a delivery.
    pub attempts_days: u32,
    /// Days of the audit log; 0 for ever.
    pub audit_days: u32,
    /// Days of jobs that failed too often; 0 for ever.
    pub dead_jobs_days: u32,
    /// Hours of answers that are kept to answer a retry with.
    pub idempotency_hours: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            requests_days: 30,
            events_days: 90,
            deliveries_days: 90,
            attempts_days: 90,
            audit_days: 0,
            dead_jobs_days: 0,
            idempotency_hours: 48,
        }
    }
}

impl Retention {
    /// What this platform was told.
    pub fn of(platform: &Platform) -> Self {
        platform.ports.get::<Self>().map_or_else(|_| Self::default(), Arc::unwrap_or_clone)
    }

    /// What was made before this is kept no longer; `None` where all is kept for ever.
    pub fn before(now: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
        (days > 0).then(|| micros(now) - TimeDelta::days(days.into()))
    }
}
