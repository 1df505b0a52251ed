//! The GraphQL door: the same operations as every other, a whole graph in one round trip.
//!
//! The schema is a function of the registry and names no resource. A document is bounded before
//! anything walks it ([`document`]), validated by async-graphql ([`engine`]), and compiled into a plan
//! ([`plan`]): every object has one concrete type, so the selection of a root field is a tree of members
//! to pick and links to embed. Each root field is then one call through the corridor, which embeds
//! the links by the very functions of `expand`; nothing is resolved object by object.

mod breaking;
mod calls;
mod cost;
mod document;
mod engine;
mod error;
mod follow;
mod graphiql;
mod http;
mod model;
pub mod names;
mod params;
mod persisted;
mod places;
mod plan;
mod project;
mod run;
mod schema;
mod selection;
mod service;
mod trust;
mod values;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use bodega_corridor::Corridor;

pub use breaking::breaking_changes;
pub use engine::Engine;
pub use trust::Trust;

use persisted::Persisted;
use service::Service;

/// What the door needs to know.
#[derive(Clone)]
pub struct Door {
    service: Arc<Service>,
    trusted_proxies: usize,
}

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// How many proxies in front are trusted to say where a call comes from.
    pub trusted_proxies: usize,
}

impl Door {
    /// A door to a corridor.
    pub fn new(
        engine: Arc<Engine>,
        corridor: Arc<Corridor>,
        trust: Arc<dyn Trust>,
        settings: Settings,
    ) -> Self {
        let Settings { introspection, trusted_proxies } = settings;
        let persisted = Persisted::new();
        let service = Arc::new(Service { engine, corridor, trust, persisted, introspection });
        Self { service, trusted_proxies }
    }
}

/// Mounts the door at `/graphql`, and at `/graphiql` a page to try it.
pub fn routes(door: Door) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(door))
            .service(web::resource("/graphql").route(web::route().to(http::handle)))
            .configure(graphiql::routes);
    }
}
