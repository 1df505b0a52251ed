//! Nothing private is reached: not by how a host is written, not by what its name resolves to, and
//! not by what it resolves to the second time.

use std::io;
use std::net::IpAddr;

use bodega_courier::{Courier, Outcome, Policy, Refusal, Resolve, Url, check_url};

use crate::support::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Loopback, in all the ways that URLs can say it.
const LOOPBACK: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7F.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.0x0.0.1",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "0x0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::80ff:fffe]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "hook.localhost",
    "a.b.localhost.",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "lo\u{ad}calhost",
    "localhost.localdomain",
];

/// Other networks that are nobody's business.
const PRIVATE: &[&str] = &[
    "10.0.0.1",
    "0xa.1",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "printer.local",
    "metadata.google.internal",
    "router.lan",
    "nas.home.arpa",
    "intranet",
    "db",
];

#[tokio::test]
async fn no_spelling_of_a_private_host_is_reached() {
    let receiver = Receiver::answering(OK).await;
    let port = receiver.address.port();
    // Names resolve to the receiver, as a private name server would have it.
    let courier = Courier::new(Policy::default(), quick(), Names::all(&["127.0.0.1", "::1"]));
    let courier = courier.unwrap();
    for host in LOOPBACK.iter().chain(PRIVATE) {
        let text = format!("http://{host}:{port}/hook");
        let refusal = check_url(&text, &Policy::default()).expect_err(&text);
        let private = matches!(refusal, Refusal::PrivateAddress | Refusal::PrivateName);
        assert!(private, "{host}: {refusal:?}");
        // As if it had been saved before the rules were what they are.
        let receipt = courier.send(message(Url::parse(&text).unwrap())).await;
        assert_eq!(receipt.outcome, Outcome::AddressRefused(refusal), "{host}");
        assert_eq!((receipt.address, receipt.status), (None, None), "{host}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn hosts_with_a_zone_are_not_urls() {
    for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%25lo]", "[127.0.0.1]", "[::1"] {
        let refusal = check_url(&format!("http://{host}/"), &Policy::default());
        assert_eq!(refusal, Err(Refusal::Invalid), "{host}");
    }
}

#[tokio::test]
async fn a_public_name_with_a_private_address_is_not_reached() {
    let receiver = Receiver::answering(OK).await;
    let url = format!("http://hooks.example.com:{}/", receiver.address.port());
    // The name is fine: it is what it resolves to that is not.
    let url = check_url(&url, &Policy::default()).unwrap();
    for address in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "0.0.0.0",
        "::",
        "10.1.2.3",
        "169.254.169.254",
        "fe80::1",
        "fd00::1",
    ] {
        let names = Names::all(&[address, address]);
        let courier = Courier::new(Policy::default(), quick(), names).unwrap();
        let receipt = courier.send(message(url.clone())).await;
        // Nothing tells what a private name server knows: it looks like a name that nobody knows.
        let nowhere = Courier::new(Policy::default(), quick(), Names::nowhere()).unwrap();
        let nowhere = nowhere.send(message(url.clone())).await;
        let (ours, theirs) = ((receipt.outcome, receipt.address), (nowhere.outcome, None));
        assert_eq!(ours, theirs, "{address}");
        assert_eq!((receipt.outcome.code(), receipt.connect), ("dns_failure", nowhere.connect));
        assert!(!receipt.outcome.to_string().contains(address));
    }
    assert_eq!(receiver.connections(), 0);
}

/// Public at first, then loopback: what a hostile name server answers.
fn rebinding(first: &'static str) -> Names {
    Names::new(move |asked, _| {
        let address: IpAddr = if asked == 0 { first } else { "127.0.0.1" }.parse().unwrap();
        Ok(vec![address])
    })
}

