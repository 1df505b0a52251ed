//! Webhook endpoints: where events are sent, which of them, and how.

pub(crate) mod again;
mod explain;
mod replay;
mod secrets;
mod types;

use bodega_contract::{Deleted, Resource};
use bodega_courier::{Policy, check_header, check_url};
use bodega_kernel::{
    Event, FieldError, Id, Noun, Patch, Problem, Result, Row, ScopeSet, Tx, problem, text,
};
use entity::Owned;
use entity::webhooks::webhook_endpoint::{Column, EndpointState, Entity, Model};
use entity::webhooks::{event, webhook_health};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};

use crate::WEBHOOKS;
use crate::deliver;
use crate::filter::Filter;
use crate::sight::may_name;
use crate::webhook_delivery::WebhookDelivery;
use crate::webhook_health::WebhookHealth;
use crate::{sample, selection, stored};

pub use types::*;

pub(crate) use secrets::{Kept, signing};

pub(crate) fn resource() -> Resource<WebhookEndpoint> {
    Resource::new(WEBHOOKS,
        "Where events are sent, which of them, and how",
    )
    .list()
    .filter(["url", "state"])
    .get()
    .create(create)
    .note(
        "No handshake: the endpoint is sent events from now on. The secret is in this answer and \
         never again. It is sent only what the scopes of your key can read. The plan limits how \
         many endpoints there can be, and how many with a filter and with a selection.",
    )
    .secret()
    .emits(&CREATED)
    .fails(&problem::LIMIT_REACHED)
    .fails(&problem::DESTINATION_NOT_ALLOWED)
    .fails(&problem::FILTER_NOT_VALID)
    .fails(&problem::SELECTION_NOT_VALID)
    .fails(&problem::HEADER_NOT_ALLOWED)
    .update(update)
    .emits(&UPDATED)
    .fails(&problem::DESTINATION_NOT_ALLOWED)
    .fails(&problem::FILTER_NOT_VALID)
    .fails(&problem::SELECTION_NOT_VALID)
    .fails(&problem::HEADER_NOT_ALLOWED)
    .delete(delete)
    .note("What waits for it is not sent. Removing it again changes nothing.")
    .emits(&DELETED)
    .states([EndpointState::Enabled])
    .automatic([EndpointState::Disabled])
    .transition_with(
        "pause",
        "Holds its deliveries; they wait until it is resumed.",
        [EndpointState::Enabled, EndpointState::Disabled],
        [EndpointState::Paused],
        pause,
    )
    .emits(&PAUSED)
    .transition_with(
        "resume",
        "Sends the events that have waited, and those to come.",
        [EndpointState::Paused, EndpointState::Disabled],
        [EndpointState::Enabled],
        resume,
    )
    .note("Events that its filter could not decide, because it took too much, are decided again.")
    .emits(&RESUMED)
    .action_with(
        "rotate_secret",
        "Signs with a new secret, and for a while with the old one too.",
        secrets::rotate,
    )
    .secret()
    .emits(&SECRET_ROTATED)
    .action_with("test", "Sends a sample of an event, whatever the endpoint takes.", send_test)
    .emits(&TESTED)
    .ask(
        "explain",
        "Says why an event was sent here or was not, and when it is tried next.",
        explain::explain,
    )
    .action_prepared(
        "replay",
        "Sends events of a time again, up to 10,000 at once; `dry_run` only counts them.",
        replay::count,
        replay::replay,
    )
    .note(
        "They are counted now, and written down a few hundred at a time after the answer. A filter \
         that takes long for many events needs a shorter time.",
    )
    .emits(&REPLAYED)
    .fails(&problem::LIMIT_REACHED)
    .fails(&problem::FILTER_NOT_VALID)
    .causes(&DISABLED)
    .causes(&RECOVERED)
    .belongs_to::<WebhookHealth>("health", "id")
}

static CREATED: Event = Event::new("webhook_endpoint.created", "A webhook endpoint was made.");
static UPDATED: Event = Event::new("webhook_endpoint.updated", "A webhook endpoint changed.");
static DELETED: Event = Event::new("webhook_endpoint.deleted", "A webhook endpoint was removed.");
static PAUSED: Event = Event::new("webhook_endpoint.paused", "A webhook endpoint was paused.");
static RESUMED: Event = Event::new("webhook_endpoint.resumed", "A webhook endpoint goes on.");
static SECRET_ROTATED: Event = Event::new(
    "webhook_endpoint.secret_rotated",
    "A webhook endpoint's messages are signed with a new secret.",
);
static TESTED: Event = Event::new("webhook_endpoint.tested", "A sample is sent to an endpoint.");
static REPLAYED: Event =
    Event::new("webhook_endpoint.replayed", "Events are sent to an endpoint again.");
/// The breaker's, and the receiver's own 410.
pub(crate) static DISABLED: Event = Event::new(
    "webhook_endpoint.disabled",
    "A webhook endpoint only failed, wants no more, or its filter takes too much: nothing is sent.",
);
/// The breaker's.
pub(crate) static RECOVERED: Event = Event::new(
    "webhook_endpoint.recovered",
    "A webhook endpoint that only failed works again, and what waited is sent.",
);

