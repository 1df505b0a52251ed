//! How it is served: everything from the program itself, nothing from elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, HttpResponseBuilder, Resource, Responder,
    guard,
};
use bodega_contract::Registry;
use bodega_kernel::{Code, Language, Problem, Versions, problem};
use serde_json::json;

use crate::pages;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";

/// Ask again each time whether what you have is still so: a new program brings new pages.
const REVALIDATE: &str = "public, no-cache";

/// The documentation, made once and served many times.
#[derive(Clone)]
pub struct Docs(Arc<Files>);

struct Files {
    document: File,
    reference: File,
    assets: Vec<(&'static str, File)>,
}

struct File {
    kind: &'static str,
    content: Bytes,
    etag: String,
}

impl Docs {
    /// Makes the document and takes in the assets.
    pub fn new(registry: &Registry, versions: &Versions) -> Self {
        let document = crate::openapi(registry, versions).to_string();
        Self(Arc::new(Files {
            document: File::new(JSON, document.into()),
            reference: File::fixed(HTML, include_str!("../assets/docs.html")),
            assets: vec![
                ("docs.css", File::fixed(CSS, include_str!("../assets/docs.css"))),
                ("problems.css", File::fixed(CSS, include_str!("problems.css"))),
                ("docs.js", File::fixed(SCRIPT, include_str!("../assets/docs.js"))),
                ("dom.js", File::fixed(SCRIPT, include_str!("../assets/dom.js"))),
                ("render.js", File::fixed(SCRIPT, include_str!("../assets/render.js"))),
                ("strings.js", File::fixed(SCRIPT, include_str!("../assets/strings.js"))),
                ("tryit.js", File::fixed(SCRIPT, include_str!("../assets/tryit.js"))),
            ],
        }))
    }
}

impl File {
    fn fixed(kind: &'static str, content: &'static str) -> Self {
        Self::new(kind, Bytes::from_static(content.as_bytes()))
    }

    fn new(kind: &'static str, content: Bytes) -> Self {
        let mut hash = DefaultHasher::new();
        content.hash(&mut hash);
        // Weak, because compression makes other bytes of the same content.
        Self { kind, etag: format!("W/\"{:016x}\"", hash.finish()), content }
    }

    fn send(&self, request: &HttpRequest) -> HttpResponse {
        let known = request.headers().get(header::IF_NONE_MATCH);
        let known = known.and_then(|known| known.to_str().ok()).unwrap_or_default();
        let own = self.etag.trim_start_matches("W/");
        let same = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == own;
        let fresh = known.split(',').take(50).map(str::trim).any(same);
        let mut response = match fresh {
            true => HttpResponse::NotModified(),
            false => HttpResponse::Ok(),
        };
        guarded(&mut response)
            .insert_header((header::CACHE_CONTROL, REVALIDATE))
            .insert_header((header::ETAG, self.etag.as_str()));
        match fresh {
            true => response.finish(),
            false => response.content_type(self.kind).body(self.content.clone()),
        }
    }
}

/// Serves `/`, `/openapi.json`, `/docs` and `/problems`.
pub fn routes(docs: &Docs) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let docs = web::Data::new(docs.clone());
    move |config| {
        config
            .app_data(docs)
            .service(read("/", root))
            .service(read("/openapi.json", document))
            .service(read("/docs", reference))
            .service(read("/docs/assets/{name}", asset))
            .service(read("/problems", index))
            .service(read("/problems/{code}", page));
    }
}

/// A path that takes `GET` and `HEAD`, and refuses the rest.
fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let reads = guard::Any(guard::Get()).or(guard::Head());
    web::resource(path)
        .route(web::route().guard(reads).to(handler))
        .default_service(web::to(refused))
}

