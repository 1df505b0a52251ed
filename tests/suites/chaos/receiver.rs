//! A receiver of webhooks that fails at random, and remembers all that came.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longer than a sender waits.
const SILENCE: Duration = Duration::from_secs(20);

/// A message that came, in the order they came.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whom it was for: the path.
    pub endpoint: String,
    pub event: String,
    pub object: String,
    pub sequence: i64,
    pub previous: Option<i64>,
    /// Whether the receiver took it, whatever became of its answer.
    pub taken: bool,
}

pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    faulty: AtomicBool,
    dice: Dice,
    messages: Mutex<Vec<Message>>,
}

/// What is done with a message.
#[derive(Clone, Copy)]
enum Mood {
    Take,
    Status(&'static str),
    Silence,
    /// The connection is reset before an answer, the message taken or not.
    Reset(bool),
}

impl Receiver {
    pub async fn open(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (faulty, messages) = (AtomicBool::new(true), Mutex::default());
        let state = Arc::new(State { faulty, dice: Dice::new(seed), messages });
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Self { address, state, accepting }
    }

    /// From now on it takes everything.
    pub fn recover(&self) {
        self.state.faulty.store(false, Ordering::Relaxed);
    }

    /// All that came so far.
    pub fn messages(&self) -> Vec<Message> {
        self.state.messages.lock().expect("no panic").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut read = Vec::new();
        loop {
            let (endpoint, body) = message(&mut stream, &mut read).await?;
            let mood = self.mood();
            let taken = matches!(mood, Mood::Take | Mood::Reset(true));
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let came = Message {
                endpoint,
                event: text("id"),
                object: text("object_id"),
                sequence: body["sequence"].as_i64().unwrap_or_default(),
                previous: body["previous_sequence"].as_i64(),
                taken,
            };
            self.messages.lock().expect("no panic").push(came);
            match mood {
                Mood::Take => answer(&mut stream, "200 OK").await?,
                Mood::Status(status) => answer(&mut stream, status).await?,
                Mood::Silence => {
                    tokio::time::sleep(SILENCE).await;
                    return None;
                }
                Mood::Reset(_) => return stream.set_zero_linger().ok(),
            }
        }
    }

    fn mood(&self) -> Mood {
        if !self.faulty.load(Ordering::Relaxed) {
            return Mood::Take;
        }
        match self.dice.roll(1_000) {
            0..100 => Mood::Status("500 Internal Server Error"),
            100..120 => Mood::Status("429 Too Many Requests\r\nRetry-After: 0"),
            120..140 => Mood::Status("429 Too Many Requests\r\nRetry-After: 1"),
            140..180 => Mood::Reset(false),
            180..220 => Mood::Reset(true),
            220..225 => Mood::Silence,
            _ => Mood::Take,
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str) -> Option<()> {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()
}

/// The path and the body of the next message; none where the sender is gone.
async fn message(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let whole = end + 4 + length.unwrap_or(0_usize);
            if read.len() >= whole {
                let body = serde_json::from_slice(&read[end + 4..whole]).expect("a body of JSON");
                read.drain(..whole);
                return Some((head.split(' ').nth(1)?.to_owned(), body));
            }
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

/// Numbers at random, the same ones for the same seed.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `sides`.
    pub fn roll(&self, sides: u64) -> u64 {
        // SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let mut mixed = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
