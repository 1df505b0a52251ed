//! What holds of the kernel's types whatever they are given.

use bodega_kernel::{CurrencyCode, Id, Money, Noun, Quantity, Sealer, json};
use entity::catalog::brand;
use proptest::prelude::*;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// An object to have ids of.
#[derive(serde::Serialize, ToSchema)]
struct Thing;

impl Noun for Thing {
    type Entity = brand::Entity;
    const NAME: &'static str = "thing";
    const PLURAL: &'static str = "things";
    const PREFIX: &'static str = "thing";
}

impl From<brand::Model> for Thing {
    fn from(_: brand::Model) -> Self {
        Self
    }
}

/// JSON as clients send it, without floats, whose text is not theirs alone.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_quantity_is_what_it_is_written_as(millionths in 0..1_000_000_000_000_000_000_i64) {
        let quantity = Quantity::from_millionths(millionths);
        prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        let shown = serde_json::to_value(quantity).unwrap();
        prop_assert_eq!(&shown, &json!(quantity.to_string()));
        prop_assert_eq!(serde_json::from_value::<Quantity>(shown).unwrap(), quantity);
    }

    #[test]
    fn more_millionths_are_more(one in 0..10_000_000_i64, other in 0..10_000_000_i64) {
        let quantity = Quantity::from_millionths;
        prop_assert_eq!(quantity(one).cmp(&quantity(other)), one.cmp(&other));
    }

    #[test]
    fn a_text_is_a_quantity_or_refused(text in r"[-+ 0-9.eE,]{0,24}|\PC{0,8}") {
        let decimal = {
            let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
            let digits = |s: &str, max| {
                (1..=max).contains(&s.len()) && s.bytes().all(|byte| byte.is_ascii_digit())
            };
            digits(whole, 12) && digits(part, 6)
        };
        prop_assert_eq!(text.parse::<Quantity>().is_ok(), decimal, "{}", text);
    }

    #[test]
    fn an_id_is_what_it_is_written_as(bits in any::<u128>()) {
        let id = Id::<Thing>::from_uuid(Uuid::from_u128(bits));
        let text = id.to_string();
        prop_assert_eq!(Id::<Thing>::parse(&text).unwrap(), id);
        prop_assert_eq!(serde_json::from_value::<Id<Thing>>(json!(text)).unwrap(), id);
        let digits = text.strip_prefix("thing_").unwrap();
        let alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
        prop_assert!(digits.len() == 26 && digits.chars().all(|digit| alphabet.contains(digit)));
        prop_assert!(digits.starts_with(|digit| ('0'..='7').contains(&digit)));
        // As the order of ids is the order of time.
        let next = Id::<Thing>::from_uuid(Uuid::from_u128(bits.saturating_add(1)));
        prop_assert!(next.to_string() >= text);
    }

    #[test]
    fn no_other_text_is_an_id(bits in any::<u128>(), place in 0_usize..32, by in any::<char>()) {
        let text = Id::<Thing>::from_uuid(Uuid::from_u128(bits)).to_string();
        let other: String =
            text.chars().enumerate().map(|(i, c)| if i == place { by } else { c }).collect();
        // What is read is what it would be written as: no two texts stand for one id.
        if let Ok(id) = Id::<Thing>::parse(&other) {
            prop_assert_eq!(id.to_string(), other);
        }
        let code = |text: &str| Id::<Thing>::parse(text).map_err(|problem| problem.code.code);
        prop_assert_eq!(code(&text.replacen("thing", "prod", 1)), Err("wrong_id_type"));
        prop_assert!(code(&text.to_uppercase()).is_err());
        let (longer, shorter) = (format!("{text}0"), &text[..text.len() - 1]);
        prop_assert!(code(&longer).is_err() && code(shorter).is_err());
    }

    #[test]
    fn any_text_is_read_as_an_id_or_refused(text in r"\PC{0,40}") {
        let _ = Id::<Thing>::parse(&text);
    }

    #[test]
    fn money_is_whole_minor_units(amount in 0..=1_000_000_000_000_000_i64, part in 1..100_i64) {
        for code in ["MXN", "JPY", "KWD", "USD"] {
            let money = Money { amount, currency: code.parse().unwrap() };
            let shown = serde_json::to_value(money).unwrap();
            prop_assert_eq!(&shown, &json!({ "amount": amount, "currency": code }));
            prop_assert_eq!(serde_json::from_value::<Money>(shown).unwrap(), money);
        }
        let float = format!(r#"{{"amount": {amount}.{part:02}, "currency": "MXN"}}"#);
        prop_assert!(serde_json::from_str::<Money>(&float).is_err());
    }

    #[test]
    fn a_currency_is_one_of_the_list(code in "[A-Z]{3}|[a-z]{3}|\\PC{0,5}") {
        if let Ok(currency) = code.parse::<CurrencyCode>() {
            prop_assert_eq!(currency.as_str(), code);
            prop_assert!(currency.exponent() <= 4);
        }
    }

    #[test]
    fn a_seal_opens_only_what_it_closed(
        secret in prop::collection::vec(any::<u8>(), 0..80),
        context in prop::collection::vec(any::<u8>(), 0..40),
        content in prop::collection::vec(any::<u8>(), 0..80),
        place in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let sealer = Sealer::new(&secret);
        let token = sealer.seal(&context, &content);
        prop_assert_eq!(sealer.open(&context, &token), Some(content.clone()));

        // One bit of the token, of the context, or of the secret.
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
            bytes
        };
        if let Ok(altered) = String::from_utf8(flipped(token.as_bytes())) {
            prop_assert_eq!(sealer.open(&context, &altered), None, "{} as {}", token, altered);
        }
        if !context.is_empty() {
            prop_assert_eq!(sealer.open(&flipped(&context), &token), None);
        }
        if !secret.is_empty() {
            prop_assert_eq!(Sealer::new(&flipped(&secret)).open(&context, &token), None);
        }
        // Shorter, longer, and with the border between context and content moved.
        prop_assert_eq!(sealer.open(&context, &token[..place.index(token.len())]), None);
        prop_assert_eq!(sealer.open(&context, &format!("{token}AA")), None);
        if let Some((first, rest)) = content.split_first() {
            let wider: Vec<u8> = context.iter().chain([first]).copied().collect();
            prop_assert_ne!(sealer.seal(&wider, rest), token);
        }
    }

    #[test]
    fn json_is_read_as_it_was_written(document in document()) {
        let text = serde_json::to_vec(&document).unwrap();
        prop_assert_eq!(json::parse(&text).unwrap(), document);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = json::parse(&bytes);
    }

    #[test]
    fn no_key_is_there_twice(key in "[a-z]{1,8}", depth in 0_usize..10) {
        let twice = format!(r#"{{"{key}": 1, "{key}": 1}}"#);
        let nested = format!("{}{twice}{}", "[".repeat(depth), "]".repeat(depth));
        prop_assert_eq!(json::parse(nested.as_bytes()).unwrap_err().code.code, "malformed_json");
    }

    #[test]
    fn a_document_is_as_deep_as_it_may_be(depth in 1_usize..2_000) {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        prop_assert_eq!(json::parse(nested.as_bytes()).is_ok(), depth <= json::DEPTH_MAX);
    }
}
