//! The types of events there are: what each looks like, with samples. They are made of the list of
//! operations, so the program gives them as a port.

use std::sync::Arc;

use bodega_contract::{Declared, Handler, Input, Kind, Method, Operation, Output, Reply, Schemas};
use bodega_kernel::{Cx, Problem, Result, Shown};
use entity::webhooks::event;
use futures::FutureExt;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::event::EventEntry;

const NAME: &str = "event_type";

/// Events of the organization's own that are shown as samples.
const SAMPLES: u64 = 3;

/// Tells what a type looks like, by its name.
type Describe = dyn Fn(&str) -> Option<KnownEvent> + Send + Sync;

/// Every type of event there is. What one looks like is worked out when somebody asks.
pub struct EventCatalog {
    /// Each type and when it happens, in the order of their names.
    pub types: Vec<(&'static str, &'static str)>,
    /// What a type looks like.
    pub describe: Box<Describe>,
}

/// What a type of event looks like.
#[derive(Clone, Debug)]
pub struct KnownEvent {
    /// JSON Schema of the event.
    pub schema: Value,
    /// An event of the type, always the same.
    pub sample: Value,
}

impl EventCatalog {
    pub(crate) fn find(&self, name: &str) -> Option<(EventTypeSummary, KnownEvent)> {
        let (name, about) = self.types.iter().find(|(known, _)| *known == name)?;
        Some((EventTypeSummary::of(name, about), (self.describe)(name)?))
    }
}

/// A type of event or many: `product.created`, `product.*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 100)]
pub struct EventPattern(pub String);

/// A type of event: `product.created`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 100)]
pub struct EventTypeName(pub String);

/// A type of event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTypeSummary {
    /// `product.created`.
    pub r#type: EventTypeName,
    /// The type of the object that it tells of.
    #[schema(max_length = 60)]
    pub object_type: String,
    /// When it happens.
    #[schema(max_length = 500)]
    pub description: String,
}

/// A type of event, and what it looks like.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventType {
    /// `product.created`.
    pub r#type: EventTypeName,
    /// The type of the object that it tells of.
    #[schema(max_length = 60)]
    pub object_type: String,
    /// When it happens.
    #[schema(max_length = 500)]
    pub description: String,
    /// The event's JSON Schema.
    #[schema(value_type = Object)]
    pub schema: Value,
}

/// Every type of event: the list is short, and comes whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventTypes {
    /// The types, in the order of their names.
    #[schema(max_items = 1000)]
    pub data: Vec<EventTypeSummary>,
}

/// Events of a type, as they are sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventSamples {
    /// The organization's latest ones, then one that is always the same.
    #[schema(max_items = 4)]
    pub data: Vec<EventEntry>,
}

impl EventTypeSummary {
    fn of(name: &str, about: &str) -> Self {
        Self {
            r#type: EventTypeName(name.to_owned()),
            object_type: name.split('.').next().unwrap_or_default().to_owned(),
            description: about.to_owned(),
        }
    }
}

pub(crate) fn resource() -> Declared {
    let mut schemas = Schemas::default();
    let all = Output::One(schemas.add_output::<EventTypes>());
    let one = Output::One(schemas.add_output::<EventType>());
    let samples = Output::One(schemas.add_output::<EventSamples>());
    let operations = vec![
        operation("list", "", all, "List event types", handler(|cx, _| list(cx).boxed())),
        operation("get", "/{id}", one, "Get an event type", handler(|cx, id| get(cx, id).boxed())),
        operation(
            "samples",
            "/{id}/samples",
            samples,
            "Get samples of an event type",
            handler(|cx, id| sample(cx, id).boxed()),
        ),
    ];
    Declared::bare(NAME, "A type of event, and what it looks like", schemas, operations)
}

/// Writes the names of all events into the schemas that take one, so that a wrong one is refused
/// with the nearest right one.
pub(crate) fn complete(schemas: &mut Schemas, names: &[&'static str]) {
    let mut patterns = vec!["*".to_owned()];
    let mut resources: Vec<_> = names.iter().filter_map(|name| name.split_once('.')).collect();
    resources.dedup_by_key(|(resource, _)| *resource);
    patterns.extend(resources.iter().map(|(resource, _)| format!("{resource}.*")));
    patterns.extend(names.iter().map(|name| (*name).to_owned()));
    schemas.set_choices("EventPattern", json!(patterns));
    schemas.set_choices("EventTypeName", json!(names));
}

fn operation(
    verb: &'static str,
    path: &str,
    output: Output,
    summary: &str,
    handler: Handler,
) -> Operation {
    Operation {
        id: format!("{NAME}.{verb}").leak(),
        resource: NAME,
        verb,
        kind: Kind::Query,
        method: Method::Get,
        path: format!("/v1/event_types{path}"),
        scope: "events:read",
        cost: 1,
        summary: summary.to_owned(),
        about: match verb {
            "list" => "Every type of event there is.",
            "get" => "One type of event by its name, `product.created`, with its JSON Schema.",
            _ => "The organization's latest events of the type, and one that is always the same.",
        }
        .to_owned(),
        input: None,
        output,
        status: 200,
        list: None,
        shaped: false,
        secret: false,
        prefix: "",
        emits: Vec::new(),
        fails: Vec::new(),
        deprecated: Vec::new(),
        prepare: None,
        transition: None,
        by_ids: None,
        handler,
    }
}

fn handler(
    run: impl Fn(Cx, String) -> futures::future::BoxFuture<'static, Result<Value>>
    + Send
    + Sync
    + 'static,
) -> Handler {
    Handler::Query(Arc::new(move |cx: Cx, input: Input| {
        let answer = run(cx, input.id.unwrap_or_default());
        Box::pin(async move { Ok(Reply::One(Shown::of(&answer.await?)?)) })
    }))
}

async fn list(cx: Cx) -> Result<Value> {
    let catalog = cx.platform.ports.get::<EventCatalog>()?;
    let types = catalog.types.iter().map(|(name, about)| EventTypeSummary::of(name, about));
    Ok(json!(EventTypes { data: types.collect() }))
}

async fn get(cx: Cx, name: String) -> Result<Value> {
    let catalog = cx.platform.ports.get::<EventCatalog>()?;
    let (EventTypeSummary { r#type, object_type, description }, known) =
        catalog.find(&name).ok_or_else(unknown)?;
    Ok(json!(EventType { r#type, object_type, description, schema: known.schema }))
}

async fn sample(cx: Cx, name: String) -> Result<Value> {
    let catalog = cx.platform.ports.get::<EventCatalog>()?;
    let (_, known) = catalog.find(&name).ok_or_else(unknown)?;
    let rows = cx
        .rows::<EventEntry>()?
        .filter(event::Column::Type.eq(name))
        .order_by_desc(event::Column::CreatedAt)
        .order_by_desc(event::Column::Id)
        .limit(SAMPLES)
        .all(cx.db())
        .await?;
    let mut data: Vec<Value> = rows.into_iter().map(|row| json!(EventEntry::from(row))).collect();
    data.push(known.sample);
    Ok(json!({"data": data}))
}

fn unknown() -> Problem {
    Problem::not_found(NAME)
}
