//! Puts the parts together: the registry, the platform and the corridor.

use std::sync::Arc;

use bodega_contract::{Limiter, Registry};
use bodega_corridor::Corridor;
use bodega_identity::{Keyring, LogRecorder, Writing};
use bodega_kernel::{Database, Keys, Platform, SystemClock, Versions};
use entity::platform::setting;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::config::Config;
use crate::limits::{DailyCounts, InMemory, InRedis};
use crate::{migrate, work};

/// The first version of the API.
const FIRST_VERSION: &str = "2026-11-20";

const SEALING_KEY: &str = "sealing_key";

/// Every resource there is, an area a line.
pub(crate) fn registry() -> Registry {
    let mut resources = bodega_identity::resources();
    resources.extend(bodega_catalog::resources());
    resources.push(bodega_corridor::batches());
    // What is declared so far is what events tell of.
    resources.extend(bodega_webhooks::resources(&resources));
    Registry::new(resources)
}

/// Every version there is: the first, and the changes since.
pub(crate) fn versions() -> Versions {
    Versions::new(FIRST_VERSION, Vec::new())
}

/// What a running program is made of.
pub(crate) struct App {
    pub(crate) corridor: Arc<Corridor>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) counts: Arc<DailyCounts>,
    pub(crate) memory: Arc<InMemory>,
    pub(crate) figures: Arc<bodega_identity::Figures>,
    pub(crate) recorder: Writing,
}

/// Opens the database, brought up to date first where that is wanted.
pub(crate) async fn platform(config: &Config, migrating: bool) -> Result<Arc<Platform>, String> {
    let url = config.database()?;
    if migrating {
        migrate::up(&url).await?;
    }
    let db = Database::open(&url, config.database_connections)
        .await
        .map_err(|error| format!("cannot open the database: {error}"))?;
    let sealing = sealing_key(&db).await?;
    // Without a key of the operator's, whoever has the whole database has these secrets too.
    let encryption = config.encryption_key.as_deref().unwrap_or(&sealing);
    let keys = Keys { sealing: sealing.as_bytes(), encryption: encryption.as_bytes() };
    Ok(Arc::new(Platform::new(db, Arc::new(SystemClock), versions(), keys)))
}

/// Builds everything over a platform.
pub(crate) async fn build(config: &Config, platform: Arc<Platform>) -> Result<App, String> {
    // The list of operations never changes while the program runs, and everything points into it.
    let registry: &'static Registry = Box::leak(Box::new(registry()));
    work::give_ports(config, &platform, registry);
    let counts = Arc::new(DailyCounts::new(platform.clone()));
    let memory = Arc::new(InMemory::new(counts.clone()));
    let limiter: Arc<dyn Limiter> = match &config.redis_url {
        Some(url) => Arc::new(InRedis::open(url, counts.clone(), memory.clone())?),
        None => memory.clone(),
    };
    let keyring = Keyring::new(platform.clone());
    let (recorder, writing) = LogRecorder::start(platform.clone());
    let figures = recorder.figures();
    let corridor =
        Arc::new(Corridor::new(registry, platform, keyring.clone(), limiter, Arc::new(recorder)));
    Ok(App { corridor, keyring, counts, memory, figures, recorder: writing })
}

/// The key that cursors are sealed with: made once, shared by every node.
#[expect(clippy::disallowed_methods, reason = "the platform's own row")]
async fn sealing_key(db: &Database) -> Result<String, String> {
    let failed = |error: sea_orm::DbErr| {
        format!("cannot read the settings ({error}); has `bodega migrate` run?")
    };
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| format!("no randomness: {error}"))?;
    let value = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let row = setting::Model { name: SEALING_KEY.to_owned(), value };
    // The first node to start makes it; the others find it.
    setting::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing()
        .exec_without_returning(db.writer())
        .await
        .map_err(failed)?;
    let row = setting::Entity::find()
        .filter(setting::Column::Name.eq(SEALING_KEY))
        .one(db.writer())
        .await
        .map_err(failed)?;
    row.map(|row| row.value).ok_or_else(|| "the sealing key is gone".to_owned())
}

#[cfg(test)]
mod tests {
    use bodega_identity::ScopeName;

    #[test]
    fn the_contract_has_no_faults() {
        assert_eq!(super::registry().lint(), Vec::<String>::new());
    }

    #[test]
    fn every_scope_that_an_operation_needs_can_be_given() {
        let scopes = super::registry().scopes();
        let unknown: Vec<_> =
            scopes.iter().filter(|s| !s.is_empty() && ScopeName::named(s).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?} are not in identity's list");
    }
}
