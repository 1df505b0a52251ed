//! Every suite, in one program: a module each.

mod attacks;
mod backup;
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
mod links;
mod listen;
mod outage;
mod paging;
mod races;
mod retention;
mod selection;
mod ssrf;
mod storage;
mod walk;
