//! Organizations: a shop with all its branches, and the sandbox beside it.

use bodega_contract::Resource;
use bodega_kernel::{
    Cx, Event, ExternalId, Id, ListQuery, Metadata, MetadataPatch, Noun, Page, Patch, Problem,
    Result, Tx, problem,
};
use chrono::{DateTime, Utc};
use entity::identity::organization::{Entity, Mode, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_key::{NewApiKey, issue};
use crate::documents::DOCUMENTS;
use crate::{ApiKeyCreate, PlanName, Preset};

pub(crate) fn resource() -> Resource<Organization> {
    Resource::new(
        "organization:read",
        "organization:write",
        "A shop with all its branches; its sandbox is an organization of its own",
    )
    .list(list)
    .get(get)
    .create(create)
    .note(
        "It comes with a sandbox and a first key for each; the keys are shown this once. It takes a \
         live key. The events are in the logs of the new organization and its sandbox, each its own.",
    )
    .scope("organizations:create")
    .secret()
    .emits(&CREATED)
    .emits(&crate::api_key::CREATED)
    .fails(&problem::LIVE_ONLY)
    .update(update)
    .emits(&UPDATED)
}

static CREATED: Event = Event::new("organization.created", "An organization was founded.");
static UPDATED: Event = Event::new("organization.updated", "An organization's settings changed.");

/// A shop with all its branches, or its sandbox.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Organization {
    /// Its id.
    pub id: Id<Self>,
    /// What it is called.
    #[schema(max_length = 210)]
    pub name: String,
    /// `live` for real business, `test` for a sandbox.
    pub mode: Mode,
    /// The live organization whose sandbox this is.
    pub sandbox_of: Option<Id<Self>>,
    /// The country it does business in (ISO 3166-1 alpha-2).
    #[schema(pattern = "^[A-Z]{2}$", max_length = 2)]
    pub country: String,
    /// The currency it counts in (ISO 4217).
    #[schema(pattern = "^[A-Z]{3}$", max_length = 3)]
    pub currency: String,
    /// The language it works in (BCP 47).
    #[schema(max_length = 35)]
    pub language: String,
    /// The time zone that decides its days (IANA).
    #[schema(max_length = 64)]
    pub time_zone: String,
    /// Whether GraphQL answers to `trusted_documents` only.
    pub trusted_documents_only: bool,
    /// Your own id for the object.
    #[schema(max_length = 200)]
    pub external_id: Option<String>,
    /// Your own pairs of text.
    pub metadata: Metadata,
    /// Grows by one with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Noun for Organization {
    type Entity = Entity;
    const NAME: &'static str = "organization";
    const PLURAL: &'static str = "organizations";
    const PREFIX: &'static str = "org";
}

impl From<Model> for Organization {
    fn from(row: Model) -> Self {
        let Model {
            id,
            name,
            mode,
            sandbox_of,
            country,
            currency,
            language,
            time_zone,
            trusted_documents_only,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            name,
            mode,
            sandbox_of: sandbox_of.map(Id::from_uuid),
            country,
            currency,
            language,
            time_zone,
            trusted_documents_only,
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

/// A new organization.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Refacciones del Norte", "country": "MX", "currency": "MXN",
    "language": "es-MX", "time_zone": "America/Mexico_City"})))]
pub struct OrganizationCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// The country it does business in (ISO 3166-1 alpha-2).
    #[serde(default = "mexico")]
    #[schema(pattern = "^[A-Z]{2}$", max_length = 2, default = "MX")]
    pub country: String,
    /// The currency it counts in (ISO 4217).
    #[serde(default = "peso")]
    #[schema(default = "MXN")]
    pub currency: bodega_kernel::CurrencyCode,
    /// The language it works in (BCP 47).
    #[serde(default = "spanish")]
    #[schema(pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length = 35, default = "es-MX")]
    pub language: String,
    /// The time zone that decides its days (IANA).
    #[serde(default = "mexico_city")]
    #[schema(
        pattern = "^[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}$",
        max_length = 64,
        default = "America/Mexico_City"
    )]
    pub time_zone: String,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to an organization.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Refacciones del Norte, S.A."})))]
