//! What a new schema takes from those who use the old one.

use std::collections::BTreeMap;

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};

/// The changes from one schema to another that break somebody: an answer that lacks what was asked
/// for or comes in another type, a request that is no longer taken.
pub fn breaking_changes(before: &str, after: &str) -> Result<Vec<String>, String> {
    let (before, after) = (types(before)?, types(after)?);
    let mut broken = Vec::new();
    for (name, old) in &before {
        match after.get(name) {
            Some(new) => compare(name, old, new, &mut broken),
            None => broken.push(format!("{name}: is gone")),
        }
    }
    Ok(broken)
}

fn types(sdl: &str) -> Result<BTreeMap<String, TypeDefinition>, String> {
    let document = parse_schema(sdl).map_err(|error| error.to_string())?;
    let types = document.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(one) => Some((one.node.name.node.to_string(), one.node)),
        _ => None,
    });
    Ok(types.collect())
}

fn compare(name: &str, old: &TypeDefinition, new: &TypeDefinition, broken: &mut Vec<String>) {
    match (&old.kind, &new.kind) {
        (TypeKind::Scalar, TypeKind::Scalar) => {}
        (TypeKind::Object(old), TypeKind::Object(new)) => {
            for one in &old.implements {
                if !new.implements.iter().any(|other| other.node == one.node) {
                    broken.push(format!("{name}: is no {} any more", one.node));
                }
            }
            output_fields(name, &old.fields, &new.fields, broken);
        }
        (TypeKind::Interface(old), TypeKind::Interface(new)) => {
            output_fields(name, &old.fields, &new.fields, broken);
        }
        (TypeKind::InputObject(old), TypeKind::InputObject(new)) => {
            inputs(name, &old.fields, &new.fields, broken);
        }
        (TypeKind::Enum(old), TypeKind::Enum(new)) => {
            for value in &old.values {
                let value = &value.node.value.node;
                if !new.values.iter().any(|other| other.node.value.node == *value) {
                    broken.push(format!("{name}.{value}: is gone"));
                }
            }
        }
        _ => broken.push(format!("{name}: is another kind of type")),
    }
}

fn output_fields(
    name: &str,
    old: &[Positioned<FieldDefinition>],
    new: &[Positioned<FieldDefinition>],
    broken: &mut Vec<String>,
) {
    for field in old.iter().map(|one| &one.node) {
        let place = format!("{name}.{}", field.name.node);
        let same = |other: &&Positioned<FieldDefinition>| other.node.name.node == field.name.node;
        match new.iter().find(same) {
            None => broken.push(format!("{place}: is gone")),
            Some(other) => output_field(&place, field, &other.node, broken),
        }
    }
}

fn output_field(
    place: &str,
    old: &FieldDefinition,
    new: &FieldDefinition,
    broken: &mut Vec<String>,
) {
    let (was, is) = (&old.ty.node, &new.ty.node);
    if !gives(was, is) {
        broken.push(format!("{place}: was {was}, is {is}"));
    }
    inputs(place, &old.arguments, &new.arguments, broken);
}

fn inputs(
    place: &str,
    old: &[Positioned<InputValueDefinition>],
    new: &[Positioned<InputValueDefinition>],
    broken: &mut Vec<String>,
) {
    let find = |all: &[Positioned<InputValueDefinition>], name: &str| {
        all.iter().map(|one| &one.node).find(|one| one.name.node == name).cloned()
    };
    for one in old {
        let (name, was) = (one.node.name.node.as_str(), &one.node.ty.node);
        match find(new, name) {
            None => broken.push(format!("{place}({name}): is gone")),
            Some(other) if !takes(was, &other.ty.node) => {
                broken.push(format!("{place}({name}): was {was}, is {}", other.ty.node));
            }
            Some(_) => {}
        }
    }
    for one in new {
        let name = one.node.name.node.as_str();
        let needed = !one.node.ty.node.nullable && one.node.default_value.is_none();
        if needed && find(old, name).is_none() {
            broken.push(format!("{place}({name}): is new and required"));
        }
    }
}

/// Whether an answer of the new type is one of the old: it may only say more surely that it is there.
fn gives(old: &Type, new: &Type) -> bool {
    (old.nullable || !new.nullable) && same(old, new, gives)
}

/// Whether a value of the old type is taken where the new one is asked for.
fn takes(old: &Type, new: &Type) -> bool {
    (!old.nullable || new.nullable) && same(old, new, takes)
}

fn same(old: &Type, new: &Type, inner: fn(&Type, &Type) -> bool) -> bool {
    match (&old.base, &new.base) {
        (BaseType::Named(old), BaseType::Named(new)) => old == new,
        (BaseType::List(old), BaseType::List(new)) => inner(old, new),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "
        type Query { thing(id: ID!, name: String): Thing things(first: Int = 20): [Thing!]! }
        interface Node { id: ID! key: Int }
        type Thing implements Node { id: ID! key: Int name: String kind: Kind! }
        input ThingInput { name: String! kind: Kind = a }
        enum Kind { a b }
        scalar Money
    ";

    fn broken(from: &str, to: &str) -> Vec<String> {
        let changed = SCHEMA.replace(from, to);
        assert_ne!(changed, SCHEMA, "{from} changes nothing");
        breaking_changes(SCHEMA, &changed).expect("two schemas")
    }

    #[test]
    fn what_breaks_somebody_is_told() {
        for (from, to, told) in [
            ("scalar Money", "", "Money: is gone"),
            ("scalar Money", "enum Money { a }", "Money: is another kind of type"),
            ("kind: Kind! }", "}", "Thing.kind: is gone"),
            ("Thing implements Node", "Thing", "Thing: is no Node any more"),
            ("Node { id: ID! key: Int }", "Node { id: ID! }", "Node.key: is gone"),
            ("{ id: ID! key: Int name", "{ id: ID key: Int name", "Thing.id: was ID!, is ID"),
            (
                "{ id: ID! key: Int name",
                "{ id: String! key: Int name",
                "Thing.id: was ID!, is String!",
            ),
            ("[Thing!]!", "[Thing]!", "Query.things: was [Thing!]!, is [Thing]!"),
            (", name: String)", ")", "Query.thing(name): is gone"),
            (", name: String)", ", name: String!)", "Query.thing(name): was String, is String!"),
            (
                ", name: String)",
                ", name: String, more: Int!)",
                "Query.thing(more): is new and required",
            ),
            ("name: String! kind", "kind", "ThingInput(name): is gone"),
            (
                "kind: Kind = a }",
                "kind: Kind = a more: Int! }",
                "ThingInput(more): is new and required",
            ),
            ("enum Kind { a b }", "enum Kind { a }", "Kind.b: is gone"),
        ] {
            assert_eq!(broken(from, to), [told], "{from} to {to}");
        }
    }

    #[test]
    fn what_may_come_at_any_time_is_let_pass() {
        for (from, to) in [
            ("scalar Money", "scalar Money scalar More"),
            ("kind: Kind! }", "kind: Kind! more: Int! }"),
            ("name: String kind", "name: String! kind"),
            (", name: String)", ", name: String, more: Int)"),
            (", name: String)", ", name: String, more: Int! = 1)"),
            ("name: String! kind", "name: String kind"),
            ("enum Kind { a b }", "enum Kind { a b c }"),
        ] {
            assert_eq!(broken(from, to), Vec::<String>::new(), "{from} to {to}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(breaking_changes(SCHEMA, "type {").is_err());
    }
}
