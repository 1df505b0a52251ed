//! Resources and operations as data.
//!
//! A domain declares a [`Resource`]; the [`Registry`] is the list of all of them. Every door (REST,
//! docs, batch, later GraphQL and MCP) is a function of that list, and hands each call to the
//! corridor, a crate of its own and the only one to run a [`Handler`].
//!
//! Read on with [`Operation`] (what a door sees), the ports [`Authenticator`], [`Limiter`] and
//! [`Recorder`].

mod handler;
mod link;
mod list;
mod operation;
mod ports;
mod registry;
mod resource;
mod schema;
mod standard;
mod transition;

pub use link::{Leads, Link, Load, LoadPages};
pub use list::{FilterKind, FilterRule, LINK_ROWS, ListRules, WrongValue, id_prefix, read_id};
pub use operation::{
    Deprecation, Handler, Input, Kind, Method, Operation, Output, Prepared, Reply,
};
pub use ports::{
    Authenticator, Caller, Counted, Credentials, Entry, LimitState, Limiter, Plan, Policy,
    Principal, Quota, Recorder,
};
pub use registry::{Registry, Route};
pub use resource::{Access, Declared, Deleted, Resource};
pub use schema::{Schema, Schemas};
pub use transition::{Life, Transition, drawing};
