//! A receiver of messages that a test runs itself.

use std::net::Ipv4Addr;
use std::time::Duration;

use bodega_courier::{Secret, verify};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver of the developer's own.
pub struct Hook {
    pub url: String,
    listener: TcpListener,
}

/// What it was sent.
pub struct Message {
    head: String,
    pub body: Value,
    bytes: Vec<u8>,
}

impl Hook {
    pub async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // By its name, as developers write it.
        Self { url: format!("http://localhost:{port}/hook"), listener }
    }

    /// The next message, answered with this status.
    pub async fn take(&self, status: u16) -> Message {
        let (message, mut stream) = self.next().await;
        answer(&mut stream, status).await;
        message
    }

    /// The next message, answered by a receiver that listens no more by then.
    pub async fn take_last(self, status: u16) -> Message {
        let (message, mut stream) = self.next().await;
        drop(self);
        answer(&mut stream, status).await;
        message
    }

    async fn next(&self) -> (Message, TcpStream) {
        let next = async {
            let (mut stream, _) = self.listener.accept().await.expect("a connection");
            (read(&mut stream).await, stream)
        };
        timeout(PATIENCE, next).await.expect("a message in time")
    }
}

async fn answer(stream: &mut TcpStream, status: u16) {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("an answer");
}

async fn read(stream: &mut TcpStream) -> Message {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(all[..end].to_vec()).expect("text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if all.len() == end + 4 + length {
                let bytes = all[end + 4..].to_vec();
                let body = serde_json::from_slice(&bytes).expect("JSON");
                return Message { head, body, bytes };
            }
        }
        let count = stream.read(&mut buffer).await.expect("a message");
        assert!(count > 0, "the message broke off");
        all.extend_from_slice(&buffer[..count]);
    }
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    /// Whether it was signed with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let secret = Secret::parse(secret).expect("a secret");
        let timestamp = self.header("webhook-timestamp").parse().expect("seconds");
        let (id, signature) = (self.header("webhook-id"), self.header("webhook-signature"));
        verify(&[&secret], id, timestamp, &self.bytes, signature)
    }
}
