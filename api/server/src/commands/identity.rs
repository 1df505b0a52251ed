//! `bodega keys …` and `bodega organizations …`.

use bodega_corridor::Corridor;
use bodega_identity::{
    Allowance, ApiKey, ApiKeyCreate, Organization, OrganizationCreate, PLANS, PlanName, Preset,
    ScopeName,
};
use bodega_kernel::{Id, Problem, Result as Done, Tx};
use entity::Owned;
use entity::identity::organization::Mode;
use entity::identity::{api_key, organization};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::cli::{Keys, Organizations};
use crate::commands::{corridor, organization as parsed, said};
use crate::config::Config;

/// Makes, lists or ends keys.
pub(crate) async fn keys(config: &Config, keys: Keys) -> Result<(), String> {
    let corridor = corridor(config).await?;
    match keys {
        Keys::Create { organization, name, preset, scopes, plan } => {
            let owner = match organization {
                Some(organization) => parsed(&organization)?,
                None => the_only(&corridor).await?,
            };
            let body = wanted(&name, preset.as_deref(), &scopes, &plan)?;
            let made = Tx::act(corridor.platform(), owner.uuid(), "api_key.create", async |tx| {
                let owner: Organization = tx.load(owner).await?.into();
                bodega_identity::issue(tx, &owner, body).await
            })
            .await
            .map_err(|problem| said(&problem))?;
            println!("{}", made.secret);
            eprintln!("{} — keep the secret; it is not shown again", made.key.id);
        }
        Keys::List { organization } => {
            let rows = api_key::Entity::of(parsed(&organization)?.uuid())
                .order_by_asc(api_key::Column::Id)
                .all(corridor.platform().db.reader())
                .await
                .map_err(|error| error.to_string())?;
            for key in rows.into_iter().map(ApiKey::from) {
                let state = if key.revoked_at.is_some() { "revoked" } else { "" };
                println!(
                    "{}  {}  {:<8} {state:<8} {}",
                    key.id,
                    key.hint,
                    key.plan.as_str(),
                    key.name
                );
            }
        }
        Keys::Revoke { organization, key } => {
            let id = Id::<ApiKey>::parse(&key).map_err(|problem| said(&problem))?;
            Tx::act(
                corridor.platform(),
                parsed(&organization)?.uuid(),
                "api_key.revoke",
                async |tx| bodega_identity::revoke(tx.clone(), id).await,
            )
            .await
            .map_err(|problem| said(&problem))?;
            println!("revoked {key}");
        }
    }
    Ok(())
}

/// Founds or lists organizations.
pub(crate) async fn organizations(config: &Config, what: Organizations) -> Result<(), String> {
    let corridor = corridor(config).await?;
    match what {
        Organizations::Create { name } => {
            let id = uuid::Uuid::now_v7();
            let made = Tx::act(corridor.platform(), id, "organization.create", async |tx| {
                create(tx, &name).await
            })
            .await
            .map_err(|problem| said(&problem))?;
            println!("{}", serde_json::to_string_pretty(&made).unwrap_or_default());
        }
        Organizations::List => {
            let rows = organization::Entity::of_every_organization()
                .order_by_asc(organization::Column::Id)
                .all(corridor.platform().db.reader())
                .await
                .map_err(|error| error.to_string())?;
            for one in rows.into_iter().map(Organization::from) {
                println!("{}  {}", one.id, one.name);
            }
        }
    }
    Ok(())
}

/// The live organization, where there is only one.
async fn the_only(corridor: &Corridor) -> Result<Id<Organization>, String> {
    let live = organization::Entity::of_every_organization()
        .filter(organization::Column::Mode.eq(Mode::Live))
        .limit(2)
        .all(corridor.platform().db.reader())
        .await
        .map_err(|error| error.to_string())?;
    match live.as_slice() {
        [one] => Ok(Id::from_uuid(one.id)),
        [] => Err("there is no organization yet: `bodega organizations create`".to_owned()),
        _ => Err("there are several organizations: say which with --organization".to_owned()),
    }
}

async fn create(tx: &Tx, name: &str) -> Done<serde_json::Value> {
    let body: OrganizationCreate =
        serde_json::from_value(serde_json::json!({ "name": name })).map_err(Problem::internal)?;
    let founded = bodega_identity::found(tx, Id::from_uuid(tx.organization), body).await?;
    let key = || ApiKeyCreate::named("First key", Preset::Admin.scopes(), PlanName::Standard);
    let live = bodega_identity::issue(tx, &founded.organization, key()).await?;
    let test = bodega_identity::issue(tx, &founded.sandbox, key()).await?;
    Ok(serde_json::json!({
        "organization": founded.organization.id,
        "sandbox": founded.sandbox.id,
        "live_key": live.secret,
        "test_key": test.secret,
    }))
}

fn wanted(
    name: &str,
    preset: Option<&str>,
    scopes: &[String],
    plan: &str,
) -> Result<ApiKeyCreate, String> {
    let plan = PLANS
        .into_iter()
        .find(|known| known.as_str() == plan)
        .ok_or_else(|| format!("{plan} is not a plan: trial, standard, plus or scale"))?;
    let all = scopes.iter().any(|scope| scope == "*");
    let known = |scope: &String| {
        ScopeName::named(scope).ok_or_else(|| {
            let names: Vec<_> = ScopeName::ALL.iter().map(|scope| scope.as_str()).collect();
            format!("{scope} is not a scope; there are {}", names.join(", "))
        })
    };
    let named = scopes.iter().filter(|scope| *scope != "*").map(known);
    let mut body = ApiKeyCreate::named(name, named.collect::<Result<_, _>>()?, plan);
    body.all = all;
    body.preset = match preset {
        None => None,
        Some("read") => Some(Preset::Read),
        Some("write") => Some(Preset::Write),
        Some("admin") => Some(Preset::Admin),
        Some(other) => return Err(format!("{other} is not a preset: read, write or admin")),
    };
    Ok(body)
}
