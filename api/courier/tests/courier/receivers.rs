//! Receivers that break every rule: each costs bounded time and memory, and the receipt says what
//! it did.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bodega_courier::{ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX, ConnectFault, Outcome, Receipt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::support::*;

/// The total timeout of the tests, and some room for a busy machine.
const LONGEST: Duration = Duration::from_millis(1_600);

async fn receipt_of(receiver: &Receiver) -> Receipt {
    let receipt = courier().send(message(receiver.url())).await;
    assert!(receipt.duration < LONGEST, "took {:?}", receipt.duration);
    assert!(receipt.body.len() <= ANSWER_BYTES_MAX);
    receipt
}

async fn outcome_of(answer: impl Into<Vec<u8>>) -> Outcome {
    receipt_of(&Receiver::answering(answer).await).await.outcome
}

/// Writes a start, then the same bytes again and again until the sender has had enough.
async fn flood(start: &str, more: Vec<u8>) -> (Receiver, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let (start, count) = (start.to_owned(), written.clone());
    let receiver = Receiver::start(move |_, mut stream| {
        let (start, more, count) = (start.clone(), more.clone(), count.clone());
        async move {
            read_message(&mut stream).await?;
            stream.write_all(start.as_bytes()).await?;
            loop {
                stream.write_all(&more).await?;
                count.fetch_add(more.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    (receiver, written)
}

/// Writes a start, then one byte at a time.
async fn drip(start: &'static str, byte: u8) -> Receiver {
    Receiver::start(move |_, mut stream| async move {
        read_message(&mut stream).await?;
        stream.write_all(start.as_bytes()).await?;
        loop {
            stream.write_all(&[byte]).await?;
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test]
async fn never_answers() {
    let receiver = Receiver::start(|_, mut stream| async move {
        read_message(&mut stream).await?;
        sleep(Duration::from_secs(60)).await;
        Ok(())
    })
    .await;
    let receipt = receipt_of(&receiver).await;
    assert_eq!(receipt.outcome, Outcome::Timeout);
    assert_eq!(receipt.outcome.code(), "timeout");
    assert_eq!((receipt.status, receipt.address), (None, Some(receiver.address)));
}

#[tokio::test]
async fn never_reads() {
    let receiver = Receiver::start(|_, stream: TcpStream| async move {
        sleep(Duration::from_secs(60)).await;
        drop(stream);
        Ok(())
    })
    .await;
    let body = vec![b'x'; 16 * 1024 * 1024];
    let mut message = message(receiver.url());
    message.body = body.into();
    let receipt = courier().send(message).await;
    assert_eq!(receipt.outcome, Outcome::Timeout);
    assert!(receipt.duration < LONGEST);
}

#[tokio::test]
async fn drips_its_headers() {
    let receipt = receipt_of(&drip("HTTP/1.1 200 OK\r\nx: ", b'x').await).await;
    assert_eq!((receipt.outcome, receipt.status), (Outcome::Timeout, None));
}

#[tokio::test]
async fn drips_its_body() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    let receipt = receipt_of(&drip(head, b'x').await).await;
    // It said 200: sending the message again would be wrong.
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert!(receipt.truncated && receipt.body.len() > 1);

    let head = "HTTP/1.1 500 Oh\r\ncontent-length: 1000000\r\n\r\n";
    let receipt = receipt_of(&drip(head, b'x').await).await;
    assert_eq!(receipt.outcome, Outcome::Refused(500));
}

#[tokio::test]
async fn answers_five_gigabytes() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5368709120\r\n\r\n";
    let (receiver, written) = flood(head, vec![b'x'; 65_536]).await;
    let receipt = receipt_of(&receiver).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert!(receipt.truncated);
    assert_eq!(receipt.body, vec![b'x'; ANSWER_BYTES_MAX]);
    // The connection is closed, so what the receiver can write is what the system's buffers hold.
    sleep(Duration::from_millis(50)).await;
    let after = written.load(Ordering::SeqCst);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(written.load(Ordering::SeqCst), after);
    assert!(after < 32 * 1024 * 1024, "{after} bytes were taken");
}

#[tokio::test]
async fn answers_chunks_without_end() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (receiver, _) = flood(head, b"1\r\nx\r\n".to_vec()).await;
    let receipt = receipt_of(&receiver).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert!(receipt.truncated);
    assert_eq!(receipt.body.len(), ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn answers_exactly_what_is_kept() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 16384\r\n\r\n".to_vec();
    answer.resize(answer.len() + ANSWER_BYTES_MAX, b'x');
    let receipt = receipt_of(&Receiver::answering(answer).await).await;
    assert_eq!((receipt.body.len(), receipt.truncated), (ANSWER_BYTES_MAX, false));
}

#[tokio::test]
async fn a_compressed_answer_is_kept_as_it_came() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nbomb";
    let receipt = receipt_of(&Receiver::answering(answer).await).await;
    assert_eq!((receipt.outcome, receipt.body), (Outcome::Delivered(200), b"bomb".to_vec()));
}

#[tokio::test]
async fn headers_without_end() {
    let (receiver, _) = flood("HTTP/1.1 200 OK\r\nx: ", vec![b'x'; 4_096]).await;
    assert_eq!(receipt_of(&receiver).await.outcome, Outcome::HeadersTooLarge);
    let (receiver, _) = flood("HTTP/1.1 200 OK\r\n", b"x: y\r\n".repeat(500)).await;
    assert_eq!(receipt_of(&receiver).await.outcome, Outcome::HeadersTooLarge);
}

#[tokio::test]
async fn interim_answers_without_end() {
    let more = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(100);
    let (receiver, _) = flood("HTTP/1.1 100 Continue\r\n\r\n", more).await;
    let outcome = receipt_of(&receiver).await.outcome;
    assert!(matches!(outcome, Outcome::Timeout | Outcome::BadResponse), "{outcome:?}");
}

#[tokio::test]
async fn headers_are_kept_up_to_a_limit() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-latin: \xe1\r\n".to_vec();
    for number in 0..50 {
        answer.extend(format!("x-{number}: {}\r\n", "x".repeat(1_000)).into_bytes());
    }
    answer.extend(b"\r\n");
    let receipt = receipt_of(&Receiver::answering(answer).await).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert_eq!(receipt.headers[1], ("x-latin".to_owned(), "\u{fffd}".to_owned()));
    let kept: usize = receipt.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(receipt.headers.len() < 51 && kept <= ANSWER_HEADER_BYTES_MAX + 16, "{kept}");
}

#[tokio::test]
async fn closes_early() {
    for start in ["", "HTTP/1.1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nx: y\r\n"] {
        assert_eq!(outcome_of(start).await, Outcome::ClosedEarly, "{start:?}");
    }
    let at_once = Receiver::start(|_, _| async { Ok(()) }).await;
    assert_eq!(receipt_of(&at_once).await.outcome, Outcome::ClosedEarly);
    // A closed socket with bytes that nobody read is a reset.
    let reset = Receiver::start(|_, stream: TcpStream| async move {
        stream.readable().await?;
        Ok(())
    })
    .await;
    assert_eq!(receipt_of(&reset).await.outcome, Outcome::ClosedEarly);
}

#[tokio::test]
async fn closes_in_the_middle_of_its_body() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let receipt = receipt_of(&Receiver::answering(answer).await).await;
    assert_eq!(receipt.outcome, Outcome::Delivered(200));
    assert_eq!((receipt.body, receipt.truncated), (b"half".to_vec(), true));
}

#[tokio::test]
async fn does_not_speak_http() {
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "220 mail ESMTP\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 9999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx",
        "\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(outcome_of(answer).await, Outcome::BadResponse, "{answer:?}");
    }
}

#[tokio::test]
async fn redirects_lead_nowhere() {
    let target = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [300, 301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} There\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            target.url(),
        );
        assert_eq!(outcome_of(answer).await, Outcome::Redirect(status));
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    for (status, outcome, code) in [
        (101, Outcome::Refused(101), "refused"),
        (200, Outcome::Delivered(200), "delivered"),
        (204, Outcome::Delivered(204), "delivered"),
        (400, Outcome::Refused(400), "refused"),
        (404, Outcome::Refused(404), "refused"),
        (410, Outcome::Gone, "gone"),
        (429, Outcome::RetryLater { status: 429, after: None }, "retry_later"),
        (500, Outcome::Refused(500), "refused"),
        (503, Outcome::RetryLater { status: 503, after: None }, "retry_later"),
    ] {
        let answer = format!("HTTP/1.1 {status} X\r\n\r\n");
        let receipt = receipt_of(&Receiver::answering(answer).await).await;
        assert_eq!((receipt.outcome, receipt.status), (outcome, Some(status)));
        assert_eq!(
            (receipt.outcome.code(), receipt.outcome.is_delivered()),
            (code, status / 100 == 2)
        );
    }
}

#[tokio::test]
async fn retry_after_comes_in_two_forms() {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    for (header, expected_s) in [
        ("120", Some(120)),
        ("0", Some(0)),
        ("99999999999999999999999", Some(86_400)),
        ("Fri, 20 Nov 2026 12:01:30 GMT", Some(90)),
        ("Friday, 20-Nov-26 12:01:30 GMT", Some(90)),
        ("Fri Nov 20 12:01:30 2026", Some(90)),
        ("Fri, 20 Nov 2026 11:00:00 GMT", Some(0)),
        ("Fri, 20 Nov 2099 11:00:00 GMT", Some(86_400)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        for status in [429, 503] {
            let answer = format!("HTTP/1.1 {status} X\r\nretry-after: {header}\r\n\r\n");
            let Outcome::RetryLater { after, .. } = outcome_of(answer).await else {
                panic!("{status} is to be tried later");
            };
            let wait_s = after.map(|after| after.wait(now).as_secs());
            assert_eq!(wait_s, expected_s, "{header}");
        }
    }
}

#[tokio::test]
async fn nothing_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let receipt = send(&url).await;
    assert_eq!(receipt.outcome, Outcome::ConnectionFailed(ConnectFault::Refused));
    assert_eq!(receipt.outcome.code(), "connection_refused");
}

#[tokio::test]
async fn a_bad_receiver_is_harmless_to_others() {
    let bad = drip("HTTP/1.1 200 OK\r\nx: ", b'x').await;
    let good = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let courier = courier();
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let (courier, message) = (courier.clone(), message(bad.url()));
            tokio::spawn(async move { courier.send(message).await })
        })
        .collect();
    for _ in 0..20 {
        let receipt = courier.send(message(good.url())).await;
        assert_eq!(receipt.outcome, Outcome::Delivered(200));
        assert!(receipt.duration < Duration::from_millis(300), "{:?}", receipt.duration);
    }
    for task in slow {
        assert_eq!(task.await.map_err(io::Error::other).unwrap().outcome, Outcome::Timeout);
    }
}
