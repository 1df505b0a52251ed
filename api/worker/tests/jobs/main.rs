//! The queue of jobs over both databases: real workers, and a clock that the tests turn.

mod bench;
mod chores;
mod failures;
mod lease;
mod races;
mod stop;
mod transactions;
mod turns;
mod unique;
