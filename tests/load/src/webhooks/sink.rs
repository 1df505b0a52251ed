//! A receiver that does as little as a receiver can, so that it is not what is measured.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Answers every message with 200, and counts.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    count: AtomicU64,
    bytes: AtomicU64,
    awaited: AtomicU64,
    reached: Notify,
    noting: AtomicBool,
    /// When the first byte about each object came.
    seen: Mutex<HashMap<String, Instant>>,
}

impl Sink {
    /// On a thread of its own, which only the core's other work can hold up.
    pub(crate) fn open() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State { awaited: u64::MAX.into(), ..State::default() });
        let shared = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                listener.set_nonblocking(true).expect("a socket");
                accept(TcpListener::from_std(listener).expect("a socket"), shared).await;
            });
        });
        Self { address, state }
    }

    /// How many messages have come.
    pub(crate) fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// How many bytes they had, with their headers.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }

    /// Waits until so many have come.
    pub(crate) async fn wait_for(&self, count: u64) {
        self.state.awaited.store(count, Ordering::Relaxed);
        while self.count() < count {
            self.state.reached.notified().await;
        }
        self.state.awaited.store(u64::MAX, Ordering::Relaxed);
    }

    /// Notes from now on when messages come.
    pub(crate) fn note(&self) {
        self.state.noting.store(true, Ordering::Relaxed);
    }

    /// When the first byte about each object came; notes no more.
    pub(crate) fn noted(&self) -> HashMap<String, Instant> {
        self.state.noting.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.state.seen.lock().expect("no panic"))
    }
}

/// Accepts, and never answers. It lives until the program ends.
pub(crate) async fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let _ = answer(stream, &state).await;
        });
    }
}

async fn answer(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut read: Vec<u8> = Vec::with_capacity(16 * 1024);
    loop {
        let mut began = None;
        let whole = loop {
            if let Some(length) = whole(&read) {
                break length;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            began.get_or_insert_with(Instant::now);
        };
        if state.noting.load(Ordering::Relaxed)
            && let Some(object) = object(&read[..whole])
        {
            let mut seen = state.seen.lock().expect("no panic");
            seen.entry(object.to_owned()).or_insert_with(|| began.unwrap_or_else(Instant::now));
        }
        read.drain(..whole);
        stream.write_all(ANSWER).await?;
        state.bytes.fetch_add(whole as u64, Ordering::Relaxed);
        let count = state.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count >= state.awaited.load(Ordering::Relaxed) {
            state.reached.notify_one();
        }
    }
}

/// How long the first message is, once all of it is there.
fn whole(read: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")?;
    let after = read[..head].windows(NAME.len()).position(|name| name == NAME)? + NAME.len();
    let digits = read[after..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| 10 * length + usize::from(digit - b'0'));
    let whole = head + 4 + length;
    (read.len() >= whole).then_some(whole)
}

/// The object that a message is about.
fn object(message: &[u8]) -> Option<&str> {
    let text = str::from_utf8(message).ok()?;
    let (_, after) = text.split_once(r#""object_id":""#)?;
    after.split_once('"').map(|(object, _)| object)
}
