//! Every suite, in one program: a module each.

mod catalog;
mod faults;
mod ledger;
mod limits;
mod paging;
mod races;
mod walk;
