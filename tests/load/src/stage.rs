//! What is measured: a database, the server over it, and the yardstick beside it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take to finish what it has in hand.
const STOP: Duration = Duration::from_secs(40);

/// Which database a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Db {
    /// The embedded one.
    Sqlite,
    /// A database of its own on the server that `BODEGA_TEST_POSTGRES_URL` names.
    Postgres,
}

/// A database, and a folder for the programs over it.
pub(crate) struct Stage {
    pub(crate) database_url: String,
    folder: TempDir,
    /// Where to drop it when all is done.
    postgres: Option<(String, String)>,
    /// Products of the demo; all of them where it is not set.
    products: Option<usize>,
}

/// A started program. It is killed when dropped.
pub(crate) struct Program {
    /// The first line that it printed.
    pub(crate) banner: Value,
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Stage {
    /// An empty database.
    pub(crate) async fn set(db: Db) -> Self {
        let folder = TempDir::with_prefix("bodega-load-").expect("a folder");
        if db == Db::Sqlite {
            let file = folder.path().join("bodega.db");
            let database_url = format!("sqlite://{}?mode=rwc", file.display());
            return Self { database_url, folder, postgres: None, products: None };
        }
        let server = std::env::var("BODEGA_TEST_POSTGRES_URL")
            .expect("BODEGA_TEST_POSTGRES_URL names a PostgreSQL server: use tests/load/run");
        let name = format!("bodega_load_{}", uuid::Uuid::now_v7().simple());
        run_sql(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("a database's URL");
        let database_url = format!("{base}/{name}");
        Self { database_url, folder, postgres: Some((server, name)), products: None }
    }

    /// The same with hardly a product, for what does not depend on them.
    pub(crate) fn small(self) -> Self {
        Self { products: Some(40), ..self }
    }

    /// The server under test: on any core, or on this one alone.
    pub(crate) fn server(&self, core: Option<usize>) -> Program {
        let mut command = command(&binary(), core);
        command
            .args(["serve", "--json"])
            .env("BODEGA_LISTEN", "127.0.0.1:0")
            .env("BODEGA_ADMIN_LISTEN", "127.0.0.1:0")
            .env("BODEGA_DATA_DIR", self.folder.path())
            .env("BODEGA_DATABASE_URL", &self.database_url)
            .env("BODEGA_LOG", "warn")
            .env("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#)
            .env("BODEGA_WORKERS", "1");
        if let Some(products) = self.products {
            command.env("BODEGA_DEMO_PRODUCTS", products.to_string());
        }
        self.start(command)
    }

    /// The yardstick, on this core.
    pub(crate) fn yardstick(&self, core: usize) -> Program {
        let own = std::env::current_exe().expect("the program's own path");
        let mut command = command(&own, Some(core));
        command.args(["yardstick", &self.database_url]);
        self.start(command)
    }

    /// The courier alone, on this core: it is done when it has started.
    pub(crate) fn poster(
        &self,
        core: usize,
        sink: &SocketAddr,
        bytes: usize,
        seconds: u64,
    ) -> Program {
        let own = std::env::current_exe().expect("the program's own path");
        let mut command = command(&own, Some(core));
        let url = format!("http://{sink}/bare");
        command.args(["poster", &url, &bytes.to_string(), &seconds.to_string()]);
        self.start(command)
    }

    /// Takes everything away.
    pub(crate) async fn clear(self) {
        if let Some((server, name)) = &self.postgres {
            run_sql(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    fn start(&self, mut command: Command) -> Program {
        // Not the settings of whoever works here.
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("setpriv and taskset, of util-linux");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut banner = String::new();
        output.read_line(&mut banner).expect("its output");
        let banner = serde_json::from_str(&banner).expect("a banner; see its error output");
        Program { banner, child, _output: output }
    }
}

impl Program {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self, member: &str) -> SocketAddr {
        let url = self.banner[member].as_str().expect("an address in the banner");
        url.trim_start_matches("http://").parse().expect("an address in the banner")
    }

    /// Lets it finish, and end.
    pub(crate) async fn stop(mut self) {
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let begun = Instant::now();
        while self.child.try_wait().expect("a child process").is_none() {
            assert!(begun.elapsed() < STOP, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that goes when this one does, on any core or on this one alone, and without settings.
fn command(program: &Path, core: Option<usize>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "taskset", "-c"]);
    // What is started inherits the core of this process otherwise.
    command.arg(core.map_or_else(|| "0-1023".to_owned(), |core| core.to_string()));
    command.arg(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BODEGA_") {
            command.env_remove(name);
        }
    }
    command
}

/// `bodega`, beside which cargo puts this program.
fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("BODEGA_TEST_BINARY") {
        return given.into();
    }
    let own = std::env::current_exe().expect("the program's own path");
    let binary = own.with_file_name("bodega");
    assert!(binary.exists(), "{} is not built: use tests/load/run", binary.display());
    binary
}

async fn run_sql(server: &str, sql: &str) {
    let connection = Database::connect(server).await.expect("PostgreSQL");
    connection.execute_unprepared(sql).await.expect("a statement");
    let _ = connection.close().await;
}
