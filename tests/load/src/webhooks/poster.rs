//! What the courier can do when nothing is kept: the client alone, posting as fast as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bodega_courier::http::HeaderMap;
use bodega_courier::{Bytes, Courier, Message, Policy, Settings, SystemResolver, Url};
use serde_json::json;

use crate::process;

/// As many on their way at once as the server has to one endpoint.
const IN_FLIGHT: usize = 64;

/// Posts for so many seconds and prints how many a second it were.
pub(crate) async fn run(url: &str, bytes: usize, seconds: u64) {
    let allowed = vec!["127.0.0.0/8".parse().expect("a range")];
    let policy = Policy { allowed, https_only: false };
    let courier = Courier::new(policy, Settings::default(), SystemResolver::default());
    let courier = courier.expect("a courier");
    let message = Message {
        url: Url::parse(url).expect("a URL"),
        headers: HeaderMap::new(),
        body: Bytes::from(vec![b' '; bytes]),
    };
    let posted = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let posting: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (courier, message, posted) = (courier.clone(), message.clone(), posted.clone());
            tokio::spawn(async move {
                while Instant::now() < end {
                    let receipt = courier.send(message.clone()).await;
                    assert!(receipt.outcome.is_delivered(), "{:?}", receipt.outcome);
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for posting in posting {
        posting.await.expect("posts");
    }
    let rate = posted.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    let cpu_us = process::cpu_s(std::process::id()) * 1e6 / posted.load(Ordering::Relaxed) as f64;
    println!("{}", json!({ "rate": rate, "cpu_us": cpu_us }));
}
