//! One operation.

use bodega_contract::{Deprecation, Kind, Method, Operation as Declared};
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::{ContentBuilder, Deprecated, Ref, Required};

use super::{Shared, Source, example, parameters, responses};

/// Describes an operation; what it shares with others goes to `shared`.
pub(super) fn describe(source: &Source<'_>, declared: &Declared, shared: &mut Shared) -> Operation {
    let gone = declared.deprecated.iter().any(|deprecation| deprecation.field.is_none());
    let builder = OperationBuilder::new()
        .tag(declared.resource)
        .summary(Some(declared.summary.as_str()))
        .description(Some(about(declared)))
        .operation_id(Some(declared.id));
    let builder = parameters::add(source, declared, shared, builder)
        .request_body(body(source, declared))
        .responses(responses::of(source, declared, shared))
        .deprecated(gone.then_some(Deprecated::True))
        .extensions(Some(extensions(declared)));
    builder.build()
}

fn about(declared: &Declared) -> String {
    let mut about = declared.about.clone();
    for deprecation in &declared.deprecated {
        let Deprecation { field, since, sunset, instead } = deprecation;
        let what = match field {
            Some(pointer) => format!("`{}` is", pointer.trim_start_matches('/')),
            None => "This is".to_owned(),
        };
        about.push_str(&format!(
            "\n\n{what} deprecated since {since} and stops working on {sunset}. Use instead: \
             {instead}."
        ));
    }
    about
}

fn body(source: &Source<'_>, declared: &Declared) -> Option<RequestBody> {
    let name = &declared.input.as_ref()?.name;
    let example = example::of(source.registry.schemas(), name);
    let kinds: &[&str] = match declared.method {
        Method::Patch => &["application/json", "application/merge-patch+json"],
        _ => &["application/json"],
    };
    let mut body = RequestBodyBuilder::new().required(Some(Required::True));
    for kind in kinds {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(name)))
            .example(example.clone())
            .build();
        body = body.content(*kind, content);
    }
    Some(body.build())
}

fn extensions(declared: &Declared) -> Extensions {
    let problems: Vec<_> = crate::problems_of(declared).into_iter().map(|code| code.code).collect();
    let events: Vec<_> = declared.emits.iter().map(|event| event.name).collect();
    let scopes: Vec<_> =
        Some(declared.scope).filter(|scope| !scope.is_empty()).into_iter().collect();
    let mut all = Extensions::from_iter([
        ("x-cost", json!(declared.cost)),
        ("x-events", json!(events)),
        ("x-problems", json!(problems)),
        // Whether it only reads, whatever its method.
        ("x-safe", json!(declared.kind == Kind::Query)),
        ("x-scopes", json!(scopes)),
    ]);
    if let Some(transition) = &declared.transition {
        let states = json!({"from": transition.from, "to": transition.to});
        all.merge(Extensions::from_iter([("x-transition", states)]));
    }
    all
}
