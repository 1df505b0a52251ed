//! Signatures and secrets after Standard Webhooks.

use bodega_courier::{Secret, SecretFault, SecretKind, sign, verify};
use proptest::prelude::*;

/// A secret, a message and its signature from the public libraries' own tests.
const PUBLIC_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PUBLIC_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const PUBLIC_TIMESTAMP: i64 = 1_614_265_330;
const PUBLIC_BODY: &[u8] = br#"{"test": 2432232314}"#;
const PUBLIC_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// The first test vector of RFC 8032, with its seed and its public key.
const RFC_SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const RFC_PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn of(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

#[test]
fn the_public_example_is_signed_alike() {
    let secret = of(PUBLIC_SECRET);
    let header = sign(&[&secret], PUBLIC_ID, PUBLIC_TIMESTAMP, PUBLIC_BODY);
    assert_eq!(header, PUBLIC_SIGNATURE);
    assert!(verify(&[&secret], PUBLIC_ID, PUBLIC_TIMESTAMP, PUBLIC_BODY, &header));
}

#[test]
fn an_ed25519_secret_shows_its_public_half() {
    let secret = of(RFC_SEED);
    assert_eq!(secret.public().as_deref(), Some(RFC_PUBLIC));
    // With its public half it is the same secret.
    let whole = secret.reveal();
    assert_eq!(whole.len(), "whsk_".len() + 88);
    assert_eq!(of(&whole).public(), secret.public());
    assert_eq!(of(PUBLIC_SECRET).public(), None);
}

#[test]
fn while_secrets_are_rotated_each_of_them_checks_the_message() {
    let secrets = [
        Secret::generate(SecretKind::Hmac).unwrap(),
        Secret::generate(SecretKind::Ed25519).unwrap(),
        Secret::generate(SecretKind::Hmac).unwrap(),
    ];
    let header = sign(&secrets.each_ref(), "evt_1", 1, b"{}");
    let kinds: Vec<_> = header.split(' ').map(|one| one.split_once(',').unwrap().0).collect();
    assert_eq!(kinds, ["v1", "v1a", "v1"]);
    for secret in &secrets {
        assert!(verify(&[secret], "evt_1", 1, b"{}", &header));
        assert!(!verify(&[secret], "evt_2", 1, b"{}", &header));
        assert!(!verify(&[secret], "evt_1", 2, b"{}", &header));
        assert!(!verify(&[secret], "evt_1", 1, b"{ }", &header));
        assert!(!verify(&[secret], "evt_1", 1, b"{}", ""));
    }
    let stranger = Secret::generate(SecretKind::Ed25519).unwrap();
    assert!(!verify(&[&stranger], "evt_1", 1, b"{}", &header));
}

#[test]
fn what_is_no_secret_is_told_why() {
    let whole = of(RFC_SEED).reveal();
    let mismatched = format!("{}{}", &whole[..whole.len() - 8], "AAAAAA==");
    for (text, fault) in [
        ("", SecretFault::Prefix),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretFault::Prefix),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretFault::Prefix),
        (RFC_PUBLIC, SecretFault::PublicKey),
        ("whsec_", SecretFault::TooShort),
        ("whsec_c2hvcnQ=", SecretFault::TooShort),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==", SecretFault::NotBase64),
        ("whsec_not base64", SecretFault::NotBase64),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_", SecretFault::NotBase64),
        (&format!("whsec_{}", "A".repeat(88)), SecretFault::TooLong),
        (&format!("whsec_{}", "A".repeat(4_000)), SecretFault::TooLong),
        ("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyu", SecretFault::KeyLength),
        (&format!("whsk_{}", "A".repeat(64)), SecretFault::KeyLength),
        (&mismatched, SecretFault::KeyPair),
    ] {
        assert_eq!(Secret::parse(text).err(), Some(fault), "{text}");
    }
    // 24 and 64 bytes are the limits, and fine.
    assert!(Secret::parse(&format!("whsec_{}", "A".repeat(32))).is_ok());
    assert!(Secret::parse(&format!("whsec_{}A==", "A".repeat(85))).is_ok());
}

#[test]
fn a_secret_is_not_printed() {
    assert_eq!(format!("{:?}", of(PUBLIC_SECRET)), "Secret(Hmac, …)");
    assert_eq!(format!("{:?}", of(RFC_SEED)), "Secret(Ed25519, …)");
}

#[test]
fn no_two_generated_secrets_are_the_same() {
    for kind in [SecretKind::Hmac, SecretKind::Ed25519] {
        let (one, other) = (Secret::generate(kind).unwrap(), Secret::generate(kind).unwrap());
        assert_eq!(one.kind(), kind);
        assert_ne!(one.reveal(), other.reveal());
    }
}

fn secret() -> impl Strategy<Value = Secret> {
    let of = |bytes: &[u8], prefix: &str| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        Secret::parse(&format!("{prefix}{text}")).unwrap()
    };
    prop_oneof![
        prop::collection::vec(any::<u8>(), 24..=64).prop_map(move |key| of(&key, "whsec_")),
        any::<[u8; 32]>().prop_map(move |seed| of(&seed, "whsk_")),
    ]
}

proptest! {
    #[test]
    fn what_is_signed_is_verified_and_nothing_else(
        secret in secret(),
        id in "[a-z]{1,6}_[0-9a-z]{1,26}",
        timestamp in 0..i64::from(u32::MAX),
        body in prop::collection::vec(any::<u8>(), 0..300),
        flipped in any::<prop::sample::Index>(),
    ) {
        let header = sign(&[&secret], &id, timestamp, &body);
        prop_assert!(verify(&[&secret], &id, timestamp, &body, &header));
        prop_assert!(!verify(&[&secret], &id, timestamp + 1, &body, &header));
        let mut other = body.clone();
        other.push(0);
        prop_assert!(!verify(&[&secret], &id, timestamp, &other, &header));
        let mut forged = header.clone().into_bytes();
        let at = flipped.index(forged.len());
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        prop_assert!(!verify(&[&secret], &id, timestamp, &body, &forged));
    }

    #[test]
    fn a_secret_survives_being_written_and_read(secret in secret()) {
        let read = Secret::parse(&secret.reveal()).unwrap();
        prop_assert_eq!(read.reveal(), secret.reveal());
        prop_assert_eq!(read.public(), secret.public());
    }

    #[test]
    fn no_text_at_all_panics(text in "(whsec_|whsk_|whpk_|v1,|v1a,)?.{0,100}") {
        let _ = Secret::parse(&text);
        let secret = Secret::parse(PUBLIC_SECRET).unwrap();
        let verified = verify(&[&secret], "evt_1", 1, b"{}", &text);
        prop_assert!(!verified);
    }
}
