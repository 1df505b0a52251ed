//! Requests that do not come to their end, and bodies that never do.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server};
use futures::future::join_all;
use tokio::time::sleep;

use super::line::{Line, request};
use super::withstood;

const CHUNKED: &str = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What is read of a body after its answer, together with what systems keep on the way.
const TAKEN_BYTES_MAX: usize = 64 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_come_is_not_waited_for() {
    let server = Server::start(Db::Sqlite).await;
    let key = server.live_key.clone();
    let post = |path: &str| request("POST", path, &key, CHUNKED);
    let silent = ["/v1/brands", "/graphql", "/v1/batch"].map(|path| (post(path), "", 408));
    // A byte a second is progress, and too little of it.
    let trickle = ["/v1/brands", "/graphql"].map(|path| (post(path), "1\r\n \r\n", 408));
    let get = request("GET", "/v1/brands?limit=1", &key, "");
    // The headers of a first request, and of one that follows another.
    let heads = [
        (get.clone(), "X-Slow: 1\r\n", 408),
        (format!("{get}\r\n{get}"), "X-Slow: 1\r\n", 200),
        (format!("{get}\r\n"), "", 200),
        (String::new(), "G", 408),
        (String::new(), "", 408),
    ];
    let all = silent.into_iter().chain(trickle).chain(heads);
    withstood(&server, Duration::from_secs(50), async {
        join_all(all.map(|(begin, more, status)| slow(&server, begin, more, status))).await;
    })
    .await;
}

/// Sends a beginning, and a little more every second until the other end has closed.
async fn slow(server: &Server, begin: String, more: &str, status: u16) {
    let (mut line, began) = (Line::to(server).await, Instant::now());
    line.send(&begin).await;
    let (mut reading, mut writing) = line.0.into_split();
    let trickle = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut writing, more.as_bytes()).await;
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        _ = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut said) => {}
        _ = trickle => {}
    }
    let said = String::from_utf8_lossy(&said);
    println!("{more:?} after {begin:.40?}: closed after {:?}", began.elapsed());
    assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{begin:?} {more:?}: {said}");
    assert!(began.elapsed() < Duration::from_secs(40), "{begin:?} {more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_without_end_is_not_read() {
    let server = Server::start(Db::Sqlite).await;
    let key = server.live_key.clone();
    let long = "Content-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let all = [
        ("POST", "/v1/brands", "nobody", CHUNKED, 401),
        ("POST", "/v1/brands", "nobody", long, 401),
        ("POST", "/v1/brands", key.as_str(), CHUNKED, 413),
        ("POST", "/v1/brands", key.as_str(), long, 413),
        ("POST", "/graphql", "nobody", CHUNKED, 401),
        ("POST", "/graphql", key.as_str(), CHUNKED, 413),
        ("POST", "/v1/nowhere", key.as_str(), CHUNKED, 404),
        ("GET", "/v1/brands?limit=1", key.as_str(), CHUNKED, 200),
        ("GET", "/livez", "", CHUNKED, 200),
        ("POST", "/docs", "", CHUNKED, 405),
    ];
    let flood = async |(method, path, key, headers, status): (_, _, _, _, u16)| {
        let (mut line, began) = (Line::to(&server).await, Instant::now());
        line.send(request(method, path, key, headers)).await;
        let taken = line.flood(chunk.as_bytes()).await;
        let said = line.closed().await.1;
        println!(
            "{method} {path} {status}: {taken} bytes taken, closed after {:?}",
            began.elapsed()
        );
        assert!(taken < TAKEN_BYTES_MAX, "{method} {path}: {taken} bytes");
        assert!(began.elapsed() < Duration::from_secs(20), "{method} {path}");
        // The answer may be lost where more was sent than is read; another one never comes.
        let right = said.is_empty() || said.starts_with(&format!("http/1.1 {status} "));
        assert!(right || status == 405, "{method} {path}: {said}");
    };
    withstood(&server, Duration::from_secs(60), join_all(all.map(flood))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_read_when_it_is_known_who_sends_it() {
    let server = Server::start(Db::Sqlite).await;
    let announced = "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    withstood(&server, Duration::from_secs(30), async {
        for path in ["/v1/brands", "/v1/batch", "/graphql"] {
            let began = Instant::now();
            let mut line = Line::to(&server).await;
            line.send(request("POST", path, "nobody", announced)).await;
            let head = line.head().await;
            assert!(head.starts_with("http/1.1 401 "), "{path}: {head}");
            assert!(head.contains("connection: close"), "{path}: {head}");
            assert!(began.elapsed() < Duration::from_secs(4), "{path}: {:?}", began.elapsed());
            assert!(line.closed().await.0 < Duration::from_secs(10), "{path}");
        }
        // One that came along does not cost the connection.
        let mut line = Line::to(&server).await;
        for _ in 0..3 {
            let body = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            line.send(request("POST", "/v1/brands", "nobody", body)).await;
            let head = line.head().await;
            assert!(head.starts_with("http/1.1 401 "), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|text| text.parse().ok()).expect("a length");
            let mut body = vec![0; length];
            tokio::io::AsyncReadExt::read_exact(&mut line.0, &mut body).await.expect("a body");
        }
        // What is refused is not for nothing.
        let large = vec![b' '; 2 * 1024 * 1024];
        let left = async || {
            let refused = server.call("POST", "/v1/brands").bytes(large.clone()).send().await;
            let limits = refused.header("ratelimit").to_owned();
            refused.expect_problem(413, "payload_too_large");
            let day = limits.split("\"day\";r=").nth(1).and_then(|rest| rest.split(';').next());
            day.and_then(|left| left.parse::<u64>().ok()).expect("a number")
        };
        let first = left().await;
        assert!(left().await < first);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_at_once_are_bounded() {
    let server = Server::start(Db::Sqlite).await;
    let headers = "Content-Type: application/json\r\nContent-Length: 1000001\r\n\r\n";
    let head = request("POST", "/v1/brands", &server.live_key, headers);
    let hold = async |_| {
        let mut line = Line::to(&server).await;
        line.send(format!("{head}{}", " ".repeat(1_000_000))).await;
        line.closed().await.1
    };
    let said = withstood(&server, Duration::from_secs(60), join_all((0..100).map(hold))).await;
    let with = |status: &str| said.iter().filter(|said| said.starts_with(status)).count();
    let (late, busy) = (with("http/1.1 408 "), with("http/1.1 503 "));
    println!("{late} were waited for, {busy} told to come back");
    assert!(late > 0 && busy > 0 && late <= 20, "{late} and {busy}");
}
