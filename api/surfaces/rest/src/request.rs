//! From an HTTP request to a call.

use actix_web::http::Method as HttpMethod;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, web};
use bodega_contract::{Caller, Credentials, Method};
use bodega_corridor::Call;
use bodega_kernel::{FieldError, Language, Problem, Result, problem, text};
use uuid::Uuid;

use crate::BODY_BYTES_MAX;
use crate::body::{Body, body};
use crate::forwarded;

/// What the document says of headers that are otherwise taken as they come: printable ASCII, and no
/// longer than this.
const HEADER_BYTES_MAX: [(&str, usize); 2] = [("accept-language", 500), ("if-none-match", 1_000)];

/// What stands in a request once: of two, a proxy in front might believe the other.
const ONCE: [&str; 9] = [
    "authorization",
    "origin",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "if-match",
    "bodega-version",
    "last-event-id",
    "upgrade",
];

/// A request, and who sends it.
pub struct Incoming {
    /// Who sends it, as far as can be told.
    pub caller: Caller,
    /// What is wrong with its headers, whoever sends it.
    pub fault: Option<Problem>,
}

impl Incoming {
    /// A request to the REST door; other doors put their own name in.
    pub fn of(request: &HttpRequest, trusted_proxies: usize) -> Self {
        let headers = request.headers();
        let (request_id, peer) = (Uuid::now_v7(), request.peer_addr().map(|peer| peer.ip()));
        let language = one(headers, "accept-language").map(Language::accepted).unwrap_or_default();
        let caller = Caller {
            credentials: credentials(headers),
            ip: forwarded::address(headers, peer, trusted_proxies),
            origin: one(headers, "origin").map(str::to_owned),
            user_agent: one(headers, "user-agent").map(str::to_owned),
            request_id,
            traceparent: traceparent(one(headers, "traceparent"), request_id),
            version: one(headers, "bodega-version").map(str::to_owned),
            language,
            door: "rest",
            path: request.uri().path().to_owned(),
        };
        let twice = ONCE.into_iter().find(|name| headers.get_all(*name).nth(1).is_some());
        Self { caller, fault: twice.map(given_twice) }
    }
}

/// Fills a call in by what the request says. What is wrong with it is told with everything else. The
/// body is to be kept until the call is answered: it counts while it is there.
pub(crate) async fn fill(
    call: &mut Call<'_>,
    request: &HttpRequest,
    payload: web::Payload,
    organization: Uuid,
) -> Option<Body> {
    read(call, request, payload, organization).await.unwrap_or_else(|problem| {
        call.fault = Some(problem);
        None
    })
}

async fn read(
    call: &mut Call<'_>,
    request: &HttpRequest,
    payload: web::Payload,
    organization: Uuid,
) -> Result<Option<Body>> {
    let headers = request.headers();
    if !accepts_json(headers) {
        return Err(Problem::new(&problem::NOT_ACCEPTABLE));
    }
    for (name, bytes_max) in HEADER_BYTES_MAX {
        let printable =
            |value: &HeaderValue| value.as_bytes().iter().all(|b| matches!(b, b' '..=b'~'));
        if headers.get(name).is_some_and(|value| value.len() > bytes_max || !printable(value)) {
            return Err(wrong_header(name));
        }
    }
    call.query = query(request.query_string())?;
    if request.method() == HttpMethod::GET || request.method() == HttpMethod::HEAD {
        return Ok(None);
    }
    call.idempotency_key = text_header(headers, "idempotency-key")?;
    call.if_match = match text_header(headers, "if-match")?.as_deref().map(str::trim) {
        None | Some("*") => None,
        Some(tag) => Some(version(tag)?),
    };
    let mut body = body(payload, BODY_BYTES_MAX, organization).await?;
    if !body.bytes.is_empty() {
        is_json(headers, call.operation.method)?;
        call.raw = Some(std::mem::take(&mut body.bytes));
    }
    Ok(Some(body))
}

