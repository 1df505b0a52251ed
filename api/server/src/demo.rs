//! The demo: an organization, keys and a real catalog, so that a first start has something to show.

use std::path::PathBuf;

use bodega_catalog::import::{self, ImportRow};
use bodega_corridor::Corridor;
use bodega_identity::{ApiKeyCreate, Organization, OrganizationCreate, PlanName, ScopeName};
use bodega_kernel::{Database, Id, Noun, Problem, Row, Tx};
use entity::Owned;
use entity::identity::organization;
use entity::platform::setting;
use flate2::read::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::private;

/// 20,670 products of a real grocer; see `demo/README.md` for source and licence (CC0).
const CATALOG: &[u8] = include_bytes!("../demo/catalog.csv.gz");
const CATALOG_ROWS: usize = 20_670;
const EXTERNAL_ID: &str = "demo";
/// The sandbox gets enough to try things on.
const SANDBOX_PRODUCTS: usize = 500;
/// Any number, the same in every node.
const LOCK: i64 = 0x0062_6f64_6567_6101;

/// What a first start prints. Kept in the data folder, because keys are stored only as hashes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) organization: String,
    pub(crate) live_key: String,
    pub(crate) test_key: String,
}

/// Makes the demo organization where there is no organization yet, and loads what is missing of its
/// catalog; gives its keys where they are known, and whether anything was loaded.
pub(crate) async fn prepare(
    config: &Config,
    corridor: &Corridor,
) -> Result<(Option<Demo>, bool), String> {
    let db = corridor.platform().db.reader();
    let failed = |error: sea_orm::DbErr| format!("cannot look for the demo: {error}");
    if organization::Entity::of_every_organization().count(db).await.map_err(failed)? == 0 {
        found(config, corridor).await?;
    }
    let demo = organization::Entity::of_every_organization()
        .filter(organization::Column::ExternalId.eq(EXTERNAL_ID))
        .one(db)
        .await
        .map_err(failed)?;
    let Some(live) = demo else { return Ok((None, false)) };
    let sandbox = organization::Entity::of_every_organization()
        .filter(organization::Column::SandboxOf.eq(live.id))
        .one(db)
        .await
        .map_err(failed)?;
    let loaded = load(corridor, &live, config.demo_products, true).await?;
    if let Some(sandbox) = sandbox {
        load(corridor, &sandbox, SANDBOX_PRODUCTS.min(config.demo_products), false).await?;
    }
    Ok((remembered(config).filter(|demo| demo.organization == shown(&live)), loaded))
}

/// Makes the demo organization, unless another node that started at the same time was first.
async fn found(config: &Config, corridor: &Corridor) -> Result<(), String> {
    let id = uuid::Uuid::now_v7();
    Tx::act(corridor.platform(), id, "demo.create", async |tx| {
        one_at_a_time(tx).await?;
        if organization::Entity::of_every_organization().count(tx.db()).await? > 0 {
            return Ok(());
        }
        let body: OrganizationCreate = serde_json::from_value(serde_json::json!({
            "name": "Abarrotes La Esquina", "country": "MX", "currency": "MXN",
            "external_id": EXTERNAL_ID,
        }))
        .map_err(Problem::internal)?;
        let founded = bodega_identity::found(tx, Id::from_uuid(tx.organization), body).await?;
        let key = |name: &str, all: bool| {
            let scopes = ScopeName::ALL.to_vec();
            let mut key = ApiKeyCreate::named(name, scopes, PlanName::Scale);
            key.all = all;
            key
        };
        let live = bodega_identity::issue(tx, &founded.organization, key("Demo", true)).await?;
        let test = bodega_identity::issue(tx, &founded.sandbox, key("Demo, sandbox", true)).await?;
        let demo = Demo {
            organization: founded.organization.id.to_string(),
            live_key: live.secret,
            test_key: test.secret,
        };
        // Before the commit: keys that nobody wrote down could never be shown again.
        remember(config, &demo).map_err(Problem::internal)
    })
    .await
    .map_err(|problem| format!("cannot make the demo: {problem:?}"))
}

/// Nodes that start together on an empty database must not make a demo each.
async fn one_at_a_time(tx: &Tx) -> bodega_kernel::Result<()> {
    if tx.db().get_database_backend() == DbBackend::Postgres {
        tx.db().execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    Ok(())
}

/// Loads rows that are not there yet, 500 a transaction; once all are there, never again, so that
/// what is deleted stays deleted. Whether there was anything to load.
async fn load(
    corridor: &Corridor,
    organization: &Row<Organization>,
    rows_max: usize,
    shown: bool,
) -> Result<bool, String> {
    let wanted = rows_max.min(CATALOG_ROWS);
    let db = &corridor.platform().db;
    let mark = format!("demo_loaded:{}", organization.id);
    if marked(db, &mark).await.map_err(|error| error.to_string())? {
        return Ok(false);
    }
    let bar = if shown { bar(wanted) } else { ProgressBar::hidden() };
    let mut rows = import::read(GzDecoder::new(CATALOG)).map_err(|error| error.to_string())?;
    let mut left = wanted;
    while left > 0 {
        let chunk: Vec<ImportRow> = rows
            .by_ref()
            .take(left.min(import::ROWS_MAX))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        if chunk.is_empty() {
            break;
        }
        Tx::act(corridor.platform(), organization.id, "catalog.import", async |tx| {
            import::import(tx, &chunk).await
        })
        .await
        .map_err(|problem| format!("cannot load the demo catalog: {problem:?}"))?;
        left -= chunk.len();
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    db.optimize().await.map_err(|error| error.to_string())?;
    set_mark(db, mark).await.map_err(|error| error.to_string())?;
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "the platform's own row")]
async fn marked(db: &Database, mark: &str) -> Result<bool, DbErr> {
    let found = setting::Entity::find().filter(setting::Column::Name.eq(mark));
    Ok(found.count(db.writer()).await? > 0)
}

#[expect(clippy::disallowed_methods, reason = "the platform's own row")]
async fn set_mark(db: &Database, mark: String) -> Result<(), DbErr> {
    let row = setting::Model { name: mark, value: "yes".to_owned() }.into_active_model();
    let insert = setting::Entity::insert(row).on_conflict_do_nothing();
    insert.exec_without_returning(db.writer()).await?;
    Ok(())
}

fn bar(rows: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("Loading the demo catalog {wide_bar} {pos}/{len}");
    let bar = ProgressBar::new(rows as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn shown(row: &Row<Organization>) -> String {
    bodega_kernel::tagged(Organization::PREFIX, row.id)
}

fn file(config: &Config) -> PathBuf {
    config.data_dir.join("demo-keys.json")
}

fn remembered(config: &Config) -> Option<Demo> {
    serde_json::from_slice(&std::fs::read(file(config)).ok()?).ok()
}

/// Readable to its owner alone.
fn remember(config: &Config, demo: &Demo) -> Result<(), String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = file(config);
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    private::folder(&config.data_dir)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(private::FILE_MODE)
        .open(&path)
        .map_err(failed)?;
    file.write_all(serde_json::to_string_pretty(demo).unwrap_or_default().as_bytes())
        .map_err(failed)
}
