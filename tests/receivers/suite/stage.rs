//! A server, and what is done to it through its API.

use std::time::Duration;

use bodega_tests::{Db, Server};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::receiver::{Language, Receiver};
use crate::relay::Relay;

const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing listens there, and nothing is sent before the endpoint is pointed elsewhere.
const NOWHERE: &str = "http://127.0.0.1:9/hook";

pub struct Stage {
    server: Server,
    client: Client,
    language: Language,
    changes: usize,
}

impl Stage {
    pub async fn set(language: Language) -> Self {
        let settings = [("BODEGA_WEBHOOK_ALLOWED_RANGES", r#"["127.0.0.0/8"]"#)];
        let server = Server::start_with(Db::Sqlite, &settings).await;
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { server, client, language, changes: 0 }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        self.server.call(method, path).json(body).send().await.expect(status)
    }

    async fn get(&self, path: &str) -> Value {
        self.server.call("GET", path).send().await.expect(200)
    }

    /// A new endpoint that signs like this: its id and what it is verified with.
    pub async fn endpoint(&self, signature: &str) -> (String, String) {
        let body = json!({"url": NOWHERE, "event_types": ["brand.*"], "signature": signature});
        let made = self.ask("POST", "/v1/webhook_endpoints", &body, 201).await;
        (text(&made["id"]), secret(&made, signature))
    }

    /// A receiver that knows this secret alone.
    pub async fn receiver(&self, secret: &str) -> Receiver {
        Receiver::start(self.language, secret).await
    }

    /// Sends the endpoint's events there from now on.
    pub async fn point(&self, endpoint: &str, url: &str) {
        let path = format!("/v1/webhook_endpoints/{endpoint}");
        self.ask("PATCH", &path, &json!({ "url": url }), 200).await;
    }

    /// Another secret, beside which the old one signs for so long.
    pub async fn rotate(&self, endpoint: &str, signature: &str, overlap_seconds: i64) -> String {
        let path = format!("/v1/webhook_endpoints/{endpoint}/rotate_secret");
        let body = json!({"signature": signature, "overlap_seconds": overlap_seconds});
        let made = self.ask("POST", &path, &body, 200).await;
        secret(&made, signature)
    }

    /// Changes something: the ids of the events that tell of it. The text is not all ASCII, because
    /// it is the bytes that are signed.
    pub async fn change(&mut self) -> Vec<String> {
        self.changes += 1;
        let name = format!("Casa Ñandú № {} 🌵", self.changes);
        let made = self.ask("POST", "/v1/brands", &json!({ "name": name }), 201).await;
        let path = format!("/v1/events?object_id={}", text(&made["id"]));
        let events = self.get(&path).await;
        events["data"].as_array().expect("events").iter().map(|event| text(&event["id"])).collect()
    }

    /// Waits until the first attempt at each of these events got this answer.
    pub async fn answered(&self, endpoint: &str, events: &[String], status: u16) {
        for event in events {
            let path = format!(
                "/v1/webhook_attempts?endpoint_id={endpoint}&event_id={event}&sort=created_at"
            );
            let until = Instant::now() + PATIENCE;
            let attempt = loop {
                let attempts = self.get(&path).await;
                match attempts["data"].get(0) {
                    Some(attempt) => break attempt.clone(),
                    None => assert!(Instant::now() < until, "{event} is not sent to {endpoint}"),
                }
                sleep(Duration::from_millis(50)).await;
            };
            assert_eq!(attempt["status"], status, "{attempt}");
            let outcome = if status == 204 { "delivered" } else { "refused" };
            assert_eq!(attempt["outcome"], outcome, "{attempt}");
        }
    }

    /// Each of these receivers verifies one and the same delivery, and sees through every lie
    /// about it.
    pub async fn holds(&mut self, endpoint: &str, receivers: &[&Receiver], case: &str) {
        let relay = Relay::start().await;
        self.point(endpoint, &relay.url).await;
        let events = self.change().await;
        let delivery = loop {
            let delivery = timeout(PATIENCE, relay.take()).await.expect("a delivery in time");
            // Those that were refused before are tried again here.
            if events.contains(&delivery.id) {
                break delivery;
            }
        };
        let signatures = delivery.signature.split(' ').count();
        assert_eq!(signatures, receivers.len(), "{case}: {}", delivery.signature);
        for receiver in receivers {
            let taken = delivery.post(&self.client, &receiver.url).await;
            assert_eq!(taken, 204, "{case}: {delivery:?}");
            for (lie, told) in delivery.lies() {
                let answer = told.post(&self.client, &receiver.url).await;
                assert_eq!(answer, 400, "{case}: believed {lie}: {told:?}");
            }
        }
    }

    pub async fn remove(&self, endpoint: &str) {
        let path = format!("/v1/webhook_endpoints/{endpoint}");
        let gone = self.server.call("DELETE", &path).send().await;
        assert!((200..300).contains(&gone.status), "{gone:?}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// What is shown of a new secret: never the half of a pair that signs.
fn secret(made: &Value, signature: &str) -> String {
    let secret = text(&made["secret"]);
    let prefix = if signature == "hmac" { "whsec_" } else { "whpk_" };
    assert!(secret.starts_with(prefix), "{secret}");
    secret
}
