//! Where a call comes from, as far back as the proxies in front can be believed.
//!
//! Each proxy adds the address it was called from to the end of `X-Forwarded-For` or of `Forwarded`
//! (RFC 7239), in the same line or in another. What a caller sends of its own stands before that, so
//! the entries are counted from the end: one for each proxy that is trusted, never more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The caller's address; that of the other end of the connection, where the headers do not say it.
///
/// Where both headers are there they have to agree: a proxy writes one of them, and passes on what
/// its caller put into the other.
pub(crate) fn address(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    trusted_proxies: usize,
) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.to_canonical());
    let Some(hop) = trusted_proxies.checked_sub(1) else { return peer };
    let plain = headers.contains_key(X_FORWARDED_FOR).then(|| {
        let found = from_end(headers, &X_FORWARDED_FOR, split_plain, hop);
        found.and_then(|hop| node(hop.trim()))
    });
    let told = headers.contains_key(header::FORWARDED).then(|| {
        let found = from_end(headers, &header::FORWARDED, |line| split(line, ','), hop);
        found.and_then(|element| sender(&element))
    });
    let said = match (plain, told) {
        (Some(plain), Some(told)) => plain.filter(|plain| told == Some(*plain)),
        (one, other) => one.or(other).flatten(),
    };
    said.or(peer)
}

/// The entry that so many others follow, all lines of the header taken together.
fn from_end(
    headers: &HeaderMap,
    name: &HeaderName,
    entries: impl Fn(&str) -> Vec<String>,
    mut after: usize,
) -> Option<String> {
    let lines: Vec<&HeaderValue> = headers.get_all(name).collect();
    for line in lines.into_iter().rev() {
        // What is no text is one entry, and no address.
        let mut entries = line.to_str().map_or_else(|_| vec![String::new()], &entries);
        match entries.len().checked_sub(after + 1) {
            Some(at) => return Some(entries.swap_remove(at)),
            None => after -= entries.len(),
        }
    }
    None
}

fn split_plain(line: &str) -> Vec<String> {
    line.split(',').map(str::to_owned).collect()
}

/// The parts of a list, where a sign inside of quotes does not divide.
fn split(line: &str, by: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for sign in line.chars() {
        if sign == by && !quoted {
            parts.push(String::new());
            continue;
        }
        quoted ^= sign == '"' && !escaped;
        escaped = sign == '\\' && quoted && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(sign);
        }
    }
    parts
}

/// The address of `for=` in an entry of `Forwarded`. One that is not well formed in every part says
/// nothing: a quote that a caller left open would hide what a proxy added.
fn sender(element: &str) -> Option<IpAddr> {
    let mut sender = None;
    for pair in split(element, ';') {
        let (name, value) = pair.split_once('=')?;
        let value = unquoted(value.trim())?;
        if name.trim().eq_ignore_ascii_case("for") && sender.replace(value).is_some() {
            return None;
        }
    }
    node(&sender?)
}

/// A token, or what is between two quotes.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        let token = |sign: char| sign.is_ascii_graphic() && !"\"(),/;<=>?@[\\]{}".contains(sign);
        return (!value.is_empty() && value.chars().all(token)).then(|| value.to_owned());
    };
    let (mut text, mut signs) = (String::new(), rest.chars());
    loop {
        match signs.next()? {
            '"' => return signs.as_str().is_empty().then_some(text),
            '\\' => text.push(signs.next()?),
            sign => text.push(sign),
        }
    }
}

/// An address with or without a port; nothing for `unknown` and for names that hide one.
fn node(text: &str) -> Option<IpAddr> {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address: IpAddr = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        address.parse::<Ipv6Addr>().ok()?.into()
    } else if let Ok(address) = text.parse() {
        address
    } else {
        let (address, port) = text.split_once(':')?;
        address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?.into()
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn seen(lines: &[(&str, &str)], trusted_proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let found = address(&headers, PROXY.parse().ok(), trusted_proxies);
        found.expect("an address").to_string()
    }

    #[test]
    fn the_entries_are_counted_from_the_end() {
        let one = ("x-forwarded-for", "6.6.6.6, 192.0.2.1");
        assert_eq!(seen(&[one], 0), PROXY);
        assert_eq!(seen(&[one], 1), "192.0.2.1");
        assert_eq!(seen(&[one], 2), "6.6.6.6");
        assert_eq!(seen(&[one], 3), PROXY, "there are fewer than there should be");
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1, 10.0.0.2")];
        assert_eq!(seen(&lines, 1), "10.0.0.2");
        assert_eq!(seen(&lines, 2), "192.0.2.1");
        assert_eq!(seen(&lines, 3), "6.6.6.6");
        let forwarded = [("forwarded", "for=6.6.6.6"), ("forwarded", "For=192.0.2.1;proto=http")];
        assert_eq!(seen(&forwarded, 1), "192.0.2.1");
        assert_eq!(seen(&forwarded, 2), "6.6.6.6");
    }

    #[test]
    fn an_address_is_written_in_several_ways() {
        for (text, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("for=\"192.0.2.1:4711\"", "192.0.2.1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\"", "2001:db8::1"),
            ("for=\"[::ffff:192.0.2.1]\"", "192.0.2.1"),
            ("for=unknown", PROXY),
            ("for=_hidden", PROXY),
            ("for=\"_hidden:80\"", PROXY),
            ("proto=https", PROXY),
            ("for=192.0.2.1;for=6.6.6.6", PROXY),
            ("for=[2001:db8::1]", PROXY),
            ("", PROXY),
        ] {
            assert_eq!(seen(&[("forwarded", text)], 1), expected, "{text}");
        }
        for (text, expected) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]80", PROXY),
            ("localhost", PROXY),
        ] {
            assert_eq!(seen(&[("x-forwarded-for", text)], 1), expected, "{text}");
        }
    }

    #[test]
    fn what_a_caller_sends_is_not_believed() {
        // An open quote before what the proxy added.
        for text in [
            "for=6.6.6.6;x=\", for=\"[2001:db8::1]:4711\"",
            "for=6.6.6.6;x=\", for=192.0.2.1",
            "for=\"6.6.6.6, for=192.0.2.1",
        ] {
            assert_eq!(seen(&[("forwarded", text)], 1), PROXY, "{text}");
        }
        // The header that the proxy does not write.
        let both = |plain, told| seen(&[("x-forwarded-for", plain), ("forwarded", told)], 1);
        assert_eq!(both("192.0.2.1", "for=6.6.6.6"), PROXY);
        assert_eq!(both("6.6.6.6", "for=192.0.2.1"), PROXY);
        assert_eq!(both("192.0.2.1", "for=\"192.0.2.1:80\""), "192.0.2.1");
    }
}
