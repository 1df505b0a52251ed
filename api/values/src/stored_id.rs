//! A UUID that is kept in JSON.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// The UUID of an object in a list that is kept as JSON. It is read from an id (`cat_01k…`) as well,
/// which older rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StoredId(pub Uuid);

impl<'de> Deserialize<'de> for StoredId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let uuid = match text.contains('_') {
            true => text.parse::<TypeSafeId<DynamicType>>().ok().map(|id| id.uuid()),
            false => text.parse().ok(),
        };
        uuid.map(Self).ok_or_else(|| de::Error::custom("is not an id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_a_uuid_and_as_an_id() {
        let read = |json: &str| serde_json::from_str::<StoredId>(json).ok();
        let id = read("\"cat_01k78agk00e008000000000001\"").unwrap();
        assert_eq!(read(&serde_json::to_string(&id).unwrap()), Some(id));
        assert_eq!(read("\"cat_x\""), None);
        assert_eq!(read("\"x\""), None);
    }
}
