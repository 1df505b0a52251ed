//! Organizations: a shop with all its branches, and the sandbox beside it.

use bodega_contract::Resource;
use bodega_kernel::CurrencyCode;
use bodega_kernel::values::{CountryCode, Label, LanguageTag, Name, TimeZone};
use bodega_kernel::{
    Event, ExternalId, Id, Metadata, MetadataPatch, Noun, Patch, Problem, Result, Tx, problem,
};
use chrono::{DateTime, Utc};
use entity::identity::organization::{Entity, Mode, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ORGANIZATION;
use crate::api_key::{NewApiKey, issue};
use crate::documents::DOCUMENTS;
use crate::{ApiKeyCreate, PlanName, Preset};

pub(crate) fn resource() -> Resource<Organization> {
    Resource::new(ORGANIZATION,
        "A shop with all its branches; its sandbox is an organization of its own",
    )
    .list()
    .get()
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
    /// The object's id.
    pub id: Id<Self>,
    /// What it is called.
    pub name: Label<210>,
    /// `live` for real business, `test` for a sandbox.
    pub mode: Mode,
    /// The live organization whose sandbox this is.
    pub sandbox_of: Option<Id<Self>>,
    /// The country it does business in (ISO 3166-1 alpha-2).
    pub country: CountryCode,
    /// The currency it counts in (ISO 4217).
    pub currency: CurrencyCode,
    /// The language it works in (BCP 47).
    pub language: LanguageTag,
    /// The time zone that decides its days (IANA).
    pub time_zone: TimeZone,
    /// Whether GraphQL answers to `trusted_documents` only.
    pub trusted_documents_only: bool,
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
            metadata,
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
    pub name: Name,
    /// The country it does business in (ISO 3166-1 alpha-2).
    #[serde(default = "mexico")]
    #[schema(default = mexico)]
    pub country: CountryCode,
    /// The currency it counts in (ISO 4217).
    #[serde(default = "peso")]
    #[schema(default = peso)]
    pub currency: CurrencyCode,
    /// The language it works in (BCP 47).
    #[serde(default = "spanish")]
    #[schema(default = spanish)]
    pub language: LanguageTag,
    /// The time zone that decides its days (IANA).
    #[serde(default = "mexico_city")]
    #[schema(default = mexico_city)]
    pub time_zone: TimeZone,
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
    #[schema(nullable = false)]
    pub name: Option<Name>,
    /// The language it works in (BCP 47).
    #[serde(default)]
    #[schema(nullable = false)]
    pub language: Option<LanguageTag>,
    /// The time zone that decides its days (IANA).
    #[serde(default)]
    #[schema(nullable = false)]
    pub time_zone: Option<TimeZone>,
    /// Whether GraphQL answers to `trusted_documents` only.
    #[serde(default)]
    #[schema(nullable = false)]
    pub trusted_documents_only: Option<bool>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
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
    if patch.trusted_documents_only.is_some() {
        tx.signal(DOCUMENTS);
    }
    tx.update(&UPDATED, row, |next| {
        patch.name.into_iter().for_each(|name| next.name = Label::made(name));
        patch.language.into_iter().for_each(|language| next.language = language);
        patch.time_zone.into_iter().for_each(|zone| next.time_zone = zone);
        patch
            .trusted_documents_only
            .into_iter()
            .for_each(|only| next.trusted_documents_only = only);
        patch.external_id.apply(&mut next.external_id);
        patch.metadata.apply(&mut next.metadata)
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
        name: Label::made(body.name),
        mode: Mode::Live,
        sandbox_of: None,
        country: body.country,
        currency: body.currency,
        language: body.language,
        time_zone: body.time_zone,
        trusted_documents_only: false,
        external_id: body.external_id,
        metadata: body.metadata,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    let sandbox = Model {
        id: tx.new_id::<Organization>().uuid(),
        name: Label::made(format!("{} (sandbox)", live.name)),
        mode: Mode::Test,
        sandbox_of: Some(live.id),
        external_id: None,
        ..live.clone()
    };
    let organization = tx.create(&CREATED, live).await?;
    let sandbox = tx.create(&CREATED, sandbox).await?;
    Ok(Founded { organization, sandbox })
}

fn mexico() -> CountryCode {
    CountryCode::made("MX")
}

fn peso() -> CurrencyCode {
    CurrencyCode::MXN
}

fn spanish() -> LanguageTag {
    LanguageTag::made("es-MX")
}

fn mexico_city() -> TimeZone {
    TimeZone::made("America/Mexico_City")
}
