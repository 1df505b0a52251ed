//! `bodega worker`: deliveries and chores without answering calls, beside any number of others.

use actix_web::{App, HttpServer};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::admin::{self, Health};
use crate::app;
use crate::config::Config;
use crate::serve::{bind, told_to_stop};
use crate::work::Labor;

/// Works until SIGTERM or SIGINT.
pub(crate) async fn worker(config: &Config) -> Result<(), String> {
    let prometheus = PrometheusBuilder::new().install_recorder().map_err(|e| e.to_string())?;
    let admin = bind(config.admin_listen)?;
    let platform = app::platform(config, config.migrate).await?;
    // Selections are run through the corridor.
    let _app = app::build(config, platform.clone()).await?;
    let labor = Labor::start(config, &platform)?;
    let health = Health { platform, figures: None, prometheus };
    let operating = HttpServer::new(move || App::new().configure(admin::routes(health.clone())))
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(admin)
        .map_err(|error| error.to_string())?
        .run();
    let handle = operating.handle();
    actix_web::rt::spawn(operating);
    tracing::info!("working");
    told_to_stop().await.map_err(|error| error.to_string())?;
    let _threads = labor.stop().await;
    handle.stop(false).await;
    Ok(())
}
