//! What comes through a web socket, looked at before it is kept: the reader behind would keep what a
//! frame announces, however much that is, until the frame is whole.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures::Stream;

use super::BODY_BYTES_MAX;

/// What comes in all before it is known who sends it.
const STRANGER_BYTES_MAX: usize = 16 * 1024;

/// One message comes in no more pieces.
const PIECES_MAX: usize = 64;

/// No more frames come within this time: each costs a look, and a ping an answer.
const FRAMES_MAX: usize = 2_000;
const FRAMES_WITHIN: Duration = Duration::from_secs(10);

/// What announces a control frame of more than these bytes is no web socket.
const CONTROL_BYTES_MAX: u64 = 125;

/// The longest header of a frame: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed(pub(crate) u16, pub(crate) &'static str);

const TOO_LARGE: Closed = Closed(1009, "Too large");
const TOO_MUCH: Closed = Closed(4429, "Too many messages");
const NOT_A_FRAME: Closed = Closed(1002, "Not a web socket frame");

/// What is known of the sender, and why no more is read.
#[derive(Default)]
pub(crate) struct Sender {
    known: Cell<bool>,
    closed: Cell<Option<Closed>>,
}

impl Sender {
    /// It has said who it is.
    pub(crate) fn is_known(&self) {
        self.known.set(true);
    }

    /// Why no more is read.
    pub(crate) fn closed(&self) -> Option<Closed> {
        self.closed.get()
    }
}

/// The bytes of a web socket, until they go beyond a bound.
pub(crate) struct Frames {
    bytes: Payload,
    sender: Rc<Sender>,
    look: Look,
}

impl Frames {
    pub(crate) fn new(bytes: Payload, sender: Rc<Sender>) -> Self {
        Self { bytes, sender, look: Look::new() }
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { bytes, sender, look } = self.get_mut();
        if sender.closed.get().is_some() {
            return Poll::Ready(None);
        }
        let read = match Pin::new(bytes).poll_next(cx) {
            // The reader behind would forget what came just before: that the connection broke is, for
            // what it carried, no more than that it ended.
            Poll::Ready(Some(Err(_))) => Poll::Ready(None),
            read => read,
        };
        if let Poll::Ready(Some(Ok(bytes))) = &read
            && let Err(closed) = look.at(bytes, sender.known.get())
        {
            sender.closed.set(Some(closed));
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        read
    }
}

/// How far the frames were looked at.
struct Look {
    header: Vec<u8>,
    /// Bytes of the present frame that are still to come.
    left: u64,
    /// The present message.
    pieces: usize,
    message_bytes: u64,
    /// What came before the sender was known.
    stranger_bytes: usize,
    frames: usize,
    since: Instant,
}

/// The header of a frame.
struct Header {
    last: bool,
    code: u8,
    bytes: u64,
}

impl Look {
    fn new() -> Self {
        Self {
            header: Vec::with_capacity(HEADER_BYTES_MAX),
            left: 0,
            pieces: 0,
            message_bytes: 0,
            stranger_bytes: 0,
            frames: 0,
            since: Instant::now(),
        }
    }

