//! Which headers customers may add, and what a message looks like on its way.

use bodega_courier::{HeaderRefusal, check_header, http};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::support::*;

#[test]
fn headers_are_taken_or_refused_with_a_reason() {
    for (name, value) in [
        ("authorization", "Bearer abc"),
        ("X-Api-Key", "1234"),
        ("user-agent", "shop"),
        ("cookie", "a=b"),
        ("x-empty", ""),
    ] {
        assert!(check_header(name, value).is_ok(), "{name}");
    }
    let (long_name, long_value) = ("x".repeat(129), "x".repeat(2_049));
    for (name, value, refusal) in [
        ("", "x", HeaderRefusal::Name),
        ("a b", "x", HeaderRefusal::Name),
        ("a:b", "x", HeaderRefusal::Name),
        ("a\r\nb", "x", HeaderRefusal::Name),
        ("ñ", "x", HeaderRefusal::Name),
        (&long_name, "x", HeaderRefusal::Name),
        ("x-a", "a\r\nb: c", HeaderRefusal::Value),
        ("x-a", "a\nb", HeaderRefusal::Value),
        ("x-a", "a\0", HeaderRefusal::Value),
        ("x-a", "ñ", HeaderRefusal::Value),
        ("x-a", &long_value, HeaderRefusal::ValueTooLong),
        ("Host", "x", HeaderRefusal::Reserved),
        ("content-length", "0", HeaderRefusal::Reserved),
        ("Content-Type", "text/plain", HeaderRefusal::Reserved),
        ("transfer-encoding", "chunked", HeaderRefusal::Reserved),
        ("connection", "close", HeaderRefusal::Reserved),
        ("Upgrade", "h2c", HeaderRefusal::Reserved),
        ("expect", "100-continue", HeaderRefusal::Reserved),
        ("Webhook-Signature", "v1,x", HeaderRefusal::Reserved),
        ("webhook-anything", "x", HeaderRefusal::Reserved),
        ("bodega-version", "x", HeaderRefusal::Reserved),
        ("proxy-authorization", "x", HeaderRefusal::Reserved),
    ] {
        assert_eq!(check_header(name, value), Err(refusal), "{name}: {value}");
    }
}

#[test]
fn a_value_is_not_printed() {
    let (_, value) = check_header("authorization", "Bearer secret").unwrap();
    assert!(!format!("{value:?}").contains("secret"));
}

#[tokio::test]
async fn a_message_on_its_way() {
    let (send, mut received) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |_, mut stream| {
        let send = send.clone();
        async move {
            if let Some(message) = read_message(&mut stream).await? {
                send.send(message).unwrap();
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await
        }
    })
    .await;
    let mut message = message(receiver.url());
    for (name, value) in [
        ("host", "elsewhere.example.com"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("x-own", "kept"),
        ("webhook-id", "evt_1"),
    ] {
        message.headers.insert(name, http::HeaderValue::from_static(value));
    }
    assert_eq!(courier().send(message).await.status, Some(204));
    let (head, body) = received.recv().await.unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /hook?shop=1 HTTP/1.1");
    lines.sort_unstable();
    let (host, agent) = (
        format!("host: {}", receiver.address),
        concat!("user-agent: Bodega/", env!("CARGO_PKG_VERSION")),
    );
    let expected = [
        "accept: */*",
        "content-length: 26",
        "content-type: application/json",
        &host,
        agent,
        "webhook-id: evt_1",
        "x-own: kept",
    ];
    assert_eq!(lines, expected);
    assert_eq!(body, BODY);
}
