//! Keys that sign messages, as Standard Webhooks 1.0 writes them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bodega_kernel::{Text, text};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

/// The bytes of a generated HMAC secret.
const HMAC_BYTES: usize = 32;
/// The fewest bytes of an HMAC secret, by the standard.
pub const HMAC_BYTES_MIN: usize = 24;
/// The most bytes of an HMAC secret, by the standard.
pub const HMAC_BYTES_MAX: usize = 64;
/// Longer texts are refused before they are decoded.
const TEXT_BYTES_MAX: usize = 256;
const SEED_BYTES: usize = 32;

const HMAC_PREFIX: &str = "whsec_";
const PRIVATE_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";

/// How a secret signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// HMAC-SHA256, signature `v1`: both sides know the secret.
    Hmac,
    /// Ed25519, signature `v1a`: the receiver knows the public half alone.
    Ed25519,
}

/// A signing secret. It is overwritten in memory when dropped and cannot be printed.
pub struct Secret(pub(crate) Key);

pub(crate) enum Key {
    Hmac(Zeroizing<Vec<u8>>),
    /// The seed, rather than ring's key pair, because ring does not overwrite its own.
    Ed25519 {
        seed: Zeroizing<[u8; SEED_BYTES]>,
        public: [u8; SEED_BYTES],
    },
}

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFault {
    /// It starts with neither `whsec_` nor `whsk_`.
    Prefix,
    /// It is the public half of a pair, which cannot sign.
    PublicKey,
    /// What follows the prefix is not base64 with its padding.
    NotBase64,
    /// An HMAC secret of less than 24 bytes.
    TooShort,
    /// An HMAC secret of more than 64 bytes.
    TooLong,
    /// An Ed25519 key of neither 32 nor 64 bytes.
    KeyLength,
    /// The public half of an Ed25519 key does not belong to its private half.
    KeyPair,
    /// The system had no randomness to make a secret from.
    NoRandomness,
}

impl Secret {
    /// A new secret: 32 random bytes, or a new pair of keys.
    pub fn generate(kind: SecretKind) -> Result<Self, SecretFault> {
        match kind {
            SecretKind::Hmac => {
                let mut bytes = Zeroizing::new(vec![0; HMAC_BYTES]);
                getrandom::fill(&mut bytes).map_err(|_| SecretFault::NoRandomness)?;
                Ok(Self(Key::Hmac(bytes)))
            }
            SecretKind::Ed25519 => {
                let mut seed = Zeroizing::new([0; SEED_BYTES]);
                getrandom::fill(&mut *seed).map_err(|_| SecretFault::NoRandomness)?;
                Self::of_seed(seed)
            }
        }
    }

    /// Reads `whsec_…` (24 to 64 bytes) or `whsk_…` (a seed, or a seed and its public key).
    pub fn parse(secret: &str) -> Result<Self, SecretFault> {
        if secret.len() > TEXT_BYTES_MAX {
            return Err(SecretFault::TooLong);
        }
        if let Some(encoded) = secret.strip_prefix(HMAC_PREFIX) {
            let bytes = decode(encoded)?;
            match bytes.len() {
                ..HMAC_BYTES_MIN => Err(SecretFault::TooShort),
                HMAC_BYTES_MIN..=HMAC_BYTES_MAX => Ok(Self(Key::Hmac(bytes))),
                _ => Err(SecretFault::TooLong),
            }
        } else if let Some(encoded) = secret.strip_prefix(PRIVATE_PREFIX) {
            Self::of_private(&decode(encoded)?)
        } else if secret.starts_with(PUBLIC_PREFIX) {
            Err(SecretFault::PublicKey)
        } else {
            Err(SecretFault::Prefix)
        }
    }

    /// How it signs.
    pub fn kind(&self) -> SecretKind {
        match self.0 {
            Key::Hmac(_) => SecretKind::Hmac,
            Key::Ed25519 { .. } => SecretKind::Ed25519,
        }
    }

