//! The courier against receivers that do everything wrong, and against addresses it must not reach.

mod addresses;
mod connections;
mod headers;
mod receivers;
mod signatures;
mod ssrf;
mod support;
mod tls;