#[tokio::test]
async fn a_name_that_is_rebound_after_the_check_reaches_nothing() {
    let receiver = Receiver::answering(OK).await;
    let url = format!("http://rebind.example.com:{}/", receiver.address.port());
    let url = check_url(&url, &Policy::default()).unwrap();
    let names = rebinding("93.184.215.14");
    // Whoever looks the name up beforehand sees a public address …
    let seen = names.resolve("rebind.example.com").await.unwrap();
    assert!(seen.iter().all(|address| Policy::default().permits(*address)));
    // … and the connect sees the other one.
    let courier = Courier::new(Policy::default(), quick(), names).unwrap();
    for _ in 0..3 {
        let receipt = courier.send(message(url.clone())).await;
        assert_eq!(receipt.outcome, Outcome::DnsFailure);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_is_rebound_between_messages_reaches_nothing() {
    // Loopback stands for the public internet here, and a private network for what is to be
    // reached.
    let receiver = Receiver::answering(OK).await;
    let url = format!("http://rebind.example.com:{}/", receiver.address.port());
    let names = Names::new(|asked, _| {
        let address: IpAddr = if asked == 0 { "127.0.0.1" } else { "10.0.0.1" }.parse().unwrap();
        Ok(vec![address])
    });
    let courier = Courier::new(loopback(), quick(), names).unwrap();
    let message = message(Url::parse(&url).unwrap());
    assert_eq!(courier.send(message.clone()).await.outcome, Outcome::Delivered(200));
    let receipt = courier.send(message).await;
    assert_eq!(receipt.outcome, Outcome::DnsFailure);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn among_several_addresses_only_public_ones_are_tried() {
    let receiver = Receiver::answering(OK).await;
    let url = Url::parse(&format!("http://mixed.example.com:{}/", receiver.address.port()));
    let names = Names::all(&["10.255.255.1", "169.254.169.254", "::1", "127.0.0.1"]);
    let courier = Courier::new(loopback(), quick(), names).unwrap();
    let receipt = courier.send(message(url.unwrap())).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert_eq!(receipt.address, Some(receiver.address));
    // The private ones cost no time, because they were not tried.
    assert!(receipt.duration < quick().connect_timeout / 2, "{:?}", receipt.duration);
}

#[tokio::test]
async fn the_next_address_is_tried_where_one_does_not_answer() {
    let receiver = Receiver::answering(OK).await;
    let url = Url::parse(&format!("http://two.example.com:{}/", receiver.address.port()));
    // Nothing of ours listens on the second loopback address, whether or not the system has one.
    let courier = Courier::new(loopback(), quick(), Names::all(&["127.255.0.9", "127.0.0.1"]));
    let receipt = courier.unwrap().send(message(url.unwrap())).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
}

#[tokio::test]
async fn names_that_do_not_resolve() {
    let url = Url::parse("http://gone.example.com/").unwrap();
    for names in [Names::nowhere(), Names::all(&[])] {
        let courier = Courier::new(Policy::default(), quick(), names).unwrap();
        let receipt = courier.send(message(url.clone())).await;
        assert_eq!(receipt.outcome, Outcome::DnsFailure);
        assert_eq!(receipt.outcome.code(), "dns_failure");
    }
}

#[tokio::test]
async fn a_name_server_that_never_answers_is_given_up() {
    struct Never;
    impl Resolve for Never {
        fn resolve(&self, _: &str) -> futures::future::BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let courier = Courier::new(Policy::default(), quick(), Never).unwrap();
    let receipt = courier.send(message(Url::parse("http://slow.example.com/").unwrap())).await;
    assert_eq!(receipt.outcome, Outcome::ConnectTimeout);
    assert!(receipt.duration < quick().total_timeout);
}

#[tokio::test]
async fn the_systems_resolver_is_no_way_around() {
    let receiver = Receiver::answering(OK).await;
    let port = receiver.address.port();
    let system = bodega_courier::SystemResolver::default;
    let url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    let policy = Policy { allowed: vec!["10.0.0.0/8".parse().unwrap()], https_only: false };
    let receipt = Courier::new(policy, quick(), system()).unwrap().send(message(url.clone())).await;
    assert_eq!(receipt.outcome, Outcome::DnsFailure);
    assert_eq!(receiver.connections(), 0);

    let courier = Courier::new(loopback(), quick(), system()).unwrap();
    let sends = (0..20).map(|_| courier.send(message(url.clone())));
    for receipt in futures::future::join_all(sends).await {
        assert_eq!(receipt.outcome, Outcome::Delivered(200));
    }
}
