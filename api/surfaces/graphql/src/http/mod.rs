//! GraphQL over HTTP.

mod media;
mod params;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bodega_contract::Method;
use bodega_corridor::{Leave, Visit};
use bodega_kernel::{Problem, problem};
use bodega_rest::http::{self as shared, Incoming};

pub(crate) use media::Media;
pub(crate) use params::Params;

use crate::Door;
use crate::service::{Reply, Terms};

/// The largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the request log calls a request of several operations.
const SEVERAL: &str = "graphql";

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
    // The schema has no dates: it changes only so that nothing breaks, and says what goes away.
    let latest = door.service.corridor.versions().latest();
    incoming.caller.version = Some(latest.to_owned());
    match *request.method() {
        HttpMethod::OPTIONS => return incoming.options(OFFERED),
        HttpMethod::GET | HttpMethod::HEAD | HttpMethod::POST => {}
        _ => return incoming.refuse_method(OFFERED),
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
    let key = shared::text_header(request.headers(), "idempotency-key");
    let asked = params(request, payload, reads_only).await;
    let result = match (&asked, &key) {
        (Ok(params), Ok(key)) => {
            let terms = Terms { reads_only, idempotency_key: key.as_deref() };
            door.service.run(&mut visit, caller, params, terms).await
        }
        (Err(_), _) | (_, Err(_)) => {
            visit.charge(1).await.and_then(|()| match (asked, key.as_ref()) {
                (Err(problem), _) => Err(problem),
                _ => Err(Problem::new(&problem::MALFORMED_REQUEST)),
            })
        }
    };
    let (response, left) = match result {
        Ok(reply) => {
            let status = status(&reply, media);
            let mut response = HttpResponseBuilder::new(status);
            shared::standard(&mut response, incoming);
            decorate(&mut response, &visit);
            if reply.replayed {
                shared::put(&mut response, shared::REPLAYED, "true".to_owned());
            }
            let content_type = HeaderValue::from_static(media.content_type());
            response.insert_header((header::CONTENT_TYPE, content_type));
            let left = Left {
                operation: reply.operation.map_or(SEVERAL, |operation| operation.id),
                status: status.as_u16(),
                code: reply.code,
                deprecated: reply.deprecated,
            };
            (response.body(reply.body), left)
        }
        Err(problem) => {
            let mut response = incoming.begin(&problem);
            decorate(&mut response, &visit);
            if problem.code.code == problem::METHOD_NOT_ALLOWED.code {
                shared::put(&mut response, header::ALLOW, "POST, OPTIONS".to_owned());
            }
            let (status, code) = (problem.code.status, Some(problem.code.code.to_owned()));
            let left = Left { operation: SEVERAL, status, code, deprecated: Vec::new() };
            (shared::refused(response, incoming, &problem), left)
        }
    };
    visit.leave(Leave {
        operation: left.operation,
        method: if reads_only { "GET" } else { "POST" },
        status: left.status,
        code: left.code.as_deref(),
        idempotency_key: key.unwrap_or_default(),
        deprecated: left.deprecated,
    });
    response
}

/// What the request log is to say.
struct Left {
    operation: &'static str,
    status: u16,
    code: Option<String>,
    deprecated: Vec<(&'static bodega_contract::Operation, bodega_contract::Deprecation)>,
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
) -> bodega_kernel::Result<Params> {
    if reads_only {
        return Params::of_query(request.query_string());
    }
    // Only what a page of another origin must ask leave for: a form cannot send JSON.
    shared::is_json(request.headers(), Method::Post)?;
    let bytes = shared::body(payload, BODY_BYTES_MAX).await?;
    Params::of_body(&bytes)
}

fn status(reply: &Reply, media: Media) -> StatusCode {
    match (&reply.refused, media) {
        (Some(problem), Media::Response) => {
            StatusCode::from_u16(problem.code.status).unwrap_or(StatusCode::BAD_REQUEST)
        }
        _ => StatusCode::OK,
    }
}
