//! The demo: an organization, keys and a real catalog, so that a first start has something to show.

use std::io::Read;
use std::path::PathBuf;

use bodega_catalog::import::{self, ImportRow};
use bodega_corridor::Corridor;
use bodega_identity::{ApiKeyCreate, Organization, OrganizationCreate, PlanName, ScopeName};
use bodega_kernel::{Id, Noun, Row};
use entity::Owned;
use entity::identity::organization;
use flate2::read::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// 20,670 products of a real grocer; see `demo/README.md` for source and licence (CC0).
const CATALOG: &[u8] = include_bytes!("../demo/catalog.csv.gz");
const EXTERNAL_ID: &str = "demo";
/// The sandbox gets enough to try things on.
const SANDBOX_PRODUCTS: usize = 500;

/// What a first start prints. Kept in the data folder, because keys are stored only as hashes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) organization: String,
    pub(crate) live_key: String,
    pub(crate) test_key: String,
}

/// Makes the demo organization where there is no organization yet, and loads what is missing of its
/// catalog; gives its keys where they are known.
pub(crate) async fn prepare(config: &Config, corridor: &Corridor) -> Result<Option<Demo>, String> {
    let db = corridor.platform().db.reader();
    let failed = |error: sea_orm::DbErr| format!("cannot look for the demo: {error}");
    let demo = organization::Entity::of_every_organization()
        .filter(organization::Column::ExternalId.eq(EXTERNAL_ID))
        .one(db)
        .await
        .map_err(failed)?;
    let live = match demo {
        Some(row) => row,
        None if organization::Entity::of_every_organization()
            .count(db)
            .await
            .map_err(failed)?
            > 0 =>
        {
            return Ok(None);
        }
        None => found(config, corridor).await?,
    };
    let sandbox = organization::Entity::of_every_organization()
        .filter(organization::Column::SandboxOf.eq(live.id))
        .one(db)
        .await
        .map_err(failed)?;
    load(corridor, &live, config.demo_products, true).await?;
    if let Some(sandbox) = sandbox {
        load(corridor, &sandbox, SANDBOX_PRODUCTS.min(config.demo_products), false).await?;
    }
    Ok(remembered(config).filter(|demo| demo.organization == shown(&live)))
}

async fn found(config: &Config, corridor: &Corridor) -> Result<Row<Organization>, String> {
    let id = uuid::Uuid::now_v7();
    let made = corridor
        .act(id, "demo.create", async |tx| {
            let body: OrganizationCreate = serde_json::from_value(serde_json::json!({
                "name": "Abarrotes La Esquina", "country": "MX", "currency": "MXN",
                "external_id": EXTERNAL_ID,
            }))
            .map_err(bodega_kernel::Problem::internal)?;
            let founded = bodega_identity::found(tx, Id::from_uuid(tx.organization), body).await?;
            let key = |name: &str, all: bool| {
                let scopes = ScopeName::ALL.to_vec();
                let mut key = ApiKeyCreate::named(name, scopes, PlanName::Scale);
                key.all = all;
                key
            };
            let live = bodega_identity::issue(tx, &founded.organization, key("Demo", true)).await?;
            let test =
                bodega_identity::issue(tx, &founded.sandbox, key("Demo, sandbox", true)).await?;
            Ok((founded.organization, live, test))
        })
        .await
        .map_err(|problem| format!("cannot make the demo: {problem:?}"))?;
    let (organization, live, test) = made;
    let demo = Demo {
        organization: organization.id.to_string(),
        live_key: live.secret,
        test_key: test.secret,
    };
    remember(config, &demo)?;
    organization::Entity::of(organization.id.uuid())
        .one(corridor.platform().db.reader())
        .await
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "the demo organization is gone".to_owned())
}

/// Loads rows that are not there yet, 500 a transaction.
async fn load(
    corridor: &Corridor,
    organization: &Row<Organization>,
    rows_max: usize,
    shown: bool,
) -> Result<(), String> {
    let there = entity::catalog::product::Entity::of(organization.id)
        .count(corridor.platform().db.reader())
        .await
        .map_err(|error| error.to_string())?;
    let rows = catalog()?;
    let wanted = rows.get(..rows_max.min(rows.len())).unwrap_or_default();
    if there >= wanted.len() as u64 {
        return Ok(());
    }
    let bar = if shown { bar(wanted.len()) } else { ProgressBar::hidden() };
    for chunk in wanted.chunks(import::ROWS_MAX) {
        corridor
            .act(organization.id, "catalog.import", async |tx| import::import(tx, chunk).await)
            .await
            .map_err(|problem| format!("cannot load the demo catalog: {problem:?}"))?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

fn bar(rows: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("Loading the demo catalog {wide_bar} {pos}/{len}");
    let bar = ProgressBar::new(rows as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn catalog() -> Result<Vec<ImportRow>, String> {
    let mut text = String::new();
    GzDecoder::new(CATALOG).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let rows = import::read(text.as_bytes()).map_err(|error| error.to_string())?;
    rows.collect::<Result<_, _>>().map_err(|error| error.to_string())
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
    std::fs::create_dir_all(&config.data_dir).map_err(failed)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(serde_json::to_string_pretty(demo).unwrap_or_default().as_bytes())
        .map_err(failed)
}
