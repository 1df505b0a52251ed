//! What a web socket is still to send: bounded in bytes, and given up where nobody reads it.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use actix_ws::Session;
use tokio::sync::Notify;

/// While more than this waits, the next message does not join it.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// The sending end of a socket.
#[derive(Clone)]
pub(crate) struct Outbox {
    session: Session,
    waiting: Rc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    bytes: Cell<usize>,
    less: Notify,
}

/// Nobody reads.
pub(crate) struct Unread;

impl Waiting {
    async fn room(&self) {
        while self.bytes.get() > WAITING_BYTES_MAX {
            self.less.notified().await;
        }
    }
}

impl Outbox {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, waiting: Rc::default() }
    }

    /// Waits until there is room: before an answer is made, so that not all are made at once for
    /// somebody who reads none.
    pub(crate) async fn room(&self, within: Duration) -> Result<(), Unread> {
        tokio::time::timeout(within, self.waiting.room()).await.map_err(|_| Unread)
    }

    pub(crate) async fn text(&mut self, text: String, within: Duration) -> Result<(), Unread> {
        let Self { session, waiting } = self;
        let sent = async {
            waiting.room().await;
            waiting.bytes.set(waiting.bytes.get() + text.len());
            session.text(text).await
        };
        match tokio::time::timeout(within, sent).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unread),
        }
    }

    pub(crate) async fn ping(&mut self, within: Duration) -> Result<(), Unread> {
        match tokio::time::timeout(within, self.session.ping(b"")).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unread),
        }
    }

    pub(crate) async fn pong(&mut self, bytes: &[u8], within: Duration) -> Result<(), Unread> {
        match tokio::time::timeout(within, self.session.pong(bytes)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unread),
        }
    }
}

/// The bytes of a socket on their way out.
pub(crate) struct Counted {
    body: BoxBody,
    waiting: Rc<Waiting>,
}

impl Counted {
    pub(crate) fn new(body: BoxBody, outbox: &Outbox) -> Self {
        Self { body, waiting: outbox.waiting.clone() }
    }
}

impl MessageBody for Counted {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &next {
            let Waiting { bytes: waiting, less } = &*self.waiting;
            waiting.set(waiting.get().saturating_sub(bytes.len()));
            less.notify_waiters();
        }
        next
    }
}
