//! The headers of answers, described once and referred to.

use bodega_contract::{Kind, Method, Operation, Output};
use bodega_kernel::{Language, Versions};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Header, HeaderBuilder, Ref, RefOr, ResponseBuilder};

use super::plain::{choice, small, text};

/// On every answer.
const ON_ALL: &[&str] = &[
    "Access-Control-Allow-Origin",
    "Bodega-Version",
    "RateLimit",
    "RateLimit-Policy",
    "Request-Id",
    "traceparent",
];

/// The headers of a success.
pub(super) fn on_success(operation: &Operation, response: ResponseBuilder) -> ResponseBuilder {
    let goes = !operation.deprecated.is_empty();
    let page = matches!(operation.output, Output::Page(_));
    let command = operation.kind != Kind::Query;
    let mut names = ON_ALL.to_vec();
    names.extend((operation.kind != Kind::Batch).then_some("ETag"));
    names.extend((goes || page).then_some("Link"));
    names.extend((operation.status == 201).then_some("Location"));
    names.extend(command.then_some("Idempotent-Replayed"));
    names.extend(goes.then_some(["Deprecation", "Sunset"]).into_iter().flatten());
    refer(response, &names)
}

/// The headers of "not modified".
pub(super) fn on_not_modified(response: ResponseBuilder) -> ResponseBuilder {
    refer(refer(response, ON_ALL), &["ETag"])
}

/// The headers of a problem. What a command was refused with is remembered, hence replayed.
pub(super) fn on_problem(status: u16, response: ResponseBuilder) -> ResponseBuilder {
    let own: &[&str] = match status {
        401 | 403 => &["WWW-Authenticate"],
        404 | 412 | 422 => &["Idempotent-Replayed"],
        409 => &["Idempotent-Replayed", "Retry-After"],
        429 | 503 | 507 => &["Retry-After"],
        _ => &[],
    };
    refer(refer(refer(response, ON_ALL), &["Content-Language"]), own)
}

/// Whether an operation answers 304.
pub(super) fn is_conditional(operation: &Operation) -> bool {
    operation.method == Method::Get
}

fn refer(mut response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    for name in names {
        response = response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")));
    }
    response
}

/// Every header there is.
pub(super) fn components(versions: &Versions) -> Vec<(&'static str, Header)> {
    let mut all = always(versions);
    all.extend(sometimes());
    all
}

fn header(schema: impl Into<RefOr<Schema>>, about: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build()
}

fn always(versions: &Versions) -> Vec<(&'static str, Header)> {
    let limit = |members: &str, example: &str| {
        let one = format!("\"[a-z-]{{1,20}}\"{members}");
        text(&format!("^{one}(, *{one})*$"), 200).examples([example])
    };
    vec![
        (
            "Access-Control-Allow-Origin",
            header(
                text(r"^(\*|null|[a-z][a-z0-9+.-]*://[!-~]+)$", 300).examples(["*"]),
                "The origin that may read the answer in a browser: any, or one the key allows.",
            ),
        ),
        (
            "Bodega-Version",
            header(choice(versions.dates()), "The version of the API that this answer is in."),
        ),
        (
            "RateLimit",
            header(
                limit(";r=[0-9]{1,10};t=[0-9]{1,10}", "\"minute\";r=599;t=60"),
                "What is left (`r`) of a minute's limit and of a day's, and the seconds (`t`) until it is \
                 whole again: of the key's own, of those of the keys that it descends from \
                 (`parent-…`) and of its organization's (`organization-…`) the one with least left.",
            ),
        ),
        (
            "RateLimit-Policy",
            header(
                limit(";q=[0-9]{1,10};w=[0-9]{1,10}", "\"minute\";q=600;w=60"),
                "The limits that `RateLimit` tells of: how much (`q`) in how many seconds (`w`).",
            ),
        ),
        (
            "Request-Id",
            header(
                text("^req_[0-7][0-9a-hjkmnp-tv-z]{25}$", 30)
                    .examples([super::problem::REQUEST_ID]),
                "The call's own id: quote it when you ask for help.",
            ),
        ),
        (
            "traceparent",
            header(
                text("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", 55)
                    .examples(["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
                "W3C Trace Context: yours, continued, or a new one.",
            ),
        ),
    ]
}

fn sometimes() -> Vec<(&'static str, Header)> {
    const HTTP_DATE: &str = "^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} \
                             [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$";
    let seconds = || small(0, 86_400).examples([2]);
    let languages = [Language::English, Language::Spanish].map(Language::tag);
    vec![
        (
            "Content-Language",
            header(choice(languages), "The language of the problem's title and details."),
        ),
        (
            "Deprecation",
            header(
                text("^@-?[0-9]{1,12}$", 14).examples(["@1795132800"]),
                "Since when what you used is deprecated (RFC 9745).",
            ),
        ),
        (
            "ETag",
            header(
                text("^(W/)?\"[!#-~]*\"$", 100).examples(["\"7\""]),
                "What to send as `If-None-Match`; of one object its version, for `If-Match`.",
            ),
        ),
        (
            "Idempotent-Replayed",
            header(
                choice(["true"]),
                "There when this is the first answer to the same `Idempotency-Key` again.",
            ),
        ),
        (
            "Link",
            header(
                text(r#"^<[^<>]+>(; *[a-z]+="[^"]*")+(, *<[^<>]+>(; *[a-z]+="[^"]*")+)*$"#, 40_000)
                    .examples(["</v1/things?cursor=AbC>; rel=\"next\""]),
                "Where to go on: `next` and `prev` of a list, and the page about a `deprecation`.",
            ),
        ),
        (
            "Location",
            header(
                text("^/v1/[!-~]+$", 300).examples(["/v1/things/thing_01k78agk00e008000000000001"]),
                "Where the new object is.",
            ),
        ),
        ("Retry-After", header(seconds(), "In how many seconds to try again.")),
        (
            "Sunset",
            header(
                text(HTTP_DATE, 29).examples(["Sat, 20 Nov 2027 00:00:00 GMT"]),
                "When what you used stops working (RFC 8594).",
            ),
        ),
        (
            "WWW-Authenticate",
            header(
                text("^Bearer( [ -~]*)?$", 500)
                    .examples(["Bearer error=\"insufficient_scope\", scope=\"area:write\""]),
                "How to authenticate, and the scope that is missing.",
            ),
        ),
    ]
}
