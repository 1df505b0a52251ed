//! How endpoints are shown and given.

use bodega_kernel::{ExternalId, Id, Metadata, MetadataPatch, Noun, Patch, Stateful};
use chrono::{DateTime, Utc};
use entity::webhooks::webhook_endpoint::{DisabledReason, EndpointState, Ordering};
use entity::webhooks::webhook_endpoint::{Entity, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::EventEntry;
use crate::event_type::EventPattern;
use crate::rules::CheckName;
use crate::stored;
use crate::webhook_delivery::WebhookDelivery;

/// Where events are sent, which of them, and how.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookEndpoint {
    /// The object's id.
    pub id: Id<Self>,
    /// Where events are sent.
    #[schema(max_length = 2048)]
    pub url: String,
    /// What it is for.
    #[schema(max_length = 500)]
    pub description: String,
    /// The types of events that are sent: `product.created`, `product.*`, `*`.
    #[schema(max_items = 100)]
    pub event_types: Vec<EventPattern>,
    /// A CEL expression over the event, as `event`; only events for which it is true are sent.
    #[schema(max_length = 1000)]
    pub filter: Option<String>,
    /// An event that tells of a change is sent only if one of these fields changed; any, where empty.
    #[schema(max_items = 50)]
    pub changed_fields: Vec<FieldPath>,
    /// The fields of the object that are sent; all, where empty.
    #[schema(max_items = 50)]
    pub fields: Vec<FieldName>,
    /// A GraphQL selection that shapes `data`: `{ id title brandId brand { name } }`. What is sent then
    /// has its names, as GraphQL answers; without one, names are as in REST.
    #[schema(max_length = 4000)]
    pub selection: Option<String>,
    /// The scopes of the key that last set the URL, the event types or the selection: only events of
    /// objects that these scopes can read are sent. Any other change removes the scopes that the
    /// changing key lacks.
    #[schema(max_items = 100)]
    pub scopes: Vec<HeldScope>,
    /// The names of your own headers; their values are not shown again.
    #[schema(max_items = 20)]
    pub custom_header_names: Vec<HeaderName>,
    /// Whether the events of one object are sent strictly one after the other.
    pub ordering: Ordering,
    /// The most messages a second; no limit of its own, where null.
    #[schema(minimum = 1)]
    pub rate_limit_per_second: Option<i32>,
    /// The version of the API that objects are sent in.
    #[schema(max_length = 10, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub api_version: String,
    /// For how many days what was sent and answered is kept.
    #[schema(minimum = 1, maximum = 90)]
    pub payload_days: i32,
    /// Whether it is sent anything.
    pub state: EndpointState,
    /// Why it is disabled: `failing` (it is probed, and goes on by itself), `gone` (it answered 410)
    /// or `filter_too_costly` (mend its filter, and resume it: events have waited).
    pub disabled_reason: Option<DisabledReason>,
    /// The secrets that messages are signed with, without what is secret of them.
    #[schema(max_items = 10)]
    pub secrets: Vec<WebhookSecret>,
    /// When a sample was last sent to it.
    pub tested_at: Option<DateTime<Utc>>,
    /// When events were last replayed to it.
    pub replayed_at: Option<DateTime<Utc>>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    pub metadata: Metadata,
    /// The number of the object's version: 1 when it is made, one more with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A field of an object, or of an object in it: `status`, `dimensions.length_mm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 120, pattern = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", examples("status"))]
pub struct FieldPath(pub String);

/// A field of an object: `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 60, pattern = "^[a-z][a-z0-9_]*$", examples("status"))]
pub struct FieldName(pub String);

/// A scope, or `*` for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 60, examples("catalog:read"))]
pub struct HeldScope(pub String);

/// The name of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 100, pattern = "^[A-Za-z][A-Za-z0-9-]*$", examples("X-Shop"))]
pub struct HeaderName(pub String);

/// Your own header, sent with every message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomHeader {
    /// What it is called.
    pub name: HeaderName,
    /// What it says. It is kept encrypted and not shown again.
    #[schema(max_length = 2000, pattern = "^([!-~]([ -~]*[!-~])?)?$", examples("norte"))]
    pub value: String,
}

/// How a secret signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureKind {
    /// `v1`: HMAC-SHA256, with one secret on both sides.
    #[default]
    Hmac,
    /// `v1a`: Ed25519; the receiver needs the public key only.
    Ed25519,
}