    /// The whole secret, `whsec_…` or `whsk_…`: to be stored, and to be shown to its owner.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut revealed = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX));
        match &self.0 {
            Key::Hmac(bytes) => {
                revealed.push_str(HMAC_PREFIX);
                STANDARD.encode_string(bytes.as_slice(), &mut revealed);
            }
            Key::Ed25519 { seed, public } => {
                // Seed, then public key: the form of libsodium and of other senders.
                let pair = Zeroizing::new([seed.as_slice(), public].concat());
                revealed.push_str(PRIVATE_PREFIX);
                STANDARD.encode_string(pair.as_slice(), &mut revealed);
            }
        }
        revealed
    }

    /// What a receiver needs of an Ed25519 pair, `whpk_…`; an HMAC secret has no public half.
    pub fn public(&self) -> Option<String> {
        match &self.0 {
            Key::Hmac(_) => None,
            Key::Ed25519 { public, .. } => {
                Some(format!("{PUBLIC_PREFIX}{}", STANDARD.encode(public)))
            }
        }
    }

    fn of_private(bytes: &[u8]) -> Result<Self, SecretFault> {
        let Some((half, rest)) = bytes.split_first_chunk::<SEED_BYTES>() else {
            return Err(SecretFault::KeyLength);
        };
        let secret = Self::of_seed(Zeroizing::new(*half))?;
        match &secret.0 {
            Key::Ed25519 { .. } if rest.is_empty() => Ok(secret),
            Key::Ed25519 { public, .. } if rest == public.as_slice() => Ok(secret),
            _ if rest.len() == SEED_BYTES => Err(SecretFault::KeyPair),
            _ => Err(SecretFault::KeyLength),
        }
    }

    fn of_seed(seed: Zeroizing<[u8; SEED_BYTES]>) -> Result<Self, SecretFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| SecretFault::KeyLength)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SecretFault::KeyLength)?;
        Ok(Self(Key::Ed25519 { seed, public }))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?}, …)", self.kind())
    }
}

impl SecretFault {
    /// A name for it that never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Prefix => "secret_prefix",
            Self::PublicKey => "secret_is_public",
            Self::NotBase64 => "secret_not_base64",
            Self::TooShort => "secret_too_short",
            Self::TooLong => "secret_too_long",
            Self::KeyLength => "secret_key_length",
            Self::KeyPair => "secret_key_pair",
            Self::NoRandomness => "secret_no_randomness",
        }
    }

    /// What is wrong, in a sentence.
    pub fn text(self) -> Text {
        match self {
            Self::Prefix => text(
                "A secret starts with `whsec_` (HMAC) or `whsk_` (Ed25519).",
                "Un secreto empieza por `whsec_` (HMAC) o `whsk_` (Ed25519).",
            ),
            Self::PublicKey => text(
                "This is a public key, which cannot sign: give the private key, `whsk_…`.",
                "Es una clave pública, que no puede firmar: indica la clave privada, `whsk_…`.",
            ),
            Self::NotBase64 => text(
                "What follows the prefix must be base64, with its padding.",
                "Lo que sigue al prefijo debe ser base64, con su relleno.",
            ),
            Self::TooShort => text(
                "An HMAC secret has at least 24 bytes before it is written in base64.",
                "Un secreto HMAC tiene al menos 24 bytes antes de escribirse en base64.",
            ),
            Self::TooLong => text(
                "An HMAC secret has at most 64 bytes before it is written in base64.",
                "Un secreto HMAC tiene como máximo 64 bytes antes de escribirse en base64.",
            ),
            Self::KeyLength => text(
                "An Ed25519 private key has 32 bytes, or 64 with its public key.",
                "Una clave privada Ed25519 tiene 32 bytes, o 64 con su clave pública.",
            ),
            Self::KeyPair => text(
                "The public half of the Ed25519 key does not belong to its private half.",
                "La mitad pública de la clave Ed25519 no corresponde a su mitad privada.",
            ),
            Self::NoRandomness => text(
                "The system had no randomness to make a secret from.",
                "El sistema no tenía aleatoriedad con la que crear un secreto.",
            ),
        }
    }
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().get(bodega_kernel::Language::English))
    }
}

impl std::error::Error for SecretFault {}

fn decode(encoded: &str) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| SecretFault::NotBase64)
}
