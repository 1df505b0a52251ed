//! `bodega-load`: how fast the server is, against what the same machine does without it.
//!
//! Use `tests/load/run`, which builds it and starts a PostgreSQL. It prints what it measures and
//! judges nothing but failures: an aim that is missed is said, not punished.

mod http;
mod process;
mod report;
mod round;
mod scenario;
mod stage;
mod webhooks;
mod yardstick;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::time::sleep;

use crate::report::Memories;
use crate::round::Pace;
use crate::scenario::Scenarios;
use crate::stage::{Db, Stage};

// The server's own, so that the yardstick is no shorter or longer for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WARM_UP: Duration = Duration::from_secs(1);
/// Idle is a while after the start.
const IDLE: Duration = Duration::from_secs(5);

/// Measures a server on both databases.
#[derive(Parser)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// How long a round is measured, after a second of warm-up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is measured; what is printed is the middle one.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// How many ask at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// The databases.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres")]
    databases: Vec<Db>,
    /// What is measured.
    #[arg(long, value_delimiter = ',', default_value = "calls,webhooks")]
    parts: Vec<Part>,
    /// The core that the server has for itself.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the client (and, with `tests/load/run`, of PostgreSQL).
    #[arg(long, default_value_t = 1)]
    client_core: usize,
}

/// A part of what there is to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Calls to the API.
    Calls,
    /// From events to deliveries.
    Webhooks,
}

#[derive(Subcommand)]
enum Command {
    /// Serves what the server is measured against.
    #[command(hide = true)]
    Yardstick { database_url: String },
    /// Posts as fast as the courier can, and prints the rate.
    #[command(hide = true)]
    Poster { url: String, bytes: usize, seconds: u64 },
}

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    if let Some(command) = &cli.command {
        actix_web::rt::System::new().block_on(async {
            match command {
                Command::Yardstick { database_url } => yardstick::serve(database_url).await,
                Command::Poster { url, bytes, seconds } => {
                    webhooks::poster::run(url, *bytes, *seconds).await;
                }
            }
        });
        return ExitCode::SUCCESS;
    }
    if !process::pin_self(cli.client_core) {
        println!("The client could not be kept on core {}: expect noise.", cli.client_core);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let failures = runtime.expect("a runtime").block_on(async {
        let mut failures = 0;
        for db in &cli.databases {
            if cli.parts.contains(&Part::Calls) {
                failures += measure(*db, &cli).await;
            }
            if cli.parts.contains(&Part::Webhooks) {
                webhooks::measure(*db, &cli).await;
            }
        }
        failures
    });
    match failures {
        0 => ExitCode::SUCCESS,
        some => {
            println!("\n{some} requests failed.");
            ExitCode::FAILURE
        }
    }
}

/// Measures one database and prints it; says how many requests failed.
async fn measure(db: Db, cli: &Cli) -> u64 {
    let pace = Pace {
        connections: usize::from(cli.connections),
        warm_up: WARM_UP,
        measured: Duration::from_secs(cli.seconds),
        server_core: cli.server_core,
        client_core: cli.client_core,
    };
    let stage = Stage::set(db).await;
    println!("\n── {db:?}: loading the demo ──");
    let first = stage.server(None);
    let loading = process::memory(first.pid());
    first.stop().await;

    let server = stage.server(Some(cli.server_core));
    sleep(IDLE).await;
    let idle = process::memory(server.pid());
    let yardstick = stage.yardstick(cli.server_core);
    let mut scenarios = Scenarios::prepare(&server, &yardstick).await;
    println!(
        "── {db:?}: {} rounds of {} s, {} connections; server on core {}, client on core {} ──\n",
        cli.rounds, cli.seconds, cli.connections, cli.server_core, cli.client_core
    );
    scenarios.measure(&server, usize::from(cli.rounds), &pace).await;
    let loaded = process::memory(server.pid());

    report::print(&scenarios, &Memories { loading, idle, loaded });
    drop(yardstick);
    server.stop().await;
    stage.clear().await;
    scenarios.all().iter().map(|scenario| scenario.failures()).sum()
}
