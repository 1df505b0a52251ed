//! One call, from its body to its answer's last byte, as its connection sees it.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures::{FutureExt, Stream, StreamExt};

use super::line::{Answering, Pace};

/// Of a body that nobody wanted, what came along with the headers is dropped up to this size, so that
/// the connection can be used again.
const SKIPPED_BYTES_MAX: usize = 64 * 1024;

/// Tells the connection that it is answering a call. A body that was not read to its end ends the
/// connection with the answer: what is still to come is not read.
pub(crate) async fn held(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let pace = request.conn_data::<Rc<Pace>>().cloned();
    let answering = pace.as_ref().map(Pace::answer);
    let body = match request.take_payload() {
        Payload::None => None,
        payload => {
            let (payload, ended) = (RefCell::new(payload), Cell::new(false));
            let body = Body(Rc::new(Inner { payload, ended, pace }));
            request.set_payload(Payload::Stream { payload: Box::pin(body.clone()) });
            Some(body)
        }
    };
    let answer = next.call(request).await?;
    let body = match body {
        Some(mut body) if answer.status() != StatusCode::SWITCHING_PROTOCOLS => {
            body.skip_what_is_there().await;
            Some(body)
        }
        other => other,
    };
    Ok(answer.map_body(|_, answer| Held {
        answer: BoxBody::new(answer),
        _body: body,
        _answering: answering,
    }))
}

/// A request's body. HTTP/1 would read one that is dropped to its end, however far that is: one that
/// is kept until the answer is written ends the connection.
#[derive(Clone)]
struct Body(Rc<Inner>);

struct Inner {
    payload: RefCell<Payload>,
    ended: Cell<bool>,
    pace: Option<Rc<Pace>>,
}

impl Body {
    /// Drops what is there already.
    async fn skip_what_is_there(&mut self) {
        if self.0.ended.get() {
            return;
        }
        // What came along with the headers is handed over after the call's first turn.
        tokio::task::yield_now().await;
        let mut bytes = 0;
        while bytes <= SKIPPED_BYTES_MAX {
            match self.next().now_or_never() {
                Some(Some(Ok(chunk))) => bytes += chunk.len(),
                _ => break,
            }
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Inner { payload, ended, pace } = &*self.0;
        let read = Pin::new(&mut *payload.borrow_mut()).poll_next(cx);
        let taken = match &read {
            Poll::Ready(Some(Ok(bytes))) => Some(bytes.len()),
            Poll::Ready(Some(Err(_)) | None) => {
                ended.set(true);
                None
            }
            Poll::Pending => None,
        };
        if let Some(pace) = pace {
            pace.taken(taken);
        }
        read
    }
}

/// An answer, with what lasts as long as it.
struct Held {
    answer: BoxBody,
    _body: Option<Body>,
    _answering: Option<Answering>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(cx)
    }
}
