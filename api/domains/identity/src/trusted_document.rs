//! Trusted documents: the GraphQL that an organization's own programs ask. Whoever has one of its keys
//! can then ask nothing else, where the organization says so.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Event, ExternalId, FieldError, Id, Metadata, Noun, Problem, Result, Tx, problem, text,
};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::identity::trusted_document::{Entity, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::GRAPHQL;
use crate::documents::{Checks, DOCUMENTS, hash};

pub(crate) fn resource() -> Resource<TrustedDocument> {
    Resource::new(GRAPHQL,
        "A GraphQL document that the organization's programs ask, known by its hash",
    )
    .list()
    .filter(["sha256", "name"])
    .sort(["name"])
    .get()
    .create(create)
    .note(
        "It can then be asked by its hash alone. Saving a text again answers with the document that \
         is there. The plan limits how many there can be (409 `limit_reached`).",
    )
    .emits(&CREATED)
    .fails(&problem::DOCUMENT_NOT_VALID)
    .fails(&problem::LIMIT_REACHED)
    .delete(delete)
    .emits(&DELETED)
}

static CREATED: Event = Event::new("trusted_document.created", "A GraphQL document is trusted.");
static DELETED: Event =
    Event::new("trusted_document.deleted", "A GraphQL document is trusted no more.");

/// A GraphQL document that the organization's programs ask.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrustedDocument {
    /// The object's id.
    pub id: Id<Self>,
    /// What it is called.
    #[schema(max_length = 200, examples("Brands"))]
    pub name: String,
    /// The SHA-256 of its text, in hexadecimal digits: what it is asked by, as
    /// `documentId: "sha256:…"` or as a persisted query.
    #[schema(
        min_length = 64,
        max_length = 64,
        pattern = "^[0-9a-f]{64}$",
        examples("e7500fd47bcb24707fcd1878c500c097e8a5551eccdeab0712ca82574c059b35")
    )]
    pub sha256: String,
    /// The document.
    #[schema(max_length = 20000, examples("query Brands { brands { totalCount } }"))]
    pub text: String,
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

/// A document to trust.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Brands", "text": "query Brands { brands { totalCount } }"})))]
pub struct TrustedDocumentCreate {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// The document, letter for letter as it is asked.
    #[schema(
        min_length = 1,
        max_length = 20000,
        pattern = r"^[^\x00]+$",
        examples("query Brands { brands { totalCount } }")
    )]
    pub text: String,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

impl Noun for TrustedDocument {
    type Entity = Entity;
    const NAME: &'static str = "trusted_document";
    const PLURAL: &'static str = "trusted_documents";
    const PREFIX: &'static str = "doc";
}

impl From<Model> for TrustedDocument {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            name,
            sha256,
            text,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            name,
            sha256,
            text,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}

async fn create(tx: Tx, body: TrustedDocumentCreate) -> Result<TrustedDocument> {
    let sha256 = hash(&body.text);
    // A program that is deployed twice saves its documents twice, and on several machines at once.
    tx.alone(TrustedDocument::NAME).await?;
    if let Some(known) = crate::documents::find(tx.db(), tx.organization, &sha256).await? {
        return Ok(known.into());
    }
    let those = Entity::of(tx.organization);
    tx.room_for(TrustedDocument::PLURAL, |numbers| numbers.trusted_documents, those).await?;
    let checks = tx.platform.ports.get::<Checks>()?;
    if let Err(told) = checks.0.check(&body.text).await {
        let detail = text(told.clone(), format!("no es un documento válido: {told}"));
        let error = FieldError::body("/text", "document_not_valid", detail);
        return Err(Problem::new(&problem::DOCUMENT_NOT_VALID).at(error));
    }
    tx.signal(DOCUMENTS);
    let row = Model {
        id: tx.new_id::<TrustedDocument>().uuid(),
        organization_id: tx.organization,
        name: body.name,
        sha256,
        text: body.text,
        external_id: body.external_id,
        metadata: body.metadata,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    tx.create(&CREATED, row).await
}

async fn delete(tx: Tx, id: Id<TrustedDocument>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    tx.signal(DOCUMENTS);
    tx.delete::<TrustedDocument>(&DELETED, row).await?;
    Ok(Deleted::of(id))
}
