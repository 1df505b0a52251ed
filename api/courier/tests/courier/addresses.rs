//! Which URLs and addresses are taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bodega_courier::ipnet::IpNet;
use bodega_courier::{Policy, Refusal, check_url, is_public};
use bodega_kernel::Language;
use proptest::prelude::*;

/// The special-purpose ranges of IPv4 that are not the public internet, and Azure's service
/// address.
const SPECIAL_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];

/// What is not public within global unicast, 2000::/3.
const SPECIAL_V6: &[&str] = &["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

fn within(ranges: &[&str], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.parse::<IpNet>().unwrap().contains(&address))
}

/// Any IPv4 address, and often one at or next to the edge of a special range.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges: Vec<u32> = SPECIAL_V4
        .iter()
        .flat_map(|range| match range.parse().unwrap() {
            IpNet::V4(range) => [u32::from(range.network()), u32::from(range.broadcast())],
            IpNet::V6(_) => unreachable!("the list has IPv4 only"),
        })
        .collect();
    let near = (prop::sample::select(edges), -2_i32..=2)
        .prop_map(|(edge, step)| Ipv4Addr::from(edge.wrapping_add_signed(step)));
    prop_oneof![any::<Ipv4Addr>(), near]
}

proptest! {
    #[test]
    fn an_ipv4_address_is_public_unless_a_range_says_otherwise(address in v4()) {
        prop_assert_eq!(is_public(address.into()), !within(SPECIAL_V4, address.into()));
    }

    #[test]
    fn an_ipv4_address_within_ipv6_is_judged_as_itself(address in v4()) {
        let public = is_public(address.into());
        prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), public);
        let [a, b, c, d] = address.octets();
        let nat64: Ipv6Addr = format!("64:ff9b::{a}.{b}.{c}.{d}").parse().unwrap();
        prop_assert_eq!(is_public(nat64.into()), public);
        // Ways through IPv4 that nobody uses any more, or that are for one network only.
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let mut compatible = [0; 16];
        compatible[12..].copy_from_slice(&address.octets());
        for address in [
            Ipv6Addr::from(compatible),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, high, low),
        ] {
            prop_assert!(!is_public(address.into()), "{}", address);
        }
    }

    #[test]
    fn an_ipv6_address_is_public_within_global_unicast_alone(bits in any::<u128>(), global: bool) {
        let bits = if global { bits >> 3 | 1 << 125 } else { bits };
        let address = IpAddr::V6(bits.into());
        let unicast = within(&["2000::/3"], address) && !within(SPECIAL_V6, address);
        let through_v4 = within(&["::ffff:0:0/96", "64:ff9b::/96"], address);
        prop_assert!(through_v4 || is_public(address) == unicast, "{}", address);
    }

    #[test]
    fn an_ipv4_literal_is_the_same_in_every_spelling(address in v4()) {
        let number = u32::from(address);
        let [a, b, c, d] = address.octets();
        let spellings = [
            address.to_string(),
            number.to_string(),
            format!("{number:#x}"),
            format!("0{number:o}"),
            format!("{a}.{}", number & 0xff_ffff),
            format!("{a:#x}.0{b:o}.{}", number & 0xffff),
            format!("0{a:o}.{b:#x}.{c}.0{d:o}."),
            format!("[::ffff:{address}]"),
        ];
        for host in spellings {
            let checked = check_url(&format!("https://{host}/"), &Policy::default());
            prop_assert_eq!(checked.is_ok(), is_public(address.into()), "{}", host);
        }
    }

    #[test]
    fn no_text_at_all_panics(text in ".{0,80}", host in "[0-9a-fx.:\\[\\]%]{0,24}") {
        let _ = check_url(&text, &Policy::default());
        let _ = check_url(&format!("https://{host}/"), &Policy::default());
    }
}

