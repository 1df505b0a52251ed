//! Headers that say two things, and where a call comes from.

use std::process::Stdio;
use std::time::Duration;

use bodega_tests::{Db, Server, both};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::sleep;

use super::line::{Line, request};

both!(an_address_is_what_the_proxies_say);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_stand_twice_are_refused() {
    let server = Server::start(Db::Sqlite).await;
    for (name, one, other) in [
        ("Authorization", format!("Bearer {}", server.live_key), "Bearer x".to_owned()),
        ("Authorization", "Bearer x".to_owned(), format!("Bearer {}", server.live_key)),
        ("Origin", "https://a.example".to_owned(), "https://b.example".to_owned()),
        ("Content-Type", "application/json".to_owned(), "text/plain".to_owned()),
        ("Idempotency-Key", "one".to_owned(), "two".to_owned()),
        ("If-Match", "1".to_owned(), "1".to_owned()),
    ] {
        let key = if name == "Authorization" { "" } else { server.live_key.as_str() };
        let twice = format!("{name}: {one}\r\n{name}: {other}\r\nConnection: close\r\n\r\n");
        for (method, path) in [
            ("GET", "/v1/brands"),
            ("POST", "/v1/brands"),
            ("POST", "/graphql"),
            ("GET", "/graphql"),
        ] {
            let mut line = Line::to(&server).await;
            line.send(request(method, path, key, &twice)).await;
            let answer = line.closed().await.1;
            assert!(answer.starts_with("http/1.1 400 "), "{name} {method} {path}: {answer}");
            assert!(answer.contains("malformed_request"), "{name}: {answer}");
            assert!(answer.contains(&format!("/{}", name.to_lowercase())), "{name}: {answer}");
        }
    }
}

async fn an_address_is_what_the_proxies_say(db: Db) {
    let server = Server::start_with(db, &[("BODEGA_TRUSTED_PROXIES", "2")]).await;
    let body = json!({"name": "Held", "plan": "scale", "scopes": ["catalog:read"],
        "allowed_ips": ["203.0.113.7", "2001:db8::/32"]});
    let made = server.call("POST", "/v1/api_keys").json(&body).send().await.expect(201);
    let key = made["secret"].as_str().expect("a secret");
    let proxy = "10.0.0.2";
    for (lines, let_in) in [
        (vec![("X-Forwarded-For", format!("203.0.113.7, {proxy}"))], true),
        (
            vec![
                ("X-Forwarded-For", "203.0.113.7".to_owned()),
                ("X-Forwarded-For", proxy.to_owned()),
            ],
            true,
        ),
        // What the caller sent itself is further away than two proxies.
        (
            vec![
                ("X-Forwarded-For", "203.0.113.7".to_owned()),
                ("X-Forwarded-For", format!("198.51.100.9, {proxy}")),
            ],
            false,
        ),
        (vec![("X-Forwarded-For", format!("203.0.113.7, 198.51.100.9, {proxy}"))], false),
        (vec![("X-Forwarded-For", "203.0.113.7".to_owned())], false),
        (vec![("Forwarded", format!("for=\"[2001:db8::1]:4711\", for={proxy}"))], true),
        (
            vec![
                ("Forwarded", "for=203.0.113.7;proto=https".to_owned()),
                ("Forwarded", format!("for={proxy}")),
            ],
            true,
        ),
        (vec![("Forwarded", format!("for=_hidden, for={proxy}"))], false),
        (
            vec![("Forwarded", format!("for=203.0.113.7;x=\", for=198.51.100.9, for={proxy}"))],
            false,
        ),
        (
            vec![
                ("X-Forwarded-For", format!("203.0.113.7, {proxy}")),
                ("Forwarded", format!("for=198.51.100.9, for={proxy}")),
            ],
            false,
        ),
        (
            vec![
                ("X-Forwarded-For", format!("203.0.113.7, {proxy}")),
                ("Forwarded", format!("for=203.0.113.7, for={proxy}")),
            ],
            true,
        ),
        (Vec::new(), false),
    ] {
        let mut line = Line::to(&server).await;
        let more: String =
            lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let more = format!("{more}Connection: close\r\n\r\n");
        line.send(request("GET", "/v1/brands?limit=1", key, &more)).await;
        let head = line.head().await;
        let status = if let_in { "http/1.1 200 " } else { "http/1.1 403 " };
        assert!(head.starts_with(status), "{lines:?}: {head}");
    }
}

/// What cannot be read as a request is its sender's fault, and nothing for whoever watches the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_no_errors_of_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(bodega_tests::binary())
        .args(["serve", "--json"])
        .env("BODEGA_LISTEN", "127.0.0.1:0")
        .env("BODEGA_ADMIN_LISTEN", "127.0.0.1:0")
        .env("BODEGA_DATA_DIR", folder.path())
        .env("BODEGA_DEMO_PRODUCTS", "1")
        .env("BODEGA_LOG", "info")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program");
    let mut out = child.stdout.take().expect("its output");
    let mut banner = Vec::new();
    while !banner.ends_with(b"\n") {
        banner.push(out.read_u8().await.expect("a banner"));
    }
    let banner: serde_json::Value = serde_json::from_slice(&banner).expect("JSON");
    let url = banner["url"].as_str().expect("a URL");
    for bytes in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET /v1 HTTP/1.1\r\nno header\r\n\r\n".to_owned(),
        "POST /v1/brands HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /v1/brands HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_owned(),
        "POST /v1/brands HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        format!("GET /v1 HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000)),
    ] {
        let mut line = Line::from(url, "127.0.0.1").await;
        line.send(&bytes).await;
        let wait = tokio::time::timeout(Duration::from_secs(20), line.closed()).await;
        assert!(wait.is_ok(), "{bytes:.60?}");
    }
    sleep(Duration::from_millis(300)).await;
    child.kill().await.expect("an end");
    let mut log = String::new();
    child.stderr.take().expect("its log").read_to_string(&mut log).await.expect("text");
    assert!(!log.contains("ERROR"), "{log}");
}
