//! Puts the parts together: the registry, the platform and the corridor.

use std::sync::Arc;

use bodega_contract::{Limiter, Registry};
use bodega_corridor::Corridor;
use bodega_graphql::Engine;
use bodega_identity::{Checks, Keyring, LogRecorder, Writing};
use bodega_kernel::{Database, Keys, Platform, SystemClock, Versions};
use bodega_webhooks::Selections;
use entity::platform::setting;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::config::Config;
use crate::graphql::Graphql;
use crate::limits::{DailyCounts, InMemory, InRedis};
use crate::{migrate, work};

/// The first version of the API.
const FIRST_VERSION: &str = "2026-11-20";

const SEALING_KEY: &str = "sealing_key";

/// Every resource there is, an area a line, in the order in which the docs show them: first what a
/// shop is about, then who may do what, then who is told.
pub(crate) fn registry() -> Registry {
    let mut resources = bodega_catalog::resources();
    resources.extend(bodega_identity::resources());
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
    pub(crate) engine: Arc<Engine>,
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
    let (ports, recorder) = (platform.clone(), Arc::new(recorder));
    let corridor = Corridor::new(registry, platform, keyring.clone(), limiter, recorder);
    let (corridor, engine) = (Arc::new(corridor), Arc::new(Engine::new(registry)?));
    let graphql = Graphql::new(&engine, &corridor);
    ports.ports.give(Selections(graphql.clone()));
    ports.ports.give(Checks(graphql));
    Ok(App { corridor, engine, keyring, counts, memory, figures, recorder: writing })
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
    use std::sync::Arc;

    use bodega_identity::ScopeName;
    use bodega_kernel::{Actor, Cx, Origin, ScopeSet};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::config::Config;

    #[test]
    fn the_contract_has_no_faults() {
        assert_eq!(super::registry().lint(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_selection_is_checked_when_it_is_kept_and_shapes_what_it_is_run_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let platform = super::platform(&config, true).await.expect("a platform");
        let app = super::build(&config, platform.clone()).await.expect("the parts");
        let cx = |scopes: ScopeSet| {
            let actor = Actor { kind: "system", id: None };
            let origin = Origin::system("webhook_endpoint.select", super::FIRST_VERSION);
            Cx::reading(platform.clone(), Uuid::now_v7(), actor, Arc::new(scopes), origin)
        };
        let run = async |scopes: ScopeSet, resource: &str, text: &str, objects: Vec<Value>| {
            app.engine.select(&app.corridor, &cx(scopes), resource, text, objects).await
        };
        for bad in [
            "{ nope }",
            "{ id",
            "id",
            "{ brand }",
            "{ id } b: brand(id: \"\") { id }",
            "{ id } } query x { brands { totalCount }",
            "{ ...f } } fragment f on Product { id",
            "{ id @include(if: $yes) }",
            "{ variants { prices { variant { prices { variant { prices { id } } } } } } id } }",
        ] {
            let refused = run(ScopeSet::all(), "product", bad, Vec::new()).await.err();
            let refused = refused.unwrap_or_else(|| panic!("{bad} is taken"));
            assert_eq!(refused.code.code, "selection_not_valid", "{bad}");
            assert_eq!(refused.errors[0].pointer, "/selection", "{bad}");
        }
        assert!(run(ScopeSet::all(), "nothing", "{ id }", Vec::new()).await.is_err());

        let text = "{ name: title brand { name } status: __typename }";
        let object =
            json!({"id": "prod_01k78agk00e008000000000001", "title": "Hammer", "brand_id": null});
        let shown = run(ScopeSet::all(), "product", text, vec![object.clone()]).await;
        let shown = shown.expect("objects").remove(0).expect("an object");
        assert_eq!(shown, json!({"name": "Hammer", "brand": null, "status": "Product"}));
        let refused = run(ScopeSet::default(), "product", text, vec![object]).await;
        let refused = refused.expect_err("no scope to read brands");
        assert_eq!(refused.code.code, "insufficient_scope");
    }

    #[test]
    fn every_scope_that_an_operation_needs_can_be_given() {
        let scopes = super::registry().scopes();
        let unknown: Vec<_> =
            scopes.iter().filter(|s| !s.is_empty() && ScopeName::named(s).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?} are not in identity's list");
    }
}
