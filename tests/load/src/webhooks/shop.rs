//! The organization whose events are sent: it makes brands, and endpoints.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::Connection;
use crate::stage::Program;

/// Changes in one call.
const LINES: u64 = 1_000;

/// Calls at once.
const CLIENTS: u64 = 2;

/// Speaks to the server with the demo's key.
pub(crate) struct Shop {
    address: SocketAddr,
    key: String,
    /// How many brands were made so far: no two have the same name.
    made: u64,
}

impl Shop {
    pub(crate) fn enter(server: &Program) -> Self {
        let address = server.address("url");
        let key = server.banner["live_key"].as_str().expect("the demo's key").to_owned();
        Self { address, key, made: 0 }
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        let body = body.map(Value::to_string).unwrap_or_default();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: bodega\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
        .into_bytes()
    }

    /// On a connection of its own: the server hangs up on one that says nothing for long.
    async fn ask(&self, request: &[u8]) -> Value {
        let mut api = Connection::open(self.address).await.expect("the server");
        api.json(request).await
    }

    /// Adds an endpoint; its path.
    pub(crate) async fn add_endpoint(&self, url: &str) -> String {
        let body = json!({ "url": url, "event_types": ["brand.created"] });
        let request = self.request("POST", "/v1/webhook_endpoints", Some(&body));
        let made = self.ask(&request).await;
        format!("/v1/webhook_endpoints/{}", made["id"].as_str().expect("an id"))
    }

    pub(crate) async fn remove(&self, path: &str) {
        let request = self.request("DELETE", path, None);
        self.ask(&request).await;
    }

    fn brand(&mut self) -> Value {
        self.made += 1;
        json!({
            "name": format!("Loaded brand {:07}", self.made),
            "description": "Made to see how fast events are sent.",
            "website": "https://brand.example",
            "metadata": {"made_by": "bodega-load"},
        })
    }

    /// Makes so many at full speed: a thousand a call, two calls at once.
    pub(crate) async fn make(&mut self, brands: u64) {
        assert!(brands.is_multiple_of(LINES * CLIENTS), "whole calls");
        let mut calls: Vec<Vec<Vec<u8>>> = (0..CLIENTS).map(|_| Vec::new()).collect();
        for number in 0..brands / LINES {
            let lines: Vec<Value> = (0..LINES)
                .map(|_| json!({ "method": "POST", "path": "/v1/brands", "body": self.brand() }))
                .collect();
            let body = json!({ "atomic": true, "operations": lines });
            let request = self.request("POST", "/v1/batch", Some(&body));
            calls[(number % CLIENTS) as usize].push(request);
        }
        let clients: Vec<_> = calls
            .into_iter()
            .map(|calls| {
                let address = self.address;
                tokio::spawn(async move {
                    let mut api = Connection::open(address).await.expect("the server");
                    for call in calls {
                        let answer = api.call(&call).await.expect("an answer");
                        let text = String::from_utf8_lossy(answer.body);
                        let done = answer.status == 200 && text.contains(r#""committed":true"#);
                        assert!(done, "{} {text}", answer.status);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("calls");
        }
    }

    /// The request that makes one brand.
    pub(crate) fn create(&mut self) -> Vec<u8> {
        let brand = self.brand();
        self.request("POST", "/v1/brands", Some(&brand))
    }

    /// A few connections of their own, for calls beside one another.
    pub(crate) async fn connections(&self, count: usize) -> Vec<Connection> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(Connection::open(self.address).await.expect("the server"));
        }
        all
    }
}
