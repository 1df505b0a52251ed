//! A receiver of webhooks:
//!
//!   cargo add standardwebhooks@1.0.1 ed25519-dalek@3 base64@0.22 serde_json@1
//!   cargo add axum@0.8 tokio@1 --features tokio/full
//!   WEBHOOK_SECRET=whsec_… PORT=3000 cargo run

use std::env;
use std::error::Error;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Gives the event, if the signature is right. `body` is the bytes as they came.
fn verify(secret: &str, body: &[u8], headers: &HeaderMap) -> Result<Value> {
    match secret.strip_prefix("whpk_") {
        Some(key) => verify_ed25519(key, body, headers)?,
        None => Webhook::new(secret)?.verify(body, headers)?,
    }
    Ok(serde_json::from_slice(body)?)
}

/// The library knows HMAC (`v1`) only; Ed25519 (`v1a`) is checked with another.
fn verify_ed25519(key: &str, body: &[u8], headers: &HeaderMap) -> Result<()> {
    let timestamp = text(headers, "webhook-timestamp")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    if now.abs_diff(timestamp.parse()?) > 300 {
        return Err("not of now".into());
    }
    let key = VerifyingKey::try_from(STANDARD.decode(key)?.as_slice())?;
    let signed = [text(headers, "webhook-id")?.as_bytes(), timestamp.as_bytes(), body].join(&b'.');
    // During a rotation there are several: one that fits is enough.
    let fits = text(headers, "webhook-signature")?
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1a,")?).ok())
        .filter_map(|bytes| Signature::from_slice(&bytes).ok())
        .any(|signature| key.verify_strict(&signed, &signature).is_ok());
    if fits { Ok(()) } else { Err("no signature fits".into()) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str> {
    Ok(headers.get(name).ok_or_else(|| format!("{name} is missing"))?.to_str()?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let secret = env::var("WEBHOOK_SECRET")?;
    let port = env::var("PORT").unwrap_or("3000".to_owned()).parse()?;
    let receive =
        async move |headers: HeaderMap, body: Bytes| match verify(&secret, &body, &headers) {
            // An event may come twice: keep its `id` (it is `webhook-id`), and skip those you know.
            Ok(event) => {
                println!("204 {} {}", event["id"], event["type"]);
                StatusCode::NO_CONTENT
            }
            Err(error) => {
                println!("400 {error}");
                StatusCode::BAD_REQUEST
            }
        };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, Router::new().route("/hook", post(receive))).await?)
}
