//! A carrier that posts nothing: what each host answers is told by the test, and what was sent to
//! it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bodega_courier::http::HeaderMap;
use bodega_courier::{Carrier, Message, Outcome, Receipt, RetryAfter};
use bodega_kernel::{Clock, TurnedClock};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub host: String,
    pub headers: HeaderMap,
    pub raw: Vec<u8>,
    pub body: Value,
    pub at: DateTime<Utc>,
}

impl Sent {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn event(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    pub fn object(&self) -> &str {
        self.body["object_id"].as_str().unwrap()
    }

    pub fn sequence(&self) -> i64 {
        self.body["sequence"].as_i64().unwrap()
    }
}

/// What a receiver answers.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Status(u16),
    /// A status with `Retry-After`.
    After(u16, RetryAfter),
    Outcome(Outcome),
    /// A success, after so long.
    Slow(Duration),
    /// Nothing, for as long as the test runs.
    Hang,
}

type Receiver = Arc<dyn Fn(&Sent) -> Answer + Send + Sync>;

pub struct Script {
    clock: Arc<TurnedClock>,
    receivers: Mutex<HashMap<String, Receiver>>,
    sent: Mutex<Vec<Sent>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Script {
    pub fn new(clock: Arc<TurnedClock>) -> Self {
        Self { clock, receivers: Mutex::default(), sent: Mutex::default() }
    }

    /// From now on a host answers so; one that nothing was said about answers 200.
    pub fn answers(&self, host: &str, answer: impl Fn(&Sent) -> Answer + Send + Sync + 'static) {
        held(&self.receivers).insert(host.to_owned(), Arc::new(answer));
    }

    pub fn always(&self, host: &str, answer: Answer) {
        self.answers(host, move |_| answer);
    }

    /// What a host was sent, in order.
    pub fn sent(&self, host: &str) -> Vec<Sent> {
        held(&self.sent).iter().filter(|sent| sent.host == host).cloned().collect()
    }

    /// The same, and forgets it.
    pub fn take(&self, host: &str) -> Vec<Sent> {
        let mut all = held(&self.sent);
        let (taken, kept) = all.drain(..).partition(|sent| sent.host == host);
        *all = kept;
        taken
    }
}

impl Carrier for Script {
    fn send(&self, message: Message) -> BoxFuture<'_, Receipt> {
        let sent = Sent {
            host: message.url.host_str().unwrap().to_owned(),
            headers: message.headers,
            body: serde_json::from_slice(&message.body).unwrap(),
            raw: message.body.to_vec(),
            at: self.clock.now(),
        };
        let receiver = held(&self.receivers).get(&sent.host).cloned();
        let answer = receiver.map_or(Answer::Status(200), |receiver| receiver(&sent));
        held(&self.sent).push(sent);
        Box::pin(async move {
            let outcome = match answer {
                Answer::Status(status) => Outcome::of_status(status, None),
                Answer::After(status, after) => Outcome::of_status(status, Some(after)),
                Answer::Outcome(outcome) => outcome,
                Answer::Slow(wait) => {
                    tokio::time::sleep(wait).await;
                    Outcome::Delivered(200)
                }
                Answer::Hang => std::future::pending().await,
            };
            receipt(outcome)
        })
    }
}

fn receipt(outcome: Outcome) -> Receipt {
    let status = match outcome {
        Outcome::Delivered(status) | Outcome::Refused(status) | Outcome::Redirect(status) => {
            Some(status)
        }
        Outcome::RetryLater { status, .. } => Some(status),
        Outcome::Gone => Some(410),
        _ => None,
    };
    Receipt {
        outcome,
        duration: Duration::from_millis(7),
        connect: None,
        address: "203.0.113.7:443".parse().ok(),
        status,
        headers: vec![("server".to_owned(), "test\0".to_owned())],
        body: b"said \0 \xff".to_vec(),
        truncated: false,
    }
}
