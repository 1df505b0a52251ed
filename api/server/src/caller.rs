//! Calls a Bodega API over HTTP, for the commands that work beside one.
//!
//! It stands on the client that webhooks are posted with, so that the program carries no second one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use url::{Host, Position, Url};

/// How long the API may hold a call that waits for news.
pub(crate) const WAIT_S: u64 = 25;

/// How long a call may take: a good deal longer than one may be held.
const PATIENCE: Duration = Duration::from_secs(WAIT_S + 15);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

type Failed = Box<dyn Error + Send + Sync>;

/// Calls one API with one key.
pub(crate) struct Caller {
    url: Url,
    key: String,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may go better soon, or after that long.
    Passing(String, Option<Duration>),
    /// It will not go better.
    Lasting(String),
}

impl Caller {
    pub(crate) fn new(api: &crate::cli::Api) -> Result<Self, String> {
        let key = api.key.clone().ok_or("say the API key with --key or BODEGA_API_KEY")?;
        let wrong = || format!("{} is not the URL of an API", api.url);
        let url = Url::parse(&api.url).map_err(|_| wrong())?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
        if fits { Ok(Self { url, key }) } else { Err(wrong()) }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.call(Method::POST, path, body.to_string().into()).await
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Trouble> {
        let away = |why: String| {
            let at = &self.url[..Position::BeforePath];
            Trouble::Passing(format!("{at} does not answer: {why}"), None)
        };
        let answer = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        let (status, headers, bytes) = answer
            .map_err(|_| away(format!("nothing came in {} seconds", PATIENCE.as_secs())))?
            .map_err(|error| away(error.to_string()))?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match status {
            200..=299 => Ok(body),
            429 | 500.. => Err(Trouble::Passing(said(status, &body), retry_after(&headers))),
            _ => Err(Trouble::Lasting(said(status, &body))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(u16, HeaderMap, Bytes), Failed> {
        // The API may be served below a path of its own.
        let base = self.url[Position::BeforePath..Position::AfterPath].trim_end_matches('/');
        let request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header(header::HOST, &self.url[Position::BeforeHost..Position::AfterPort])
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("bodega/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        Ok((head.status.as_u16(), head.headers, body.to_bytes()))
    }

    async fn connect(
        &self,
    ) -> Result<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>, Failed> {
        let host = match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("the URL has no host".into()),
        };
        let port = self.url.port_or_known_default().unwrap_or(443);
        let tcp = TcpStream::connect((host.as_str(), port)).await?;
        if self.url.scheme() == "http" {
            return Ok(Either::Left(tcp));
        }
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(host)?;
        Ok(Either::Right(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?))
    }
}

/// A problem document in a line.
fn said(status: u16, body: &Value) -> String {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let mut said = format!("the API answered {status} {}", text("code"));
    let details = body["errors"].as_array().into_iter().flatten();
    let details: Vec<_> = details
        .map(|error| format!("{} {}", error["pointer"], error["detail"]).replace('"', ""))
        .collect();
    for part in [text("detail"), &details.join("; ")] {
        if !part.is_empty() {
            said.push_str(": ");
            said.push_str(part);
        }
    }
    said
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

impl Trouble {
    /// What went wrong, where nothing is tried again.
    pub(crate) fn said(self) -> String {
        match self {
            Self::Passing(said, _) | Self::Lasting(said) => said,
        }
    }
}
