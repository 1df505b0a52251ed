//! The `bodega` program.

mod admin;
mod app;
mod caller;
mod checks;
mod cli;
mod commands;
mod config;
mod demo;
mod forwarder;
mod graphql;
mod in_hand;
mod limits;
mod migrate;
mod news;
mod port;
mod private;
mod serve;
mod upkeep;
mod work;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    // Exactly one TLS provider, chosen before anything may ask for one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli::run(cli::Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // It may be that nobody can be told.
            let _ = writeln!(std::io::stderr(), "bodega: {problem}");
            ExitCode::FAILURE
        }
    }
}
