//! The headers that every answer carries.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use bodega_contract::{LimitState, Method};

use crate::request::Incoming;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a script in a browser may read.
const EXPOSED: &str = "ETag, Link, Location, Request-Id, traceparent, Bodega-Version, RateLimit, \
                       RateLimit-Policy, Retry-After, Idempotent-Replayed, Deprecation, Sunset";

/// What a script in a browser may send.
const SENDABLE: &str = "Authorization, Content-Type, Accept, Accept-Language, Idempotency-Key, \
                        If-Match, If-None-Match, Bodega-Version, traceparent";

/// On every answer: which request it was, and what keeps browsers out of trouble.
pub fn standard(response: &mut HttpResponseBuilder, incoming: &Incoming) {
    let caller = &incoming.caller;
    put(response, REQUEST_ID, caller.request_id());
    put(response, TRACEPARENT, caller.traceparent.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::VARY, "Origin, Accept-Language, Authorization, Bodega-Version"),
    ] {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
    if let Some(origin) = &caller.origin {
        put(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static(EXPOSED);
        response.insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed));
    }
}

/// The limits, as the IETF draft writes them.
pub fn limits(response: &mut HttpResponseBuilder, state: &LimitState) {
    let [first, second] = state.policies;
    let policies = format!(
        "\"{}\";q={};w={}, \"{}\";q={};w={}",
        first.name, first.quota, first.window_s, second.name, second.quota, second.window_s
    );
    let limits = format!(
        "\"{}\";r={};t={}, \"{}\";r={};t={}",
        first.name, first.remaining, first.reset_s, second.name, second.remaining, second.reset_s
    );
    put(response, RATE_LIMIT_POLICY, policies);
    put(response, RATE_LIMIT, limits);
}

/// What a browser asks before it sends a request of its own making.
pub(crate) fn preflight(response: &mut HttpResponseBuilder, offered: &[Method]) {
    let methods = allow(offered);
    put(response, header::ALLOW, methods.clone());
    put(response, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    response
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENDABLE)));
    response.insert_header((header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")));
}

/// `GET, HEAD, POST, OPTIONS`.
pub(crate) fn allow(offered: &[Method]) -> String {
    let mut names: Vec<&str> = offered.iter().map(|method| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

/// Sets a header, unless the value cannot be one.
pub fn put(response: &mut HttpResponseBuilder, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.insert_header((name, value));
    }
}
