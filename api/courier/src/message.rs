//! What is sent, and what came of it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use url::Url;

use crate::outcome::Outcome;

/// A message on its way to one receiver.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where to, as [`crate::check_url`] gave it.
    pub url: Url,
    /// The customer's own headers ([`crate::check_header`]) and the signature's. `host`,
    /// `content-length` and the like are set by the courier, and what stands here for them is
    /// dropped; `content-type` is JSON unless it stands here.
    pub headers: HeaderMap,
    /// What is posted.
    pub body: Bytes,
}

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// What became of the message, and why.
    pub outcome: Outcome,
    /// How long the attempt took.
    pub duration: Duration,
    /// How long it took to resolve, connect and agree on TLS; nothing where a connection was there
    /// already.
    pub connect: Option<Duration>,
    /// The address that was connected to.
    pub address: Option<SocketAddr>,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The answer's headers, as many as were kept; what is not UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// The start of the answer's body, as it came: it is not decompressed.
    pub body: Vec<u8>,
    /// Whether the body was longer than what was kept, or did not end in time or at all.
    pub truncated: bool,
}

impl Receipt {
    /// An attempt of which there is nothing to tell yet.
    pub(crate) fn pending() -> Self {
        Self {
            outcome: Outcome::Timeout,
            duration: Duration::ZERO,
            connect: None,
            address: None,
            status: None,
            headers: Vec::new(),
            body: Vec::new(),
            truncated: false,
        }
    }
}
