//! What has to be read again but not by whoever gets hold of the database: other people's secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use sha2::{Digest, Sha256};

use crate::{Problem, Result};

const NONCE_BYTES: usize = 12;

/// Encrypts with ChaCha20-Poly1305 under one key.
#[derive(Clone)]
pub struct Vault(ChaCha20Poly1305);

impl Vault {
    /// A vault over a secret of any length.
    pub fn new(secret: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bodega vault\0");
        hash.update(secret);
        let key: [u8; 32] = hash.finalize().into();
        Self(ChaCha20Poly1305::new(&key.into()))
    }

    /// Closes `content`, to be opened only together with `context` (the id of its row, say).
    pub fn close(&self, context: &[u8], content: &[u8]) -> Result<String> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Problem::internal)?;
        let payload = Payload { msg: content, aad: context };
        let closed = self.0.encrypt(&Nonce::from(nonce), payload).map_err(Problem::internal)?;
        Ok(STANDARD_NO_PAD.encode([&nonce[..], &closed].concat()))
    }

    /// What was closed with the same context.
    pub fn open(&self, context: &[u8], closed: &str) -> Result<Vec<u8>> {
        let bytes = STANDARD_NO_PAD.decode(closed).map_err(Problem::internal)?;
        let (nonce, msg) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| Problem::internal("too short to have been closed here"))?;
        let payload = Payload { msg, aad: context };
        self.0.decrypt(&Nonce::from(*nonce), payload).map_err(|_| {
            Problem::internal("a secret does not open: has `encryption_key` been changed?")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Vault;

    #[test]
    fn opens_only_with_the_same_key_and_context() {
        let vault = Vault::new(b"one");
        let closed = vault.close(b"row", b"secret").unwrap();
        assert_eq!(vault.open(b"row", &closed).unwrap(), b"secret");
        assert!(vault.open(b"other row", &closed).is_err());
        assert!(Vault::new(b"two").open(b"row", &closed).is_err());
        assert!(vault.open(b"row", "AAAA").is_err());
        assert_ne!(vault.close(b"row", b"secret").unwrap(), closed);
    }
}
