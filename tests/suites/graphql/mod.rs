//! The GraphQL door: the same operations as REST, walked; and all that is its own.

mod attacks;
pub mod graph;
mod http;
mod idempotency;
mod lists;
mod nodes;
mod pages;
mod parity;
mod problems;
mod statements;
mod subscriptions;
mod trusted;
