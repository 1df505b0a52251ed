//! A log as server-sent events: `GET …/stream` beside every list that can be followed. It is read
//! through the corridor, as anybody reads it, so that a key that is revoked ends its streams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, HttpResponseBuilder};
use bodega_contract::{Caller, Method, Operation, Registry, Route};
use bodega_corridor::{Body, Call, Corridor, Leave, Place};
use bodega_kernel::{FieldError, Problem, Result, Shown, problem, text};
use futures::{StreamExt, stream};

use crate::headers;
use crate::request::{Incoming, one, query};

/// Whether the key still holds is looked at this often, also where nothing happens.
const WAIT_S: u64 = 2;

/// Something is sent at least this often, so that nobody in between takes the line for dead.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The list that a path ending in `/stream` follows.
pub(crate) fn feed(registry: &'static Registry, path: &str) -> Option<&'static Operation> {
    match registry.route(Some(Method::Get), path.strip_suffix("/stream")?) {
        Route::To(operation, None) => {
            Some(operation).filter(|one| one.list.as_ref().is_some_and(|list| list.feed))
        }
        _ => None,
    }
}

/// Someone who follows.
struct Follower {
    corridor: Arc<Corridor>,
    caller: Caller,
    feed: &'static Operation,
    /// The filters.
    query: Vec<(String, String)>,
    /// The place in the log that was reached.
    after: i64,
    /// Whether it has moved since the other end heard of it.
    moved: bool,
    heard: Instant,
    _place: Place,
}

/// Follows from `Last-Event-ID`, from `after`, or from now.
pub(crate) async fn follow(
    request: &HttpRequest,
    incoming: &Incoming,
    corridor: Arc<Corridor>,
    feed: &'static Operation,
) -> HttpResponse {
    match begin(request, incoming, corridor, feed).await {
        Ok(follower) => answer(incoming, follower),
        Err(problem) => incoming.refuse(&problem),
    }
}

async fn begin(
    request: &HttpRequest,
    incoming: &Incoming,
    corridor: Arc<Corridor>,
    feed: &'static Operation,
) -> Result<Follower> {
    let caller = incoming.caller.clone();
    let mut visit = corridor.admit(&caller).await?;
    let place = visit.follow()?;
    let mut query = query(request.query_string())?;
    let asked = query.iter().position(|(name, _)| name == "after").map(|at| query.remove(at).1);
    let asked = one(request.headers(), "last-event-id").map(str::to_owned).or(asked);
    if let Some((name, _)) = query.iter().find(|(name, _)| OF_PAGES.contains(&name.as_str())) {
        let detail = text("is for pages, not for streams", "es para páginas, no para flujos");
        let error = FieldError::query(name, "unknown_parameter", detail);
        return Err(Problem::new(&problem::VALIDATION_FAILED).at(error));
    }
    visit.charge(feed.cost).await?;
    let mut follower = {
        let (corridor, caller) = (corridor.clone(), caller.clone());
        let heard = Instant::now();
        Follower { corridor, caller, feed, query, after: 0, moved: false, heard, _place: place }
    };
    // What is wrong is said now, not with the first event.
    let first = match &asked {
        Some(after) => follower.call(&[("after", after), ("limit", "1")]),
        None => follower.call(&[("sequence[is_null]", "false"), ("limit", "1")]),
    };
    visit.begin(feed.id, "GET");
    let answered = visit.call(first).await;
    let (status, code) = match &answered {
        Ok(_) => (200, None),
        Err(problem) => (problem.code.status, Some(problem.code.code)),
    };
    let (operation, method, deprecated) = (feed.id, "GET", Vec::new());
    visit.leave(Leave { operation, method, status, code, idempotency_key: None, deprecated });
    let newest = rows(&answered?.body).first().and_then(|row| row.whole("sequence")).unwrap_or(0);
    follower.after = asked.map_or(newest, |after| after.parse().unwrap_or(newest));
    Ok(follower)
}

/// Of the list's parameters, those that a stream does not take.
const OF_PAGES: &[&str] = &["limit", "cursor", "count", "sort", "fields", "wait_s"];

fn answer(incoming: &Incoming, follower: Follower) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    headers::standard(&mut response, incoming);
    let fixed = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // Compressed, events would wait for one another.
        (header::CONTENT_ENCODING, "identity"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    for (name, value) in fixed {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
    // The first bytes tell the other end that it is followed.
    let begun = stream::once(async { Ok::<_, Error>(Bytes::from_static(b":\n\n")) });
    let rest = stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        let next = follower.next().await?;
        Some((Ok(next), Some(follower)))
    });
    response.streaming(begun.chain(rest))
}

impl Follower {
    fn call(&self, more: &[(&str, &str)]) -> Call<'static> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let query = self.query.iter().cloned().chain(more).collect();
        Call { query, placed: true, ..Call::of(self.feed) }
    }

    /// What to send next; nothing where the stream ends: the program stops, or the key holds no more.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.corridor.platform().signals.is_closed() {
                return None;
            }
            let (after, wait) = (self.after.to_string(), WAIT_S.to_string());
            let call = self.call(&[("after", &after), ("wait_s", &wait), ("limit", "100")]);
            let visit = self.corridor.admit(&self.caller).await.ok()?;
            let page = visit.call(call).await.ok()?.body;
            let rows = rows(&page);
            if let Some(last) = rows.last().and_then(|row| row.whole("sequence")) {
                (self.after, self.moved, self.heard) = (last, false, Instant::now());
                return Some(rows.iter().flat_map(event).collect::<Vec<u8>>().into());
            }
            // What was not for this caller is not looked through again.
            let passed = reached(&page).filter(|reached| *reached > self.after);
            (self.after, self.moved) =
                (passed.unwrap_or(self.after), self.moved || passed.is_some());
            if self.heard.elapsed() >= HEARTBEAT {
                self.heard = Instant::now();
                return Some(match std::mem::take(&mut self.moved) {
                    // An id alone is no event, but where a reader goes on from.
                    true => format!("id: {}\n\n", self.after).into(),
                    false => Bytes::from_static(b":\n\n"),
                });
            }
        }
    }
}

/// An entry of the log; its data is one line of JSON.
fn event(row: &Shown) -> Vec<u8> {
    let kind = row.text("type").unwrap_or("message");
    let sequence = row.whole("sequence").unwrap_or_default();
    let mut event = format!("id: {sequence}\nevent: {kind}\ndata: ").into_bytes();
    row.write(&mut event);
    event.extend_from_slice(b"\n\n");
    event
}

fn rows(body: &Body) -> &[Shown] {
    match body {
        Body::Page(page) => &page.data,
        _ => &[],
    }
}

fn reached(body: &Body) -> Option<i64> {
    match body {
        Body::Page(page) => page.reached,
        _ => None,
    }
}
