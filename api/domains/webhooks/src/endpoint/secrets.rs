//! Signing secrets: encrypted at rest, shown once, rotated with an overlap.

use bodega_courier::{Secret, SecretKind};
use bodega_kernel::{Id, Problem, Result, Row, Tx, Vault};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    NewWebhookEndpoint, OwnSecret, SECRET_ROTATED, SecretRotate, SignatureKind, WebhookEndpoint,
    WebhookSecret,
};
use crate::stored;

/// Secrets that sign at once, the present one and those that are running out.
const SECRETS_MAX: usize = 5;

/// A secret as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    shown: WebhookSecret,
    sealed: String,
}

impl Kept {
    pub(crate) fn new(tx: &Tx, endpoint: Id<WebhookEndpoint>, secret: &Secret) -> Result<Self> {
        let plain = secret.reveal();
        Ok(Self {
            shown: WebhookSecret {
                kind: match secret.kind() {
                    SecretKind::Hmac => SignatureKind::Hmac,
                    SecretKind::Ed25519 => SignatureKind::Ed25519,
                },
                public_key: secret.public(),
                created_at: tx.now,
                expires_at: None,
            },
            sealed: tx.platform.vault.close(endpoint.uuid().as_bytes(), plain.as_bytes())?,
        })
    }

    fn signs(&self, now: DateTime<Utc>) -> bool {
        self.shown.expires_at.is_none_or(|end| end > now)
    }
}

/// A new secret, or the caller's own.
pub(super) fn make(kind: SignatureKind, own: Option<OwnSecret>) -> Result<Secret> {
    let made = match own {
        // The schema lets nothing in that does not parse.
        Some(own) => Secret::parse(&own.0),
        None => Secret::generate(match kind {
            SignatureKind::Hmac => SecretKind::Hmac,
            SignatureKind::Ed25519 => SecretKind::Ed25519,
        }),
    };
    made.map_err(|fault| Problem::internal(fault.code()))
}

/// What the receiver checks signatures with.
pub(super) fn shown(secret: &Secret) -> String {
    secret.public().unwrap_or_else(|| secret.reveal().as_str().to_owned())
}

/// The secrets that an endpoint's messages are signed with now, each with its end.
pub(crate) fn signing(
    vault: &Vault,
    row: &Row<WebhookEndpoint>,
) -> Result<Vec<(Secret, Option<DateTime<Utc>>)>> {
    let kept: Vec<Kept> = stored(&row.secrets);
    kept.iter()
        .map(|kept| {
            let plain = vault.open(row.id.as_bytes(), &kept.sealed)?;
            let plain = String::from_utf8(plain).map_err(Problem::internal)?;
            let secret = Secret::parse(&plain).map_err(|fault| Problem::internal(fault.code()))?;
            Ok((secret, kept.shown.expires_at))
        })
        .collect()
}

pub(super) async fn rotate(
    tx: Tx,
    id: Id<WebhookEndpoint>,
    body: SecretRotate,
) -> Result<NewWebhookEndpoint> {
    let row = tx.load(id).await?;
    let secret = make(body.signature, body.secret)?;
    let ends = tx.now + TimeDelta::seconds(body.overlap_seconds);
    let mut all = vec![Kept::new(&tx, id, &secret)?];
    for mut old in stored::<Vec<Kept>>(&row.secrets) {
        old.shown.expires_at = Some(old.shown.expires_at.map_or(ends, |set| set.min(ends)));
        if old.signs(tx.now) && all.len() < SECRETS_MAX {
            all.push(old);
        }
    }
    let endpoint = tx
        .update(&SECRET_ROTATED, row, |next| {
            next.secrets = json!(all);
            Ok(())
        })
        .await?;
    Ok(NewWebhookEndpoint { secret: shown(&secret), endpoint })
}
