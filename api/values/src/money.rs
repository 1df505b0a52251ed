//! Money: whole minor units of an ISO 4217 currency. Never a float.

use std::str::FromStr;

use iso_currency::{Currency, IntoEnumIterator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Type};

/// An amount of money: `{"amount": 1999, "currency": "MXN"}` is 19.99 pesos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"amount": 1999, "currency": "MXN"})))]
pub struct Money {
    /// Whole minor units: cents for `MXN`, yen for `JPY` (the exponent is the currency's in ISO 4217).
    #[schema(minimum = 0, maximum = 1_000_000_000_000_000i64)]
    pub amount: i64,
    /// The currency.
    pub currency: CurrencyCode,
}

/// An ISO 4217 currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(Currency);

impl CurrencyCode {
    /// The peso of Mexico.
    pub const MXN: Self = Self(Currency::MXN);

    /// `MXN`.
    pub fn as_str(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals a minor unit stands for.
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl FromStr for CurrencyCode {
    type Err = &'static str;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Currency::from_code(code).map(Self).ok_or("is not an ISO 4217 currency code")
    }
}

impl Serialize for CurrencyCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CurrencyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<str>::deserialize(deserializer)?;
        code.parse().map_err(de::Error::custom)
    }
}

impl ComposeSchema for CurrencyCode {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let codes: Vec<_> = Currency::iter().map(|currency| currency.code()).collect();
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("An ISO 4217 currency code."))
                .enum_values(Some(codes))
                .examples([serde_json::Value::from("MXN")])
                .build(),
        ))
    }
}

impl ToSchema for CurrencyCode {}
