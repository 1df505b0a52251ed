//! Web sockets of nobody and of too many, and what comes through them.

use std::time::{Duration, Instant};

use bodega_tests::{Db, Server, both};
use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use super::line::{Line, request};
use super::withstood;

both!(a_socket_that_is_closed_at_once_is_noted, an_organization_has_its_share_of_sockets);

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;

/// Long enough for anything to come.
const SOON: Duration = Duration::from_secs(20);

/// A web socket, frame by frame.
struct Socket(Line);

impl Socket {
    /// What the server says to a handshake; the socket, where it agrees.
    async fn ask(server: &Server, address: &str) -> Result<Self, String> {
        Self::over(Line::from(&server.url, address).await).await
    }

    async fn over(mut line: Line) -> Result<Self, String> {
        let more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
        line.send(request("GET", "/graphql", "", more)).await;
        let head = timeout(SOON, line.head()).await.expect("an answer");
        if head.starts_with("http/1.1 101 ") { Ok(Self(line)) } else { Err(head) }
    }

    async fn open(server: &Server) -> Self {
        Self::ask(server, "127.0.0.1").await.expect("a web socket")
    }

    /// One that has said who it is; the code it is closed with, else.
    async fn known(server: &Server, key: &str, address: &str) -> Result<Self, u16> {
        let line = Line::from(&server.url, address).await;
        Self::known_over(line, key).await
    }

    async fn known_over(line: Line, key: &str) -> Result<Self, u16> {
        let mut socket = Self::over(line).await.expect("a web socket");
        let init = json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {key}")}});
        socket.tell(&init).await;
        loop {
            let (code, bytes) =
                timeout(SOON, socket.hear()).await.expect("an answer").expect("a frame");
            match code {
                1 => return Ok(socket),
                8 => return Err(u16::from_be_bytes([bytes[0], bytes[1]])),
                _ => {}
            }
        }
    }

    async fn tell(&mut self, message: &serde_json::Value) -> bool {
        self.0.send(frame(TEXT, message.to_string().as_bytes())).await
    }

    /// The next frame: its code and what it carries; nothing where the connection ended.
    async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        let stream = &mut self.0.0;
        let (first, second) = (stream.read_u8().await.ok()?, stream.read_u8().await.ok()?);
        let length = match second & 0x7f {
            126 => usize::from(stream.read_u16().await.ok()?),
            127 => usize::try_from(stream.read_u64().await.ok()?).ok()?,
            length => usize::from(length),
        };
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.ok()?;
        Some((first & 0x0f, bytes))
    }

    /// The code that it is closed with; 0 where it ended without one.
    async fn closed(&mut self) -> u16 {
        let until = async {
            loop {
                match self.hear().await {
                    Some((8, bytes)) => return u16::from_be_bytes([bytes[0], bytes[1]]),
                    Some(_) => {}
                    None => return 0,
                }
            }
        };
        timeout(SOON, until).await.expect("an end")
    }
}