/// A signing secret, without what is secret of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecret {
    /// How it signs.
    pub kind: SignatureKind,
    /// The public key, `whpk_…`, of an Ed25519 pair.
    #[schema(max_length = 60)]
    pub public_key: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops signing; the present one has no end.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Noun for WebhookEndpoint {
    type Entity = Entity;
    const NAME: &'static str = "webhook_endpoint";
    const PLURAL: &'static str = "webhook_endpoints";
    const PREFIX: &'static str = "whe";
}

impl Stateful for WebhookEndpoint {
    type State = EndpointState;
    const FIELD: &'static str = "state";

    fn state(row: &Model) -> EndpointState {
        row.state
    }

    fn set_state(row: &mut Model, state: EndpointState) {
        row.state = state;
    }
}

impl From<Model> for WebhookEndpoint {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            url,
            description,
            event_types,
            filter,
            changed_fields,
            fields,
            selection,
            scopes,
            custom_header_names,
            custom_headers: _,
            ordering,
            rate_limit_per_second,
            api_version,
            payload_days,
            state,
            disabled_reason,
            secrets,
            tested_at,
            replayed_at,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            url,
            description,
            event_types: stored(&event_types),
            filter,
            changed_fields: stored(&changed_fields),
            fields: stored(&fields),
            selection,
            scopes: stored(&scopes),
            custom_header_names: stored(&custom_header_names),
            ordering,
            rate_limit_per_second,
            api_version,
            payload_days,
            state,
            disabled_reason,
            secrets: stored(&secrets),
            tested_at,
            replayed_at,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}

/// A new endpoint.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "url": "https://shop.example.com/hooks/bodega",
    "event_types": ["product.*"],
    "description": "Web shop"
})))]
pub struct WebhookEndpointCreate {
    /// Where events are sent: a public address, by HTTP or HTTPS.
    #[schema(
        pattern = r"^https?://[!-~]+$",
        max_length = 2048,
        examples("https://shop.example.com/hooks/bodega")
    )]
    pub url: String,
    /// The types of events that are sent: `product.created`, `product.*`, `*`. One that is named takes
    /// the scope to read its objects; `*` is whatever your key may read.
    #[schema(min_items = 1, max_items = 100)]
    pub event_types: Vec<EventPattern>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 500, default = "")]
    pub description: String,
    /// A CEL expression over the event, as `event`; only events for which it is true are sent:
    /// `event.data.status == 'active'`.
    #[schema(min_length = 1, max_length = 1000, examples("event.data.status == 'active'"))]
    pub filter: Option<String>,
    /// An event that tells of a change is sent only if one of these fields changed; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub changed_fields: Vec<FieldPath>,
    /// The fields of the object that are sent; all, where empty.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub fields: Vec<FieldName>,
    /// A GraphQL selection that shapes `data`, links and all, with the rights of your key:
    /// `{ id title brandId brand { name } }`. What is sent has the selection's names, as GraphQL
    /// answers: `brandId`, and `ACTIVE` for the status `active`. It needs `event_types` of one kind of
    /// object; `fields` then shapes `previous` only.
    #[schema(min_length = 1, max_length = 4000, examples("{ __typename }"))]
    pub selection: Option<String>,
    /// Your own headers.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub custom_headers: Vec<CustomHeader>,
    /// Whether the events of one object are sent strictly one after the other.
    #[serde(default)]
    #[schema(default = "none")]
    pub ordering: Ordering,
    /// The most messages a second.
    #[schema(minimum = 1, maximum = 10_000)]
    pub rate_limit_per_second: Option<i32>,
    /// For how many days what was sent and answered is kept.
    #[serde(default = "thirty")]
    #[schema(minimum = 1, maximum = 90, default = 30)]
    pub payload_days: i32,
    /// How messages are signed.
    #[serde(default)]
    #[schema(default = "hmac")]
    pub signature: SignatureKind,
    /// A secret of your own instead of a new one: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: Option<OwnSecret>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// A secret of your own: `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(
    min_length = 38,
    max_length = 94,
    pattern = r"^whsec_(([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]([AQgw]==|[A-Za-z0-9+/][AEIMQUYcgkosw048]=))?|([A-Za-z0-9+/]{4}){21}([A-Za-z0-9+/][AQgw]==)?)$",
    examples("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
)]
pub struct OwnSecret(pub String);

fn thirty() -> i32 {
    30
}

