//! The command line.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::config::{Config, LogFormat};
use crate::{commands, serve};

/// Bodega: the back office of a shop, as one API.
///
/// Without a command it serves, and takes the options of `serve`.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// A file with settings (TOML); `bodega.toml` here is read anyway.
    #[arg(long, global = true, env = "BODEGA_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
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
    /// Writes a verified copy of the embedded database, also while the program runs.
    Backup {
        /// The file to write; it must not be there yet.
        file: PathBuf,
    },
    /// Puts a backup in the place of the embedded database, while the program is stopped.
    Restore {
        /// A file that `backup` has written.
        file: PathBuf,
        /// Also where there is a database already: it is kept beside the new one.
        #[arg(long)]
        force: bool,
        /// Only verifies the file.
        #[arg(long)]
        check: bool,
    },
    /// Loads products from a CSV file (`.csv` or `.csv.gz`) into an organization.
    Import {
        /// The file; its columns are those of the demo catalog.
        file: PathBuf,
        /// The organization's id.
        #[arg(long)]
        organization: String,
    },
    /// Forwards the organization's events to a URL of yours, signed, while you build a receiver.
    Listen(Listen),
    /// Sends a sample of an event to a URL of yours, or to a webhook endpoint.
    Trigger(Trigger),
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

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Prints the addresses and keys as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Makes no demo organization.
    #[arg(long)]
    no_demo: bool,
}

/// Which API to call, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// Where the API is.
    #[arg(long, env = "BODEGA_API_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// An API key.
    #[arg(long, env = "BODEGA_API_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where to, for example http://localhost:3000/hook.
    #[arg(long)]
    pub(crate) forward: String,
    /// Only these types, separated by commas: `product.created`, `product.*`.
    #[arg(long, value_delimiter = ',', default_value = "*")]
    pub(crate) events: Vec<String>,
    /// Begins after this `sequence`, 0 for the whole log; with what comes, where it is left out.
    #[arg(long)]
    pub(crate) after: Option<u64>,
    /// Signs with this secret (`whsec_…`, or `whsk_…` for Ed25519) instead of a new one.
    #[arg(long, env = "BODEGA_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) api: Api,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("to").required(true).args(["forward", "endpoint"])))]
pub(crate) struct Trigger {
    /// The type of event, for example `product.created`.
    pub(crate) event_type: String,
    /// A URL of yours; no API is needed for that.
    #[arg(long)]
    pub(crate) forward: Option<String>,
    /// The id of a webhook endpoint: the API sends it the sample.
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// With `--forward`: signs with this secret instead of a new one.
    #[arg(long, env = "BODEGA_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) api: Api,
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
    let given = cli.serve;
    let command = cli.command.unwrap_or(Command::Serve(Serve { json: false, no_demo: false }));
    if (given.json || given.no_demo) && !matches!(command, Command::Serve(_)) {
        return Err("`--json` and `--no-demo` are options of `serve`".to_owned());
    }
    match command {
        Command::Serve(Serve { json, no_demo }) => {
            config.demo &= !(no_demo || given.no_demo);
            serve::serve(config, json || given.json).await
        }
        Command::Worker => commands::worker(&config).await,
        Command::Migrate { status } => commands::migrate(&config, status).await,
        Command::Backup { file } => commands::backup(&config, &file).await,
        Command::Restore { file, force, check } => {
            commands::restore(&config, &file, force, check).await
        }
        Command::Import { file, organization } => {
            commands::import(&config, &file, &organization).await
        }
        Command::Listen(options) => commands::listen(options).await,
        Command::Trigger(options) => commands::trigger(options).await,
        Command::Keys(keys) => commands::keys(&config, keys).await,
        Command::Organizations(what) => commands::organizations(&config, what).await,
        Command::Contract { write } => commands::contract(write.as_deref()),
        Command::Doctor { ready } => commands::doctor(&config, ready).await,
    }
}

/// How loud the libraries are that say what no operator asks for; the setting `log` can name them.
const QUIET: &[(&str, &str)] = &[
    // It calls every request that it cannot read an error of the program's.
    ("actix_http", "off"),
    // They tell each step of a start and of an end.
    ("actix_server", "warn"),
    ("sea_orm_migration", "warn"),
    ("sqlx", "warn"),
];

/// Logs go to the error output, so that what a command answers can be piped.
fn log(config: &Config) -> Result<(), String> {
    let log = QUIET.iter().fold(config.log.clone(), |log, (who, level)| {
        if config.log.contains(who) { log } else { format!("{log},{who}={level}") }
    });
    let filter = tracing_subscriber::EnvFilter::try_new(log)
        .map_err(|error| format!("the setting `log` is not valid: {error}"))?;
    // Where a line cannot be written, nobody can be told: to try would end the thread that does.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Unfailing(std::io::stderr()))
        .with_ansi(colours())
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

/// Colours are for people at a terminal who have not asked for none (<https://no-color.org>).
fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}

/// Writes what can be written. A full disk, or a reader of the output that has gone, must not end the
/// thread that had something to say.
pub(crate) struct Unfailing<W>(pub(crate) W);

impl<W: Write> Write for Unfailing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(self.0.write(bytes).unwrap_or(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}
