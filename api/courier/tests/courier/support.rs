//! Receivers and resolvers that do as they are told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bodega_courier::{
    Bytes, Courier, Message, Policy, Receipt, Resolve, Settings, Url, check_url, http,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const BODY: &[u8] = br#"{"type":"product.created"}"#;

/// A receiver on loopback, and how many connections it has seen.
pub struct Receiver {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    /// Does `serve` on each connection, which is numbered from 0.
    pub async fn start<S, F>(serve: S) -> Self
    where
        S: Fn(usize, TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(seen.fetch_add(1, Ordering::SeqCst), stream));
            }
        });
        Self { address, connections }
    }

    /// Reads one message on each connection, answers with these bytes and closes.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |_, mut stream| {
            let answer = answer.clone();
            async move {
                read_message(&mut stream).await?;
                stream.write_all(&answer).await?;
                stream.shutdown().await
            }
        })
        .await
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/hook?shop=1", self.address)).unwrap()
    }
}

/// The head and the body of the next message; nothing where the sender has closed.
pub async fn read_message<S>(stream: &mut S) -> io::Result<Option<(String, Vec<u8>)>>
where
    S: tokio::io::AsyncRead + Unpin,
{
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if read.len() >= end + 4 + length {
                return Ok(Some((head, read[end + 4..].to_vec())));
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
}

pub fn quick() -> Settings {
    Settings {
        connect_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_millis(600),
        ..Settings::default()
    }
}

/// Lets messages go to loopback.
pub fn loopback() -> Policy {
    Policy { allowed: vec!["127.0.0.0/8".parse().unwrap()], https_only: false }
}

pub fn courier() -> Courier {
    Courier::new(loopback(), quick(), Names::nowhere()).unwrap()
}

pub fn message(url: Url) -> Message {
    Message { url, headers: http::HeaderMap::new(), body: Bytes::from_static(BODY) }
}

pub async fn send(url: &str) -> Receipt {
    courier().send(message(check_url(url, &loopback()).unwrap())).await
}

type Answers = dyn Fn(usize, &str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// A resolver that answers by a function of how often it was asked before, and for what.
pub struct Names {
    asked: AtomicUsize,
    answers: Box<Answers>,
}

impl Names {
    pub fn new(
        answers: impl Fn(usize, &str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { asked: AtomicUsize::new(0), answers: Box::new(answers) }
    }

    /// No name resolves.
    pub fn nowhere() -> Self {
        Self::new(|_, _| Err(io::ErrorKind::NotFound.into()))
    }

    /// Each name resolves to these addresses.
    pub fn all(addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        Self::new(move |_, _| Ok(addresses.clone()))
    }
}

impl Resolve for Names {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let answer = (self.answers)(self.asked.fetch_add(1, Ordering::SeqCst), host);
        async move { answer }.boxed()
    }
}
