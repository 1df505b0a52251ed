//! What the machine can do without the corridor: a bare route, and the same read straight through
//! SeaORM, over the same database.

use std::net::TcpListener;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use bodega_catalog::{Brand, Category, Product, ProductOption};
use bodega_kernel::{Database, Id, Metadata};
use entity::catalog::product::{Entity, Kind, Model, Status};
use sea_orm::prelude::ChronoDateTimeUtc;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use serde::Serialize;
use serde_json::json;

/// As many connections as the server under test may have to PostgreSQL.
const CONNECTIONS_MAX: u32 = 20;

/// What the API shows of a product, made with the least work that gives the same JSON.
#[derive(Serialize)]
struct View<'a> {
    id: Id<Product>,
    title: &'a str,
    slug: &'a str,
    description: Option<&'a str>,
    kind: Kind,
    status: Status,
    brand_id: Option<Id<Brand>>,
    category_ids: Vec<Id<Category>>,
    tax_category: Option<&'a str>,
    options: &'a [ProductOption],
    external_id: Option<&'a str>,
    metadata: &'a Metadata,
    version: i64,
    created_at: ChronoDateTimeUtc,
    updated_at: ChronoDateTimeUtc,
}

impl<'a> From<&'a Model> for View<'a> {
    fn from(row: &'a Model) -> Self {
        let Model {
            id,
            organization_id: _,
            title,
            slug,
            description,
            kind,
            status,
            brand_id,
            tax_category,
            category_ids,
            options,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(*id),
            title,
            slug,
            description: description.as_deref(),
            kind: *kind,
            status: *status,
            brand_id: brand_id.map(Id::from_uuid),
            category_ids: category_ids.iter().map(|id| Id::from_uuid(id.0)).collect(),
            tax_category: tax_category.as_deref(),
            options,
            external_id: external_id.as_deref(),
            metadata,
            version: *version,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// What both routes need.
struct State {
    reader: DatabaseConnection,
    /// What the bare route shows.
    sample: Model,
}

/// Serves until it is killed; the first line of its output says where.
pub(crate) async fn serve(database_url: &str) {
    let database = Database::open(database_url, CONNECTIONS_MAX).await.expect("the database");
    let reader = database.reader().clone();
    let sample = any_product(&reader).await.expect("a query").expect("a loaded database");
    let state = Data::new(State { reader, sample });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/bare", web::get().to(bare))
            .route("/straight/{id}", web::get().to(straight))
    })
    .workers(1)
    .listen(listener)
    .expect("a listener")
    .run();
    println!("{}", json!({ "url": url }));
    server.await.expect("a server");
}

async fn bare(state: Data<State>) -> HttpResponse {
    shown(&state.sample)
}

async fn straight(state: Data<State>, id: web::Path<String>) -> HttpResponse {
    let Ok(id) = Id::<Product>::parse(&id) else { return HttpResponse::NotFound().finish() };
    match by_id(&state.reader, id).await {
        Ok(Some(row)) => shown(&row),
        Ok(None) => HttpResponse::NotFound().finish(),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

fn shown(row: &Model) -> HttpResponse {
    let body = serde_json::to_vec(&View::from(row)).expect("a product is JSON");
    HttpResponse::Ok().content_type("application/json").body(body)
}

#[expect(clippy::disallowed_methods, reason = "the yardstick reads as one would without tenants")]
async fn by_id(reader: &DatabaseConnection, id: Id<Product>) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id.uuid()).one(reader).await
}

#[expect(clippy::disallowed_methods, reason = "any product is as good as another")]
async fn any_product(reader: &DatabaseConnection) -> Result<Option<Model>, DbErr> {
    Entity::find().one(reader).await
}
