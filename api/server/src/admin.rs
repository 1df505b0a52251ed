//! The operator's port: health and figures. Health is on the public port too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use bodega_identity::Figures;
use bodega_kernel::Platform;
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::ConnectionTrait;
use serde_json::json;

/// Whoever asks whether this is ready does not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the operator's port tells of.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) platform: Arc<Platform>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) prometheus: PrometheusHandle,
}

/// `/livez` and `/readyz`.
pub(crate) fn health(health: Health) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(health))
            .service(web::resource("/livez").get(livez).head(livez))
            .service(web::resource("/readyz").get(readyz).head(readyz));
    }
}

/// [`health`] and `/metrics`.
pub(crate) fn routes(of: Health) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        health(of)(app);
        app.service(web::resource("/metrics").get(metrics));
    }
}

async fn livez() -> impl Responder {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready when the database answers; migrations ran before the port was opened.
async fn readyz(health: web::Data<Health>) -> impl Responder {
    let asked = health.platform.db.reader().execute_unprepared("SELECT 1");
    let fault = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => {
            return HttpResponse::Ok().json(json!({"status": "ok", "checks": {"database": "ok"}}));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    tracing::warn!(fault, "not ready: the database does not answer");
    let checks = json!({"database": "unavailable"});
    HttpResponse::ServiceUnavailable()
        .insert_header(("Retry-After", "2"))
        .json(json!({"status": "unavailable", "checks": checks}))
}

async fn metrics(health: web::Data<Health>) -> impl Responder {
    let count = |name: &'static str, value: u64| metrics::counter!(name).absolute(value);
    count("bodega_sql_statements_total", health.platform.db.statements());
    count("bodega_request_log_written_total", health.figures.written.load(Ordering::Relaxed));
    count("bodega_request_log_lost_total", health.figures.lost.load(Ordering::Relaxed));
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(health.prometheus.render())
}
