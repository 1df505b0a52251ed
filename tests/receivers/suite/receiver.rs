//! A receiver as a process: the very program that the guide shows.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a receiver may take to start, or to say what came.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a receiver is written in.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    JavaScript,
    Python,
    Rust,
}

/// A receiver that knows one secret. It is killed when dropped.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Language {
    fn command(self) -> Command {
        let receivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers");
        match self {
            Self::JavaScript => {
                let mut command = Command::new("node");
                command.arg("receiver.js").current_dir(receivers.join("javascript"));
                command
            }
            Self::Python => {
                let folder = receivers.join("python");
                let mut command = Command::new(folder.join(".venv/bin/python"));
                command.arg("receiver.py").current_dir(folder);
                command
            }
            Self::Rust => Command::new(bodega_tests::binary().with_file_name("bodega-receiver")),
        }
    }
}

impl Receiver {
    pub async fn start(language: Language, secret: &str) -> Self {
        let mut child = language
            .command()
            .env("WEBHOOK_SECRET", secret)
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{language:?} is not installed ({error}): tests/run"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
        let first = first.expect("its output").expect("it runs: see its error output");
        let url = first.strip_prefix("listening on ").expect("where it listens");
        Self { url: format!("{url}/hook"), lines, _child: child }
    }

    /// Waits until it said of each of these events that it verified it.
    pub async fn verified(&mut self, events: &[String]) {
        let mut missing = events.to_vec();
        while !missing.is_empty() {
            let line = self.line().await;
            // Others come in between: what another receiver refused is tried again here.
            if let Some(rest) = line.strip_prefix("204 ") {
                missing.retain(|id| !rest.contains(id.as_str()));
            }
        }
    }

    /// Waits until it said that it refused something.
    pub async fn refused(&mut self) {
        while !self.line().await.starts_with("400 ") {}
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        line.expect("its output").expect("it still runs")
    }
}
