//! The courier: posts signed messages to addresses on the internet, and to nowhere else.
//!
//! - [`Secret`], [`sign`]: signatures after Standard Webhooks 1.0.
//! - [`check_url`], [`check_header`]: what an endpoint may be, checked when it is saved.
//! - [`Courier`]: one attempt at one message, its address checked again on each connect. Whatever
//!   the receiver does, the attempt ends in bounded time and memory and its [`Receipt`] says why.
//! - [`Carrier`]: what a pipeline holds, so that its tests can hold something else.
//!
//! It knows nothing of events, endpoints, retries or storage.

mod address;
mod courier;
mod dial;
mod header;
mod message;
mod outcome;
mod pool;
mod refusal;
mod resolve;
mod retry_after;
mod rules;
mod secret;
mod sign;

pub use address::{Policy, is_public};
pub use courier::{ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX, Carrier, Courier, Settings};
pub use header::{HEADER_NAME_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HeaderRefusal, check_header};
pub use message::{Message, Receipt};
pub use outcome::{ConnectFault, Outcome, TlsFault};
pub use refusal::Refusal;
pub use resolve::{Resolve, SystemResolver};
pub use retry_after::{RETRY_AFTER_MAX, RetryAfter};
pub use rules::{URL_BYTES_MAX, check_url};
pub use secret::{HMAC_BYTES_MAX, HMAC_BYTES_MIN, Secret, SecretFault, SecretKind};
pub use sign::{sign, verify};

/// What [`Message`] and [`Settings`] are made of.
pub use {bytes::Bytes, http, ipnet, tokio_rustls::rustls::pki_types::CertificateDer, url::Url};
