//! The REST door: HTTP in, a call through the corridor, HTTP out. It knows no resource; what there is
//! to call is in the registry.

mod answer;
mod body;
mod forwarded;
mod headers;
mod request;
mod stream;

use std::sync::Arc;

use actix_web::http::Method as HttpMethod;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bodega_contract::{Method, Principal, Route};
use bodega_corridor::{Call, Corridor};
use bodega_kernel::{Problem, problem};

use crate::request::Incoming;

/// What other doors over HTTP share with this one: who calls, and what every answer says.
pub mod http {
    pub use crate::answer::{REPLAYED, VERSION, refused};
    pub use crate::body::{Body, body};
    pub use crate::headers::{limits, put, standard};
    pub use crate::request::{Incoming, is_json, one, text_header};
}

/// The largest body that an operation takes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The longest path and query.
const URI_BYTES_MAX: usize = 16 * 1024;

/// What the door needs to know.
#[derive(Clone)]
pub struct Door {
    /// Where calls go.
    pub corridor: Arc<Corridor>,
    /// How many proxies in front are trusted to say where a call comes from.
    pub trusted_proxies: usize,
}

/// Mounts the door at `/v1`.
pub fn routes(door: Door) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        // A scope is found by comparing the beginning of the path: a pattern that takes any path would
        // be a regular expression, run for every call.
        app.app_data(web::Data::new(door))
            .service(web::scope("/v1").default_service(web::to(handle)));
    }
}

/// Any path that nobody serves, as a problem.
pub async fn nowhere(request: HttpRequest) -> HttpResponse {
    let incoming = Incoming::of(&request, 0);
    incoming.refuse(&Problem::new(&problem::NOT_FOUND))
}

async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    door: web::Data<Door>,
) -> HttpResponse {
    let incoming = Incoming::of(&request, door.trusted_proxies);
    if let Some(fault) = &incoming.fault {
        return incoming.refuse(fault);
    }
    if request.uri().to_string().len() > URI_BYTES_MAX {
        return incoming.refuse(&Problem::new(&problem::URI_TOO_LONG));
    }
    let Some(path) = request::decoded(request.uri().path()) else {
        return incoming.refuse(&Problem::new(&problem::MALFORMED_REQUEST));
    };
    let method = Method::named(request.method().as_str());
    if let (Some(Method::Get), Some(feed)) = (method, stream::feed(door.corridor.registry(), &path))
        && request.method() == HttpMethod::GET
    {
        return stream::follow(&request, &incoming, door.corridor.clone(), feed).await;
    }
    match door.corridor.registry().route(method, &path) {
        Route::To(operation, id) => {
            let (call, mut held) = (Call { id, ..Call::of(operation) }, None);
            let fill = async |call: &mut Call<'_>, principal: &Principal| {
                held = request::fill(call, &request, payload, principal.organization).await;
            };
            let outcome = door.corridor.dispatch(&incoming.caller, call, fill).await;
            drop(held);
            let apart = &door.corridor.platform().apart;
            answer::answer(&request, &incoming, operation, outcome, apart).await
        }
        Route::OtherMethods(offered) if request.method() == HttpMethod::OPTIONS => {
            incoming.options(&offered)
        }
        Route::OtherMethods(offered) => incoming.refuse_method(&offered),
        Route::Nowhere => incoming.refuse(&Problem::new(&problem::NOT_FOUND)),
    }
}