async fn root(request: HttpRequest) -> HttpResponse {
    if prefers_json(&request) {
        let places = json!({
            "openapi": "/openapi.json", "reference": "/docs", "problems": "/problems",
        });
        return negotiated(&request, StatusCode::OK, JSON, places.to_string());
    }
    let mut response = HttpResponse::Found();
    guarded(&mut response)
        .insert_header((header::LOCATION, "/docs"))
        .insert_header((header::VARY, "Accept"))
        .finish()
}

async fn document(request: HttpRequest, docs: web::Data<Docs>) -> HttpResponse {
    let mut response = docs.0.document.send(&request);
    // No secret is in it, and tools in a browser read it from other origins.
    let anyone = header::HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anyone);
    response
}

async fn reference(request: HttpRequest, docs: web::Data<Docs>) -> HttpResponse {
    docs.0.reference.send(&request)
}

async fn asset(
    request: HttpRequest,
    name: web::Path<String>,
    docs: web::Data<Docs>,
) -> HttpResponse {
    match docs.0.assets.iter().find(|(known, _)| *known == name.as_str()) {
        Some((_, file)) => file.send(&request),
        None => refusal(&request, &problem::NOT_FOUND),
    }
}

async fn index(request: HttpRequest) -> HttpResponse {
    let language = language(&request);
    match prefers_json(&request) {
        true => {
            let all = pages::index_json(language).to_string();
            negotiated(&request, StatusCode::OK, JSON, all)
        }
        false => negotiated(&request, StatusCode::OK, HTML, pages::problem_index(language)),
    }
}

async fn page(request: HttpRequest, code: web::Path<String>) -> HttpResponse {
    let language = language(&request);
    if prefers_json(&request) {
        return match pages::problem_json(&code, language) {
            Some(entry) => negotiated(&request, StatusCode::OK, JSON, entry.to_string()),
            None => refusal(&request, &problem::NOT_FOUND),
        };
    }
    match pages::problem_page(&code, language) {
        Some(page) => negotiated(&request, StatusCode::OK, HTML, page),
        None => negotiated(&request, StatusCode::NOT_FOUND, HTML, pages::no_page(language)),
    }
}

async fn refused(request: HttpRequest) -> HttpResponse {
    let mut response = refusal(&request, &problem::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    response
}

/// A problem. The call never walked the corridor, so it has no id of its own.
fn refusal(request: &HttpRequest, code: &'static Code) -> HttpResponse {
    let mut body = Problem::new(code).to_json(language(request), request.path(), "");
    if let Some(members) = body.as_object_mut() {
        members.shift_remove("request_id");
    }
    let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    negotiated(request, status, "application/problem+json", body.to_string())
}

/// An answer whose form and language follow from what was asked for.
fn negotiated(
    request: &HttpRequest,
    status: StatusCode,
    kind: &'static str,
    body: String,
) -> HttpResponse {
    guarded(&mut HttpResponse::build(status))
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, REVALIDATE))
        .insert_header((header::CONTENT_LANGUAGE, language(request).tag()))
        .insert_header((header::VARY, "Accept, Accept-Language"))
        .body(body)
}

/// Nothing from elsewhere runs in these pages, and they run in no other page.
fn guarded(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
}

fn language(request: &HttpRequest) -> Language {
    let asked = request.headers().get(header::ACCEPT_LANGUAGE);
    asked.and_then(|asked| asked.to_str().ok()).map_or(Language::default(), Language::accepted)
}

