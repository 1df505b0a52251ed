//! `bodega serve`: the API, its docs and the operator's port, until told to stop.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as HttpApp, HttpServer, web};
use bodega_identity::TrustedDocuments;
use bodega_rest::Door;
use bodega_worker::Relay;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::{self, Health};
use crate::app::{self, App};
use crate::config::Config;
use crate::demo::{self, Demo};
use crate::graphql::Trusted;
use crate::in_hand::{self, InHand};
use crate::port::{self, Gate};
use crate::work::{Ended, Labor};
use crate::{news, upkeep};

/// Calls in hand get this long to finish.
const STOP_S: u64 = 30;

/// What is still only in memory gets this long to be written.
const FINISH: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(config: Config, json: bool) -> Result<(), String> {
    let prometheus = PrometheusBuilder::new().install_recorder().map_err(|e| e.to_string())?;
    // The ports first: whoever starts a second one by mistake hears of it before anything is written.
    let (public, admin) = (bind(config.listen)?, bind(config.admin_listen)?);
    let platform = app::platform(&config, config.migrate).await?;
    let app = Arc::new(app::build(&config, platform.clone()).await?);
    let demo = match config.demo {
        true => demo::prepare(&config, &app.corridor).await?,
        false => (None, false),
    };
    if let (_, true) = demo {
        // The log is whole before anybody reads it.
        let relay = Relay::new(platform.clone(), Vec::new());
        while relay.round().await.map_err(|problem| problem.to_string())? > 0 {}
        begin_anew();
    }
    let news = actix_web::rt::spawn(news::listen(platform.clone(), app.keyring.clone()));
    let chores = actix_web::rt::spawn(upkeep::run(app.counts.clone(), app.memory.clone()));
    let settings = bodega_graphql::Settings {
        introspection: config.graphql_introspection,
        trusted_proxies: config.trusted_proxies,
    };
    let trusted = Arc::new(Trusted(TrustedDocuments::new(platform.clone())));
    let (engine, corridor) = (app.engine.clone(), app.corridor.clone());
    let graphql = bodega_graphql::Door::new(engine, corridor, trusted, settings);
    let labor = config.worker.then(|| Labor::start(&config, &platform)).transpose()?;

    let signals = platform.clone();
    let figures = Some(app.figures.clone());
    let health = Health { platform, figures, prometheus };
    let door = Door { corridor: app.corridor.clone(), trusted_proxies: config.trusted_proxies };
    let docs = bodega_docs::Docs::new(app.corridor.registry(), app.corridor.versions());
    let urls = (url(&public)?, url(&admin)?);
    let own = health.clone();
    let in_hand = InHand::default();
    let counting = in_hand.clone();
    let threads = config.cores();
    let gate = Gate::new(
        port::connections(config.connections),
        // Behind proxies every connection comes from one of theirs.
        (config.trusted_proxies == 0).then_some(config.connections_per_address),
    );
    let terms = port::Terms { workers: threads, stop_s: STOP_S, gate };
    let serving = port::serve(public, terms, move || {
        HttpApp::new()
            .wrap(Compress::default())
            .wrap(from_fn(in_hand::counted))
            .wrap(from_fn(port::held))
            .app_data(web::Data::new(counting.clone()))
            .configure(admin::health(own.clone()))
            .configure(bodega_rest::routes(door.clone()))
            .configure(bodega_graphql::routes(graphql.clone()))
            .configure(bodega_docs::routes(&docs))
            .default_service(web::to(bodega_rest::nowhere))
    })
    .map_err(|error| error.to_string())?;
    let operating =
        HttpServer::new(move || HttpApp::new().configure(admin::routes(health.clone())))
            .workers(1)
            .shutdown_timeout(1)
            .disable_signals()
            .listen(admin)
            .map_err(|error| error.to_string())?
            .run();
    // Nobody may read it: that is no reason not to serve.
    let _ = banner(&mut std::io::stdout(), &urls.0, &urls.1, demo.0.as_ref(), json);

    let operating = actix_web::rt::spawn(operating);
    let close = || signals.signals.close();
    let served = until_told_to_stop(serving, &in_hand, close, async || {
        let ended = match labor {
            Some(labor) => Some(labor.stop().await),
            None => None,
        };
        news.abort();
        chores.abort();
        let _ = (news.await, chores.await);
        finish(app).await;
        ended
    })
    .await;
    operating.abort();
    served.map_err(|error| error.to_string())
}

