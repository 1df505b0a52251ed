//! Events at hand: what the fan-out has just seen need not be read again to be sent, and what many
//! endpoints are sent is read once.

use std::sync::Arc;
use std::time::Duration;

use bodega_kernel::{Platform, Result, in_padded_pieces};
use entity::Owned;
use entity::webhooks::{event, webhook_delivery};
use moka::sync::Cache;
use sea_orm::{ColumnTrait, QueryFilter};
use tokio::sync::Mutex;
use uuid::Uuid;

const KEPT: u64 = 2_000;
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Events of a process. Cheap to clone: all clones are the same.
#[derive(Clone)]
pub(crate) struct Events {
    kept: Cache<Uuid, Arc<event::Model>>,
    /// Endpoints that are sent the same ask for the same at the same moment: one of them reads.
    reading: Arc<Mutex<()>>,
}

impl Default for Events {
    fn default() -> Self {
        let kept = Cache::builder().max_capacity(KEPT).time_to_live(KEPT_FOR).build();
        Self { kept, reading: Arc::default() }
    }
}

impl Events {
    /// Keeps an event that is about to be sent.
    pub(crate) fn keep(&self, event: &event::Model) {
        self.kept.insert(event.id, Arc::new(event.clone()));
    }

    /// The event of a delivery; none where it has been erased.
    pub(super) async fn get(
        &self,
        platform: &Platform,
        delivery: &webhook_delivery::Model,
    ) -> Result<Option<Arc<event::Model>>> {
        if let Some(event) = self.kept.get(&delivery.event_id) {
            return Ok(Some(event));
        }
        self.fetch(platform, [delivery]).await?;
        Ok(self.kept.get(&delivery.event_id))
    }

    /// Reads the events of these deliveries that are not at hand.
    pub(super) async fn fetch(
        &self,
        platform: &Platform,
        deliveries: impl IntoIterator<Item = &webhook_delivery::Model> + Clone,
    ) -> Result<()> {
        let missing = || -> Vec<Uuid> {
            let deliveries = deliveries.clone().into_iter();
            deliveries
                .filter(|delivery| delivery.payload.is_none())
                .map(|delivery| delivery.event_id)
                .filter(|event| !self.kept.contains_key(event))
                .collect()
        };
        if missing().is_empty() {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        for ids in in_padded_pieces(&missing()) {
            let events = event::Entity::of_every_organization()
                .filter(event::Column::Id.is_in(ids))
                .all(platform.db.reader())
                .await?;
            events.into_iter().for_each(|event| self.kept.insert(event.id, Arc::new(event)));
        }
        Ok(())
    }
}
