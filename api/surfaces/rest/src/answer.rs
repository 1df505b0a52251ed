//! From an outcome to an HTTP answer.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bodega_contract::{Deprecation, Method, Operation, Output};
use bodega_corridor::{Answer, Body, Outcome};
use bodega_kernel::{APART_BYTES, Apart, Problem, Size, problem};
use serde_json::Value;

use crate::headers::{self, put};
use crate::request::{Incoming, one};

/// The version that an answer comes in.
pub const VERSION: HeaderName = HeaderName::from_static("bodega-version");
/// Whether an answer is the first one to its key again.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// What a call is answered with.
pub(crate) async fn answer(
    request: &HttpRequest,
    incoming: &Incoming,
    operation: &Operation,
    outcome: Outcome,
    apart: &Apart,
) -> HttpResponse {
    let status = match &outcome.result {
        Ok(answer) => answer.status,
        Err(problem) => problem.code.status,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    headers::standard(&mut response, incoming);
    put(&mut response, VERSION, outcome.version.to_owned());
    if let Some(state) = &outcome.limits {
        headers::limits(&mut response, state);
    }
    for deprecation in &outcome.deprecated {
        deprecated(&mut response, operation, deprecation);
    }
    match outcome.result {
        Ok(mut answer) => {
            let written = write(&mut answer.body, outcome.size, apart).await;
            done(response, request, operation, answer, written)
        }
        Err(problem) => refused(response, incoming, &problem),
    }
}

/// The bytes of a body. A large one is written where no small call stands behind it; where there is no
/// place for that in time, here: what was done has to be told.
async fn write(body: &mut Body, size: Size, apart: &Apart) -> Vec<u8> {
    if size.bytes > APART_BYTES {
        let large = Arc::new(std::mem::take(body));
        let shared = large.clone();
        let written = apart.run(move || shared.to_bytes()).await;
        *body = Arc::unwrap_or_clone(large);
        if let Ok(bytes) = written {
            return bytes;
        }
    }
    body.to_bytes()
}

fn done(
    mut response: HttpResponseBuilder,
    request: &HttpRequest,
    operation: &Operation,
    answer: Answer,
    body: Vec<u8>,
) -> HttpResponse {
    if answer.replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    if answer.status >= 400 {
        return problem_body(response, body);
    }
    if operation.method == Method::Get {
        let tag = tag(request, operation, &answer.body, &body);
        let known =
            one(request.headers(), "if-none-match").is_some_and(|known| matches(known, &tag));
        put(&mut response, header::ETAG, tag);
        if known {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
    } else if let Some(version) = answer.body.version() {
        put(&mut response, header::ETAG, format!("\"{version}\""));
    }
    if matches!(operation.output, Output::Page(_)) {
        paging(&mut response, request, &answer.body);
    }
    if let (201, Some(id)) = (answer.status, answer.body.text("id")) {
        put(&mut response, header::LOCATION, format!("{}/{id}", operation.path));
    }
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    response.body(body)
}

/// An object's version, where the object is shown whole; else a hash of what is shown.
fn tag(request: &HttpRequest, operation: &Operation, body: &Body, bytes: &[u8]) -> String {
    match body.version() {
        Some(version) if operation.has_id() && request.query_string().is_empty() => {
            format!("\"{version}\"")
        }
        _ => {
            let mut hash = DefaultHasher::new();
            hash.write(bytes);
            format!("W/\"{:016x}\"", hash.finish())
        }
    }
}

fn matches(known: &str, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|one| bare(one) == bare(tag))
}

/// The pages beside this one, as RFC 8288 writes links.
fn paging(response: &mut HttpResponseBuilder, request: &HttpRequest, body: &Body) {
    for (relation, member) in [("next", "next_cursor"), ("prev", "prev_cursor")] {
        let Some(cursor) = body.text(member) else { continue };
        let mut query = form_urlencoded::Serializer::new(String::new());
        let others = form_urlencoded::parse(request.query_string().as_bytes());
        query.extend_pairs(others.filter(|(name, _)| name != "cursor"));
        query.append_pair("cursor", cursor);
        let link = format!("<{}?{}>; rel=\"{relation}\"", request.uri().path(), query.finish());
        if let Ok(link) = HeaderValue::try_from(link) {
            response.append_header((header::LINK, link));
        }
    }
}

/// RFC 9745 and RFC 8594: since when it is deprecated, and when it ends.
fn deprecated(response: &mut HttpResponseBuilder, operation: &Operation, what: &Deprecation) {
    let midnight = |date: &str| {
        let date = date.parse::<bodega_kernel::Date>().ok()?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc())
    };
    if let Some(since) = midnight(what.since) {
        put(response, DEPRECATION, format!("@{}", since.timestamp()));
    }
    if let Some(sunset) = midnight(what.sunset) {
        put(response, SUNSET, sunset.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    let page = format!("</docs#{}>; rel=\"deprecation\"; type=\"text/html\"", operation.id);
    if let Ok(page) = HeaderValue::try_from(page) {
        response.append_header((header::LINK, page));
    }
}

/// An answer that says no, begun with its status and headers.
pub fn refused(
    mut response: HttpResponseBuilder,
    incoming: &Incoming,
    problem: &Problem,
) -> HttpResponse {
    let caller = &incoming.caller;
    if let Some(cause) = &problem.cause {
        let (request_id, path) = (caller.request_id(), &caller.path);
        tracing::error!(request_id, path, code = problem.code.code, cause, "the call failed");
    }
    if let Some(seconds) = problem.retry_after_s {
        put(&mut response, header::RETRY_AFTER, seconds.to_string());
    }
    let challenge = match problem.code.status {
        401 => Some("Bearer realm=\"bodega\"".to_owned()),
        403 if problem.code.code == problem::INSUFFICIENT_SCOPE.code => {
            let scope = problem.extra.get("scope").and_then(Value::as_str).unwrap_or_default();
            Some(format!(
                "Bearer realm=\"bodega\", error=\"insufficient_scope\", scope=\"{scope}\""
            ))
        }
        _ => None,
    };
    if let Some(challenge) = challenge {
        put(&mut response, header::WWW_AUTHENTICATE, challenge);
    }
    let body = problem.to_json(caller.language, &caller.path, &caller.request_id());
    put(&mut response, header::CONTENT_LANGUAGE, caller.language.tag().to_owned());
    problem_body(response, serde_json::to_vec(&body).unwrap_or_default())
}

fn problem_body(mut response: HttpResponseBuilder, body: Vec<u8>) -> HttpResponse {
    let content_type = HeaderValue::from_static("application/problem+json");
    response.insert_header((header::CONTENT_TYPE, content_type));
    response.body(body)
}

impl Incoming {
    /// An answer to what never became a call.
    pub fn refuse(&self, problem: &Problem) -> HttpResponse {
        refused(self.begin(problem), self, problem)
    }

    /// The path is there, the method is not.
    pub fn refuse_method(&self, offered: &[Method]) -> HttpResponse {
        let problem = Problem::new(&problem::METHOD_NOT_ALLOWED);
        let mut response = self.begin(&problem);
        put(&mut response, header::ALLOW, headers::allow(offered));
        refused(response, self, &problem)
    }

    /// What can be asked here, and what a browser may send.
    pub fn options(&self, offered: &[Method]) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(StatusCode::NO_CONTENT);
        headers::standard(&mut response, self);
        headers::preflight(&mut response, offered);
        response.finish()
    }

    /// The status of a problem, and the headers that every answer has.
    pub fn begin(&self, problem: &Problem) -> HttpResponseBuilder {
        let status = StatusCode::from_u16(problem.code.status);
        let mut response = HttpResponseBuilder::new(status.unwrap_or(StatusCode::NOT_FOUND));
        headers::standard(&mut response, self);
        response
    }
}
