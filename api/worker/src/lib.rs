//! What is done beside the calls: jobs from our own table, run by workers of apalis; chores that
//! recur; and the relay, which numbers events and hands them on.
//!
//! Any number of processes may run a [`Worker`] over one database. A domain gives it a [`Handler`]
//! for each of its queues and a [`Consumer`] for what follows from events.

mod backend;
mod figures;
mod queue;
mod relay;
mod schedule;
mod worker;

pub use figures::{Figures, Listed};
pub use queue::{Done, Taken, purge_dead};
pub use relay::{Ahead, Batch, Consumed, Consumer, NUMBERED, Relay};
pub use schedule::{Chore, tick};
pub use worker::{Handler, Parts, Stop, Work, Worker};
