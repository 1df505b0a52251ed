//! Tokens that only we can make: what is sealed is readable to nobody's advantage and cannot be altered.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const TAG_BYTES: usize = 16;

/// Seals and opens tokens with HMAC-SHA256, cut to 128 bits.
#[derive(Clone)]
pub struct Sealer {
    mac: Hmac<Sha256>,
}

impl Sealer {
    /// A sealer over a secret of any length.
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes a key of any length; the type cannot say so, so an empty key stands in.
        let mac = Hmac::<Sha256>::new_from_slice(secret)
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        Self { mac }
    }

    /// Seals `content`, which counts only together with `context`.
    pub fn seal(&self, context: &[u8], content: &[u8]) -> String {
        let tag = self.tag(context, content).finalize().into_bytes();
        let mut token = tag.get(..TAG_BYTES).unwrap_or_default().to_vec();
        token.extend_from_slice(content);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What was sealed, if it was sealed here, with the same context.
    pub fn open(&self, context: &[u8], token: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (tag, content) = bytes.split_at_checked(TAG_BYTES)?;
        self.tag(context, content).verify_truncated_left(tag).ok()?;
        Some(content.to_vec())
    }

    fn tag(&self, context: &[u8], content: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // The length goes first, so that no context can pass for the start of a content.
        mac.update(&(context.len() as u64).to_le_bytes());
        mac.update(context);
        mac.update(content);
        mac
    }
}
