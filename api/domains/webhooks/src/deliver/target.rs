//! An endpoint made ready to be sent to: its URL read, its secrets and headers decrypted. Kept by
//! version, so that a busy endpoint is made ready once.

use std::num::NonZeroU32;
use std::sync::Arc;

use bodega_courier::http::HeaderMap;
use bodega_courier::{Bytes, Message, Secret, Url, check_header, sign};
use bodega_kernel::{Platform, Problem, Result, tagged};
use chrono::{DateTime, Utc};
use entity::webhooks::{webhook_delivery, webhook_endpoint};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::endpoint::{opened_headers, scopes, signing};
use crate::selection::Selection;
use crate::sight::Sight;

const USER_AGENT: &str = concat!("Bodega-Webhooks/", env!("CARGO_PKG_VERSION"));

pub(super) struct Target {
    pub(super) row: webhook_endpoint::Model,
    /// What it may be sent.
    pub(super) sight: Sight,
    pub(super) selection: Option<Selection>,
    url: Url,
    headers: HeaderMap,
    secrets: Vec<(Secret, Option<DateTime<Utc>>)>,
    /// How fast it is sent, where it has a limit of its own.
    pub(super) pace: Option<DefaultDirectRateLimiter>,
}

impl Target {
    pub(super) fn of(platform: &Platform, row: webhook_endpoint::Model) -> Result<Arc<Self>> {
        let mut headers = HeaderMap::new();
        for header in opened_headers(&platform.vault, &row)? {
            // Checked when it was saved.
            if let Ok((name, value)) = check_header(&header.name.0, &header.value) {
                headers.insert(name, value);
            }
        }
        if let Ok(agent) = USER_AGENT.parse() {
            headers.insert("user-agent", agent);
        }
        let rate = row.rate_limit_per_second.and_then(|rate| u32::try_from(rate).ok());
        let pace = rate.and_then(NonZeroU32::new).map(|rate| {
            // One at a time, evenly: a receiver that asks for ten a second does not want ten at once.
            let one = NonZeroU32::MIN;
            RateLimiter::direct(Quota::per_second(rate).allow_burst(one))
        });
        Ok(Arc::new(Self {
            sight: Sight::of(platform, &scopes(&row))?,
            selection: Selection::of(&row),
            url: Url::parse(&row.url).map_err(Problem::internal)?,
            headers,
            secrets: signing(&platform.vault, &row)?,
            pace,
            row,
        }))
    }

    /// A message, signed now.
    pub(super) fn message(
        &self,
        delivery: &webhook_delivery::Model,
        body: Bytes,
        now: DateTime<Utc>,
    ) -> Result<Message> {
        let id = tagged("evt", delivery.event_id);
        let timestamp = now.timestamp();
        let live = |end: &Option<DateTime<Utc>>| end.is_none_or(|end| end > now);
        let secrets: Vec<&Secret> =
            self.secrets.iter().filter(|(_, end)| live(end)).map(|(secret, _)| secret).collect();
        let signature = sign(&secrets, &id, timestamp, &body);
        let mut headers = self.headers.clone();
        let own = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ];
        for (name, value) in own {
            headers.insert(name, value.parse().map_err(Problem::internal)?);
        }
        Ok(Message { url: self.url.clone(), headers, body })
    }
}