/// Changes to an endpoint.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"event_types": ["product.*", "price.*"], "filter": null})))]
pub struct WebhookEndpointPatch {
    /// Where events are sent.
    #[serde(default)]
    #[schema(
        pattern = r"^https?://[!-~]+$",
        max_length = 2048,
        nullable = false,
        examples("https://shop.example.com/hooks/bodega")
    )]
    pub url: Option<String>,
    /// The types of events that are sent: all of them, not only what is new.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    pub event_types: Option<Vec<EventPattern>>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 500, nullable = false)]
    pub description: Option<String>,
    /// A CEL expression over the event, as `event`.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000,
        examples("event.data.status == 'active'"))]
    pub filter: Patch<String>,
    /// The fields one of which must have changed; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50, nullable = false)]
    pub changed_fields: Option<Vec<FieldPath>>,
    /// The fields of the object that are sent; all, where empty.
    #[serde(default)]
    #[schema(max_items = 50, nullable = false)]
    pub fields: Option<Vec<FieldName>>,
    /// A GraphQL selection that shapes `data`. Whoever changes it, the event types or the URL lends
    /// it the rights of their key.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4000,
        examples("{ __typename }"))]
    pub selection: Patch<String>,
    /// Your own headers: all of them, not only what is new.
    #[serde(default)]
    #[schema(max_items = 20, nullable = false, write_only)]
    pub custom_headers: Option<Vec<CustomHeader>>,
    /// Whether the events of one object are sent strictly one after the other.
    #[serde(default)]
    #[schema(nullable = false)]
    pub ordering: Option<Ordering>,
    /// The most messages a second.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10_000)]
    pub rate_limit_per_second: Patch<i32>,
    /// For how many days what was sent and answered is kept.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 90, nullable = false)]
    pub payload_days: Option<i32>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

/// An endpoint with its new secret: the only time it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewWebhookEndpoint {
    /// What to check signatures with: `whsec_…`, or the public key `whpk_…` of an Ed25519 pair.
    #[schema(
        max_length = 120,
        pattern = "^wh(sec|pk)_[A-Za-z0-9+/=]+$",
        examples("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    )]
    pub secret: String,
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: WebhookEndpoint,
}

/// How to replace a secret.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"overlap_seconds": 86400})))]
pub struct SecretRotate {
    /// How long messages are signed with the old secret too, up to seven days.
    #[serde(default = "a_day")]
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    pub overlap_seconds: i64,
    /// How the new one signs.
    #[serde(default)]
    #[schema(default = "hmac")]
    pub signature: SignatureKind,
    /// A secret of your own instead of a new one.
    pub secret: Option<OwnSecret>,
}

fn a_day() -> i64 {
    86_400
}

/// A sample to send.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"event_type": "product.created"})))]
pub struct WebhookTest {
    /// The type of the sample.
    pub event_type: crate::event_type::EventTypeName,
}

/// An event to explain.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"event_id": "evt_01k78agk00e008000000000001"})))]
pub struct WebhookExplain {
    /// The event.
    pub event_id: Id<EventEntry>,
}

/// Why an event was sent to an endpoint or was not, and when it is tried next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookExplanation {
    /// Whether it passes every check.
    pub passes: bool,
    /// In a sentence: what became of it, and why.
    #[schema(max_length = 1000)]
    pub summary: String,
    /// Each check, in order.
    #[schema(max_items = 10)]
    pub checks: Vec<WebhookCheck>,
    /// The deliveries of this event to this endpoint, the newest first.
    #[schema(max_items = 20)]
    pub deliveries: Vec<WebhookDelivery>,
    /// When it is tried next; null where it is not.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// One check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookCheck {
    /// Which.
    pub check: CheckName,
    /// Whether the event passed it.
    pub passed: bool,
    /// What it looked at.
    #[schema(max_length = 2000)]
    pub detail: String,
}

/// Which events to send again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"from": "2026-11-20T00:00:00Z", "only": "undelivered", "dry_run": true})))]
pub struct WebhookReplay {
    /// Events from here.
    pub from: DateTime<Utc>,
    /// Events before here; up to now, where absent.
    pub to: Option<DateTime<Utc>>,
    /// Only events of these types; those that the endpoint takes, where empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub event_types: Vec<EventPattern>,
    /// Which of them.
    #[serde(default)]
    #[schema(default = "undelivered")]
    pub only: ReplayOnly,
    /// Only counts.
    #[serde(default)]
    #[schema(default = false)]
    pub dry_run: bool,
}

/// Which events a replay takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOnly {
    /// Those that were not delivered to this endpoint and are not on their way.
    #[default]
    Undelivered,
    /// All.
    All,
}

/// What a replay does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookReplayed {
    /// How many events are sent again, or would be.
    #[schema(minimum = 0)]
    pub events: i64,
    /// Whether this was only counted.
    pub dry_run: bool,
}