/// Loading the demo leaves memory that the allocator keeps, and nothing will use again: the process
/// becomes a new one, which finds the demo there. Where it cannot, it goes on as it is.
fn begin_anew() {
    use std::os::unix::process::CommandExt;
    if let Ok(program) = std::env::current_exe() {
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
        tracing::warn!(%error, "could not begin anew after loading the demo");
    }
}

/// Serves; then accepts nobody new, answers what is in hand, and writes what is still only in memory.
///
/// All of that comes before the first thread ends: a connection to PostgreSQL lives in the thread
/// that opened it, while all threads use it, so that the end of an idle one would cut off the others.
async fn until_told_to_stop(
    serving: Server,
    in_hand: &InHand,
    close: impl FnOnce(),
    finish: impl AsyncFnOnce() -> Option<Ended>,
) -> std::io::Result<()> {
    let server = serving.handle();
    let mut serving = actix_web::rt::spawn(serving);
    tokio::select! {
        ended = &mut serving => return ended.unwrap_or_else(|lost| Err(lost.into())),
        told = told_to_stop() => told?,
    }
    server.pause().await;
    // Who waits for news is answered with what there is.
    close();
    if tokio::time::timeout(Duration::from_secs(STOP_S), in_hand.none()).await.is_err() {
        tracing::warn!("some calls took too long to be answered before the end");
    }
    let _threads = finish().await;
    server.stop(true).await;
    serving.await.unwrap_or_else(|lost| Err(lost.into()))
}

/// SIGTERM or SIGINT.
pub(crate) async fn told_to_stop() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Writes what is still only in memory.
async fn finish(app: Arc<App>) {
    if let Err(error) = app.counts.flush().await {
        tracing::warn!(%error, "the last counts could not be written");
    }
    if let Some(app) = Arc::into_inner(app) {
        let _ = tokio::time::timeout(FINISH, app.recorder.finish()).await;
    }
}

pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))
}

fn url(listener: &TcpListener) -> Result<String, String> {
    Ok(format!("http://{}", listener.local_addr().map_err(|error| error.to_string())?))
}

fn banner(
    out: &mut impl Write,
    url: &str,
    admin_url: &str,
    demo: Option<&Demo>,
    json: bool,
) -> io::Result<()> {
    if json {
        return writeln!(
            out,
            "{}",
            serde_json::json!({
                "url": url,
                "admin_url": admin_url,
                "organization": demo.map(|demo| &demo.organization),
                "live_key": demo.map(|demo| &demo.live_key),
                "test_key": demo.map(|demo| &demo.test_key),
            })
        );
    }
    writeln!(out, "\nBodega is ready.\n")?;
    writeln!(out, "  API        {url}/v1")?;
    writeln!(out, "  GraphQL    {url}/graphql   to try it {url}/graphiql")?;
    writeln!(out, "  Reference  {url}/docs")?;
    writeln!(out, "  OpenAPI    {url}/openapi.json")?;
    writeln!(out, "  Health     {admin_url}/readyz   figures {admin_url}/metrics")?;
    let Some(demo) = demo else { return Ok(()) };
    writeln!(out, "\n  Organization  {}", demo.organization)?;
    writeln!(out, "  Live key      {}", demo.live_key)?;
    writeln!(out, "  Sandbox key   {}", demo.test_key)?;
    writeln!(out, "\nTry:\n")?;
    let (key, json) = (&demo.live_key, "-H 'Content-Type: application/json'");
    writeln!(
        out,
        "  curl -H 'Authorization: Bearer {key}' '{url}/v1/products?limit=3&expand=brand,variants.prices'\n"
    )?;
    writeln!(
        out,
        "  curl -H 'Authorization: Bearer {key}' {json} -d '{{\"name\": \"Casa Norte\"}}' {url}/v1/brands\n"
    )?;
    writeln!(out, "  curl -H 'Authorization: Bearer {key}' '{url}/v1/events?limit=1'\n")
}
