//! Posts events to a URL of a developer's own, signed as webhooks are.

use std::io::Write;

use bodega_courier::http::HeaderMap;
use bodega_courier::{
    Bytes, Courier, Message, Policy, Receipt, Secret, SecretKind, Settings, SystemResolver, Url,
    check_url, sign,
};
use bodega_kernel::{Clock, SystemClock};
use serde_json::Value;

const USER_AGENT: &str = concat!("Bodega-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Posts to one URL.
pub(crate) struct Forwarder {
    courier: Courier,
    url: Url,
    secret: Secret,
}

impl Forwarder {
    /// Signs with this secret, or with a new one.
    pub(crate) fn new(url: &str, secret: Option<&str>) -> Result<Self, String> {
        // Whoever runs this names the address, on a machine of theirs: there is nobody to protect
        // it from, and loopback is what it is for.
        let everywhere = ["0.0.0.0/0", "::/0"].map(str::parse);
        let allowed = everywhere.into_iter().filter_map(Result::ok).collect();
        let policy = Policy { allowed, https_only: false };
        let url = check_url(url, &policy).map_err(|refusal| format!("{url}: {refusal}"))?;
        let secret = match secret {
            Some(secret) => Secret::parse(secret),
            None => Secret::generate(SecretKind::Hmac),
        };
        let secret = secret.map_err(|fault| format!("the secret: {fault}"))?;
        let courier = Courier::new(policy, Settings::default(), SystemResolver::default())
            .map_err(|error| error.to_string())?;
        Ok(Self { courier, url, secret })
    }

    /// Where events go, and what their receiver checks them with.
    pub(crate) fn introduce(&self) -> Result<(), String> {
        let key = self.secret.public().unwrap_or_else(|| self.secret.reveal().as_str().to_owned());
        say(&format!("Forwarding to  {}", self.url))?;
        say(&format!("Verify with    {key}"))
    }

    /// Posts an event, once, and says in a line what came of it.
    pub(crate) async fn forward(&self, event: &Value) -> Result<Receipt, String> {
        let id = event["id"].as_str().unwrap_or_default();
        let body = Bytes::from(event.to_string());
        let timestamp = SystemClock.now().timestamp();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("user-agent", USER_AGENT.to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", sign(&[&self.secret], id, timestamp, &body)),
        ] {
            headers.insert(name, value.parse().map_err(|_| format!("{name} is not a header"))?);
        }
        let receipt = self.courier.send(Message { url: self.url.clone(), headers, body }).await;
        let kind = event["type"].as_str().unwrap_or_default();
        let outcome = match receipt.status {
            Some(status) => status.to_string(),
            None => receipt.outcome.code().to_owned(),
        };
        say(&format!("{kind:<32} {id} {outcome} {} ms", receipt.duration.as_millis()))?;
        Ok(receipt)
    }
}

/// Prints a line. Whoever reads it may have gone, as `head` does: that ends the command, in order.
pub(crate) fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| format!("cannot print: {error}"))
}
