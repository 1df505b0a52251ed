//! `bodega listen` and `bodega trigger`: what a developer runs beside a receiver that is being built.

use std::process::{Output, Stdio};
use std::time::Duration;

use bodega_tests::{Db, Line, Proxy, Server, binary, both};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::hook::{Hook, Message};

both!(
    what_happens_is_forwarded,
    an_outage_of_the_api_loses_nothing,
    samples_are_sent_to_endpoints,
    what_cannot_work_ends_with_a_reason,
);

const PATIENCE: Duration = Duration::from_secs(30);
const HMAC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ED25519: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const ED25519_PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A running `bodega listen`.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said that messages are verified with.
    secret: String,
}

impl Listening {
    async fn start(url: &str, key: &str, hook: &Hook, more: &[&str]) -> Self {
        let mut child = bodega(&["listen", "--forward", &hook.url, "--url", url])
            .args(more)
            .env("BODEGA_API_KEY", key)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bodega program starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut listening = Self { child, lines, secret: String::new() };
        assert_eq!(listening.line().await, format!("Forwarding to  {}", hook.url));
        let secret = listening.line().await;
        listening.secret = secret.strip_prefix("Verify with    ").expect("a secret").to_owned();
        assert!(listening.line().await.starts_with("Events         "));
        assert_eq!(listening.line().await, "");
        listening
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        line.expect("its output").expect("it still runs: see its error output")
    }

    /// The next line: of this message, with this outcome and a time.
    async fn tells(&mut self, message: &Message, outcome: &str) {
        let line = self.line().await;
        let words: Vec<_> = line.split_whitespace().collect();
        let (kind, id) = (message.body["type"].as_str(), message.body["id"].as_str());
        assert_eq!(words[..3], [kind.expect("a type"), id.expect("an id"), outcome], "{line}");
        assert!(words[3].parse::<u64>().is_ok() && words[4..] == ["ms"], "{line}");
    }

    /// Ctrl-C.
    async fn interrupt(mut self) {
        let pid = self.child.id().expect("a running process").to_string();
        let sent = Command::new("kill").args(["-s", "INT", &pid]).status().await;
        assert!(sent.expect("the program `kill`").success());
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends in time");
        assert!(ended.expect("a process").success());
    }
}

/// The program, with nothing of this process's own settings, in a folder without a settings file.
fn bodega(words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(words).current_dir(std::env::temp_dir()).kill_on_drop(true);
    for name in ["BODEGA_API_KEY", "BODEGA_API_URL", "BODEGA_WEBHOOK_SECRET"] {
        command.env_remove(name);
    }
    command
}

async fn run(words: &[&str], key: &str) -> Output {
    let ran = bodega(words).env("BODEGA_API_KEY", key).output();
    timeout(PATIENCE, ran).await.expect("it ends in time").expect("the bodega program runs")
}

async fn brand(server: &Server, name: &str) -> String {
    let made = server.call("POST", "/v1/brands").json(&json!({ "name": name })).send().await;
    made.expect(201)["id"].as_str().expect("an id").to_owned()
}

async fn what_happens_is_forwarded(db: Db) {
    let (server, hook) = (Server::start(db).await, Hook::open().await);
    let only = ["--events", "brand.updated,brand.deleted"];
    let mut listening = Listening::start(&server.url, &server.live_key, &hook, &only).await;
    let path = format!("/v1/brands/{}", brand(&server, "Casa Ñandú").await);
    for name in ["Casa Norte", "Casa Sur"] {
        let named = json!({ "name": name });
        server.call("PATCH", &path).json(&named).send().await.expect(200);
    }
    let first = hook.take(204).await;
    listening.tells(&first, "204").await;
    assert_eq!(first.body["type"], "brand.updated");
    assert_eq!(first.body["data"]["name"], "Casa Norte");
    assert_eq!(first.body["previous"]["name"], "Casa Ñandú");
    assert_eq!(first.body["previous_sequence"], Value::Null);
    assert_eq!(first.body["id"], first.header("webhook-id"));
    assert!(listening.secret.starts_with("whsec_"), "{}", listening.secret);
    assert!(first.is_signed_with(&listening.secret));
    assert!(!first.is_signed_with(HMAC));

    // A receiver that fails is told of, and the next event comes all the same.
    let second = hook.take(500).await;
    listening.tells(&second, "500").await;
    assert_eq!(second.body["data"]["name"], "Casa Sur");
    assert_eq!(second.body["previous_sequence"], first.body["sequence"]);
    server.call("DELETE", &path).send().await.expect(200);
    let third = hook.take(204).await;
    assert_eq!(third.body["type"], "brand.deleted");
    assert_eq!(third.body["previous_sequence"], second.body["sequence"]);
    listening.tells(&third, "204").await;
    listening.interrupt().await;

    // From a place in the log, with a secret of one's own; and nobody listens there any more.
    let after = first.body["sequence"].to_string();
    let more = ["--after", &after, "--secret", ED25519];
    let mut listening = Listening::start(&server.url, &server.live_key, &hook, &more).await;
    assert_eq!(listening.secret, ED25519_PUBLIC);
    let again = hook.take_last(204).await;
    assert_eq!(again.body["id"], second.body["id"]);
    assert!(again.is_signed_with(ED25519));
    listening.tells(&again, "204").await;
    listening.tells(&third, "connection_refused").await;
    listening.interrupt().await;
}

