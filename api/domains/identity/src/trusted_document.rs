//! Trusted documents: the GraphQL that an organization's own programs ask. Whoever has one of its keys
//! can then ask nothing else, where the organization says so.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::values::{Label, Name, Sha256};
use bodega_kernel::{Event, FieldError, Id, Noun, Problem, Result, Tx, problem, text};
use bodega_macros::object;
use entity::Owned;
use entity::identity::trusted_document::Entity;

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
#[object(
    name = "trusted_document", plural = "trusted_documents", prefix = "doc",
    table = entity::identity::trusted_document,
    create = {"name": "Brands", "text": "query Brands { brands { totalCount } }"},
)]
pub struct TrustedDocument {
    /// The name that people know it by.
    pub name: Name,
    /// The SHA-256 of its text, in hexadecimal digits: what it is asked by, as
    /// `documentId: "sha256:…"` or as a persisted query.
    #[read_only]
    pub sha256: Sha256,
    /// The document, letter for letter as it is asked.
    pub text: Label<20_000>,
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
    let row = body.row(&tx, tx.new_id(), Sha256::made(sha256));
    tx.create(&CREATED, row).await
}

async fn delete(tx: Tx, id: Id<TrustedDocument>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    tx.signal(DOCUMENTS);
    tx.delete::<TrustedDocument>(&DELETED, row).await?;
    Ok(Deleted::of(id))
}
