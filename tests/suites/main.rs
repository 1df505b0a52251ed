//! Every suite, in one program: a module each.

mod attacks;
mod catalog;
mod chaos;
mod contract;
mod faults;
mod feed;
mod graphql;
mod guide;
mod hook;
mod ledger;
mod limits;
mod listen;
mod outage;
mod paging;
mod races;
mod selection;
mod ssrf;
mod walk;
