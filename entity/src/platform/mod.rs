//! Tables of the platform rather than of a shop: reached by key, never listed to a caller.

pub mod event_stream;
pub mod idempotency_record;
pub mod job;
pub mod job_schedule;
pub mod key_usage;
pub mod setting;
