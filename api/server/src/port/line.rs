//! One connection. What it may keep waiting, in bytes and in time, is decided here, below HTTP, where
//! it holds for whatever is being read or written.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::gate::Place;

/// While nothing is being answered, a request has to begin and its headers to end within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// After an early answer no more than this is read of what is still being sent: enough for an honest
/// sender to see the answer, and not a line for whoever sends without end.
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// While a call is being answered, no more is read ahead than this of what nobody has asked for yet.
const AHEAD_BYTES_MAX: usize = 48 * 1024;

/// An answer may wait this long in all for the other end to read …
const STALL: Duration = Duration::from_secs(30);

/// … and longer by a second for each so many bytes that it has read.
const READ_BYTES_PER_S: u32 = 64 * 1024;

/// A connection of the public port.
pub(crate) struct Line {
    io: TcpStream,
    pace: Rc<Pace>,
    idle: Alarm,
    stall: Stall,
    _place: Place,
}

/// What calls tell the connection that they came by.
pub(crate) struct Pace {
    /// How many calls are being answered: one, unless one follows at once.
    answering: Cell<usize>,
    /// Bytes that came while a call was being answered, and that it has not asked for.
    ahead: Cell<usize>,
    /// Since when nothing is being answered, and what came since.
    idle_since: Cell<Instant>,
    idle_bytes: Cell<usize>,
    /// Whoever is to read on when there is room again.
    reader: RefCell<Option<Waker>>,
}

/// A call that is being answered, until the last byte of its answer is on its way.
pub(crate) struct Answering(Rc<Pace>);

impl Line {
    pub(crate) fn new(io: TcpStream, place: Place) -> Self {
        let pace = Pace {
            answering: Cell::new(0),
            ahead: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            idle_bytes: Cell::new(0),
            reader: RefCell::new(None),
        };
        let (pace, idle, stall) = (Rc::new(pace), Alarm::default(), Stall::default());
        Self { io, pace, idle, stall, _place: place }
    }

    pub(crate) fn pace(&self) -> Rc<Pace> {
        self.pace.clone()
    }
}

impl Pace {
    /// A call begins.
    pub(crate) fn answer(self: &Rc<Self>) -> Answering {
        self.answering.set(self.answering.get() + 1);
        self.idle_bytes.set(0);
        Answering(self.clone())
    }

    /// The call has taken so much of its body; where it waits for more, it has all there is.
    pub(crate) fn taken(&self, bytes: Option<usize>) {
        let left = bytes.map_or(0, |bytes| self.ahead.get().saturating_sub(bytes));
        self.ahead.set(left);
        self.read_on();
    }

    fn read_on(&self) {
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(pace) = self;
        pace.answering.set(pace.answering.get().saturating_sub(1));
        pace.idle_since.set(Instant::now());
        pace.idle_bytes.set(0);
        pace.read_on();
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, pace, idle, stall, .. } = self.get_mut();
        let answering = pace.answering.get() > 0;
        if answering && pace.ahead.get() >= AHEAD_BYTES_MAX {
            *pace.reader.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !answering && pace.idle_bytes.get() >= LINGER_BYTES_MAX {
            // As if it had ended: the connection is closed.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(io).poll_read(cx, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        match read {
            Poll::Ready(_) if answering => pace.ahead.set(pace.ahead.get() + bytes),
            Poll::Ready(_) => pace.idle_bytes.set(pace.idle_bytes.get() + bytes),
            Poll::Pending if answering => {}
            Poll::Pending => {
                pace.ahead.set(0);
                // An answer on its way has a clock of its own.
                let late = stall.since.is_none()
                    && idle.rings(cx, pace.idle_since.get().max(stall.over) + HEAD_TIMEOUT);
                if late {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { io, stall, .. } = self.get_mut();
        match Pin::new(io).poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => {
                stall.went_on(written);
                Poll::Ready(Ok(written))
            }
            Poll::Pending if stall.is_over(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// How long the other end has let what is written wait: time in which it reads nothing adds up, what it
/// reads and the time in which nothing waits count against it.
struct Stall {
    since: Option<Instant>,
    waited: Duration,
    /// When it last ended.
    over: Instant,
    alarm: Alarm,
}

impl Default for Stall {
    fn default() -> Self {
        let (since, waited, alarm) = (None, Duration::ZERO, Alarm::default());
        Self { since, waited, over: Instant::now(), alarm }
    }
}

impl Stall {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let since = *self.since.get_or_insert_with(|| {
            let now = Instant::now();
            self.waited = self.waited.saturating_sub(now.duration_since(self.over));
            now
        });
        self.alarm.rings(cx, since + STALL.saturating_sub(self.waited))
    }

    fn went_on(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.over = Instant::now();
            self.waited += self.over.duration_since(since);
        }
        if !self.waited.is_zero() {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let earned = Duration::from_secs(1) * bytes / READ_BYTES_PER_S;
            self.waited = self.waited.saturating_sub(earned);
        }
    }
}

/// A timer that is set only when it is first needed, and again only when it has run.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether it is so late; if not, the task is woken when it is.
    fn rings(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        if sleep.deadline() > at.into() {
            sleep.as_mut().reset(at.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return true;
            }
            sleep.as_mut().reset(at.into());
        }
        false
    }
}
