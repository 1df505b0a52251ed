//! The `bodega` program.

mod admin;
mod app;
mod caller;
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
mod serve;
mod upkeep;
mod work;

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
            eprintln!("bodega: {problem}");
            ExitCode::FAILURE
        }
    }
}
