//! Connections are kept for the next message, and nobody notices when they could not be.

use std::io;
use std::time::Duration;

use bodega_courier::{Courier, Outcome, Settings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers so many messages on a connection, then closes it.
async fn answer(times: usize, mut stream: TcpStream) -> io::Result<()> {
    for _ in 0..times {
        if read_message(&mut stream).await?.is_none() {
            break;
        }
        stream.write_all(OK).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_carries_many_messages() {
    let receiver = Receiver::start(|_, stream| answer(1_000, stream)).await;
    let courier = courier();
    for sent in 0..20 {
        let receipt = courier.send(message(receiver.url())).await;
        assert_eq!(receipt.outcome, Outcome::Delivered(200));
        assert_eq!(receipt.body, b"ok");
        assert_eq!(receipt.connect.is_some(), sent == 0);
        assert_eq!(receipt.address, Some(receiver.address));
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_closed_while_it_waited_is_replaced() {
    let receiver = Receiver::start(|_, stream| answer(1, stream)).await;
    let courier = courier();
    for sent in 1..=5 {
        let receipt = courier.send(message(receiver.url())).await;
        assert_eq!(receipt.outcome, Outcome::Delivered(200), "message {sent}");
        assert_eq!(receiver.connections(), sent);
    }
}

#[tokio::test]
async fn a_connection_closed_as_the_message_comes_is_replaced() {
    // The second message is read and never answered: the receiver was closing at that moment.
    let receiver = Receiver::start(|number, mut stream| async move {
        if number > 0 {
            return answer(1, stream).await;
        }
        read_message(&mut stream).await?;
        stream.write_all(OK).await?;
        read_message(&mut stream).await?;
        Ok(())
    })
    .await;
    let courier = courier();
    for _ in 0..2 {
        let receipt = courier.send(message(receiver.url())).await;
        assert_eq!(receipt.outcome, Outcome::Delivered(200));
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn connections_that_wait_are_closed_after_a_while() {
    let receiver = Receiver::start(|_, stream| answer(1_000, stream)).await;
    let settings = Settings { idle_timeout: Duration::from_millis(50), ..quick() };
    let courier = Courier::new(loopback(), settings, Names::nowhere()).unwrap();
    for connections in 1..=3 {
        courier.send(message(receiver.url())).await;
        assert_eq!(receiver.connections(), connections);
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
}

#[tokio::test]
async fn many_at_once_keep_no_more_connections_than_are_allowed() {
    let receiver = Receiver::start(|_, stream| answer(1_000, stream)).await;
    let settings = Settings { idle_per_host_max: 2, ..quick() };
    let courier = Courier::new(loopback(), settings, Names::nowhere()).unwrap();
    let burst = || async {
        let sends = (0..10).map(|_| courier.send(message(receiver.url())));
        for receipt in futures::future::join_all(sends).await {
            assert_eq!(receipt.outcome, Outcome::Delivered(200));
        }
    };
    burst().await;
    assert_eq!(receiver.connections(), 10);
    burst().await;
    assert_eq!(receiver.connections(), 18);
}
