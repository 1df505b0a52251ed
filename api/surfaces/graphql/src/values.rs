//! Values that come in: variables and arguments, held against their types, and put into REST's words.

use std::collections::HashMap;

use async_graphql::dynamic::TypeRef;
use async_graphql::parser::types::{BaseType, Directive, OperationDefinition, Type};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value as Ast;
use serde_json::{Map, Value};

use crate::error::Fault;
use crate::model::{Argument, Form, Model, PAIR_NAME, PAIR_VALUE};

/// The values of an operation's variables, by name; one that was not given is not there.
pub(crate) type Variables = HashMap<String, Value>;

/// How deep lists and inputs may be in one another; JSON is held to the same by its parser.
const DEPTH_MAX: usize = 32;

/// The variables of an operation, as they came, each of its declared type.
pub(crate) fn variables(
    model: &Model,
    operation: &OperationDefinition,
    given: &Map<String, Value>,
) -> Result<Variables, Fault> {
    let mut all = Variables::new();
    for definition in &operation.variable_definitions {
        let name = definition.node.name.node.as_str();
        let kind = reference(&definition.node.var_type.node);
        let wrong =
            |why: String| Fault::invalid(format!("Variable \"${name}\" {why}"), [definition.pos]);
        let value = match (given.get(name), &definition.node.default_value) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.node.clone().into_json().unwrap_or_default(),
            (None, None) if matches!(kind, TypeRef::NonNull(_)) => {
                return Err(wrong(format!("of type \"{kind}\" is required.")));
            }
            (None, None) => continue,
        };
        coerce(model, &kind, &value, 0).map_err(wrong)?;
        all.insert(name.to_owned(), value);
    }
    Ok(all)
}

/// The arguments of a field, variables put in: each by its own name, what is in it as REST says it.
pub(crate) fn arguments(
    model: &Model,
    declared: &[Argument],
    given: &[(Positioned<Name>, Positioned<Ast>)],
    variables: &Variables,
) -> Result<Map<String, Value>, Fault> {
    let mut all = Map::new();
    for argument in declared {
        let own = given.iter().find(|(name, _)| name.node == argument.name.as_str());
        let value = own.and_then(|(_, value)| plain(&value.node, variables));
        let Some(value) = value else { continue };
        let at = own.map(|(name, _)| name.pos);
        let value = coerce(model, &argument.kind, &value, 0)
            .map_err(|why| Fault::invalid(format!("Argument \"{}\" {why}", argument.name), at))?;
        all.insert(argument.name.clone(), value);
    }
    Ok(all)
}

/// Whether `@skip` and `@include` leave a selection in.
pub(crate) fn included(directives: &[Positioned<Directive>], variables: &Variables) -> bool {
    directives.iter().all(|directive| {
        let condition = directive.node.get_argument("if");
        let holds = condition.and_then(|value| plain(&value.node, variables));
        match directive.node.name.node.as_str() {
            "skip" => holds != Some(Value::Bool(true)),
            "include" => holds != Some(Value::Bool(false)),
            _ => true,
        }
    })
}

/// A literal as JSON, variables put in; nothing, where it is a variable that was not given.
fn plain(value: &Ast, variables: &Variables) -> Option<Value> {
    Some(match value {
        Ast::Variable(name) => return variables.get(name.as_str()).cloned(),
        Ast::Null => Value::Null,
        Ast::Number(number) => Value::Number(number.clone()),
        Ast::String(text) => Value::String(text.clone()),
        Ast::Boolean(yes) => Value::Bool(*yes),
        Ast::Binary(_) => Value::Null,
        Ast::Enum(name) => Value::String(name.to_string()),
        Ast::List(items) => {
            items.iter().map(|item| plain(item, variables).unwrap_or_default()).collect()
        }
        Ast::Object(members) => {
            let each = members.iter();
            let each =
                each.filter_map(|(name, value)| Some((name.to_string(), plain(value, variables)?)));
            Value::Object(each.collect())
        }
    })
}

