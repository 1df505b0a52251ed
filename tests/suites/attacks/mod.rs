//! Attacks: what a caller may try in order to hurt others, to see what is not theirs, or to end the
//! program; each is answered, in bounded time and memory, while others go on.

mod answers;
mod bystander;
mod changes;
mod edges;
mod filters;
mod fuzz;
mod keys;
mod log;
mod shares;
mod sight;
mod storm;
