//! The OpenAPI document: a pure function of the registry.
//!
//! Paths, parameters and answers are made with utoipa's builders. The schemas of the bodies come
//! from the registry as JSON and stay JSON, because utoipa's types drop keywords that they do not
//! know (`const`); they are put in at the end, and what nothing refers to is left out.

mod events;
mod example;
mod finish;
mod headers;
mod json;
mod operation;
mod parameters;
mod plain;
mod problem;
mod responses;
mod schemas;
mod states;
mod webhooks;

use std::collections::BTreeMap;

use bodega_contract::{Method, Operation, Registry};
use bodega_kernel::{Code, Versions};
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{
    ComponentsBuilder, Contact, HttpMethod, Info, License, OpenApiBuilder, Paths, Response, Server,
};

pub use events::{EventDoc, event_doc};

const ABOUT: &str = "\
The back office of a shop as one API.

1. Get a key: `bdg_test_…` works on test data, `bdg_live_…` on the shop itself. Send it as \
`Authorization: Bearer <key>`; each operation says which scope it takes.
2. Read a list: `GET /v1/<objects>?limit=20`. Go on with `cursor=<next_cursor>` until there is none.
3. Change something: give every change an `Idempotency-Key` and it is safe to send again. \
`If-Match: \"<version>\"` refuses a change of what has changed since you read it.
4. When something goes wrong the answer is `application/problem+json`: `code` says what, `errors` \
says where, and `/problems/<code>` explains it.

Ids are TypeIDs, times are RFC 3339 in UTC, money is whole minor units of its currency, quantities \
are decimal strings. What is new is added to a version without notice; what would break you comes \
as a new date of `Bodega-Version`, and your key stays on the one it was made with.";

/// What the parts of the document are made from.
struct Source<'a> {
    registry: &'a Registry,
    versions: &'a Versions,
}

/// What the operations share: found while they are described.
#[derive(Default)]
struct Shared {
    parameters: BTreeMap<String, Parameter>,
    responses: BTreeMap<String, Response>,
}

/// The OpenAPI 3.1 document of all operations, the same bytes for the same registry.
pub fn openapi(registry: &Registry, versions: &Versions) -> Value {
    let source = Source { registry, versions };
    let mut shared = Shared { parameters: parameters::common(versions), ..Shared::default() };
    let mut paths = Paths::new();
    for operation in registry.operations() {
        let described = operation::describe(&source, operation, &mut shared);
        paths.add_path_operation(&operation.path, vec![http(operation.method)], described);
    }
    let mut components = ComponentsBuilder::new().security_scheme("api_key", api_key());
    for (name, header) in headers::components(versions) {
        components = components.header(name, header);
    }
    for (name, parameter) in shared.parameters {
        components = components.parameter(name, parameter);
    }
    for (name, response) in shared.responses {
        components = components.response(name, response);
    }
    let document = OpenApiBuilder::new()
        .info(info(versions))
        .servers(Some([server()]))
        .paths(paths)
        .webhooks(Some(webhooks::paths(&source)))
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new("api_key", Vec::<String>::new())]))
        .tags(Some(tags(registry)))
        .build();
    finish::finish(&document, schemas::components(&source))
}

fn http(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Patch => HttpMethod::Patch,
        Method::Delete => HttpMethod::Delete,
    }
}

fn info(versions: &Versions) -> Info {
    let mut license = License::new("Apache License 2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let mut contact = Contact::new();
    contact.name = Some("Whoever runs this server".to_owned());
    let mut info = Info::new("Bodega API", versions.latest());
    info.description = Some(ABOUT.to_owned());
    info.license = Some(license);
    info.contact = Some(contact);
    info
}

fn server() -> Server {
    let mut server = Server::new("/");
    server.description = Some(
        "This server. Production and sandbox (the test environment) are told apart by the key."
            .to_owned(),
    );
    server.extensions = Some(Extensions::from_iter([("x-internal", false)]));
    server
}

fn api_key() -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("bdg_live_… or bdg_test_…")
        .description(Some(
            "An API key. It is shown once, when it is made; it carries scopes, limits and a \
             version of the API, and may be tied to addresses and to the origins of browsers.",
        ));
    SecurityScheme::Http(scheme.build())
}

fn tags(registry: &Registry) -> Vec<Tag> {
    let tag = |(name, about): (&str, &str)| {
        let states = states::told(registry, name).unwrap_or_default();
        TagBuilder::new().name(name).description(Some(format!("{about}.{states}"))).build()
    };
    registry.resources().map(tag).collect()
}

/// The problems of an operation by status, in order.
fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<&'static Code>> {
    let mut all: BTreeMap<u16, Vec<&'static Code>> = BTreeMap::new();
    for code in crate::problems_of(operation) {
        all.entry(code.status).or_default().push(code);
    }
    all
}

/// A name as it is said.
fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests;
