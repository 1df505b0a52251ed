//! GraphQL over HTTP.

mod frames;
mod media;
mod outbox;
mod places;
mod socket;
mod sse;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bodega_contract::Method;
use bodega_corridor::{Leave, Visit};
use bodega_kernel::{Problem, problem};
use bodega_rest::http::{self as shared, Incoming};
use uuid::Uuid;

pub(crate) use media::Media;

use crate::Door;
use crate::error::Stop;
use crate::params::Params;
use crate::service::{self, Reply, Terms};

/// The largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the request log calls a request of several operations.
pub(crate) const SEVERAL: &str = "graphql";

/// The methods there are.
const OFFERED: &[Method] = &[Method::Get, Method::Post];

/// Answers a request.
pub(crate) async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    door: web::Data<Door>,
) -> HttpResponse {
    let mut incoming = Incoming::of(&request, door.trusted_proxies);
    incoming.caller.door = "graphql";
    if let Some(fault) = &incoming.fault {
        return incoming.refuse(fault);
    }
    // The schema has no dates: it changes only so that nothing breaks, and says what goes away.
    let latest = door.service.corridor.versions().latest();
    incoming.caller.version = Some(latest.to_owned());
    match *request.method() {
        HttpMethod::OPTIONS => return incoming.options(OFFERED),
        HttpMethod::GET | HttpMethod::HEAD | HttpMethod::POST => {}
        _ => return incoming.refuse_method(OFFERED),
    }
    if socket::is_asked_for(&request) {
        return socket::open(&request, payload, &door, incoming).await;
    }
    let Some(media) = Media::accepted(request.headers()) else {
        return incoming.refuse(&Problem::new(&problem::NOT_ACCEPTABLE));
    };
    let visit = match door.service.corridor.admit(&incoming.caller).await {
        Ok(visit) => visit,
        Err(problem) => return incoming.refuse(&problem),
    };
    answer(&request, payload, &door, &incoming, visit, media).await
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    door: &Door,
    incoming: &Incoming,
    mut visit: Visit<'_>,
    media: Media,
) -> HttpResponse {
    let caller = &incoming.caller;
    let reads_only = request.method() != HttpMethod::POST;
    let method = if reads_only { "GET" } else { "POST" };
    visit.begin(SEVERAL, method);
    let key = shared::text_header(request.headers(), "idempotency-key");
    let organization = visit.principal().organization;
    let asked = match (params(request, payload, reads_only, organization).await, key) {
        (Ok(params), Ok(key)) => Ok((params, key)),
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    if let (Media::Events, Ok((params, _))) = (media, &asked)
        && door.service.is_subscription(&visit, params).await
    {
        visit.pass();
        return follow(door, incoming, params).await;
    }
    let (reply, key) = match asked {
        Ok((params, key)) => {
            let terms = Terms { reads_only, idempotency_key: key.as_deref() };
            (door.service.run(&mut visit, caller, &params, terms).await, key)
        }
        Err(problem) => (visit.charge(1).await.and(Err(problem)), None),
    };
    let mut decorations = HttpResponseBuilder::new(StatusCode::OK);
    decorate(&mut decorations, &visit);
    match leave(visit, method, key, reply) {
        Ok(reply) => told(incoming, decorations, reply, media),
        Err(problem) => {
            let mut response = decorations;
            begin(&mut response, incoming, problem.code.status);
            if problem.code.code == problem::METHOD_NOT_ALLOWED.code {
                shared::put(&mut response, header::ALLOW, "POST, OPTIONS".to_owned());
            }
            shared::refused(response, incoming, &problem)
        }
    }
}

/// Each change as it comes.
async fn follow(door: &Door, incoming: &Incoming, params: &Params) -> HttpResponse {
    let caller = &incoming.caller;
    let mut response = HttpResponseBuilder::new(StatusCode::OK);
    match door.service.subscribe(caller, params).await {
        Ok(subscription) => {
            begin(&mut response, incoming, 200);
            sse::many(response, subscription)
        }
        Err(Stop::Problem(problem)) => incoming.refuse(&problem),
        Err(stop) => {
            begin(&mut response, incoming, 400);
            let body = service::answer(stop.errors(caller), None, Default::default());
            let content_type = HeaderValue::from_static(Media::Response.content_type());
            response.insert_header((header::CONTENT_TYPE, content_type)).body(body)
        }
    }
}

fn begin(response: &mut HttpResponseBuilder, incoming: &Incoming, status: u16) {
    response.status(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
    shared::standard(response, incoming);
}

fn told(
    incoming: &Incoming,
    mut response: HttpResponseBuilder,
    reply: Reply,
    media: Media,
) -> HttpResponse {
    begin(&mut response, incoming, status(&reply, media));
    if reply.replayed {
        shared::put(&mut response, shared::REPLAYED, "true".to_owned());
    }
    if media == Media::Events && reply.refused.is_none() {
        return sse::one(response, &reply.body);
    }
    let media = if media == Media::Events { Media::Response } else { media };
    let content_type = HeaderValue::from_static(media.content_type());
    response.insert_header((header::CONTENT_TYPE, content_type));
    response.body(reply.body)
}

/// Notes in the request log what became of a request.
pub(crate) fn leave(
    visit: Visit<'_>,
    method: &'static str,
    idempotency_key: Option<String>,
    reply: Result<Reply, Problem>,
) -> Result<Reply, Problem> {
    let (operation, status, code, deprecated) = match &reply {
        Ok(reply) => {
            let operation = reply.operation.map_or(SEVERAL, |operation| operation.id);
            let status = reply.refused.as_ref().map_or(200, |problem| problem.code.status);
            (operation, status, reply.code.as_deref(), reply.deprecated.clone())
        }
        Err(problem) => (SEVERAL, problem.code.status, Some(problem.code.code), Vec::new()),
    };
    visit.leave(Leave { operation, method, status, code, idempotency_key, deprecated });
    reply
}

/// What the answers to those who were let in say beside what all say.
fn decorate(response: &mut HttpResponseBuilder, visit: &Visit<'_>) {
    shared::put(response, shared::VERSION, visit.version().to_owned());
    if let Some(limits) = visit.limits() {
        shared::limits(response, limits);
    }
}

async fn params(
    request: &HttpRequest,
    payload: web::Payload,
    reads_only: bool,
    organization: Uuid,
) -> bodega_kernel::Result<Params> {
    if reads_only {
        return Params::of_query(request.query_string());
    }
    // Only what a page of another origin must ask leave for: a form cannot send JSON.
    shared::is_json(request.headers(), Method::Post)?;
    let body = shared::body(payload, BODY_BYTES_MAX, organization).await?;
    Params::of_body(&body.bytes)
}

/// As plain JSON every answer that is GraphQL is a success; who knows GraphQL is told more.
fn status(reply: &Reply, media: Media) -> u16 {
    match (&reply.refused, media) {
        (Some(problem), Media::Response | Media::Events) => problem.code.status,
        _ => 200,
    }
}