/// A frame that announces what it carries, masked with zeros.
fn frame(first: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = announced(first, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

fn announced(first: u8, bytes: u64) -> Vec<u8> {
    let mut out = vec![first];
    match u16::try_from(bytes) {
        Ok(bytes @ 0..126) => out.push(0x80 | u8::try_from(bytes).expect("small")),
        Ok(bytes) => {
            out.push(0x80 | 126);
            out.extend(bytes.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend(bytes.to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_is_bounded_before_it_is_whole() {
    let server = Server::start(Db::Sqlite).await;
    let key = server.live_key.clone();
    let filler = vec![b'x'; 64 * 1024];
    let endless = [announced(0x01, 0), announced(0x00, 0).repeat(10_000)].concat();
    let pieces = [frame(0x01, b"x"), frame(0x00, &[b'x'; 1_000]).repeat(200)].concat();
    let cases: Vec<(&str, bool, Vec<u8>)> = vec![
        ("a terabyte, of nobody", false, announced(TEXT, 1 << 40)),
        ("a terabyte", true, announced(TEXT, 1 << 40)),
        ("a terabyte of bytes", true, announced(0x82, 1 << 40)),
        ("more than there is", true, announced(TEXT, u64::MAX)),
        ("a piece of a terabyte", true, announced(0x01, 1 << 40)),
        ("70,000 bytes", true, announced(TEXT, 70_000)),
        ("a long ping", true, announced(PING, 1 << 40)),
        ("20,000 bytes, of nobody", false, announced(TEXT, 20_000)),
        ("pieces of nothing", true, endless.clone()),
        ("pieces of nothing, of nobody", false, endless),
        ("pieces", true, pieces),
        ("compressed", true, frame(0xC1, b"x")),
        ("not masked", true, vec![TEXT, 1, b'x']),
        ("pings, of nobody", false, frame(PING, &[0; 100]).repeat(1_000)),
        ("pings", true, frame(PING, b"").repeat(20_000)),
        ("pongs", true, frame(0x8A, b"").repeat(20_000)),
    ];
    let attack = async |(what, known, bytes): (&str, bool, Vec<u8>)| {
        let began = Instant::now();
        let mut socket = match known {
            true => Socket::known(&server, &key, "127.0.0.1").await.expect("a web socket"),
            false => Socket::open(&server).await,
        };
        socket.0.send(&bytes).await;
        // Nobody is waited for, and what it goes on sending is not kept.
        let taken = timeout(SOON, socket.0.flood(&filler)).await;
        let taken = taken.unwrap_or_else(|_| panic!("{what}: still open"));
        println!("{what}: {taken} bytes more taken, closed after {:?}", began.elapsed());
        assert!(taken < 64 * 1024 * 1024, "{what}: {taken} bytes");
    };
    withstood(&server, Duration::from_secs(60), join_all(cases.into_iter().map(attack))).await;
    // Where nothing more is sent the reason is told.
    for (known, bytes, code) in [
        (false, announced(TEXT, 1 << 40), 1009),
        (true, announced(TEXT, 70_000), 1009),
        (true, announced(PING, 126), 1002),
        (true, frame(0xC1, b"x"), 1002),
        (true, frame(PING, b"").repeat(2_500), 4429),
    ] {
        let mut socket = match known {
            true => Socket::known(&server, &key, "127.0.0.1").await.expect("a web socket"),
            false => Socket::open(&server).await,
        };
        socket.0.send(&bytes).await;
        assert_eq!(socket.closed().await, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_have_few_places_for_a_short_time() {
    let server = Server::start(Db::Sqlite).await;
    let (_, other) = server.organization("Otra").await;
    withstood(&server, Duration::from_secs(60), async {
        let began = Instant::now();
        let asked = join_all((0..80).map(|_| Socket::ask(&server, "127.0.0.5"))).await;
        let (open, told): (Vec<_>, Vec<_>) = asked.into_iter().partition(Result::is_ok);
        assert!(open.len() <= 50 || began.elapsed() > Duration::from_secs(9), "{}", open.len());
        for told in told {
            let told = told.err().unwrap_or_default();
            assert!(told.starts_with("http/1.1 503 ") && told.contains("retry-after"), "{told}");
        }
        // Others have places meanwhile.
        assert!(Socket::known(&server, &other, "127.0.0.6").await.is_ok());
        let open: Vec<_> = open.into_iter().filter_map(Result::ok).collect();
        let closed = open.into_iter().map(async |mut socket| socket.closed().await);
        assert!(join_all(closed).await.iter().all(|code| *code == 4408));
        assert!(Socket::known(&server, &server.live_key, "127.0.0.5").await.is_ok());
    })
    .await;
}

async fn an_organization_has_its_share_of_sockets(db: Db) {
    let server = Server::start(db).await;
    let (_, other) = server.organization("Otra").await;
    // Another key of the same organization is no way around it.
    let (_, second) = server.key(&["catalog:read"]).await;
    withstood(&server, Duration::from_secs(100), async {
        let mut held = Vec::new();
        for count in 0..100 {
            let key = if count % 2 == 0 { &server.live_key } else { &second };
            let socket = Socket::known(&server, key, "127.0.0.1").await;
            held.push(socket.unwrap_or_else(|code| panic!("{count}: {code}")));
        }
        for key in [&server.live_key, &second] {
            let told = Socket::known(&server, key, "127.0.0.1").await;
            assert_eq!(told.err(), Some(4429));
        }
        assert!(Socket::known(&server, &other, "127.0.0.1").await.is_ok());
        drop(held.split_off(50));
        for _ in 0..100 {
            if Socket::known(&server, &second, "127.0.0.1").await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("places do not come back");
    })
    .await;
}

async fn a_socket_that_is_closed_at_once_is_noted(db: Db) {
    let server = Server::start(db).await;
    let noted =
        async || server.number("SELECT COUNT(*) FROM request_log WHERE door = 'graphql'").await;
    let before = noted().await;
    let ask = |query: &str| json!({"id": "1", "type": "subscribe", "payload": {"query": query}});
    let mut expected = before;
    for round in 0..12 {
        let mut socket = Socket::known(&server, &server.live_key, "127.0.0.1").await.expect("one");
        let query = match round % 3 {
            0 => "{ products(first: 50) { nodes { id variants { id prices { id } } } } }",
            1 => "subscription { events { id } }",
            _ => "mutation { brandCreate(input: {name: \"De paso\"}) { id } }",
        };
        socket.tell(&ask(query)).await;
        if round % 2 == 0 {
            socket.0.send(frame(0x88, &1000_u16.to_be_bytes())).await;
        }
        drop(socket);
        expected += 1;
    }
    for _ in 0..100 {
        if noted().await >= expected {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{} of {} are noted", noted().await - before, expected - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_reads_nothing_is_given_up() {
    let server = Server::start(Db::Sqlite).await;
    let key = server.live_key.clone();
    let part = "products(first: 40) { nodes { id title description variants { id sku } } }";
    let parts: Vec<_> = (0..10).map(|count| format!("part{count}: {part}")).collect();
    let query = format!("{{ {} }}", parts.join(" "));
    withstood(&server, Duration::from_secs(110), async {
        let attack = async |_| {
            let line = Line::narrow(&server).await;
            let mut socket = Socket::known_over(line, &key).await.expect("a web socket");
            let began = Instant::now();
            for id in 0_usize.. {
                let message =
                    json!({"id": id.to_string(), "type": "subscribe", "payload": {"query": query}});
                let sent = timeout(Duration::from_secs(5), socket.tell(&message)).await;
                // Either it is closed, or no more is taken.
                if sent != Ok(true) || began.elapsed() > Duration::from_secs(20) {
                    break;
                }
                sleep(Duration::from_millis(500)).await;
            }
            // Longer than a message may wait to be read: who reads again before is not given up.
            sleep(Duration::from_secs(35)).await;
            let got = timeout(Duration::from_secs(40), socket.0.rest()).await.expect("an end");
            println!("{} bytes after {:?}", got.len(), began.elapsed());
        };
        join_all((0..5).map(attack)).await;
    })
    .await;
}