async fn create(tx: Tx, body: WebhookEndpointCreate) -> Result<NewWebhookEndpoint> {
    let id = tx.new_id::<WebhookEndpoint>();
    let url = destination(&tx, &body.url)?;
    body.filter.as_deref().map(Filter::compile).transpose()?;
    may_name(&tx.platform, &tx.scopes, &body.event_types)?;
    selection::check(&tx, &body.event_types, body.selection.as_deref()).await?;
    let (names, headers) = headers(&tx, id, &body.custom_headers)?;
    let secret = secrets::make(body.signature, body.secret)?;
    room(&tx, true, body.filter.is_some(), body.selection.is_some()).await?;
    let row = Model {
        id: id.uuid(),
        organization_id: tx.organization,
        url,
        description: body.description,
        event_types: json!(body.event_types),
        filter: body.filter,
        changed_fields: json!(body.changed_fields),
        fields: json!(body.fields),
        selection: body.selection,
        scopes: json!(tx.scopes.names().collect::<Vec<_>>()),
        custom_header_names: names,
        custom_headers: headers,
        ordering: body.ordering,
        rate_limit_per_second: body.rate_limit_per_second,
        api_version: tx.origin.api_version.clone(),
        payload_days: body.payload_days,
        state: EndpointState::Enabled,
        disabled_reason: None,
        secrets: json!([Kept::new(&tx, id, &secret)?]),
        tested_at: None,
        replayed_at: None,
        external_id: body.external_id,
        metadata: body.metadata,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    let endpoint = tx.create(&CREATED, row).await?;
    let health = deliver::healthy(id.uuid(), tx.organization);
    tx.reindex::<webhook_health::Entity>(webhook_health::Column::Id, id.uuid(), vec![health])
        .await?;
    Ok(NewWebhookEndpoint { secret: secrets::shown(&secret), endpoint })
}

async fn update(
    tx: Tx,
    id: Id<WebhookEndpoint>,
    patch: WebhookEndpointPatch,
) -> Result<WebhookEndpoint> {
    let row = tx.load(id).await?;
    let url = patch.url.map(|url| destination(&tx, &url)).transpose()?;
    if let Patch::Set(filter) = &patch.filter {
        Filter::compile(filter)?;
    }
    // Who decides what is sent, or where, lends it their own rights. Any other change can take rights
    // away but give none: whoever mends a description has not looked at where all this goes.
    let decides =
        url.is_some() || patch.event_types.is_some() || !matches!(patch.selection, Patch::Keep);
    let mut selection = row.selection.clone();
    patch.selection.apply(&mut selection);
    let scopes = if decides { (*tx.scopes).clone() } else { scopes(&row).shared(&tx.scopes) };
    if decides {
        let patterns = patch.event_types.clone().unwrap_or_else(|| stored(&row.event_types));
        may_name(&tx.platform, &tx.scopes, &patterns)?;
        selection::check(&tx, &patterns, selection.as_deref()).await?;
    }
    let headers = patch.custom_headers.map(|all| headers(&tx, id, &all)).transpose()?;
    let filters = row.filter.is_none() && matches!(patch.filter, Patch::Set(_));
    room(&tx, false, filters, row.selection.is_none() && selection.is_some()).await?;
    if patch.ordering.is_some() {
        // What waited for another of its object may have nothing to wait for any more.
        tx.enqueue(deliver::job(&row, tx.now));
    }
    tx.update(&UPDATED, row, |next| {
        url.into_iter().for_each(|url| next.url = url);
        patch.event_types.into_iter().for_each(|types| next.event_types = json!(types));
        patch.description.into_iter().for_each(|text| next.description = text);
        patch.filter.apply(&mut next.filter);
        patch.changed_fields.into_iter().for_each(|all| next.changed_fields = json!(all));
        patch.fields.into_iter().for_each(|fields| next.fields = json!(fields));
        next.selection = selection;
        next.scopes = json!(scopes.names().collect::<Vec<_>>());
        if let Some((names, values)) = headers {
            (next.custom_header_names, next.custom_headers) = (names, values);
        }
        patch.ordering.into_iter().for_each(|ordering| next.ordering = ordering);
        patch.rate_limit_per_second.apply(&mut next.rate_limit_per_second);
        patch.payload_days.into_iter().for_each(|days| next.payload_days = days);
        patch.external_id.apply(&mut next.external_id);
        patch.metadata.apply(&mut next.metadata)
    })
    .await
}

/// Checks that the organization may have one more endpoint, one more with a filter, one more with a
/// selection: whichever of them it gets. Always in this order, so that no two wait for each other.
async fn room(tx: &Tx, endpoint: bool, filter: bool, selection: bool) -> Result<()> {
    let all = || Entity::of(tx.organization);
    if endpoint {
        tx.room_for(WebhookEndpoint::PLURAL, |numbers| numbers.webhook_endpoints, all()).await?;
    }
    if filter {
        let those = all().filter(Column::Filter.is_not_null());
        tx.room_for("filters", |numbers| numbers.filters, those).await?;
    }
    if selection {
        let those = all().filter(Column::Selection.is_not_null());
        tx.room_for("selections", |numbers| numbers.selections, those).await?;
    }
    Ok(())
}

/// The scopes of whoever set what an endpoint is sent.
pub(crate) fn scopes(row: &Row<WebhookEndpoint>) -> ScopeSet {
    stored::<Vec<String>>(&row.scopes).into_iter().collect()
}

/// Zapier and n8n unsubscribe again when they got no answer, so the second time is a success too.
async fn delete(tx: Tx, id: Id<WebhookEndpoint>) -> Result<Deleted> {
    let row = match tx.load(id).await {
        Ok(row) => row,
        Err(problem) if problem.code.code == problem::NOT_FOUND.code && gone(&tx, id).await? => {
            return Ok(Deleted::of(id));
        }
        Err(problem) => return Err(problem),
    };
    deliver::cancel_all(&tx, id.uuid()).await?;
    tx.reindex::<webhook_health::Entity>(webhook_health::Column::Id, id.uuid(), Vec::new()).await?;
    tx.delete::<WebhookEndpoint>(&DELETED, row).await?;
    Ok(Deleted::of(id))
}

/// Whether the organization once had this endpoint: its log tells.
async fn gone(tx: &Tx, id: Id<WebhookEndpoint>) -> Result<bool> {
    let found: Option<uuid::Uuid> = event::Entity::of(tx.organization)
        .filter(event::Column::ObjectId.eq(id.to_string()))
        .filter(event::Column::Type.eq(DELETED.name))
        .select_only()
        .column(event::Column::Id)
        .into_tuple()
        .one(tx.db())
        .await?;
    Ok(found.is_some())
}

async fn pause(tx: Tx, row: Model) -> Result<WebhookEndpoint> {
    tx.update(&PAUSED, row, |next| {
        next.state = EndpointState::Paused;
        next.disabled_reason = None;
        Ok(())
    })
    .await
}

async fn resume(tx: Tx, row: Model) -> Result<WebhookEndpoint> {
    let undecided = deliver::undecided_since(&tx, row.id).await?;
    deliver::forgive(&tx, row.id).await?;
    if let Some(since) = undecided {
        tx.enqueue(again::catch_up(&row, since, tx.now)?);
    }
    let next = Model { state: EndpointState::Enabled, disabled_reason: None, ..row.clone() };
    tx.enqueue(deliver::job(&next, tx.now));
    tx.update(&RESUMED, row, |row| {
        *row = next;
        Ok(())
    })
    .await
}

async fn send_test(tx: Tx, id: Id<WebhookEndpoint>, body: WebhookTest) -> Result<WebhookDelivery> {
    let row = tx.load(id).await?;
    let delivery = sample::delivery(&tx, &row, &body.event_type.0).await?;
    deliver::insert(tx.db(), std::slice::from_ref(&delivery)).await?;
    tx.enqueue(deliver::job(&row, tx.now));
    let now = tx.now;
    let _: WebhookEndpoint = tx
        .update(&TESTED, row, |next| {
            next.tested_at = Some(now);
            Ok(())
        })
        .await?;
    Ok(delivery.into())
}

/// The URL, if events may go there.
fn destination(tx: &Tx, url: &str) -> Result<String> {
    let policy = tx.platform.ports.get::<Policy>()?;
    match check_url(url, &policy) {
        Ok(url) => Ok(url.to_string()),
        Err(refusal) => Err(Problem::new(&problem::DESTINATION_NOT_ALLOWED).at(FieldError::body(
            "/url",
            refusal.code(),
            refusal.text(),
        ))),
    }
}

/// The names of the customer's own headers, and all of them, encrypted.
fn headers(tx: &Tx, id: Id<WebhookEndpoint>, all: &[CustomHeader]) -> Result<(Value, String)> {
    for (index, header) in all.iter().enumerate() {
        let twice =
            all.iter().take(index).any(|other| other.name.0.eq_ignore_ascii_case(&header.name.0));
        let refused = check_header(&header.name.0, &header.value).err();
        let said = match (twice, refused) {
            (true, _) => ("duplicate", text("is there twice", "está repetido")),
            (false, Some(refusal)) => (refusal.code(), refusal.text()),
            (false, None) => continue,
        };
        let pointer = format!("/custom_headers/{index}/name");
        return Err(Problem::new(&problem::HEADER_NOT_ALLOWED)
            .at(FieldError::body(pointer, said.0, said.1)));
    }
    let names: Vec<_> = all.iter().map(|header| &header.name).collect();
    let plain = serde_json::to_vec(all).map_err(Problem::internal)?;
    Ok((json!(names), tx.platform.vault.close(id.uuid().as_bytes(), &plain)?))
}

/// An endpoint's own headers.
pub(crate) fn opened_headers(
    vault: &bodega_kernel::Vault,
    row: &Row<WebhookEndpoint>,
) -> Result<Vec<CustomHeader>> {
    let plain = vault.open(row.id.as_bytes(), &row.custom_headers)?;
    serde_json::from_slice(&plain).map_err(Problem::internal)
}