/// A value of a type in REST's words, or what is wrong with it.
fn coerce(model: &Model, kind: &TypeRef, value: &Value, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err("is nested too deep.".to_owned());
    }
    match (kind, value) {
        (TypeRef::NonNull(_), Value::Null) => {
            Err(format!("must not be null: it is of type \"{kind}\"."))
        }
        (TypeRef::NonNull(inner), value) => coerce(model, inner, value, depth),
        (_, Value::Null) => Ok(Value::Null),
        (TypeRef::List(inner), Value::Array(items)) => {
            let items = items.iter().map(|item| coerce(model, inner, item, depth + 1));
            listed(model, inner, items.collect::<Result<_, _>>()?)
        }
        (TypeRef::List(inner), one) => {
            listed(model, inner, vec![coerce(model, inner, one, depth + 1)?])
        }
        (TypeRef::Named(name), value) => named(model, name, value, depth),
    }
}

/// A list; of pairs, the map that REST takes.
fn listed(model: &Model, inner: &TypeRef, items: Vec<Value>) -> Result<Value, String> {
    if !model.inputs.get(inner.type_name()).is_some_and(|input| input.is_pair) {
        return Ok(Value::Array(items));
    }
    let mut map = Map::with_capacity(items.len());
    for item in items {
        let name = item[PAIR_NAME].as_str().unwrap_or_default().to_owned();
        if map.contains_key(&name) {
            return Err(format!("has \"{name}\" twice."));
        }
        map.insert(name, item[PAIR_VALUE].clone());
    }
    Ok(Value::Object(map))
}

fn named(model: &Model, name: &str, value: &Value, depth: usize) -> Result<Value, String> {
    if let Some(input) = model.inputs.get(name) {
        return self::input(model, name, &input.fields, value, depth);
    }
    let wrong = || format!("is not a value of type \"{name}\".");
    if let Some(choice) = model.enums.get(name) {
        let rest = value.as_str().and_then(|given| choice.values.rest(given));
        return rest.map(Value::from).ok_or_else(wrong);
    }
    let fits = match model.scalars.get(name) {
        Some(scalar) => match scalar.form {
            Form::Text => value.is_string(),
            Form::Whole => value.is_i64(),
            Form::Any => true,
        },
        None => match name {
            TypeRef::INT => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            TypeRef::FLOAT => value.is_number(),
            TypeRef::BOOLEAN => value.is_boolean(),
            TypeRef::ID if value.is_i64() => return Ok(Value::String(value.to_string())),
            _ => value.is_string(),
        },
    };
    if fits { Ok(value.clone()) } else { Err(wrong()) }
}

/// The members stay in the order they came: a retry by another door is then the same request.
fn input(
    model: &Model,
    name: &str,
    fields: &[Argument],
    value: &Value,
    depth: usize,
) -> Result<Value, String> {
    let Value::Object(given) = value else {
        return Err(format!("must be an object of type \"{name}\"."));
    };
    let needs = |field: &&Argument| {
        matches!(field.kind, TypeRef::NonNull(_))
            && field.default.is_none()
            && !given.contains_key(&field.name)
    };
    if let Some(field) = fields.iter().find(needs) {
        return Err(format!("lacks \"{}\" of type \"{}\".", field.name, field.kind));
    }
    let mut all = Map::with_capacity(given.len());
    for (member, value) in given {
        let Some(field) = fields.iter().find(|field| field.name == *member) else {
            return Err(format!("has no field \"{member}\": it is of type \"{name}\"."));
        };
        let value = coerce(model, &field.kind, value, depth + 1)
            .map_err(|why| format!("at \"{member}\": {why}"))?;
        all.insert(field.rest.clone(), value);
    }
    Ok(Value::Object(all))
}

/// A type as a document writes it.
fn reference(kind: &Type) -> TypeRef {
    let base = match &kind.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(inner) => TypeRef::List(Box::new(reference(inner))),
    };
    if kind.nullable { base } else { TypeRef::NonNull(Box::new(base)) }
}
