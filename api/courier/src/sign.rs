//! Signatures after Standard Webhooks 1.0: over `{id}.{timestamp}.{body}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use sha2::Sha256;

use crate::secret::{Key, Secret};

const HMAC_VERSION: &str = "v1,";
const ED25519_VERSION: &str = "v1a,";

/// The value of `webhook-signature`: one signature for each secret, so that a receiver that knows
/// any one of them can check the message while secrets are being rotated.
pub fn sign(secrets: &[&Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut header = String::with_capacity(secrets.len() * 96);
    let timestamp = timestamp.to_string();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        match &secret.0 {
            Key::Hmac(key) => {
                let tag = mac(key, id, &timestamp, body).finalize().into_bytes();
                header.push_str(HMAC_VERSION);
                STANDARD.encode_string(tag, &mut header);
            }
            Key::Ed25519 { seed, public } => {
                // The seed and its public half were checked against each other when they were read.
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed.as_slice(), public);
                let Ok(pair) = pair else { continue };
                let signature = pair.sign(&signed(id, &timestamp, body));
                header.push_str(ED25519_VERSION);
                STANDARD.encode_string(signature, &mut header);
            }
        }
    }
    header
}

/// Whether any signature in a `webhook-signature` header was made with any of these secrets.
pub fn verify(secrets: &[&Secret], id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
    let timestamp = timestamp.to_string();
    let made_with = |signature: &str, secret: &Secret| match &secret.0 {
        Key::Hmac(key) => signature
            .strip_prefix(HMAC_VERSION)
            .and_then(|tag| STANDARD.decode(tag).ok())
            .is_some_and(|tag| mac(key, id, &timestamp, body).verify_slice(&tag).is_ok()),
        Key::Ed25519 { public, .. } => signature
            .strip_prefix(ED25519_VERSION)
            .and_then(|signature| STANDARD.decode(signature).ok())
            .is_some_and(|signature| {
                let content = signed(id, &timestamp, body);
                UnparsedPublicKey::new(&ED25519, public).verify(&content, &signature).is_ok()
            }),
    };
    header.split(' ').any(|signature| secrets.iter().any(|secret| made_with(signature, secret)))
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key of any length; the type cannot say so, so an empty key stands in.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.')
}
