//! `/graphiql`: the schema to read and try, every file of it from the program itself.

use std::io::Read as _;
use std::sync::OnceLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, guard};
use bodega_kernel::{Problem, problem};
use bodega_rest::http::Incoming;
use flate2::read::GzDecoder;

/// Nothing from elsewhere runs in the page. The editor places its lines and cursor by styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      worker-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Files are as old as the program; what a browser has it asks again for.
const REVALIDATE: &str = "public, no-cache";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
    /// Whether it is kept compressed.
    packed: bool,
    /// What is in it, once somebody asked who does not take it compressed.
    unpacked: OnceLock<Bytes>,
}

static PAGE: File = plain("", HTML, include_bytes!("../assets/graphiql.html"));

static FILES: [File; 7] = [
    plain("page.css", CSS, include_bytes!("../assets/page.css")),
    plain("page.js", SCRIPT, include_bytes!("../assets/page.js")),
    packed("graphiql.css", CSS, include_bytes!("../assets/vendor/graphiql.css.gz")),
    packed("graphiql.js", SCRIPT, include_bytes!("../assets/vendor/graphiql.js.gz")),
    packed("editor.worker.js", SCRIPT, include_bytes!("../assets/vendor/editor.worker.js.gz")),
    packed("graphql.worker.js", SCRIPT, include_bytes!("../assets/vendor/graphql.worker.js.gz")),
    packed("json.worker.js", SCRIPT, include_bytes!("../assets/vendor/json.worker.js.gz")),
];

const fn plain(name: &'static str, kind: &'static str, content: &'static [u8]) -> File {
    File { name, kind, content, packed: false, unpacked: OnceLock::new() }
}

const fn packed(name: &'static str, kind: &'static str, content: &'static [u8]) -> File {
    File { name, kind, content, packed: true, unpacked: OnceLock::new() }
}

/// Mounts the page and its files.
pub(crate) fn routes(app: &mut ServiceConfig) {
    let reads = || guard::Any(guard::Get()).or(guard::Head());
    app.service(
        web::resource("/graphiql")
            .route(web::route().guard(reads()).to(page))
            .default_service(web::to(refused)),
    )
    .service(
        web::resource("/graphiql/assets/{name}")
            .route(web::route().guard(reads()).to(asset))
            .default_service(web::to(refused)),
    );
}

async fn page(request: HttpRequest) -> HttpResponse {
    send(&request, &PAGE)
}

async fn asset(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    match FILES.iter().find(|file| file.name == name.as_str()) {
        Some(file) => send(&request, file),
        None => Incoming::of(&request, 0).refuse(&Problem::new(&problem::NOT_FOUND)),
    }
}

async fn refused(request: HttpRequest) -> HttpResponse {
    Incoming::of(&request, 0).refuse_method(&[bodega_contract::Method::Get])
}

fn send(request: &HttpRequest, file: &'static File) -> HttpResponse {
    let accepted = request.headers().get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = HttpResponse::Ok();
    begin(&mut response, file.kind);
    if !file.packed {
        return response.body(Bytes::from_static(file.content));
    }
    response.insert_header((header::VARY, "Accept-Encoding"));
    if accepted.contains("gzip") {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        return response.body(Bytes::from_static(file.content));
    }
    match file.unpacked() {
        Ok(content) => response.body(content),
        Err(error) => {
            Incoming::of(request, 0).refuse(&Problem::internal(format!("{}: {error}", file.name)))
        }
    }
}

impl File {
    fn unpacked(&self) -> std::io::Result<Bytes> {
        if let Some(known) = self.unpacked.get() {
            return Ok(known.clone());
        }
        let mut content = Vec::new();
        GzDecoder::new(self.content).read_to_end(&mut content)?;
        Ok(self.unpacked.get_or_init(|| content.into()).clone())
    }
}

fn begin(response: &mut HttpResponseBuilder, kind: &'static str) {
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, REVALIDATE),
    ] {
        response.insert_header((name, HeaderValue::from_static(value)));
    }
}