/// Whether `Accept` would rather have JSON than a page. Whoever takes anything gets the page.
fn prefers_json(request: &HttpRequest) -> bool {
    let asked = request.headers().get(header::ACCEPT).and_then(|asked| asked.to_str().ok());
    let (mut json, mut html) = (0.0_f32, 0.0_f32);
    for range in asked.unwrap_or_default().split(',').take(20) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse);
        let weight = weight.unwrap_or(0.0);
        match kind.as_str() {
            "application/json" | "application/problem+json" => json = json.max(weight),
            "text/html" | "application/xhtml+xml" => html = html.max(weight),
            _ => {}
        }
    }
    json > html
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ServiceResponse;
    use actix_web::http::Method;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, web::Bytes};
    use serde_json::Value;

    use super::*;
    use crate::toy;

    async fn call(request: TestRequest) -> ServiceResponse {
        let docs = Docs::new(&toy::registry(), &toy::versions());
        let app = init_service(App::new().configure(routes(&docs))).await;
        call_service(&app, request.to_request()).await
    }

    fn header_of<'a>(response: &'a ServiceResponse, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[actix_web::test]
    async fn the_document_is_served_once_and_then_not_modified() {
        let response = call(TestRequest::get().uri("/openapi.json")).await;
        assert_eq!(header_of(&response, "content-type"), "application/json");
        let etag = header_of(&response, "etag").to_owned();
        let body: Value = serde_json::from_slice(&read_body(response).await).unwrap();
        assert_eq!(body["openapi"], "3.1.0");
        let again = TestRequest::get().uri("/openapi.json").insert_header(("if-none-match", etag));
        let response = call(again).await;
        assert_eq!(response.status(), 304);
        assert_eq!(read_body(response).await, Bytes::new());
    }

    #[actix_web::test]
    async fn pages_and_assets_carry_the_policy() {
        let docs = Docs::new(&toy::registry(), &toy::versions());
        let assets = docs.0.assets.iter().map(|(name, _)| format!("/docs/assets/{name}"));
        let pages = ["/docs", "/problems", "/problems/not_found"].map(str::to_owned);
        for uri in assets.chain(pages) {
            for method in [Method::GET, Method::HEAD] {
                let response = call(TestRequest::default().method(method).uri(&uri)).await;
                assert_eq!(response.status(), 200, "{uri}");
                assert_eq!(header_of(&response, "content-security-policy"), POLICY);
                assert_eq!(header_of(&response, "x-content-type-options"), "nosniff");
                assert_eq!(header_of(&response, "referrer-policy"), "no-referrer");
            }
        }
    }

    #[actix_web::test]
    async fn what_the_page_loads_is_there() {
        let page = include_str!("../assets/docs.html");
        let mut found = 0;
        for part in page.split("/docs/assets/").skip(1) {
            let name: String = part.chars().take_while(|letter| *letter != '"').collect();
            let response = call(TestRequest::get().uri(&format!("/docs/assets/{name}"))).await;
            assert_eq!(response.status(), 200, "{name}");
            found += 1;
        }
        assert!(found > 0);
    }

    #[actix_web::test]
    async fn a_problem_page_comes_in_the_form_and_language_asked_for() {
        let page = || TestRequest::get().uri("/problems/not_found");
        let response = call(page().insert_header(("accept-language", "es"))).await;
        assert_eq!(header_of(&response, "content-type"), HTML);
        assert_eq!(header_of(&response, "content-language"), "es");
        let json = page().insert_header(("accept", "application/json, text/html;q=0.5"));
        let body: Value = serde_json::from_slice(&read_body(call(json).await).await).unwrap();
        assert_eq!(body["code"], "not_found");
        let nothing = TestRequest::get().uri("/problems/nothing");
        assert_eq!(call(nothing).await.status(), 404);
    }

    #[actix_web::test]
    async fn the_root_leads_on_and_other_methods_are_refused() {
        let response = call(TestRequest::get().uri("/")).await;
        assert_eq!((response.status().as_u16(), header_of(&response, "location")), (302, "/docs"));
        let json = TestRequest::get().uri("/").insert_header(("accept", "application/json"));
        assert_eq!(call(json).await.status(), 200);
        let response = call(TestRequest::post().uri("/docs")).await;
        assert_eq!((response.status().as_u16(), header_of(&response, "allow")), (405, "GET, HEAD"));
        let body: Value = serde_json::from_slice(&read_body(response).await).unwrap();
        assert_eq!(body["code"], "method_not_allowed");
    }
}
