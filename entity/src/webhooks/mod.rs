//! The event log.

pub mod event;
