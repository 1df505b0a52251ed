//! Samples: what an event of a type looks like, before one has happened.

use bodega_kernel::{FieldError, Problem, Result, Tx, problem, text};
use chrono::{DateTime, SecondsFormat, Utc};
use entity::webhooks::{webhook_delivery, webhook_endpoint};
use serde_json::Value;
use uuid::Uuid;

use crate::deliver;
use crate::event_type::EventCatalog;
use crate::selection::Selection;

/// A delivery of a sample, with an id of its own so that no receiver takes it for one it has seen.
pub(crate) async fn delivery(
    tx: &Tx,
    endpoint: &webhook_endpoint::Model,
    kind: &str,
) -> Result<webhook_delivery::Model> {
    let catalog = tx.platform.ports.get::<EventCatalog>()?;
    let (_, known) = catalog.find(kind).ok_or_else(|| {
        let detail = text("is no type of event", "no es un tipo de evento");
        Problem::new(&problem::NOT_FOUND).at(FieldError::body("/event_type", "unknown", detail))
    })?;
    let id = Uuid::now_v7();
    let mut sample = fresh_sample(&known.sample, id, &endpoint.api_version, tx.now);
    let object_id = sample["object_id"].as_str().unwrap_or_default().to_owned();
    if let Some(selection) = Selection::of(endpoint).filter(|one| one.is_of(kind)) {
        let objects = vec![sample["data"].take()];
        let shapes = selection.shapes(&tx.platform, endpoint, objects).await?;
        sample["data"] = shapes.into_iter().next().unwrap_or(Ok(Value::Null))?;
    }
    let sample = deliver::Sample { id, kind, object_id, payload: sample.to_string() };
    Ok(deliver::of_sample(endpoint, sample, tx.now))
}

/// A sample as if it happened now: with an id of its own, and no place in the log.
pub fn fresh_sample(sample: &Value, id: Uuid, api_version: &str, now: DateTime<Utc>) -> Value {
    let mut sample = sample.clone();
    if let Value::Object(members) = &mut sample {
        let now = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        members.insert("id".to_owned(), bodega_kernel::tagged("evt", id).into());
        members.insert("sequence".to_owned(), Value::Null);
        members.insert("previous_sequence".to_owned(), Value::Null);
        members.insert("api_version".to_owned(), api_version.into());
        members.insert("created_at".to_owned(), now.into());
    }
    sample
}
