//! What became of a message.

use std::fmt;

use bodega_kernel::{Language, Text, text};

use crate::refusal::Refusal;
use crate::retry_after::RetryAfter;

/// What became of a message, and why. [`Outcome::code`] is a contract: it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx: the receiver has it.
    Delivered(u16),
    /// 410: the receiver wants no more.
    Gone,
    /// 429 or 503: not now, perhaps with the time to come back.
    RetryLater {
        /// The status.
        status: u16,
        /// The receiver's wish, where it has one.
        after: Option<RetryAfter>,
    },
    /// 3xx, which is not followed: it could lead anywhere.
    Redirect(u16),
    /// Any other status.
    Refused(u16),
    /// The address was not found, reached or agreed with (TLS) in time.
    ConnectTimeout,
    /// No answer in time.
    Timeout,
    /// The host's name did not resolve, or to no address that is posted to: which of both is told
    /// to nobody.
    DnsFailure,
    /// The address, as the URL has it, is not posted to.
    AddressRefused(Refusal),
    /// No connection to the receiver.
    ConnectionFailed(ConnectFault),
    /// No secure connection to the receiver.
    TlsFailure(TlsFault),
    /// The receiver closed the connection before it answered.
    ClosedEarly,
    /// What came back was not HTTP.
    BadResponse,
    /// The headers of the answer had more than 64 KiB, or were more than 100.
    HeadersTooLarge,
}

/// Why there was no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// Nothing listens there.
    Refused,
    /// There is no way there, or it broke on the way.
    Unreachable,
}

/// Why there was no secure connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Nobody that we trust signed the certificate; or the receiver sent no intermediate
    /// certificate.
    Untrusted,
    /// The certificate has expired or is not valid yet.
    Expired,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is wrong in another way.
    BadCertificate,
    /// What answered does not speak TLS.
    NotTls,
    /// The two sides have no version or cipher in common, or the receiver broke off.
    Handshake,
}

impl Outcome {
    /// What a status means.
    pub fn of_status(status: u16, after: Option<RetryAfter>) -> Self {
        match status {
            200..=299 => Self::Delivered(status),
            410 => Self::Gone,
            429 | 503 => Self::RetryLater { status, after },
            300..=399 => Self::Redirect(status),
            _ => Self::Refused(status),
        }
    }

    /// Whether the receiver has the message.
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered(_))
    }

    /// A name for it that never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Gone => "gone",
            Self::RetryLater { .. } => "retry_later",
            Self::Redirect(_) => "redirect",
            Self::Refused(_) => "refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Timeout => "timeout",
            Self::DnsFailure => "dns_failure",
            Self::AddressRefused(refusal) => refusal.code(),
            Self::ConnectionFailed(ConnectFault::Refused) => "connection_refused",
            Self::ConnectionFailed(ConnectFault::Unreachable) => "connection_failed",
            Self::TlsFailure(fault) => fault.code(),
            Self::ClosedEarly => "closed_early",
            Self::BadResponse => "bad_response",
            Self::HeadersTooLarge => "headers_too_large",
        }
    }

    /// What happened, in a sentence.
    pub fn text(&self) -> Text {
        let status = |en: &str, es: &str, status: &u16| {
            text(en.replace("{}", &status.to_string()), es.replace("{}", &status.to_string()))
        };
        match self {
            Self::Delivered(code) => {
                status("The receiver answered {}.", "El receptor respondió {}.", code)
            }
            Self::Gone => text(
                "The receiver answered 410: it wants no more messages.",
                "El receptor respondió 410: no quiere más mensajes.",
            ),
            Self::RetryLater { status: code, after: Some(_) } => status(
                "The receiver answered {} and said when to try again.",
                "El receptor respondió {} y dijo cuándo volver a intentarlo.",
                code,
            ),
            Self::RetryLater { status: code, after: None } => status(
                "The receiver answered {}: not now.",
                "El receptor respondió {}: ahora no.",
                code,
            ),
            Self::Redirect(code) => status(
                "The receiver answered {}, a redirect, which is not followed.",
                "El receptor respondió {}, una redirección, que no se sigue.",
                code,
            ),
            Self::Refused(code) => status(
                "The receiver answered {}, which is not a success.",
                "El receptor respondió {}, que no es un éxito.",
                code,
            ),
            Self::AddressRefused(refusal) => refusal.text(),
            Self::TlsFailure(fault) => fault.text(),
            _ => self.text_without_answer(),
        }
    }

    fn text_without_answer(&self) -> Text {
        match self {
            Self::ConnectTimeout => text(
                "No connection to the receiver in time.",
                "No hubo conexión con el receptor a tiempo.",
            ),
            Self::Timeout => {
                text("The receiver did not answer in time.", "El receptor no respondió a tiempo.")
            }
            Self::DnsFailure => text(
                "The host's name did not resolve to an address that may be posted to.",
                "El nombre del servidor no resolvió a una dirección a la que se pueda enviar.",
            ),
            Self::ConnectionFailed(ConnectFault::Refused) => text(
                "Nothing listens at the receiver's address and port.",
                "Nada escucha en la dirección y el puerto del receptor.",
            ),
            Self::ConnectionFailed(ConnectFault::Unreachable) => text(
                "The receiver's address could not be reached.",
                "No se pudo llegar a la dirección del receptor.",
            ),
            Self::ClosedEarly => text(
                "The receiver closed the connection before it answered.",
                "El receptor cerró la conexión antes de responder.",
            ),
            Self::HeadersTooLarge => text(
                "The answer had more than 100 headers, or more than 64 KiB of them.",
                "La respuesta tenía más de 100 cabeceras, o más de 64 KiB de ellas.",
            ),
            _ => text(
                "What the receiver answered is not HTTP.",
                "Lo que respondió el receptor no es HTTP.",
            ),
        }
    }
}

