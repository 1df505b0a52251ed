//! Connections that wait for the next message to the same host.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::dial::Stream;

/// The most of an answer that is held in memory at once, and the longest head of an answer.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Boxed, because it is large and a line changes hands several times for each message.
type Driver = Box<Connection<TokioIo<Stream>, Full<Bytes>>>;

/// A connection that HTTP is spoken over.
///
/// No task of its own drives it: it moves only while somebody waits for an answer, so that whoever
/// gives up waiting closes it, and a message costs no switch between tasks.
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Driver>,
    pub(crate) peer: SocketAddr,
}

impl Line {
    pub(crate) async fn new(stream: Stream, peer: SocketAddr) -> hyper::Result<Self> {
        let (sender, driver) =
            Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::new(driver)), peer })
    }

    /// Whether it can carry another message. One that the receiver has closed meanwhile cannot.
    async fn is_ready(&mut self) -> bool {
        let ready = self.sender.ready();
        drive(&mut self.driver, ready).await.is_ok()
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        let answer = self.sender.send_request(request);
        drive(&mut self.driver, answer).await
    }

    /// Waits for something that this connection is to bring.
    pub(crate) async fn wait<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.driver, work).await
    }
}

async fn drive<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        let Some(connection) = driver.as_mut() else { return Poll::Pending };
        if Pin::new(connection).poll(cx).is_ready() {
            // It has ended. Whether that was a fault, the work is told as well.
            *driver = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// How many connections wait, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) per_host: usize,
    pub(crate) total: usize,
    pub(crate) wait: Duration,
}

/// Connections that wait, by scheme, host and port.
pub(crate) struct Pool {
    limits: Limits,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    lines: HashMap<String, Vec<(Line, Instant)>>,
    total: usize,
    swept: bool,
}

impl Pool {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, waiting: Mutex::default() })
    }

    /// The connection that was used last, because it is the likeliest to be alive.
    pub(crate) async fn take(&self, origin: &str) -> Option<Line> {
        loop {
            let mut line = self.lock().pop(origin, self.limits.wait)?;
            if line.is_ready().await {
                return Some(line);
            }
        }
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(crate) fn put(self: &Arc<Self>, origin: &str, line: Line) {
        if line.driver.is_none() || line.sender.is_closed() {
            return;
        }
        let mut waiting = self.lock();
        if waiting.total >= self.limits.total {
            return;
        }
        if !waiting.lines.contains_key(origin) {
            waiting.lines.insert(origin.to_owned(), Vec::new());
        }
        let Some(lines) = waiting.lines.get_mut(origin) else { return };
        if lines.len() >= self.limits.per_host {
            return;
        }
        lines.push((line, Instant::now()));
        waiting.total += 1;
        if !std::mem::replace(&mut waiting.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.limits.wait));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held; were it so, the connections would still be sound.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn pop(&mut self, origin: &str, wait: Duration) -> Option<Line> {
        let (line, since) = self.lines.get_mut(origin)?.pop()?;
        self.total -= 1;
        if since.elapsed() < wait {
            return Some(line);
        }
        // The others wait longer still.
        self.total -= self.lines.remove(origin).map_or(0, |lines| lines.len());
        None
    }

    fn drop_old(&mut self, wait: Duration) {
        self.lines.retain(|_, lines| {
            lines.retain(|(_, since)| since.elapsed() < wait);
            !lines.is_empty()
        });
        self.total = self.lines.values().map(Vec::len).sum();
    }
}

/// Closes what has waited too long; ends when nothing waits any more.
async fn sweep(pool: Weak<Pool>, wait: Duration) {
    loop {
        tokio::time::sleep(wait / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut waiting = pool.lock();
        waiting.drop_old(wait);
        if waiting.total == 0 {
            waiting.swept = false;
            return;
        }
    }
}
