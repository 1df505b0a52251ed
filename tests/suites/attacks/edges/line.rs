//! A connection that does not keep to HTTP.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bodega_tests::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// What the answers of these tests are at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes both ways.
pub(super) struct Line(pub(super) TcpStream);

impl Line {
    pub(super) async fn to(server: &Server) -> Self {
        Self::from(&server.url, "127.0.0.1").await
    }

    /// From one of the machine's own addresses; all of `127.0.0.0/8` are.
    pub(super) async fn from(url: &str, address: &str) -> Self {
        Self::begin(url, address, None).await
    }

    /// One that takes in as little as it can.
    pub(super) async fn narrow(server: &Server) -> Self {
        Self::begin(&server.url, "127.0.0.1", Some(4096)).await
    }

    async fn begin(url: &str, address: &str, room: Option<u32>) -> Self {
        let target: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).expect("a buffer");
        }
        let own = format!("{address}:0").parse().expect("an address");
        socket.bind(own).expect("an address of this machine");
        Self(socket.connect(target).await.expect("a connection"))
    }

    /// Sends; says whether the other end still takes it.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends the same for ever, until the other end has closed; how much it took.
    pub(super) async fn flood(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            match self.0.write(bytes).await {
                Ok(0) | Err(_) => return taken,
                Ok(written) => taken += written,
            }
        }
    }

    /// The head of an answer.
    pub(super) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&head).to_lowercase()
    }

    /// All that comes until the other end closes.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let (mut all, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            match self.0.read(&mut part).await {
                Ok(0) => return all,
                Ok(read) => all.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
                Err(error) => panic!("{error}"),
            }
            assert!(all.len() < ANSWER_BYTES_MAX, "an answer without end");
        }
    }

    /// How long it takes the other end to close, and the head of what it says before.
    pub(super) async fn closed(mut self) -> (Duration, String) {
        let began = Instant::now();
        let said = String::from_utf8_lossy(&self.rest().await).to_lowercase();
        (began.elapsed(), said)
    }
}

/// The head of a request, without the empty line at its end.
pub(super) fn request(method: &str, path: &str, key: &str, more: &str) -> String {
    let line = format!("{method} {path} HTTP/1.1\r\nHost: bodega\r\n");
    let key = match key {
        "" => String::new(),
        key => format!("Authorization: Bearer {key}\r\n"),
    };
    format!("{line}{key}{more}")
}
