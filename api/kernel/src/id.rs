//! TypeIDs: `prod_01k…`, stored as a UUIDv7. See <https://github.com/jetify-com/typeid>.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use type_safe_id::{DynamicType, StaticType, TypeSafeId};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Type};
use uuid::Uuid;

use crate::{Noun, Problem, problem};

/// A UUID as it is shown, where the type is known only by its prefix.
pub fn tagged(prefix: &str, uuid: Uuid) -> String {
    match DynamicType::new(prefix) {
        Ok(prefix) => TypeSafeId::from_type_and_uuid(prefix, uuid).to_string(),
        Err(_) => uuid.to_string(),
    }
}

/// The keyword of a schema of ids that says how they begin.
pub const ID_PREFIX: &str = "x-id-prefix";

/// The id of a `T`: an id of another kind does not fit, neither here nor from outside.
pub struct Id<T> {
    uuid: Uuid,
    of: PhantomData<fn() -> T>,
}

struct Prefix<T>(PhantomData<fn() -> T>);

impl<T> Default for Prefix<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Noun> StaticType for Prefix<T> {
    const TYPE: &'static str = T::PREFIX;
}

impl<T> Id<T> {
    /// The id over a stored UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, of: PhantomData }
    }

    /// What is stored.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T: Noun> Id<T> {
    /// Reads an id; the wrong prefix is `wrong_id_type`, anything else that is no id is `not_found`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        use type_safe_id::Error;
        match text.parse::<TypeSafeId<Prefix<T>>>() {
            Ok(id) => Ok(Self::from_uuid(id.uuid())),
            Err(Error::IncorrectType { .. } | Error::NotATypeId) => {
                Err(Problem::wrong_id_type(T::NAME, T::PREFIX))
            }
            Err(_) => Err(Problem::new(&problem::NOT_FOUND)),
        }
    }

    /// The pattern every id of a `T` has.
    pub fn pattern() -> String {
        format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", T::PREFIX)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<T> Eq for Id<T> {}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<T: Noun> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TypeSafeId::<Prefix<T>>::from_uuid(self.uuid).fmt(f)
    }
}

impl<T: Noun> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Noun> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: Noun> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(|problem| de::Error::custom(problem.code.code))
    }
}

impl<T: Noun> ComposeSchema for Id<T> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let example = Self::from_uuid(Uuid::from_u128(0x0199_d0a8_4c00_7000_8000_0000_0000_0001));
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(format!("The id of a {}.", T::NAME.replace('_', " "))))
                .pattern(Some(Self::pattern()))
                .max_length(Some(T::PREFIX.len() + 27))
                .examples([serde_json::Value::String(example.to_string())])
                .extensions(Some(ExtensionsBuilder::new().add(ID_PREFIX, T::PREFIX).build()))
                .build(),
        ))
    }
}

impl<T: Noun> ToSchema for Id<T> {
    fn name() -> Cow<'static, str> {
        let mut name = String::new();
        for word in T::NAME.split('_') {
            let (first, rest) = word.split_at(1);
            name.push_str(&first.to_ascii_uppercase());
            name.push_str(rest);
        }
        name.push_str("Id");
        Cow::Owned(name)
    }
}