pub struct OrganizationPatch {
    /// What it is called.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub name: Option<String>,
    /// The language it works in (BCP 47).
    #[serde(default)]
    #[schema(pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length = 35, nullable = false)]
    pub language: Option<String>,
    /// The time zone that decides its days (IANA).
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}$", max_length = 64, nullable = false)]
    pub time_zone: Option<String>,
    /// Whether GraphQL answers to `trusted_documents` only.
    #[serde(default)]
    #[schema(nullable = false)]
    pub trusted_documents_only: Option<bool>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(required = false)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

/// A founded organization, with the first keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewOrganization {
    /// The organization.
    pub organization: Organization,
    /// Its sandbox.
    pub sandbox: Organization,
    /// A key to the organization, with the scopes of `admin`.
    pub live_key: NewApiKey,
    /// A key to its sandbox.
    pub test_key: NewApiKey,
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Organization>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Organization>) -> Result<Organization> {
    cx.load(id).await
}

async fn create(tx: Tx, body: OrganizationCreate) -> Result<NewOrganization> {
    // The one operation that reaches beyond its own organization: a sandbox must not.
    let founder = tx.cx().load(Id::<Organization>::from_uuid(tx.organization)).await?;
    if founder.mode == Mode::Test {
        return Err(Problem::new(&problem::LIVE_ONLY));
    }
    let founded = found(&tx, tx.new_id(), body).await?;
    let scopes = Preset::Admin.scopes();
    let key = |name: &str| ApiKeyCreate::named(name, scopes.clone(), PlanName::Standard);
    let live_key = issue(&tx, &founded.organization, key("First key")).await?;
    let test_key = issue(&tx, &founded.sandbox, key("First sandbox key")).await?;
    let Founded { organization, sandbox } = founded;
    Ok(NewOrganization { organization, sandbox, live_key, test_key })
}

async fn update(tx: Tx, id: Id<Organization>, patch: OrganizationPatch) -> Result<Organization> {
    let row = tx.load(id).await?;
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    if patch.trusted_documents_only.is_some() {
        tx.signal(DOCUMENTS);
    }
    tx.update(&UPDATED, row, |next| {
        patch.name.into_iter().for_each(|name| next.name = name);
        patch.language.into_iter().for_each(|language| next.language = language);
        patch.time_zone.into_iter().for_each(|zone| next.time_zone = zone);
        patch
            .trusted_documents_only
            .into_iter()
            .for_each(|only| next.trusted_documents_only = only);
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

/// An organization and its sandbox.
#[derive(Clone, Debug)]
pub struct Founded {
    /// The organization.
    pub organization: Organization,
    /// Its sandbox.
    pub sandbox: Organization,
}

/// Makes an organization with this id, and its sandbox.
pub async fn found(tx: &Tx, id: Id<Organization>, body: OrganizationCreate) -> Result<Founded> {
    let live = Model {
        id: id.uuid(),
        name: body.name,
        mode: Mode::Live,
        sandbox_of: None,
        country: body.country,
        currency: body.currency.as_str().to_owned(),
        language: body.language,
        time_zone: body.time_zone,
        trusted_documents_only: false,
        external_id: body.external_id.map(|id| id.0),
        metadata: body.metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    let sandbox = Model {
        id: tx.new_id::<Organization>().uuid(),
        name: format!("{} (sandbox)", live.name),
        mode: Mode::Test,
        sandbox_of: Some(live.id),
        external_id: None,
        ..live.clone()
    };
    let organization = tx.create(&CREATED, live).await?;
    let sandbox = tx.create(&CREATED, sandbox).await?;
    Ok(Founded { organization, sandbox })
}

fn mexico() -> String {
    "MX".to_owned()
}

fn peso() -> bodega_kernel::CurrencyCode {
    // The code is in ISO 4217, so the fallback is never taken.
    "MXN".parse().unwrap_or_else(|_| bodega_kernel::Money::stored(0, "MXN").currency)
}

fn spanish() -> String {
    "es-MX".to_owned()
}

fn mexico_city() -> String {
    "America/Mexico_City".to_owned()
}
