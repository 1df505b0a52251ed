//! What is sent to a webhook endpoint, one entry a type of event.

use std::collections::BTreeMap;

use bodega_contract::{Operation as Declared, Registry};
use bodega_kernel::Event;
use serde_json::{Value, json};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
};

use super::Source;
use super::plain::text;

/// An entry a type of event, in the order of their names.
pub(super) fn paths(source: &Source<'_>) -> Paths {
    let mut all = Paths::new();
    for (name, (event, cause)) in events(source.registry) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body_of(name))));
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content.build());
        let mut operation = OperationBuilder::new()
            .tag(tag(source.registry, name, cause))
            .operation_id(Some(format!("webhook.{name}")))
            .summary(Some(name))
            .description(Some(event.about))
            .request_body(Some(body.build()))
            .securities(Some([]))
            .response("2XX", ResponseBuilder::new().description("Taken; it is not sent again."))
            .response("410", ResponseBuilder::new().description("Gone: the endpoint is disabled."))
            .response(
                "default",
                ResponseBuilder::new().description("Not taken; it is sent again."),
            );
        for header in signature() {
            operation = operation.parameter(header);
        }
        all.paths.insert(name.to_owned(), PathItem::new(HttpMethod::Post, operation.build()));
    }
    all
}

/// The schema of an event, and those of its types.
pub(super) fn schemas(source: &Source<'_>) -> BTreeMap<String, Value> {
    let events = events(source.registry);
    let mut all: BTreeMap<String, Value> = events
        .into_iter()
        .map(|(name, (event, _))| {
            let data = match source.registry.view(resource_of(name)) {
                Some(view) => json!({
                    "$ref": format!("#/components/schemas/{view}"),
                    "description": "The object as it is after the change.",
                }),
                None => json!({"type": "object", "description": "The object after the change."}),
            };
            let body = json!({
                "description": event.about,
                "allOf": [{"$ref": "#/components/schemas/Event"}, {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "const": name, "description": "What happened."},
                        "data": data,
                    },
                }],
            });
            (body_of(name), body)
        })
        .collect();
    all.insert("Event".to_owned(), event());
    all
}

/// The types of events, each with an operation that causes it.
fn events(registry: &Registry) -> BTreeMap<&'static str, (&'static Event, &Declared)> {
    let mut all = BTreeMap::new();
    for operation in registry.operations() {
        for event in &operation.emits {
            all.entry(event.name).or_insert((*event, operation));
        }
    }
    all
}

fn resource_of(event: &str) -> &str {
    event.split('.').next().unwrap_or_default()
}

fn tag(registry: &Registry, event: &'static str, cause: &Declared) -> &'static str {
    let mut names = registry.resources().map(|(name, _)| name);
    names.find(|name| *name == resource_of(event)).unwrap_or(cause.resource)
}

/// `product.price_changed` is a `ProductPriceChangedEvent`.
fn body_of(event: &str) -> String {
    let mut name = String::new();
    for word in event.split(['.', '_']) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters);
    }
    format!("{name}Event")
}

/// The headers of Standard Webhooks.
fn signature() -> [Parameter; 3] {
    let header = |name: &str, schema: RefOr<Schema>, about: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .schema(Some(schema))
            .description(Some(about))
            .build()
    };
    [
        header(
            "webhook-id",
            text("^[!-~]+$", 100).into(),
            "The same for each attempt to deliver the same event: what you have seen, skip.",
        ),
        header(
            "webhook-timestamp",
            text("^[0-9]{1,12}$", 12).into(),
            "When this attempt was made, in seconds since 1970. Refuse what is older than 5 minutes.",
        ),
        header(
            "webhook-signature",
            text("^v1a?,[A-Za-z0-9+/=]+( v1a?,[A-Za-z0-9+/=]+)*$", 2_000).into(),
            "Signatures of `{webhook-id}.{webhook-timestamp}.{body}` (Standard Webhooks 1.0): one \
             that fits is enough.",
        ),
    ]
}

fn event() -> Value {
    let id = |prefix: &str, about: &str| {
        json!({
            "type": "string", "description": about, "maxLength": prefix.len() + 27,
            "pattern": format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"),
        })
    };
    let word = |about: &str| json!({"type": "string", "description": about, "pattern": "^[a-z_.]+$", "maxLength": 100});
    let public_id = |kind: Value, about: &str| json!({"type": kind, "description": about, "pattern": "^[!-~]+$", "maxLength": 100});
    let number = |kind: Value, about: &str| {
        json!({
            "type": kind, "format": "int64", "description": about,
            "minimum": 1, "maximum": 9_007_199_254_740_991_i64,
        })
    };
    json!({
        "type": "object",
        "description": "A change that happened.",
        "required": ["id", "type", "created_at", "api_version", "object", "data"],
        "properties": {
            "id": id("evt", "The event's id."),
            "type": word("What happened: `resource.verb_past`."),
            "created_at": {
                "type": "string", "format": "date-time", "maxLength": 35,
                "description": "When it happened.",
            },
            "api_version": {
                "type": "string", "format": "date", "maxLength": 10,
                "description": "The version of the API that `data` is in.",
            },
            "sequence": number(json!("integer"), "Its place among the organization's events, gapless."),
            "previous_sequence": number(json!(["integer", "null"]), "The one before that you were sent."),
            "object": {
                "type": "object",
                "description": "What it happened to.",
                "required": ["type", "id", "version"],
                "properties": {
                    "type": word("The resource."),
                    "id": public_id(json!("string"), "Its id."),
                    "version": number(json!("integer"), "Its version after the change."),
                },
            },
            "actor": {
                "type": "object",
                "description": "Who did it.",
                "required": ["type", "id"],
                "properties": {
                    "type": word("What they are: `api_key`, `system`."),
                    "id": public_id(json!(["string", "null"]), "Their id, where they have one."),
                },
            },
            "request_id": id("req", "The call that caused it."),
            "data": {"type": "object", "description": "The object as it is after the change."},
            "previous": {
                "type": ["object", "null"],
                "description": "The fields that changed, as they were; null where all is new or gone.",
            },
        },
    })
}
