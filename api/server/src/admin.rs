//! The operator's port: health and figures. Health is on the public port too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use bodega_identity::Figures;
use bodega_kernel::{Platform, Problem, Trouble};
use bodega_worker::Listed;
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::ConnectionTrait;
use serde_json::json;

/// Whoever asks whether this is ready does not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the operator's port tells of.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) platform: Arc<Platform>,
    /// Of the request log, where calls are answered.
    pub(crate) figures: Option<Arc<Figures>>,
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

/// [`health`], `/metrics` and `/jobs`.
pub(crate) fn routes(of: Health) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        health(of)(app);
        app.service(web::resource("/metrics").get(metrics))
            .service(web::resource("/jobs").get(jobs))
            .service(web::resource("/jobs/{id}/retry").post(retry));
    }
}

async fn livez() -> impl Responder {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready when the database answers and takes changes; migrations ran before the port was opened.
async fn readyz(health: web::Data<Health>) -> impl Responder {
    let db = &health.platform.db;
    let asked = async {
        db.reader().execute_unprepared("SELECT 1").await?;
        db.trouble().await
    };
    let (trouble, fault) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(None)) => {
            return HttpResponse::Ok().json(json!({"status": "ok", "checks": {"database": "ok"}}));
        }
        Ok(Ok(Some(trouble))) => (trouble, None),
        Ok(Err(error)) => (Trouble::of(&error).unwrap_or(Trouble::Unreachable), Some(error)),
        Err(_) => (Trouble::Unreachable, None),
    };
    let (reason, fault) = (trouble.reason(), fault.map(|error| error.to_string()));
    tracing::warn!(fault, reason, "not ready");
    HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "2")).json(json!({
        "status": "unavailable",
        "checks": {"database": "unavailable"},
        "reason": reason,
    }))
}

/// How long the queues are, and how long the first in each has waited beyond its time.
async fn queues(platform: &Platform) {
    let Ok(queues) = bodega_worker::Figures::read(platform).await else { return };
    let now = platform.clock.now();
    for bodega_worker::Figures { queue, state, jobs, oldest } in queues {
        let late = oldest.map_or(0.0, |oldest| (now - oldest).as_seconds_f64().max(0.0));
        let labels = [("queue", queue), ("state", state)];
        metrics::gauge!("bodega_jobs", &labels).set(jobs as f64);
        metrics::gauge!("bodega_jobs_late_seconds", &labels).set(late);
    }
}

/// The jobs in a state, `?state=dead` where it is not said: for operators.
async fn jobs(
    health: web::Data<Health>,
    query: web::Query<HashMap<String, String>>,
) -> impl Responder {
    let state = query.get("state").map_or("dead", String::as_str);
    match Listed::read(&health.platform, state).await {
        Ok(jobs) => HttpResponse::Ok().json(json!({"data": jobs})),
        Err(problem) => unavailable(&problem),
    }
}

/// Lets a dead job run again.
async fn retry(health: web::Data<Health>, id: web::Path<uuid::Uuid>) -> impl Responder {
    match Listed::revive(&health.platform, *id).await {
        Ok(true) => HttpResponse::Ok().json(json!({"id": *id, "state": "pending"})),
        Ok(false) => HttpResponse::NotFound().json(json!({"error": "no dead job has this id"})),
        Err(problem) => unavailable(&problem),
    }
}

fn unavailable(problem: &Problem) -> HttpResponse {
    tracing::warn!(%problem, "the jobs cannot be read");
    HttpResponse::ServiceUnavailable().json(json!({"error": problem.code.code}))
}

async fn metrics(health: web::Data<Health>) -> impl Responder {
    let count = |name: &'static str, value: u64| metrics::counter!(name).absolute(value);
    count("bodega_sql_statements_total", health.platform.db.statements());
    if let Some(figures) = &health.figures {
        count("bodega_request_log_written_total", figures.written.load(Ordering::Relaxed));
        count("bodega_request_log_lost_total", figures.lost.load(Ordering::Relaxed));
    }
    queues(&health.platform).await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(health.prometheus.render())
}
