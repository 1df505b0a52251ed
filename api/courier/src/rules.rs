//! Which URLs an endpoint may have.

use std::net::IpAddr;

use http::uri::PathAndQuery;
use url::{Host, ParseError, Position, Url};

use crate::address::Policy;
use crate::refusal::Refusal;

/// The longest URL.
pub const URL_BYTES_MAX: usize = 2_048;

/// Names, and what ends in them, that only private networks resolve.
const PRIVATE_NAMES: &[&str] = &[
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
];

/// Checks a URL when an endpoint is saved. What it resolves to is checked on each connect, and so
/// are its host and its scheme, because the operator's policy may have changed since.
pub fn check_url(url: &str, policy: &Policy) -> Result<Url, Refusal> {
    if url.len() > URL_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    // The URL standard drops them in silence: what is saved would not be what was given.
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Refusal::Invalid);
    }
    let url = Url::parse(url).map_err(|error| match error {
        ParseError::EmptyHost => Refusal::NoHost,
        _ => Refusal::Invalid,
    })?;
    check_parsed(&url, policy)?;
    // Writing it out may have made it longer: `ñ` becomes `%C3%B1`.
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    path(&url)?;
    Ok(url)
}

/// What can be told of a URL without resolving its host.
pub(crate) fn check_parsed(url: &Url, policy: &Policy) -> Result<(), Refusal> {
    match url.scheme() {
        "https" => {}
        "http" if policy.https_only => return Err(Refusal::HttpsOnly),
        "http" => {}
        _ => return Err(Refusal::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(Refusal::Fragment);
    }
    if url.port() == Some(0) {
        return Err(Refusal::Port);
    }
    // The URL standard has turned every spelling of an IPv4 address (`0x7f.1`, `2130706433`,
    // `017700000001`, full-width digits) into the address by now.
    let address = match url.host() {
        None => return Err(Refusal::NoHost),
        Some(Host::Domain(name)) => return check_name(name, policy),
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
    };
    if policy.permits(address) { Ok(()) } else { Err(Refusal::PrivateAddress) }
}

/// The path and query, as they are sent.
pub(crate) fn path(url: &Url) -> Result<PathAndQuery, Refusal> {
    url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| Refusal::Invalid)
}

fn check_name(name: &str, policy: &Policy) -> Result<(), Refusal> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(Refusal::NoHost);
    }
    // Where private ranges may be reached, private names lead to them: the connect will tell.
    if !policy.allowed.is_empty() {
        return Ok(());
    }
    let private = PRIVATE_NAMES.iter().any(|private| {
        name.strip_suffix(*private).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let private = private || !name.contains('.');
    if private { Err(Refusal::PrivateName) } else { Ok(()) }
}