#[test]
fn public_addresses_are_public() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2001:200::1",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn the_operator_may_allow_ranges() {
    let policy = Policy {
        allowed: vec!["10.1.0.0/16".parse().unwrap(), "fd12::/16".parse().unwrap()],
        https_only: false,
    };
    for (url, taken) in [
        ("http://10.1.2.3/", true),
        ("http://[::ffff:10.1.2.3]/", true),
        ("http://[fd12::7]/", true),
        // What a name leads to is seen when it is connected to.
        ("http://n8n.internal:5678/hook", true),
        ("http://n8n:5678/hook", true),
        ("http://10.2.0.1/", false),
        ("http://127.0.0.1/", false),
        ("http://[64:ff9b::10.1.2.3]/", false),
        ("http://[fd13::7]/", false),
    ] {
        assert_eq!(check_url(url, &policy).is_ok(), taken, "{url}");
    }
}

#[test]
fn urls_are_taken_or_refused_with_a_reason() {
    let long = format!("https://example.com/{}", "x".repeat(2_048 - 20));
    assert!(check_url(&long, &Policy::default()).is_ok());
    let widened = format!("https://example.com/{}", "ñ".repeat(500));
    for (url, refusal) in [
        (format!("{long}x").as_str(), Refusal::TooLong),
        (widened.as_str(), Refusal::TooLong),
        ("", Refusal::Invalid),
        ("hook", Refusal::Invalid),
        ("/hook", Refusal::Invalid),
        ("//example.com/hook", Refusal::Invalid),
        ("https://exa mple.com/", Refusal::Invalid),
        ("https://example.com/a b", Refusal::Invalid),
        (" https://example.com/", Refusal::Invalid),
        ("https://exam\tple.com/", Refusal::Invalid),
        ("https://example.com/\r\nhost: x", Refusal::Invalid),
        ("https://example.com:99999/", Refusal::Invalid),
        ("https://1.2.3.4.5/", Refusal::Invalid),
        ("https://256.1.1.1/", Refusal::Invalid),
        ("https://", Refusal::NoHost),
        ("https://.", Refusal::NoHost),
        ("ftp://example.com/", Refusal::Scheme),
        ("file:///etc/passwd", Refusal::Scheme),
        ("gopher://example.com/", Refusal::Scheme),
        ("javascript:alert(1)", Refusal::Scheme),
        ("data:text/plain,x", Refusal::Scheme),
        ("unix:/run/docker.sock", Refusal::Scheme),
        ("https://user@example.com/", Refusal::UserInfo),
        ("https://:word@example.com/", Refusal::UserInfo),
        ("https://example.com@127.0.0.1/", Refusal::UserInfo),
        ("https://example.com/#top", Refusal::Fragment),
        ("https://example.com/#", Refusal::Fragment),
        ("https://example.com:0/", Refusal::Port),
        ("https://127.0.0.1/", Refusal::PrivateAddress),
        ("https://localhost/", Refusal::PrivateName),
    ] {
        assert_eq!(check_url(url, &Policy::default()), Err(refusal), "{url:?}");
        assert_ne!(refusal.text().get(Language::English), refusal.text().get(Language::Spanish));
    }
    for url in [
        "https://example.com",
        "http://example.com:8080/hook?a=1&b={c}|d",
        "https://hooks.example.com:1/",
        "https://tienda.españa.es/gancho/ñ",
        "https://internal.example.com/",
        "https://local.example.com/",
        "https://mylocalhost.example.com/",
        "https://8.8.8.8:8443/",
        "https://[2606:4700:4700::1111]:8443/hook",
    ] {
        assert!(check_url(url, &Policy::default()).is_ok(), "{url}");
    }
}

#[test]
fn https_alone_can_be_asked_for() {
    let policy = Policy { https_only: true, ..Policy::default() };
    assert_eq!(check_url("http://example.com/", &policy), Err(Refusal::HttpsOnly));
    assert!(check_url("https://example.com/", &policy).is_ok());
}
