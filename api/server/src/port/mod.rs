//! The public port: who may connect, how long a connection may keep others waiting, and HTTP/1 on it.

mod call;
mod gate;
mod line;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response};
use actix_web::rt::net::TcpStream;

pub(crate) use call::held;
pub(crate) use gate::{Gate, connections};

use line::Line;

/// The headers of a connection's first request have to arrive within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Who is answered early may read the answer for this long before the connection is gone.
const LINGER: Duration = Duration::from_secs(1);

/// What is sent and never taken in by the other end's system is given up after this time.
#[cfg(target_os = "linux")]
const UNSENT_TIMEOUT_MS: u32 = 60_000;

/// What an address hears that has too many connections already.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n\
                      Content-Length: 0\r\n\r\n";

/// How a port is served.
pub(crate) struct Terms {
    /// Threads.
    pub(crate) workers: usize,
    /// Calls in hand get this long to finish.
    pub(crate) stop_s: u64,
    /// Who may connect.
    pub(crate) gate: Gate,
}

/// Serves an application of Actix on a port that outlives whatever is sent to it.
pub(crate) fn serve<F, I, S, B>(listener: TcpListener, terms: Terms, app: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let Terms { workers, stop_s, gate } = terms;
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(workers)
        .shutdown_timeout(stop_s)
        // The gate counts; at its limit callers are told, and not left waiting.
        .max_concurrent_connections(gate.max() + 1)
        .disable_signals();
    let served = builder.listen("public", listener, move || {
        let (stopping, gate) = (stopping.clone(), gate.clone());
        let app = app().into_factory().map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|line: &Line, shared| drop(shared.insert(line.pace())))
            .h1(map_config(app, |_: ()| AppConfig::default()));
        fn_service(move |io: TcpStream| {
            let entered = enter(&gate, io);
            async move { entered }
        })
        .and_then(http)
    })?;
    Ok(served.run())
}

/// Lets a connection in, or tells it to come back later.
fn enter(
    gate: &Gate,
    io: TcpStream,
) -> Result<(Line, Option<std::net::SocketAddr>), DispatchError> {
    let peer = io.peer_addr().ok();
    match gate.enter(peer.map(|peer| peer.ip())) {
        Some(place) => {
            #[cfg(target_os = "linux")]
            let _ = rustix::net::sockopt::set_tcp_user_timeout(&io, UNSENT_TIMEOUT_MS);
            Ok((Line::new(io, place), peer))
        }
        None => {
            let _ = io.try_write(FULL);
            Err(DispatchError::DisconnectTimeout)
        }
    }
}
