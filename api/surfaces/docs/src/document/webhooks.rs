//! What is sent to a webhook endpoint, one entry a type of event.

use std::collections::BTreeMap;

use bodega_contract::Registry;
use serde_json::{Value, json};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
};

use super::Source;
use super::json::{id, or_null, reference, whole, word};
use super::plain::text;

/// What every event says, whatever it is about.
const ENVELOPE: &str = "EventEnvelope";

/// An entry a type of event, in the order of their names.
pub(super) fn paths(source: &Source<'_>) -> Paths {
    let mut all = Paths::new();
    for (name, event) in source.registry.events() {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body_of(name))));
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content.build());
        let mut operation = OperationBuilder::new()
            .tag(tag(source.registry, name))
            .operation_id(Some(format!("webhook.{name}")))
            .summary(Some(*name))
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
        all.paths.insert((*name).to_owned(), PathItem::new(HttpMethod::Post, operation.build()));
    }
    all
}

/// The schema of an event, and those of its types.
pub(super) fn schemas(source: &Source<'_>) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> = source
        .registry
        .events()
        .iter()
        .map(|(name, event)| {
            let data = match source.registry.view(resource_of(name)) {
                Some(view) => reference(view),
                None => json!({"type": "object", "description": "The object after the change."}),
            };
            let body = json!({
                "description": event.about,
                "allOf": [reference(ENVELOPE), {
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
    all.insert(ENVELOPE.to_owned(), event());
    all
}

fn resource_of(event: &str) -> &str {
    event.split('.').next().unwrap_or_default()
}

fn tag(registry: &Registry, event: &'static str) -> &'static str {
    let mut names = registry.resources().map(|(name, _)| name);
    names.find(|name| *name == resource_of(event)).unwrap_or("event")
}

/// `product.price_changed` is a `ProductPriceChangedEvent`.
pub(super) fn body_of(event: &str) -> String {
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
            "When this attempt was made, in seconds since 1970: refuse what is 5 minutes old.",
        ),
        header(
            "webhook-signature",
            text("^v1a?,[A-Za-z0-9+/=]+( v1a?,[A-Za-z0-9+/=]+)*$", 2_000).into(),
            "Signatures of `{webhook-id}.{webhook-timestamp}.{body}` (Standard Webhooks 1.0): one \
             that fits is enough.",
        ),
    ]
}

/// As the log of events shows it, and the place of the one before, so that a gap is seen.
fn event() -> Value {
    const DOTTED: &str = "^[a-z_.]+$";
    const PRINTABLE: &str = "^[!-~]+$";
    json!({
        "type": "object",
        "description": "A change that happened.",
        "required": [
            "id", "sequence", "type", "object_type", "object_id", "object_version", "api_version",
            "actor_type", "request_id", "traceparent", "data", "created_at",
        ],
        "properties": {
            "id": id("evt", "The event's id: the same in each delivery and in the log."),
            "sequence": whole(1, "Its place among the organization's events, gapless."),
            "previous_sequence": or_null(whole(1, "The place of the last one you were sent.")),
            "type": word(DOTTED, 100, "What happened: `resource.verb_past`."),
            "object_type": word(DOTTED, 60, "The type of the object."),
            "object_id": word(PRINTABLE, 60, "The object's id."),
            "object_version": whole(1, "The object's version after the change."),
            "api_version": word(
                "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                10,
                "The version of the API that `data` is in.",
            ),
            "actor_type": word(DOTTED, 20, "Who did it: `api_key`, or `system`."),
            "actor_id": or_null(word(PRINTABLE, 60, "The id of who did it.")),
            "request_id": id("req", "The call that caused it."),
            "traceparent": word(
                "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                55,
                "The trace of that call (W3C Trace Context).",
            ),
            "data": {
                "type": "object",
                "description": "The object after the change; as it last was, where it is gone.",
            },
            "previous": {
                "type": ["object", "null"],
                "description": "What changed, as it was; null where all is new or gone.",
            },
            "created_at": {
                "type": "string", "format": "date-time", "maxLength": 35,
                "description": "When it happened.",
            },
        },
    })
}