async fn an_outage_of_the_api_loses_nothing(db: Db) {
    let (server, hook) = (Server::start(db).await, Hook::open().await);
    let proxy = Proxy::to(server.url.trim_start_matches("http://")).await;
    let url = format!("http://{}", proxy.address);
    let more = ["--events", "brand.*"];
    let mut listening = Listening::start(&url, &server.live_key, &hook, &more).await;
    brand(&server, "Before").await;
    let before = hook.take(204).await;
    listening.tells(&before, "204").await;
    proxy.set(Line::Refused);
    brand(&server, "Meanwhile").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.set(Line::Whole);
    let meanwhile = hook.take(204).await;
    assert_eq!(meanwhile.body["data"]["name"], "Meanwhile");
    assert_eq!(meanwhile.body["previous_sequence"], before.body["sequence"]);
    listening.tells(&meanwhile, "204").await;
    listening.interrupt().await;
}

async fn samples_are_sent_to_endpoints(db: Db) {
    let settings = [("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#)];
    let (server, hook) = (Server::start_with(db, &settings).await, Hook::open().await);
    let body = json!({"url": hook.url, "event_types": ["brand.*"], "secret": HMAC});
    let made = server.call("POST", "/v1/webhook_endpoints").json(&body).send().await.expect(201);
    let endpoint = made["id"].as_str().expect("an id");
    let words = ["trigger", "product.created", "--endpoint", endpoint, "--url", &server.url];
    for (status, works) in [(204, true), (500, false)] {
        let (message, ran) = tokio::join!(hook.take(status), run(&words, &server.live_key));
        assert!(message.is_signed_with(HMAC));
        assert_eq!(message.body["type"], "product.created");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(said.contains(&status.to_string()), "{said}");
        assert!(said.contains(message.header("webhook-id")), "{said}");
        assert_eq!(ran.status.success(), works, "{ran:?}");
    }
}

/// No API is asked: the program knows the samples.
#[tokio::test]
async fn samples_are_sent_to_a_url() {
    let hook = Hook::open().await;
    for (secret, shown) in [(HMAC, HMAC), (ED25519, ED25519_PUBLIC)] {
        let words = ["trigger", "brand.created", "--forward", &hook.url, "--secret", secret];
        let (message, ran) = tokio::join!(hook.take(204), run(&words, ""));
        assert!(message.is_signed_with(secret));
        assert_eq!(message.body["type"], "brand.created");
        assert_eq!(message.body["id"], message.header("webhook-id"));
        assert!(String::from_utf8_lossy(&ran.stdout).contains(shown), "{ran:?}");
        assert!(ran.status.success(), "{ran:?}");
    }
    let words = ["trigger", "brand.created", "--forward", &hook.url];
    let (_, ran) = tokio::join!(hook.take(500), run(&words, ""));
    assert!(!ran.status.success(), "{ran:?}");
}

async fn what_cannot_work_ends_with_a_reason(db: Db) {
    let (server, hook) = (Server::start(db).await, Hook::open().await);
    let (url, key) = (server.url.as_str(), server.live_key.as_str());
    let listen = ["listen", "--forward", &hook.url, "--url"];
    let trigger = ["trigger", "brand.create", "--forward", &hook.url];
    let nobody = "http://127.0.0.1:9";
    for (words, key, reason) in [
        ([&listen[..], &[url]].concat(), "bdg_live_wrong", "401 unauthenticated"),
        ([&listen[..], &[nobody]].concat(), key, "http://127.0.0.1:9 does not answer"),
        ([&listen[..], &["not a URL"]].concat(), key, "is not the URL of an API"),
        ([&listen[..], &[url, "--events", "brand.create"]].concat(), key, "fits no type of event"),
        ([&listen[..], &[url, "--secret", "whsec_short"]].concat(), key, "the secret:"),
        (vec!["listen", "--forward", "ftp://localhost", "--url", url], key, "`https://`"),
        (trigger.to_vec(), key, "brand.create is no type of event"),
        (vec!["trigger", "brand.created"], key, "--forward"),
        (vec!["trigger", "brand.created", "--endpoint", "whe_1", "--url", url], key, "404"),
    ] {
        let ran = run(&words, key).await;
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(reason), "{words:?}: {said}");
    }
}
