//! Stands between the server and receivers: takes a real delivery, and tells receivers lies about it.

use std::net::Ipv4Addr;

use reqwest::Client;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A delivery as it came.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: String,
}

/// Takes deliveries.
pub struct Relay {
    pub url: String,
    listener: TcpListener,
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        Self { url, listener }
    }

    /// The next delivery; the server is told that it was taken.
    pub async fn take(&self) -> Delivery {
        let (mut stream, _) = self.listener.accept().await.expect("a connection");
        let (head, body) = read(&mut stream).await;
        let taken = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        stream.write_all(taken).await.expect("an answer");
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {head}")).trim().to_owned()
        };
        Delivery {
            id: header("webhook-id:"),
            timestamp: header("webhook-timestamp:"),
            signature: header("webhook-signature:"),
            body,
        }
    }
}

async fn read(stream: &mut TcpStream) -> (String, String) {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(all[..end].to_vec()).expect("text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if all.len() == end + 4 + length {
                return (head, String::from_utf8(all[end + 4..].to_vec()).expect("text"));
            }
        }
        let count = stream.read(&mut buffer).await.expect("a message");
        assert!(count > 0, "the message broke off");
        all.extend_from_slice(&buffer[..count]);
    }
}

impl Delivery {
    /// Every lie about it that a receiver must see through, with what it is called.
    pub fn lies(&self) -> Vec<(&'static str, Self)> {
        let mut lies = Vec::new();
        let mut lie = |name, tell: &dyn Fn(&mut Self)| {
            let mut told = self.clone();
            tell(&mut told);
            assert!(self.body != told.body || self.headers() != told.headers(), "{name}: no lie");
            lies.push((name, told));
        };
        lie("another name", &|told| told.body = told.body.replace("Casa", "Caza"));
        lie("a space more", &|told| told.body.push(' '));
        lie("another id", &|told| told.id.push('0'));
        lie("a second later", &|told| {
            let seconds: i64 = told.timestamp.parse().expect("seconds");
            told.timestamp = (seconds + 1).to_string();
        });
        lie("another signature", &|told| {
            // Of the same length and alphabet, so that it is the comparison that says no.
            let turned = |one: &str| {
                let (version, encoded) = one.split_once(',').expect("a version");
                let first = if encoded.starts_with('A') { 'B' } else { 'A' };
                format!("{version},{first}{}", &encoded[1..])
            };
            told.signature = told.signature.split(' ').map(turned).collect::<Vec<_>>().join(" ");
        });
        lie("the other kind", &|told| {
            let swapped = |one: &str| match one.strip_prefix("v1,") {
                Some(rest) => format!("v1a,{rest}"),
                None => one.replacen("v1a,", "v1,", 1),
            };
            told.signature = told.signature.split(' ').map(swapped).collect::<Vec<_>>().join(" ");
        });
        lie("no known kind", &|told| {
            told.signature = told.signature.replace("v1a,", "v9,").replace("v1,", "v9,");
        });
        lies
    }

    fn headers(&self) -> HeaderMap {
        let headers = [
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ];
        headers
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    /// What a receiver answers to it.
    pub async fn post(&self, client: &Client, url: &str) -> u16 {
        let request = client.post(url).headers(self.headers()).body(self.body.clone());
        request.send().await.expect("an answer").status().as_u16()
    }
}