    fn at(&mut self, mut bytes: &[u8], known: bool) -> Result<(), Closed> {
        if !known {
            self.stranger_bytes += bytes.len();
            if self.stranger_bytes > STRANGER_BYTES_MAX {
                return Err(TOO_LARGE);
            }
        }
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= now as u64;
                bytes = bytes.get(now..).unwrap_or_default();
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let Some(header) = header(&self.header)? {
                self.header.clear();
                self.frame(&header, known)?;
                self.left = header.bytes;
            }
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Header, known: bool) -> Result<(), Closed> {
        if self.since.elapsed() > FRAMES_WITHIN {
            (self.frames, self.since) = (0, Instant::now());
        }
        self.frames += 1;
        if self.frames > FRAMES_MAX {
            return Err(TOO_MUCH);
        }
        match frame.code {
            0 => {
                self.pieces += 1;
                self.message_bytes = self.message_bytes.saturating_add(frame.bytes);
            }
            1 | 2 => (self.pieces, self.message_bytes) = (1, frame.bytes),
            _ if frame.bytes > CONTROL_BYTES_MAX || !frame.last => return Err(NOT_A_FRAME),
            _ => return Ok(()),
        }
        let bytes_max = if known { BODY_BYTES_MAX } else { STRANGER_BYTES_MAX };
        match self.pieces > PIECES_MAX || self.message_bytes > bytes_max as u64 {
            true => Err(TOO_LARGE),
            false => Ok(()),
        }
    }
}

/// A whole header, where these bytes are one.
fn header(bytes: &[u8]) -> Result<Option<Header>, Closed> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    // No extension was agreed on, so that nothing comes compressed; and a client masks.
    if first & 0b0111_0000 != 0 || second & 0x80 == 0 {
        return Err(NOT_A_FRAME);
    }
    let of_length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if rest.len() < of_length + 4 {
        return Ok(None);
    }
    let length = rest.iter().take(of_length);
    let bytes = match of_length {
        0 => u64::from(second & 0x7f),
        _ => length.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)),
    };
    Ok(Some(Header { last: first & 0x80 != 0, code: first & 0x0f, bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, bytes: u64) -> Vec<u8> {
        let mut out = vec![first];
        match bytes {
            0..126 => out.push(0x80 | u8::try_from(bytes).expect("small")),
            _ => {
                out.push(0x80 | 127);
                out.extend(bytes.to_be_bytes());
            }
        }
        out.extend([0; 4]);
        out
    }

    fn whole(first: u8, bytes: u64) -> Vec<u8> {
        let mut out = frame(first, bytes);
        out.resize(out.len() + usize::try_from(bytes).expect("small"), b'x');
        out
    }

    #[test]
    fn what_is_announced_counts_before_it_comes() {
        for (first, bytes) in [(0x81, 1 << 40), (0x82, u64::MAX), (0x01, 70_000)] {
            assert_eq!(Look::new().at(&frame(first, bytes), true), Err(TOO_LARGE), "{bytes}");
        }
        assert_eq!(Look::new().at(&frame(0x81, 60_000), true), Ok(()));
        assert_eq!(Look::new().at(&frame(0x81, 60_000), false), Err(TOO_LARGE));
        assert_eq!(Look::new().at(&frame(0x89, 126), true), Err(NOT_A_FRAME));
        assert_eq!(Look::new().at(&frame(0xC1, 1), true), Err(NOT_A_FRAME), "compressed");
        assert_eq!(Look::new().at(&[0x81, 0x01], true), Err(NOT_A_FRAME), "not masked");
    }

    #[test]
    fn pieces_add_up_however_they_come() {
        let mut look = Look::new();
        for byte in whole(0x01, 40_000).into_iter().chain(whole(0x89, 3)) {
            assert_eq!(look.at(&[byte], true), Ok(()));
        }
        assert_eq!(look.at(&whole(0x00, 20_000), true), Ok(()));
        assert_eq!(look.at(&whole(0x00, 10_000), true), Err(TOO_LARGE));
        let (mut look, empty) = (Look::new(), frame(0x00, 0));
        assert_eq!(look.at(&frame(0x01, 0), true), Ok(()));
        assert!((0..PIECES_MAX).any(|_| look.at(&empty, true) == Err(TOO_LARGE)));
    }

    #[test]
    fn frames_are_counted_and_a_stranger_sends_little() {
        let (mut look, ping) = (Look::new(), frame(0x89, 0));
        assert!((0..=FRAMES_MAX).any(|_| look.at(&ping, true) == Err(TOO_MUCH)));
        let (mut look, text) = (Look::new(), whole(0x81, 1_000));
        assert!((0..20).any(|_| look.at(&text, false) == Err(TOO_LARGE)));
    }
}
