//! Connections, to permitted addresses alone.
//!
//! What is checked is what is connected to: a name is resolved here, its addresses are filtered,
//! and the socket is opened to one of those that are left. A name that resolves otherwise a moment
//! later changes nothing. No proxy of the environment is asked, because it would resolve the name
//! again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use tokio_util::either::Either;
use url::{Host, Url};

use crate::address::Policy;
use crate::outcome::{ConnectFault, Outcome, TlsFault};
use crate::refusal::Refusal;
use crate::resolve::Resolve;
use crate::rules::check_parsed;

/// As many addresses of a host are tried.
const ADDRESSES_MAX: usize = 6;

/// A connection, plain or secure.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Makes connections.
pub(crate) struct Dialer {
    policy: Policy,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    timeout: Duration,
}

/// Why there is no connection, and to which address it was tried last.
pub(crate) struct NoLine {
    pub(crate) outcome: Outcome,
    pub(crate) address: Option<SocketAddr>,
}

impl From<Outcome> for NoLine {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, address: None }
    }
}

impl Dialer {
    pub(crate) fn new(
        policy: Policy,
        resolver: Arc<dyn Resolve>,
        roots: &[CertificateDer<'static>],
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        Ok(Self { policy, resolver, tls: connector(roots)?, timeout })
    }

    /// A connection to the URL's host, if its address is permitted.
    pub(crate) async fn dial(&self, url: &Url) -> Result<(Stream, SocketAddr), NoLine> {
        check_parsed(url, &self.policy).map_err(Outcome::AddressRefused)?;
        let deadline = Instant::now() + self.timeout;
        let addresses = timeout_at(deadline, self.addresses(url))
            .await
            .unwrap_or(Err(Outcome::ConnectTimeout))?;
        let port = url.port_or_known_default().unwrap_or(443);
        let mut last = NoLine::from(Outcome::DnsFailure);
        let mut left = addresses.len() as u32;
        for address in addresses {
            let address = SocketAddr::new(address, port);
            // One that never answers leaves the others their share of the time.
            let now = Instant::now();
            let until = now + deadline.saturating_duration_since(now) / left.max(1);
            left = left.saturating_sub(1);
            let outcome = match timeout_at(until, self.connect(url, address)).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(outcome)) => outcome,
                Err(_) => Outcome::ConnectTimeout,
            };
            last = NoLine { outcome, address: Some(address) };
        }
        Err(last)
    }

    /// The permitted ones among the host's addresses.
    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, Outcome> {
        let name = match url.host() {
            Some(Host::Ipv4(address)) => return self.permitted(vec![address.into()]),
            Some(Host::Ipv6(address)) => return self.permitted(vec![address.into()]),
            Some(Host::Domain(name)) => name,
            None => return Err(Outcome::AddressRefused(Refusal::NoHost)),
        };
        // Whoever names a host must not learn whether a name server of the operator's own knows it:
        // a name that leads to no permitted address is one that leads nowhere.
        let resolved = self.resolver.resolve(name).await.map_err(|_| Outcome::DnsFailure)?;
        self.permitted(resolved).map_err(|_| Outcome::DnsFailure)
    }

    fn permitted(&self, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Outcome> {
        let mut refused = Outcome::DnsFailure;
        let mut permitted = Vec::with_capacity(addresses.len().min(ADDRESSES_MAX));
        for address in addresses {
            // In the form that it is judged in, so that no other is connected to.
            let address = address.to_canonical();
            match self.policy.check(address) {
                Ok(()) => permitted.push(address),
                Err(refusal) => refused = Outcome::AddressRefused(refusal),
            }
            if permitted.len() == ADDRESSES_MAX {
                break;
            }
        }
        if permitted.is_empty() { Err(refused) } else { Ok(permitted) }
    }

    async fn connect(&self, url: &Url, address: SocketAddr) -> Result<Stream, Outcome> {
        let tcp = TcpStream::connect(address).await.map_err(|error| {
            Outcome::ConnectionFailed(match error.kind() {
                io::ErrorKind::ConnectionRefused => ConnectFault::Refused,
                _ => ConnectFault::Unreachable,
            })
        })?;
        // A message is written at once: to wait for more would only delay it.
        let unreachable = Outcome::ConnectionFailed(ConnectFault::Unreachable);
        tcp.set_nodelay(true).map_err(|_| unreachable)?;
        if url.scheme() != "https" {
            return Ok(Either::Left(tcp));
        }
        let secure = self.tls.connect(server_name(url)?, tcp).await;
        secure
            .map(Either::Right)
            .map_err(|error| Outcome::TlsFailure(tls_fault(&error).unwrap_or(TlsFault::Handshake)))
    }
}

fn connector(roots: &[CertificateDer<'static>]) -> Result<TlsConnector, TlsError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in roots {
        store.add(root.clone())?;
    }
    // The provider is named, so that nobody need have installed one for the process.
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_name(url: &Url) -> Result<ServerName<'static>, Outcome> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::from(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Ok(ServerName::from(IpAddr::V6(address))),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            ServerName::try_from(name).map_err(|_| Outcome::AddressRefused(Refusal::Invalid))
        }
        None => Err(Outcome::AddressRefused(Refusal::NoHost)),
    }
}

/// What TLS found wrong, if it was TLS that did.
pub(crate) fn tls_fault(error: &io::Error) -> Option<TlsFault> {
    let error = error.get_ref()?.downcast_ref::<TlsError>()?;
    Some(match error {
        TlsError::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongName
            }
            _ => TlsFault::BadCertificate,
        },
        TlsError::InvalidMessage(_) => TlsFault::NotTls,
        _ => TlsFault::Handshake,
    })
}
