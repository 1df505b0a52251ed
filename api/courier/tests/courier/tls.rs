//! Secure connections, and receivers that break them.

use std::sync::Arc;

use bodega_courier::{CertificateDer, Courier, Outcome, Policy, Receipt, Settings, TlsFault, Url};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::*;

const NAME: &str = "hooks.example.com";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

struct Authority {
    key: KeyPair,
    certificate: Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    fn root(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    fn acceptor(&self, params: CertificateParams) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        acceptor(params.signed_by(&key, &self.certificate, &self.key).unwrap(), &key)
    }
}

fn acceptor(certificate: Certificate, key: &KeyPair) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

async fn secure(acceptor: TlsAcceptor) -> Receiver {
    Receiver::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            while read_message(&mut stream).await?.is_some() {
                stream.write_all(OK).await?;
            }
            Ok(())
        }
    })
    .await
}

fn trusting(roots: &[CertificateDer<'static>]) -> Courier {
    let settings = Settings { extra_roots: roots.to_vec(), ..quick() };
    let policy = Policy { https_only: true, ..loopback() };
    Courier::new(policy, settings, Names::all(&["127.0.0.1"])).unwrap()
}

async fn send_to(receiver: &Receiver, courier: &Courier) -> Receipt {
    let url = format!("https://{NAME}:{}/hook", receiver.address.port());
    courier.send(message(Url::parse(&url).unwrap())).await
}

#[tokio::test]
async fn a_trusted_receiver_gets_many_messages_over_one_connection() {
    let authority = Authority::new("ours");
    let receiver = secure(authority.acceptor(named(NAME))).await;
    let courier = trusting(&[authority.root()]);
    for _ in 0..3 {
        assert_eq!(send_to(&receiver, &courier).await.outcome, Outcome::Delivered(200));
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn an_address_is_a_name_too() {
    let authority = Authority::new("ours");
    let receiver = secure(authority.acceptor(named("127.0.0.1"))).await;
    let url = Url::parse(&format!("https://{}/", receiver.address)).unwrap();
    let receipt = trusting(&[authority.root()]).send(message(url)).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
}

#[tokio::test]
async fn certificates_that_are_wrong() {
    let (authority, other) = (Authority::new("ours"), Authority::new("theirs"));
    let namesake = Authority::new("ours");
    let mut expired = named(NAME);
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut early = named(NAME);
    early.not_before = date_time_ymd(4000, 1, 1);
    for (params, root, fault, code) in [
        (named(NAME), other.root(), TlsFault::Untrusted, "tls_untrusted"),
        (named(NAME), namesake.root(), TlsFault::Untrusted, "tls_untrusted"),
        (named("other.example.com"), authority.root(), TlsFault::WrongName, "tls_wrong_name"),
        (expired, authority.root(), TlsFault::Expired, "tls_expired"),
        (early, authority.root(), TlsFault::Expired, "tls_expired"),
    ] {
        let receiver = secure(authority.acceptor(params)).await;
        let receipt = send_to(&receiver, &trusting(&[root])).await;
        assert_eq!(receipt.outcome, Outcome::TlsFailure(fault));
        assert_eq!((receipt.outcome.code(), receipt.status), (code, None));
        assert_eq!(receipt.address, Some(receiver.address));
    }
}

#[tokio::test]
async fn certificates_that_sign_themselves() {
    // The last is what `openssl req -x509` makes: an authority, which a server must not be.
    for (is_ca, fault) in [
        (IsCa::NoCa, TlsFault::Untrusted),
        (IsCa::ExplicitNoCa, TlsFault::Untrusted),
        (IsCa::Ca(BasicConstraints::Unconstrained), TlsFault::BadCertificate),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = named(NAME);
        params.is_ca = is_ca;
        let receiver = secure(acceptor(params.self_signed(&key).unwrap(), &key)).await;
        let outcome = send_to(&receiver, &trusting(&[])).await.outcome;
        assert_eq!(outcome, Outcome::TlsFailure(fault));
    }
}

#[tokio::test]
async fn what_does_not_speak_tls() {
    let plain = Receiver::answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    // It takes the greeting for a message that has not ended yet.
    assert_eq!(send_to(&plain, &trusting(&[])).await.outcome, Outcome::ConnectTimeout);

    let answers = Receiver::start(|_, mut stream: TcpStream| async move {
        stream.readable().await?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    })
    .await;
    let outcome = send_to(&answers, &trusting(&[])).await.outcome;
    assert_eq!(outcome, Outcome::TlsFailure(TlsFault::NotTls));

    let closes = Receiver::start(|_, _| async { Ok(()) }).await;
    let outcome = send_to(&closes, &trusting(&[])).await.outcome;
    assert_eq!(outcome, Outcome::TlsFailure(TlsFault::Handshake));
}

#[tokio::test]
async fn a_secure_connection_that_breaks_before_the_answer() {
    let authority = Authority::new("ours");
    let acceptor = authority.acceptor(named(NAME));
    let receiver = Receiver::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            read_message(&mut stream).await?;
            // Past TLS, onto the socket: no record begins like this.
            let (mut socket, _) = stream.into_inner();
            socket.write_all(b"not a record at all").await
        }
    })
    .await;
    let outcome = send_to(&receiver, &trusting(&[authority.root()])).await.outcome;
    assert!(matches!(outcome, Outcome::TlsFailure(_)), "{outcome:?}");

    let acceptor = authority.acceptor(named(NAME));
    let receiver = Receiver::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            read_message(&mut stream).await?;
            Ok(())
        }
    })
    .await;
    let outcome = send_to(&receiver, &trusting(&[authority.root()])).await.outcome;
    assert_eq!(outcome, Outcome::ClosedEarly);
}

#[tokio::test]
async fn an_extra_root_that_is_no_certificate_is_told() {
    let settings = Settings { extra_roots: vec![CertificateDer::from(vec![1, 2, 3])], ..quick() };
    assert!(Courier::new(loopback(), settings, Names::nowhere()).is_err());
}
