//! Each operation as a field of a root.
//!
//! An operation that takes an id alone has the argument `id`, and a mutation the two guards beside it.
//! One that takes more has one argument, `input`, with all of it: id and guards too.

use async_graphql::dynamic::TypeRef;
use bodega_contract::{Deprecation, Kind, Operation, Output};

use super::types::{INT64, Types, required};
use super::{Argument, Field, Input, Source};
use crate::names::{camel, pascal, upper};

/// The object that an operation is about.
pub(crate) const ID: &str = "id";
/// All that an operation takes, where it is more than an id.
pub(crate) const INPUT: &str = "input";
/// The version that the object must have.
pub(crate) const IF_MATCH: &str = "ifMatch";
/// The caller's name for a call.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotencyKey";

impl Types<'_> {
    pub(super) fn root_field(&mut self, index: usize, operation: &Operation) -> Field {
        let Operation { resource, verb, .. } = operation;
        let plural = operation.path.strip_prefix("/v1/").unwrap_or(resource);
        let stem = pascal(resource) + &pascal(verb);
        let name = match *verb {
            "get" => camel(resource),
            "list" => camel(plural),
            verb => camel(resource) + &pascal(verb),
        };
        let mut arguments = own(operation);
        let kind = match &operation.output {
            Output::Page(schema) => {
                let (kind, paging) = self.connection(operation, schema);
                arguments.extend(paging);
                kind
            }
            Output::One(schema) => self.output(schema),
        };
        if let Some(body) = &operation.input {
            arguments = vec![self.one_input(&stem, operation, &body.name, arguments)];
        }
        let whole = operation.deprecated.iter().find(|what| what.field.is_none());
        Field {
            arguments,
            deprecated: whole.map(reason),
            source: Source::Operation(index),
            ..Field::new(name, kind, about(operation))
        }
    }

    /// The one argument of an operation that takes a body, with what it takes beside the body in it.
    fn one_input(
        &mut self,
        stem: &str,
        operation: &Operation,
        body: &str,
        beside: Vec<Argument>,
    ) -> Argument {
        let name = format!("{stem}Input");
        let (first, last): (Vec<_>, Vec<_>) = beside.into_iter().partition(|one| one.name == ID);
        let mut fields = first;
        fields.extend(self.body(body).into_iter().map(|field| {
            let goes = |what: &&Deprecation| {
                what.field.and_then(|pointer| pointer.strip_prefix('/')) == Some(&*field.rest)
            };
            let deprecated = operation.deprecated.iter().find(goes).map(reason);
            Argument { deprecated, ..field }
        }));
        fields.extend(last);
        let mut seen = std::collections::HashSet::new();
        let twice: Vec<_> = fields.iter().filter(|one| !seen.insert(one.name.as_str())).collect();
        let twice = twice.iter().map(|one| format!("{name}.{}: there twice", one.name));
        self.model.faults.extend(twice.collect::<Vec<_>>());
        let about =
            format!("What `{}` takes.", camel(operation.resource) + &pascal(operation.verb));
        if self.model.inputs.insert(name.clone(), Input { about, fields, is_pair: false }).is_some()
        {
            self.model.faults.push(format!("{name}: two inputs have this name"));
        }
        Argument::new(INPUT, required(TypeRef::named(name), true), "All that it takes.")
    }
}

/// What an operation takes that REST has in the path and in headers.
fn own(operation: &Operation) -> Vec<Argument> {
    let mut arguments = Vec::new();
    if operation.has_id() {
        arguments.push(Argument::new(ID, TypeRef::named_nn(TypeRef::ID), "The object's id."));
    }
    if operation.kind == Kind::Query {
        return arguments;
    }
    if operation.has_id() {
        let about = "The version the object must have; any, where it is not given.";
        arguments.push(Argument::new(IF_MATCH, TypeRef::named(INT64), about));
    }
    let about = "Your name for this call: with the same one it is done once, and answered the same \
                 again for 48 hours.";
    arguments.push(Argument::new(IDEMPOTENCY_KEY, TypeRef::named(TypeRef::STRING), about));
    arguments
}

fn about(operation: &Operation) -> String {
    let scope = match operation.scope {
        "" => String::new(),
        scope => format!("\n\nScope: `{scope}`."),
    };
    let states = operation.transition.iter().flat_map(|transition| &transition.from);
    let about = states.fold(operation.about.clone(), |about, state| {
        about.replace(&format!("`{state}`"), &format!("`{}`", upper(state)))
    });
    format!("{}: {about}{scope}", operation.summary)
}

fn reason(what: &Deprecation) -> String {
    format!("Since {}; ends {}. Use {} instead.", what.since, what.sunset, what.instead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MUTATION, Model};
    use bodega_contract::{Declared, Handler, Method, Registry, Schema, Schemas};
    use serde_json::json;

    fn update(deprecated: Vec<Deprecation>, members: serde_json::Value) -> Model {
        let mut schemas = Schemas::default();
        schemas
            .0
            .insert("ThingUpdate".to_owned(), json!({"type": "object", "properties": members}));
        schemas.0.insert("Thing".to_owned(), json!({"type": "object", "properties": {"id": {}}}));
        let operation = Operation {
            id: "thing.update",
            resource: "thing",
            verb: "update",
            kind: Kind::Command,
            method: Method::Patch,
            path: "/v1/things/{id}".to_owned(),
            scope: "",
            cost: 1,
            summary: "Update".to_owned(),
            about: "Changes.".to_owned(),
            input: Some(Schema::new("ThingUpdate".to_owned())),
            output: Output::One("Thing".to_owned()),
            status: 200,
            list: None,
            shaped: false,
            secret: false,
            prefix: "thing",
            emits: Vec::new(),
            fails: Vec::new(),
            deprecated,
            prepare: None,
            transition: None,
            by_ids: None,
            handler: Handler::Batch,
        };
        let things = Declared::bare("thing", "Things", schemas, vec![operation]);
        Model::new(&Registry::new([things]))
    }

    #[test]
    fn what_goes_away_is_marked() {
        let goes = |field| Deprecation {
            field,
            since: "2026-01-01",
            sunset: "2027-01-01",
            instead: "`new_name`",
        };
        let members = json!({"old_name": {"type": "string"}, "new_name": {"type": "string"}});
        let model = update(vec![goes(None), goes(Some("/old_name"))], members);
        let told = Some("Since 2026-01-01; ends 2027-01-01. Use `newName` instead.");
        let field = model.objects.get(MUTATION).and_then(|root| root.field("thingUpdate"));
        assert_eq!(field.and_then(|one| one.deprecated.as_deref()), told);
        let input = model.inputs.get("ThingUpdateInput").map(|one| &one.fields);
        let marked = input.into_iter().flatten().filter(|one| one.deprecated.is_some());
        let marked: Vec<_> =
            marked.map(|one| (one.name.as_str(), one.deprecated.as_deref())).collect();
        assert_eq!(marked, [("oldName", told)]);
    }

    #[test]
    fn an_input_has_no_two_members_of_one_name() {
        let model =
            update(Vec::new(), json!({"id": {"type": "string"}, "if_match": {"type": "string"}}));
        assert_eq!(
            model.faults,
            ["ThingUpdateInput.id: there twice", "ThingUpdateInput.ifMatch: there twice"]
        );
    }
}