/// The path with its percent signs decoded, if what comes out is text.
pub(crate) fn decoded(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    // A plus is a plus in a path; only in a query does it stand for a space.
    let escaped = path.replace('+', "%2B");
    let pairs: Vec<_> = form_urlencoded::parse(escaped.as_bytes()).collect();
    match pairs.as_slice() {
        [(path, value)] if value.is_empty() && !path.contains(['\u{fffd}', '\0']) => {
            Some(path.clone().into_owned())
        }
        _ => None,
    }
}

/// The parameters of a query string.
pub(crate) fn query(raw: &str) -> Result<Vec<(String, String)>> {
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
    // Bytes that are no UTF-8 come out of the parser as U+FFFD.
    match pairs.iter().find(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'))
    {
        None => Ok(pairs),
        Some((name, _)) => {
            let detail = text("is not valid UTF-8", "no es UTF-8 válido");
            let error = FieldError::query(name, "invalid", detail);
            Err(Problem::new(&problem::MALFORMED_REQUEST).at(error))
        }
    }
}

/// The one value of a header, where it is text.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A header that must be text where it is there.
pub fn text_header(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(value) => Ok(Some(value.to_owned())),
        Err(_) => Err(wrong_header(name)),
    }
}

fn given_twice(name: &str) -> Problem {
    let detail = text("is given more than once", "se da más de una vez");
    let error = FieldError::new("header", format!("/{name}"), "invalid", detail);
    Problem::new(&problem::MALFORMED_REQUEST).at(error)
}

fn wrong_header(name: &str) -> Problem {
    let detail = text("is not a valid value", "no es un valor válido");
    Problem::invalid(FieldError::new("header", format!("/{name}"), "invalid", detail))
}

/// `"7"`, or `7` as many write it.
fn version(tag: &str) -> Result<i64> {
    let bare = tag.strip_prefix("W/").unwrap_or(tag);
    let bare = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(bare);
    bare.parse().ok().filter(|version| *version >= 0).ok_or_else(|| wrong_header("if-match"))
}

/// What the `Authorization` header says. One that is no text says nothing that is known.
fn credentials(headers: &HeaderMap) -> Credentials {
    match headers.get("authorization").map(|value| value.to_str()) {
        None => Credentials::Missing,
        Some(Ok(value)) => Credentials::read(Some(value)),
        Some(Err(_)) => Credentials::NotBearer,
    }
}

/// Goes on with the caller's trace, or begins one.
fn traceparent(given: Option<&str>, request_id: Uuid) -> String {
    let span = &request_id.simple().to_string()[16..];
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && part.bytes().any(|byte| byte != b'0')
    };
    let parts: Vec<&str> = given.unwrap_or_default().split('-').collect();
    match parts.as_slice() {
        ["00", trace, parent, flags] if hex(trace, 32) && hex(parent, 16) && flags.len() == 2 => {
            let sampled = if flags.ends_with('1') { "01" } else { "00" };
            format!("00-{trace}-{span}-{sampled}")
        }
        _ => format!("00-{}-{span}-00", Uuid::now_v7().simple()),
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let mut ranges =
        headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        let json = ["", "*/*", "application/*", "application/json", "application/problem+json"];
        !refused && json.contains(&media.as_str())
    })
}

/// Whether the body is said to be JSON, in UTF-8 and not encoded.
pub fn is_json(headers: &HeaderMap, method: Method) -> Result<()> {
    let unsupported = || Problem::new(&problem::UNSUPPORTED_MEDIA_TYPE);
    let encoding = one(headers, "content-encoding").unwrap_or("identity");
    let content_type = one(headers, "content-type").ok_or_else(unsupported)?;
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media = parts.next().unwrap_or_default();
    let patch = method == Method::Patch && media == "application/merge-patch+json";
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    let utf8 = charset.is_none_or(|name| matches!(name.trim_matches('"'), "utf-8" | "utf8"));
    if (media == "application/json" || patch) && utf8 && encoding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    Err(unsupported())
}
