//! Maps whose names are data, such as the options of a variant. GraphQL has no type for them, so they are
//! lists of pairs: `{"Size": "M"}` is `[{name: "Size", value: "M"}]`.

use async_graphql::dynamic::TypeRef;
use serde_json::Value as Json;

use super::types::{Side, Types, required};
use super::{Argument, Field, Input, Object};

pub(crate) const PAIR_NAME: &str = "name";
pub(crate) const PAIR_VALUE: &str = "value";

/// Maps that are a caller's own and nobody else's: any JSON.
const FREE: &[&str] = &["Metadata", "MetadataPatch"];

/// Whether a schema of this name is a map that is said in pairs.
pub(super) fn is_map(name: &str, rules: &Json) -> bool {
    let map = rules["type"] == "object" && rules["additionalProperties"].is_object();
    map && !rules["properties"].is_object() && !FREE.contains(&name)
}

impl Types<'_> {
    /// The list of pairs that a map is.
    pub(super) fn pairs(&mut self, name: &str, about: String, rules: &Json, side: Side) -> TypeRef {
        let value = required(self.read(&rules["additionalProperties"], side).kind, true);
        let key = TypeRef::named_nn(TypeRef::STRING);
        let (key_about, value_about) = ("Its name.", "Its value.");
        let single = name.strip_suffix('s').unwrap_or(name);
        let pair = match side {
            Side::Out => format!("{single}Pair"),
            Side::In => format!("{single}PairInput"),
        };
        match side {
            Side::Out => {
                let fields = vec![
                    Field::new(PAIR_NAME, key, key_about),
                    Field::new(PAIR_VALUE, value, value_about),
                ];
                let object = Object { about, fields, ..Object::default() };
                self.model.objects.insert(pair.clone(), object);
            }
            Side::In => {
                let fields = vec![
                    Argument::new(PAIR_NAME, key, key_about),
                    Argument::new(PAIR_VALUE, value, value_about),
                ];
                self.model.inputs.insert(pair.clone(), Input { about, fields, is_pair: true });
            }
        }
        TypeRef::named_nn_list(pair)
    }
}
