//! What GraphQL an organization trusts, as the door asks it with every request: remembered until
//! something about documents changes anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bodega_kernel::{Platform, Result, bounded};
use entity::Owned;
use entity::identity::{organization, trusted_document};
use futures::future::BoxFuture;
use moka::sync::Cache;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The signal that an organization's documents, or whether it allows others, have changed.
pub const DOCUMENTS: &str = "trusted_documents";

/// What is remembered takes this much memory.
const REMEMBERED_BYTES: u64 = 8 * 1024 * 1024;
/// What an entry takes beside its text.
const ENTRY_BYTES: usize = 200;
/// A second line of defence, should a signal ever be lost.
const REMEMBERED: Duration = Duration::from_secs(10);

/// What tells whether a document can be asked at all: the GraphQL door, or a stand-in for it in tests.
pub trait DocumentCheck: Send + Sync + 'static {
    /// What is wrong with a document, if anything is.
    fn check<'a>(&'a self, document: &'a str) -> BoxFuture<'a, std::result::Result<(), String>>;
}

/// The port.
#[derive(Clone)]
pub struct Checks(pub Arc<dyn DocumentCheck>);

/// The documents that organizations trust.
pub struct TrustedDocuments {
    platform: Arc<Platform>,
    /// Whether an organization allows no others.
    only: Cache<(Uuid, u64), bool>,
    /// By hash: the document, or that there is none.
    known: Cache<(Uuid, String, u64), Option<Arc<str>>>,
    /// Grows whenever documents change: what was read before counts no more after.
    epoch: AtomicU64,
}

impl TrustedDocuments {
    /// Remembers nothing yet, and forgets whenever [`DOCUMENTS`] is raised.
    pub fn new(platform: Arc<Platform>) -> Arc<Self> {
        let weight = |key: &(Uuid, String, u64), text: &Option<Arc<str>>| {
            let bytes = key.1.len() + text.as_ref().map_or(0, |text| text.len()) + ENTRY_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let known = Cache::builder().weigher(weight).max_capacity(REMEMBERED_BYTES);
        let only = Cache::builder().max_capacity(REMEMBERED_BYTES / ENTRY_BYTES as u64);
        let documents = Arc::new(Self {
            platform: platform.clone(),
            only: only.time_to_live(REMEMBERED).build(),
            known: known.time_to_live(REMEMBERED).build(),
            epoch: AtomicU64::new(0),
        });
        let listening = Arc::downgrade(&documents);
        platform.signals.on(DOCUMENTS, move || {
            if let Some(documents) = listening.upgrade() {
                documents.epoch.fetch_add(1, Ordering::AcqRel);
            }
        });
        documents
    }

    /// Whether an organization allows no other documents than those on its list.
    pub async fn only(&self, organization: Uuid) -> Result<bool> {
        let key = (organization, self.epoch.load(Ordering::Acquire));
        if let Some(only) = self.only.get(&key) {
            return Ok(only);
        }
        let query = organization::Entity::of(organization)
            .select_only()
            .column(organization::Column::TrustedDocumentsOnly)
            .into_tuple::<bool>();
        let only = bounded(query.one(self.platform.db.reader())).await?.unwrap_or(false);
        self.only.insert(key, only);
        Ok(only)
    }

    /// The document of this hash, in lower case, if the organization trusts one.
    pub async fn find(&self, organization: Uuid, hash: &str) -> Result<Option<Arc<str>>> {
        let key = (organization, hash.to_owned(), self.epoch.load(Ordering::Acquire));
        if let Some(known) = self.known.get(&key) {
            return Ok(known);
        }
        let found = bounded(find(self.platform.db.reader(), organization, hash)).await?;
        let text = found.map(|row| Arc::from(row.text.as_str()));
        self.known.insert(key, text.clone());
        Ok(text)
    }
}

/// The row of the document with this hash.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    organization: Uuid,
    hash: &str,
) -> std::result::Result<Option<trusted_document::Model>, sea_orm::DbErr> {
    trusted_document::Entity::of(organization)
        .filter(trusted_document::Column::Sha256.eq(hash))
        .one(db)
        .await
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
