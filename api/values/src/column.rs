//! How the types are kept in columns. What is read is trusted where only checked values are written;
//! what has a meaning that an unknown value would change (a currency, a list) is read with an error.

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Checked, CurrencyCode, Items, Metadata, Quantity};

/// Ties a type to the column type of another, through two functions.
macro_rules! kept_as {
    ([$($generics:tt)*] $type:ty as $inner:ty, |$out:ident| $to:expr, |$back:ident| $from:expr) => {
        impl<$($generics)*> From<$type> for Value {
            fn from($out: $type) -> Self {
                <$inner>::into($to)
            }
        }

        impl<$($generics)*> TryGetable for $type {
            fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                let $back = <$inner as TryGetable>::try_get_by(row, index)?;
                let value: Result<Self, String> = $from;
                value.map_err(|wrong| TryGetError::DbErr(DbErr::Type(wrong)))
            }
        }

        impl<$($generics)*> ValueType for $type {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                let $back = <$inner as ValueType>::try_from(value)?;
                let value: Result<Self, String> = $from;
                value.map_err(|_| ValueTypeErr)
            }

            fn type_name() -> String {
                <$inner as ValueType>::type_name()
            }

            fn array_type() -> ArrayType {
                <$inner as ValueType>::array_type()
            }

            fn column_type() -> ColumnType {
                <$inner as ValueType>::column_type()
            }
        }

        impl<$($generics)*> Nullable for $type {
            fn null() -> Value {
                <$inner as Nullable>::null()
            }
        }
    };
}

kept_as!([R] Checked<R> as String, |text| text.into_string(), |text| Ok(Self::trusted(text)));
kept_as!([] Quantity as i64, |quantity| quantity.millionths(), |millionths| {
    Ok(Self::from_millionths(millionths))
});
kept_as!([] CurrencyCode as String, |code| code.as_str().to_owned(), |code| {
    code.parse().map_err(|wrong| format!("{code} {wrong}"))
});
kept_as!([] Metadata as serde_json::Value, |metadata| to_json(&metadata), |json| from_json(json));
kept_as!([T: Serialize + DeserializeOwned, const N: usize, const DISTINCT: bool]
    Items<T, N, DISTINCT> as serde_json::Value,
    |items| to_json(&items), |json| from_json(json));

fn to_json(value: &impl Serialize) -> serde_json::Value {
    // Texts, numbers and lists of them: there is no map whose keys are not texts.
    serde_json::to_value(value).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(json: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(json).map_err(|wrong| wrong.to_string())
}
