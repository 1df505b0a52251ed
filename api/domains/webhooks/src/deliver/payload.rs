//! What is posted: the event as the log shows it, in the endpoint's version and shape.

use std::borrow::Cow;

use bodega_courier::Bytes;
use bodega_kernel::{Problem, Result, Versions, tagged};
use chrono::{DateTime, Utc};
use entity::webhooks::{event, webhook_delivery, webhook_endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::endpoint::FieldName;
use crate::stored;

#[derive(Serialize)]
struct Body<'a> {
    id: String,
    sequence: Option<i64>,
    previous_sequence: Option<i64>,
    r#type: &'a str,
    object_type: &'a str,
    object_id: &'a str,
    object_version: i64,
    api_version: &'a str,
    actor_type: &'a str,
    actor_id: Option<&'a str>,
    request_id: String,
    traceparent: &'a str,
    data: Cow<'a, Value>,
    previous: Option<Cow<'a, Value>>,
    created_at: DateTime<Utc>,
}

/// The body of a message, its object in the shape that the endpoint's selection gave it, where it has
/// one. The event's place is the delivery's: the event at hand may be from before
/// it had one. `previous_sequence` is the place of the event sent there before this one, so that the
/// receiver sees a gap.
pub(crate) fn body(
    versions: &Versions,
    endpoint: &webhook_endpoint::Model,
    event: &event::Model,
    delivery: &webhook_delivery::Model,
    selected: Option<&Value>,
) -> Result<Bytes> {
    let shape = |value| shaped(versions, endpoint, event, value);
    let body = Body {
        id: tagged("evt", event.id),
        sequence: delivery.sequence,
        previous_sequence: delivery.previous_sequence,
        r#type: &event.r#type,
        object_type: &event.object_type,
        object_id: &event.object_id,
        object_version: event.object_version,
        api_version: &endpoint.api_version,
        actor_type: &event.actor_type,
        actor_id: event.actor_id.as_deref(),
        request_id: tagged("req", event.request_id),
        traceparent: &event.traceparent,
        data: selected.map_or_else(|| shape(&event.data), Cow::Borrowed),
        previous: event.previous.as_ref().map(shape),
        created_at: event.created_at,
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(Problem::internal)
}

fn shaped<'a>(
    versions: &Versions,
    endpoint: &webhook_endpoint::Model,
    event: &event::Model,
    value: &'a Value,
) -> Cow<'a, Value> {
    let mut shaped = Cow::Borrowed(value);
    if endpoint.api_version != versions.latest() {
        let get = format!("{}.get", event.object_type);
        versions.downgrade(&endpoint.api_version, &get, shaped.to_mut());
    }
    let fields: Vec<FieldName> = stored(&endpoint.fields);
    if !fields.is_empty()
        && let Value::Object(members) = shaped.to_mut()
    {
        members.retain(|name, _| fields.iter().any(|field| field.0 == *name));
    }
    shaped
}
