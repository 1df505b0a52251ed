//! Answers that are not read, and connections without number.

use std::time::Duration;

use bodega_tests::{Db, Server, Setup};
use futures::future::join_all;
use tokio::time::sleep;

use super::line::{Line, request};
use super::withstood;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_read_is_given_up() {
    let server = Server::start(Db::Sqlite).await;
    let get = request("GET", "/openapi.json", "", "\r\n");
    let one = server.call_without_key("GET", "/openapi.json").send().await.bytes.len();
    let asked = 16;
    // More than systems keep on the way, or it would not wait here.
    println!("{asked} answers of {one} bytes");
    assert!(asked * one > 8_000_000);
    let unread = async |_| {
        let mut line = Line::narrow(&server).await;
        line.send(get.repeat(asked)).await;
        // Longer than an answer may wait.
        sleep(Duration::from_secs(45)).await;
        let got = line.rest().await.len();
        assert!(got < asked * one, "all {got} bytes were still there");
    };
    withstood(&server, Duration::from_secs(90), join_all((0..20).map(unread))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_not_cut_off() {
    let server = Server::start(Db::Sqlite).await;
    let whole = server.call_without_key("GET", "/openapi.json").send().await.bytes.len();
    let get = request("GET", "/openapi.json", "", "Connection: close\r\n\r\n");
    let mut line = Line::narrow(&server).await;
    line.send(get).await;
    let head = line.head().await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    sleep(Duration::from_secs(12)).await;
    assert_eq!(line.rest().await.len(), whole);
}

/// Whether the operator's port says that all is well.
async fn operator(server: &Server) -> bool {
    for path in ["livez", "readyz"] {
        let mut line = Line::from(&server.admin_url, "127.0.0.1").await;
        line.send(request("GET", &format!("/{path}"), "", "Connection: close\r\n\r\n")).await;
        let answer = tokio::time::timeout(Duration::from_secs(10), line.head()).await;
        if !answer.is_ok_and(|head| head.starts_with("http/1.1 200 ")) {
            return false;
        }
    }
    true
}

/// What a new connection from there hears.
async fn asked_from(server: &Server, address: &str) -> String {
    let mut line = Line::from(&server.url, address).await;
    line.send(request("GET", "/livez", "", "Connection: close\r\n\r\n")).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), line.head()).await;
    answer.expect("an answer or an end").split("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_is_answered_when_the_public_port_is_full() {
    let setup = Setup::of(Db::Sqlite, &[("BODEGA_CONNECTIONS", "60")]).await;
    let server = setup.start().await;
    let began = std::time::Instant::now();
    let held = join_all((0..100).map(|_| Line::to(&server))).await;
    // Each thread lets in those that were handed to it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The first headers of a connection may take five seconds.
    assert!(operator(&server).await, "the operator's port does not answer");
    if began.elapsed() < Duration::from_secs(3) {
        let told = asked_from(&server, "127.0.0.2").await;
        assert!(told.is_empty() || told.contains("503"), "{told}");
    }
    drop(held);
    for _ in 0..100 {
        if asked_from(&server, "127.0.0.2").await.contains("200") {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("the public port stays full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_share_of_connections() {
    let setup = Setup::of(Db::Sqlite, &[("BODEGA_CONNECTIONS_PER_ADDRESS", "30")]).await;
    let server = setup.start().await;
    let began = std::time::Instant::now();
    let held = join_all((0..60).map(|_| Line::from(&server.url, "127.0.0.3"))).await;
    let told = asked_from(&server, "127.0.0.3").await;
    if began.elapsed() < Duration::from_secs(3) {
        assert!(told.is_empty() || told.contains("503"), "{told}");
    }
    assert!(asked_from(&server, "127.0.0.4").await.contains("200"));
    assert!(operator(&server).await);
    // Who says nothing loses its place.
    let closed = join_all(held.into_iter().map(Line::closed)).await;
    assert!(closed.iter().all(|(after, _)| *after < Duration::from_secs(20)));
    assert!(asked_from(&server, "127.0.0.3").await.contains("200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_before_its_turn_waits() {
    let server = Server::start(Db::Sqlite).await;
    let newest = "/v1/events?sequence[is_null]=false&limit=1";
    let newest = server.call("GET", newest).send().await.expect(200);
    let after = newest["data"][0]["sequence"].as_i64().unwrap_or(0);
    let path = format!("/v1/events?wait_s=8&after={after}");
    let wait = request("GET", &path, &server.live_key, "\r\n");
    let next = request("GET", "/livez", "", "\r\n");
    withstood(&server, Duration::from_secs(60), async {
        let flood = async |_| {
            let mut line = Line::to(&server).await;
            line.send(&wait).await;
            let all = next.repeat(500_000 / next.len());
            let (mut reading, mut writing) = line.0.split();
            let sent = tokio::io::AsyncWriteExt::write_all(&mut writing, all.as_bytes());
            let mut part = vec![0; 4096];
            let read = tokio::io::AsyncReadExt::read(&mut reading, &mut part);
            let (_, read) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), sent), read);
            let said = String::from_utf8_lossy(&part[..read.expect("an answer")]).to_lowercase();
            assert!(said.starts_with("http/1.1 200 "), "{said}");
        };
        join_all((0..10).map(flood)).await;
    })
    .await;
}