impl TlsFault {
    fn code(self) -> &'static str {
        match self {
            Self::Untrusted => "tls_untrusted",
            Self::Expired => "tls_expired",
            Self::WrongName => "tls_wrong_name",
            Self::BadCertificate => "tls_bad_certificate",
            Self::NotTls => "tls_not_spoken",
            Self::Handshake => "tls_handshake",
        }
    }

    fn text(self) -> Text {
        match self {
            Self::Untrusted => text(
                "The certificate is not signed by an authority we trust, or the receiver does not \
                 send the certificates in between.",
                "El certificado no está firmado por una autoridad de confianza, o el receptor no \
                 envía los certificados intermedios.",
            ),
            Self::Expired => text(
                "The receiver's certificate has expired or is not valid yet.",
                "El certificado del receptor ha caducado o aún no es válido.",
            ),
            Self::WrongName => text(
                "The receiver's certificate is for another name.",
                "El certificado del receptor es para otro nombre.",
            ),
            Self::BadCertificate => text(
                "The receiver's certificate is not one for a server: it may be self-signed, \
                 revoked or malformed.",
                "El certificado del receptor no es de servidor: puede estar autofirmado, revocado \
                 o mal formado.",
            ),
            Self::NotTls => text(
                "What answers at this address does not speak TLS: is it `http://`?",
                "Lo que responde en esta dirección no habla TLS: ¿es `http://`?",
            ),
            Self::Handshake => text(
                "No secure connection was agreed: the receiver broke off, or is too old.",
                "No se acordó una conexión segura: el receptor la cortó o es demasiado antiguo.",
            ),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().get(Language::English))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_outcome_has_a_code_and_words_of_its_own() {
        let after = Some(RetryAfter::Wait(std::time::Duration::from_secs(1)));
        let outcomes = [
            Outcome::of_status(200, None),
            Outcome::of_status(410, None),
            Outcome::of_status(429, after),
            Outcome::of_status(302, None),
            Outcome::of_status(500, None),
            Outcome::ConnectTimeout,
            Outcome::Timeout,
            Outcome::DnsFailure,
            Outcome::AddressRefused(Refusal::PrivateAddress),
            Outcome::AddressRefused(Refusal::OwnAddress),
            Outcome::ConnectionFailed(ConnectFault::Refused),
            Outcome::ConnectionFailed(ConnectFault::Unreachable),
            Outcome::TlsFailure(TlsFault::Untrusted),
            Outcome::TlsFailure(TlsFault::Expired),
            Outcome::TlsFailure(TlsFault::WrongName),
            Outcome::TlsFailure(TlsFault::BadCertificate),
            Outcome::TlsFailure(TlsFault::NotTls),
            Outcome::TlsFailure(TlsFault::Handshake),
            Outcome::ClosedEarly,
            Outcome::BadResponse,
            Outcome::HeadersTooLarge,
        ];
        let (mut codes, mut words) = (HashSet::new(), HashSet::new());
        for outcome in outcomes {
            let code = outcome.code();
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
            assert!(codes.insert(code), "{code}");
            for language in [Language::English, Language::Spanish] {
                let said = outcome.text().get(language).to_owned();
                assert!(!said.contains("{}") && said.ends_with(['.', '?']), "{said}");
                assert!(words.insert(said), "{code}");
            }
        }
        let text = Outcome::of_status(429, after).text();
        assert!(text.get(Language::Spanish).contains("429"));
    }
}
