//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, LogFormat};
use crate::{commands, serve};

/// Bodega: the back office of a shop, as one API.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// A file with settings (TOML); `bodega.toml` here is read anyway.
    #[arg(long, global = true, env = "BODEGA_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API and its docs; what happens where no command is given.
    Serve(Serve),
    /// Sends webhooks and does chores, without answering calls; any number of them may run.
    Worker,
    /// Runs what is missing of the migrations.
    Migrate {
        /// Only says what is missing.
        #[arg(long)]
        status: bool,
    },
    /// Loads products from a CSV file (`.csv` or `.csv.gz`) into an organization.
    Import {
        /// The file; its columns are those of the demo catalog.
        file: PathBuf,
        /// The organization's id.
        #[arg(long)]
        organization: String,
    },
    /// Makes and ends API keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Makes and lists organizations.
    #[command(subcommand)]
    Organizations(Organizations),
    /// Shows, checks or writes the contract: every operation there is.
    Contract {
        /// Writes the generated artifacts into this folder.
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Checks the configuration, the database and what else is configured.
    Doctor {
        /// Only asks whether the running program is ready; for a container's health check.
        #[arg(long)]
        ready: bool,
    },
}

#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// Prints the addresses and keys as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Makes no demo organization.
    #[arg(long)]
    no_demo: bool,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Makes a key and prints its secret, once.
    Create {
        /// The organization's id; may be left out where there is only one that is live.
        #[arg(long)]
        organization: Option<String>,
        /// What the key is for.
        #[arg(long, default_value = "Made on the command line")]
        name: String,
        /// `read`, `write` or `admin`.
        #[arg(long)]
        preset: Option<String>,
        /// Scopes, separated by commas; `*` for all of them.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
        /// `trial`, `standard`, `plus` or `scale`.
        #[arg(long, default_value = "standard")]
        plan: String,
    },
    /// Lists an organization's keys.
    List {
        /// The organization's id.
        #[arg(long)]
        organization: String,
    },
    /// Ends a key at once.
    Revoke {
        /// The organization's id.
        #[arg(long)]
        organization: String,
        /// The key's id.
        key: String,
    },
}

/// What to do with organizations.
#[derive(Debug, Subcommand)]
pub(crate) enum Organizations {
    /// Founds an organization with its sandbox, and prints a first key to each.
    Create {
        /// What it is called.
        name: String,
    },
    /// Lists every organization.
    List,
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<(), String> {
    let mut config = Config::read(cli.config.as_deref())?;
    log(&config)?;
    match cli.command.unwrap_or_else(|| Command::Serve(Serve::default())) {
        Command::Serve(Serve { json, no_demo }) => {
            config.demo &= !no_demo;
            serve::serve(config, json).await
        }
        Command::Worker => commands::worker(&config).await,
        Command::Migrate { status } => commands::migrate(&config, status).await,
        Command::Import { file, organization } => {
            commands::import(&config, &file, &organization).await
        }
        Command::Keys(keys) => commands::keys(&config, keys).await,
        Command::Organizations(what) => commands::organizations(&config, what).await,
        Command::Contract { write } => commands::contract(write.as_deref()),
        Command::Doctor { ready } => commands::doctor(&config, ready).await,
    }
}

/// Logs go to the error output, so that what a command answers can be piped.
fn log(config: &Config) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|error| format!("the setting `log` is not valid: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
