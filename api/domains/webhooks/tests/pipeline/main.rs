//! The way of an event, from its commit to its receiver: over both databases, with processes that
//! really work, a clock that the tests turn, and a carrier that they tell what to answer.

mod breaker;
mod carrier;
mod explain;
mod filters;
mod kept;
mod lifecycle;
mod order;
mod payload;
mod random;
mod relay;
mod retry;
mod shop;
