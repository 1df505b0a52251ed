//! Keys as their holder sees them, and what is stored of them.

use bodega_kernel::{Problem, Result};
use entity::identity::organization::Mode;
use sha2::{Digest, Sha256};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 40 letters of 62 are 238 bits.
const LENGTH: usize = 40;
/// Bytes from here on would make some letters likelier than others.
const FAIR_BELOW: u8 = (256 / LETTERS.len() * LETTERS.len()) as u8;

/// A new key: `bdg_live_…`.
pub(crate) fn make(mode: Mode) -> Result<String> {
    let mut key = match mode {
        Mode::Live => "bdg_live_".to_owned(),
        Mode::Test => "bdg_test_".to_owned(),
    };
    let whole = key.len() + LENGTH;
    let mut bytes = [0_u8; 64];
    while key.len() < whole {
        getrandom::fill(&mut bytes).map_err(Problem::internal)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR_BELOW).take(whole - key.len());
        key.extend(fair.filter_map(|byte| {
            LETTERS.get(usize::from(*byte) % LETTERS.len()).map(|letter| char::from(*letter))
        }));
    }
    Ok(key)
}

/// What is stored: a key has 238 random bits, so one round of SHA-256 is enough.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Enough of it to tell it from others: `bdg_live_ab…wxyz`.
pub(crate) fn hint(key: &str) -> String {
    let start = key.get(..11).unwrap_or_default();
    let end = key.get(key.len().saturating_sub(4)..).unwrap_or_default();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_and_never_the_same() {
        let keys: std::collections::HashSet<_> =
            (0..100).map(|_| make(Mode::Test).unwrap()).collect();
        assert_eq!(keys.len(), 100);
        assert!(keys.iter().all(|key| key.len() == 49 && key.starts_with("bdg_test_")));
        assert_eq!(hint("bdg_live_abcdefgh1234"), "bdg_live_ab…1234");
    }
}
