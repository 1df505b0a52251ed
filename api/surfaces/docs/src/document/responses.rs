//! What an operation answers: its success, and a problem for each status it can have.

use bodega_contract::{Method, Operation, Output};
use bodega_kernel::{Code, Language};
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Responses, ResponsesBuilder,
};

use super::problem::sample;
use super::{Shared, Source, by_status, example, headers, plain, schemas};

const NOT_MODIFIED: &str = "NotModified";

/// All answers of an operation.
pub(super) fn of(source: &Source<'_>, operation: &Operation, shared: &mut Shared) -> Responses {
    let mut all =
        ResponsesBuilder::new().response(operation.status.to_string(), success(source, operation));
    if headers::is_conditional(operation) {
        let fresh = || {
            headers::on_not_modified(
                ResponseBuilder::new().description("What you have is still so."),
            )
            .build()
        };
        shared.responses.entry(NOT_MODIFIED.to_owned()).or_insert_with(fresh);
        all = all.response("304", Ref::from_response_name(NOT_MODIFIED));
    }
    for (status, codes) in by_status(operation) {
        let names: Vec<_> = codes.iter().map(|code| code.code).collect();
        let name = format!("Problem{status}-{}", names.join("-"));
        let made = || refusal(source, status, &codes);
        shared.responses.entry(name.clone()).or_insert_with(made);
        all = all.response(status.to_string(), Ref::from_response_name(name));
    }
    all.build()
}

fn success(source: &Source<'_>, operation: &Operation) -> Response {
    let view = operation.output.schema();
    let schemas = source.registry.schemas();
    let mut object = example::of(schemas, view);
    // What was removed is of one type, whatever it was: only the operation knows its ids.
    if let Some(id) = object.as_mut().and_then(|one| one.get_mut("id"))
        && operation.method == Method::Delete
    {
        *id = plain::id_example(operation.prefix).into();
    }
    let (schema, example, about): (RefOr<Schema>, Option<Value>, String) = match &operation.output {
        Output::Page(_) => (
            Ref::from_schema_name(schemas::page_of(view)).into(),
            object.map(|one| json!({"data": [one], "next_cursor": null, "prev_cursor": null})),
            format!("A page of `{view}` objects."),
        ),
        Output::One(_) if operation.shaped => {
            (whole_or_some(view), object, format!("The `{view}`."))
        }
        Output::One(_) => {
            let the = if operation.status == 201 { "The new" } else { "The" };
            (Ref::from_schema_name(view).into(), object, format!("{the} `{view}`."))
        }
    };
    let content = ContentBuilder::new().schema(Some(schema)).example(example).build();
    let response = ResponseBuilder::new().description(about).content("application/json", content);
    headers::on_success(operation, response).build()
}

/// An object, or as much of it as `fields` asks for.
pub(super) fn whole_or_some(view: &str) -> RefOr<Schema> {
    let some = Ref::from_schema_name(schemas::fields_of(view));
    AnyOfBuilder::new().item(Ref::from_schema_name(view)).item(some).into()
}

fn refusal(source: &Source<'_>, status: u16, codes: &[&'static Code]) -> Response {
    let title = |code: &&Code| format!("{} (`{}`)", code.title.get(Language::English), code.code);
    let about = format!("{}.", codes.iter().map(title).collect::<Vec<_>>().join(", "));
    let examples = codes.iter().map(|code| {
        let value = sample(code, source.versions);
        let summary = code.title.get(Language::English);
        (code.code, ExampleBuilder::new().summary(summary).value(Some(value)).build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let response =
        ResponseBuilder::new().description(about).content("application/problem+json", content);
    headers::on_problem(status, response).build()
}
