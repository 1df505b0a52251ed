//! The calls that are being answered, counted so that a stop can wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How many calls are being answered, and whether they are the last.
#[derive(Clone, Default)]
pub(crate) struct InHand(Arc<State>);

#[derive(Default)]
struct State {
    calls: AtomicUsize,
    stopping: AtomicBool,
}

impl InHand {
    /// Returns when there are none. From now on each answer is the last of its connection.
    pub(crate) async fn none(&self) {
        self.0.stopping.store(true, Ordering::Release);
        while self.0.calls.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// One call; no longer counted when dropped.
struct Held<'a>(&'a State);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Release);
    }
}

/// Counts a call for as long as it is being answered.
pub(crate) async fn counted(
    in_hand: Data<InHand>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let state = &*in_hand.0;
    state.calls.fetch_add(1, Ordering::AcqRel);
    let _held = Held(state);
    let mut answer = next.call(request).await?;
    if state.stopping.load(Ordering::Acquire) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}
