//! The courier: one attempt at one message.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use url::{Position, Url};

use crate::address::Policy;
use crate::dial::{Dialer, tls_fault};
use crate::message::{Message, Receipt};
use crate::outcome::Outcome;
use crate::pool::{Limits, Line, Pool};
use crate::resolve::Resolve;
use crate::retry_after::RetryAfter;
use crate::rules::path;

/// How much of an answer's body is kept.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How many bytes of an answer's headers are kept.
pub const ANSWER_HEADER_BYTES_MAX: usize = 8 * 1024;

/// An attempt at a name that leads nowhere takes whole steps of this: a private name server, which
/// answers sooner than those of the internet, is not to be told apart by it.
const NOWHERE_STEP: Duration = Duration::from_millis(500);

/// Headers that say how a message is carried: the courier's own affair.
const FRAMING: &[HeaderName] = &[
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Times and numbers of a courier.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long resolving, connecting and agreeing on TLS may take together.
    pub connect_timeout: Duration,
    /// How long an attempt may take.
    pub total_timeout: Duration,
    /// How long a connection waits for another message.
    pub idle_timeout: Duration,
    /// How many connections to one host wait for another message.
    pub idle_per_host_max: usize,
    /// How many connections wait for another message.
    pub idle_max: usize,
    /// Authorities to trust beside the web's own, as DER: an operator's own, or a test's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(30),
            idle_per_host_max: 256,
            idle_max: 1_024,
            extra_roots: Vec::new(),
        }
    }
}

/// Whatever carries messages: the courier, or a stand-in for it in tests.
pub trait Carrier: Send + Sync + 'static {
    /// Makes one attempt. It ends in bounded time and cannot fail otherwise than the receipt says.
    fn send(&self, message: Message) -> BoxFuture<'_, Receipt>;
}

/// Posts messages. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    dialer: Dialer,
    pool: Arc<Pool>,
    total_timeout: Duration,
}

impl Courier {
    /// A courier. It fails only on an extra root that is no certificate.
    pub fn new(
        policy: Policy,
        settings: Settings,
        resolver: impl Resolve,
    ) -> Result<Self, rustls::Error> {
        let Settings { connect_timeout, total_timeout, idle_timeout, extra_roots, .. } = &settings;
        let limits = Limits {
            per_host: settings.idle_per_host_max,
            total: settings.idle_max,
            wait: *idle_timeout,
        };
        let dialer = Dialer::new(policy, Arc::new(resolver), extra_roots, *connect_timeout)?;
        let shared = Shared { dialer, pool: Pool::new(limits), total_timeout: *total_timeout };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes one attempt at a message. It ends within the total timeout, and holds no more in
    /// memory than the message, 64 KiB of the answer at a time, and the receipt.
    pub async fn send(&self, message: Message) -> Receipt {
        let started = Instant::now();
        let mut receipt = Receipt::pending();
        let attempt = self.attempt(message, &mut receipt);
        let ended = timeout(self.shared.total_timeout, attempt).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(outcome)) => receipt.outcome = outcome,
            // Once there is a status, the receiver has spoken: only the rest of its body is
            // missing.
            Err(_) if receipt.status.is_some() => receipt.truncated = true,
            Err(_) => receipt.outcome = Outcome::Timeout,
        }
        if receipt.outcome == Outcome::DnsFailure {
            let steps = started.elapsed().as_millis() / NOWHERE_STEP.as_millis() + 1;
            let whole = NOWHERE_STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
            sleep_until(started + whole.min(self.shared.total_timeout)).await;
            receipt.connect = None;
        }
        receipt.duration = started.elapsed();
        receipt
    }

    async fn attempt(&self, message: Message, receipt: &mut Receipt) -> Result<(), Outcome> {
        let Message { url, headers, body } = message;
        let request = request(&url, headers, body)?;
        let origin = &url[..Position::BeforePath];
        if let Some(mut line) = self.shared.pool.take(origin).await {
            receipt.address = Some(line.peer);
            match line.send(request.clone()).await {
                Ok(answer) => return self.read(answer, origin, line, receipt).await,
                // The receiver closed it while the message was on its way, as it may after a while
                // of waiting. That is no fault of anybody's, so a new connection gets a try.
                Err(error) if fault(&error) == Outcome::ClosedEarly => {}
                Err(error) => return Err(fault(&error)),
            }
        }
        let mut line = self.connect(&url, receipt).await?;
        let answer = line.send(request).await.map_err(|error| fault(&error))?;
        self.read(answer, origin, line, receipt).await
    }

    async fn connect(&self, url: &Url, receipt: &mut Receipt) -> Result<Line, Outcome> {
        let started = Instant::now();
        receipt.address = None;
        let dialed = self.shared.dialer.dial(url).await;
        receipt.connect = Some(started.elapsed());
        let (stream, peer) = dialed.map_err(|failure| {
            receipt.address = failure.address;
            failure.outcome
        })?;
        receipt.address = Some(peer);
        Line::new(stream, peer).await.map_err(|error| fault(&error))
    }

    async fn read(
        &self,
        answer: Response<Incoming>,
        origin: &str,
        mut line: Line,
        receipt: &mut Receipt,
    ) -> Result<(), Outcome> {
        let (head, mut body) = answer.into_parts();
        let status = head.status.as_u16();
        let after = head.headers.get(header::RETRY_AFTER);
        let after = after.and_then(|value| RetryAfter::parse(value.to_str().ok()?));
        receipt.status = Some(status);
        receipt.outcome = Outcome::of_status(status, after);
        receipt.headers = kept(&head.headers);
        while let Some(frame) = line.wait(body.frame()).await {
            let Ok(frame) = frame else {
                receipt.truncated = true;
                return Ok(());
            };
            let Ok(data) = frame.into_data() else { continue };
            let room = ANSWER_BYTES_MAX.saturating_sub(receipt.body.len());
            receipt.body.extend_from_slice(data.get(..room).unwrap_or(&data));
            if data.len() > room {
                // The rest is not read: dropping the line closes the connection.
                receipt.truncated = true;
                return Ok(());
            }
        }
        self.shared.pool.put(origin, line);
        Ok(())
    }
}

impl Carrier for Courier {
    fn send(&self, message: Message) -> BoxFuture<'_, Receipt> {
        Box::pin(Courier::send(self, message))
    }
}

fn request(
    url: &Url,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Outcome> {
    for name in FRAMING {
        headers.remove(name);
    }
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    let invalid = Outcome::AddressRefused(crate::Refusal::Invalid);
    headers.insert(header::HOST, host.map_err(|_| invalid)?);
    let agent = concat!("Bodega/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::USER_AGENT, agent),
        (header::ACCEPT, "*/*"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path(url).map_err(Outcome::AddressRefused)?.into();
    *request.headers_mut() = headers;
    Ok(request)
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = ANSWER_HEADER_BYTES_MAX;
    let mut kept = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let Some(rest) = room.checked_sub(name.as_str().len() + value.len()) else { break };
        room = rest;
        kept.push((
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ));
    }
    kept
}

/// What a broken connection means to the message.
fn fault(error: &hyper::Error) -> Outcome {
    if error.is_parse_too_large() {
        return Outcome::HeadersTooLarge;
    }
    if error.is_parse() {
        return Outcome::BadResponse;
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    if let Some(fault) = cause.and_then(tls_fault) {
        return Outcome::TlsFailure(fault);
    }
    let closed = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    if closed || cause.is_some() { Outcome::ClosedEarly } else { Outcome::BadResponse }
}
