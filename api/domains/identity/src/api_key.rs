//! API keys: shown once, stored as a hash, limited by scopes, a plan, addresses and origins.

use std::sync::LazyLock;

use bodega_contract::Resource;
use bodega_kernel::{
    Event, ExternalId, Id, Metadata, MetadataPatch, Noun, Patch, Problem, Result, Tx, problem,
};
use chrono::{DateTime, TimeDelta, Utc};
use entity::identity::api_key::{Entity, Model};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{RefOr, Type};

use crate::KEYS_ACCESS;
use crate::keyring::KEYS;
use crate::organization::Organization;
use crate::rights::{Asked, Rights, descent, giver, may_change, may_give, room, within};
use crate::{PlanName, Preset, ScopeName, secret};

pub(crate) fn resource() -> Resource<ApiKey> {
    Resource::new(KEYS_ACCESS,
        "What a program calls this API with: scopes, a plan, addresses and origins",
    )
    .list()
    .filter(["name", "plan", "expires_at", "revoked_at"])
    .get()
    .create(create)
    .note(
        "The secret is in this answer and never again. A key gives nothing that it does not have \
         itself: no scope, no larger plan, no later end, no other address or origin. The calls of \
         the new key also count towards the limits of the key that made it. The plan limits how many \
         keys there can be (409 `limit_reached`).",
    )
    .secret()
    .emits(&CREATED)
    .fails(&problem::INSUFFICIENT_SCOPE)
    .fails(&problem::BEYOND_OWN_RIGHTS)
    .fails(&problem::LIMIT_REACHED)
    .update(update)
    .note(
        "The calling key must itself hold every right that this key has and is to get. A key that \
         has ended or was replaced cannot be changed.",
    )
    .emits(&UPDATED)
    .fails(&problem::BEYOND_OWN_RIGHTS)
    .fails(&problem::INVALID_TRANSITION)
    .action_with(
        "rotate",
        "Makes a new key with the same rights; the old one goes on for `overlap_seconds`, then ends.",
        rotate,
    )
    .note(
        "The calling key must itself hold every right of this key. A key can be replaced once. The \
         new key has no fresh limits: what the old one has used stays used. While both work, both \
         count towards the number of keys that the plan allows.",
    )
    .secret()
    .emits(&CREATED)
    .emits(&ROTATED)
    .fails(&problem::BEYOND_OWN_RIGHTS)
    .fails(&problem::INVALID_TRANSITION)
    .fails(&problem::LIMIT_REACHED)
    .action("revoke", "Ends a key at once, on every node.", revoke)
    .note("Any key with `keys:write` can revoke any key, because that gives nobody a right.")
    .emits(&REVOKED)
    .fails(&problem::INVALID_TRANSITION)
}

pub(crate) static CREATED: Event = Event::new("api_key.created", "An API key was made.");
static UPDATED: Event = Event::new("api_key.updated", "An API key's settings changed.");
static ROTATED: Event = Event::new("api_key.rotated", "An API key was replaced by a new one.");
static REVOKED: Event = Event::new("api_key.revoked", "An API key was ended.");

/// What a program calls this API with. Its secret is stored only as a hash.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// The object's id.
    pub id: Id<Self>,
    /// What it is for.
    #[schema(max_length = 200)]
    pub name: String,
    /// The start and the end of the secret, to tell keys apart.
    #[schema(max_length = 20)]
    pub hint: String,
    /// What it may do.
    #[schema(max_items = 100)]
    pub scopes: Vec<KeyScope>,
    /// How much it may do.
    pub plan: PlanName,
    /// Calls a minute.
    #[schema(minimum = 1)]
    pub per_minute: i32,
    /// Calls a day (UTC).
    #[schema(minimum = 1)]
    pub per_day: i32,
    /// The version of the API that its answers come in.
    #[schema(max_length = 10, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub api_version: String,
    /// The addresses it may be used from; any, where empty.
    #[schema(max_items = 50)]
    pub allowed_ips: Vec<IpRange>,
    /// The origins a browser may use it on; any, where empty.
    #[schema(max_items = 50)]
    pub allowed_origins: Vec<WebOrigin>,
    /// The key that made it; null where the program itself did.
    pub created_by_id: Option<Id<Self>>,
    /// The key it replaces.
    pub rotated_from_id: Option<Id<Self>>,
    /// The key that replaces it.
    pub rotated_to_id: Option<Id<Self>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, give or take a second.
    pub last_used_at: Option<DateTime<Utc>>,
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

/// A scope, or `*` for all of them, also those to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 60, pattern = r"^([a-z_]+:[a-z_]+|\*)$")]
pub struct KeyScope(pub String);

/// An address or a range of addresses: `203.0.113.7`, `198.51.100.0/24`, `2001:db8::/32`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IpRange(pub String);

/// The origin of a web page: `https://panel.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(max_length = 200, pattern = r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$")]
pub struct WebOrigin(pub String);

/// Exactly what the parser takes, so that what the schema lets in is never refused later.
static IP_RANGE: LazyLock<String> = LazyLock::new(|| {
    let byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    let v4 = format!(r"({byte}\.){{3}}{byte}(/(3[0-2]|[12]?[0-9]))?");
    let word = "[0-9a-f]{1,4}";
    let mut forms = vec![format!("({word}:){{7}}{word}"), format!("({word}:){{1,7}}:")];
    forms.extend((1..=6).map(|n| format!("({word}:){{1,{}}}(:{word}){{1,{n}}}", 7 - n)));
    forms.push(format!(":((:{word}){{1,7}}|:)"));
    let v6 = format!("({})(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?", forms.join("|"));
    format!("^({v4}|{v6})$")
});

impl ComposeSchema for IpRange {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("An address or a range of addresses (CIDR), IPv4 or IPv6."))
                .pattern(Some(IP_RANGE.as_str()))
                .max_length(Some(43))
                .examples([Value::from("198.51.100.0/24")])
                .build(),
        ))
    }
}

impl ToSchema for IpRange {}

impl Noun for ApiKey {
    type Entity = Entity;
    const NAME: &'static str = "api_key";
    const PLURAL: &'static str = "api_keys";
    const PREFIX: &'static str = "key";
}

impl From<Model> for ApiKey {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            name,
            hash: _,
            hint,
            scopes,
            plan,
            per_minute,
            per_day,
            api_version,
            allowed_ips,
            allowed_origins,
            rotated_from_id,
            rotated_to_id,
            created_by_id,
            counted_as_id: _,
            lineage: _,
            expires_at,
            revoked_at,
            last_used_at,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            name,
            hint,
            scopes: stored(scopes),
            plan: PlanName::named(&plan),
            per_minute,
            per_day,
            api_version,
            allowed_ips: stored(allowed_ips),
            allowed_origins: stored(allowed_origins),
            created_by_id: created_by_id.map(Id::from_uuid),
            rotated_from_id: rotated_from_id.map(Id::from_uuid),
            rotated_to_id: rotated_to_id.map(Id::from_uuid),
            expires_at,
            revoked_at,
            last_used_at,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        }
    }
}

/// A new key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Web shop", "preset": "write", "plan": "standard"})))]
pub struct ApiKeyCreate {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// What it may do, scope by scope.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub scopes: Vec<ScopeName>,
    /// What it may do, by a name for many scopes; `read` where neither is given.
    pub preset: Option<Preset>,
    /// How much it may do.
    #[serde(default)]
    #[schema(default = "standard")]
    pub plan: PlanName,
    /// The addresses it may be used from; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub allowed_ips: Vec<IpRange>,
    /// The origins a browser may use it on; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub allowed_origins: Vec<WebOrigin>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
    /// Every scope, also those to come: only the program's own command line gives that.
    #[serde(skip)]
    pub all: bool,
}

/// Changes to a key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Web shop, checkout", "allowed_ips": ["198.51.100.0/24"]})))]
pub struct ApiKeyPatch {
    /// What it is for.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub name: Option<String>,
    /// What it may do: all of it, not only what is new.
    #[serde(default)]
    #[schema(max_items = 100, nullable = false)]
    pub scopes: Option<Vec<ScopeName>>,
    /// How much it may do.
    #[serde(default)]
    #[schema(nullable = false)]
    pub plan: Option<PlanName>,
    /// The addresses it may be used from; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50, nullable = false)]
    pub allowed_ips: Option<Vec<IpRange>>,
    /// The origins a browser may use it on; any, where empty.
    #[serde(default)]
    #[schema(max_items = 50, nullable = false)]
    pub allowed_origins: Option<Vec<WebOrigin>>,
    /// When it ends.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>, required = false)]
    pub expires_at: Patch<DateTime<Utc>>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(required = false)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

/// How to replace a key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"overlap_seconds": 86400})))]
pub struct ApiKeyRotate {
    /// How long the old key goes on, up to seven days.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    pub overlap_seconds: i64,
}

/// A new key, with its secret: the only time it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewApiKey {
    /// The secret: `Authorization: Bearer <secret>`. Keep it safe; it cannot be shown again.
    #[schema(
        max_length = 60,
        pattern = "^bdg_(live|test)_[0-9A-Za-z]{40}$",
        examples("bdg_test_0000000000000000000000000000000000000000")
    )]
    pub secret: String,
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
}

impl ApiKeyCreate {
    /// A key with these scopes and nothing else special.
    pub fn named(name: &str, scopes: Vec<ScopeName>, plan: PlanName) -> Self {
        Self {
            name: name.to_owned(),
            scopes,
            preset: None,
            plan,
            allowed_ips: Vec::new(),
            allowed_origins: Vec::new(),
            expires_at: None,
            external_id: None,
            metadata: Metadata::default(),
            all: false,
        }
    }

    fn granted(&self) -> Vec<ScopeName> {
        let mut scopes = self.scopes.clone();
        let preset = self.preset.or(scopes.is_empty().then_some(Preset::Read));
        scopes.extend(preset.map(Preset::scopes).unwrap_or_default());
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

async fn create(tx: Tx, body: ApiKeyCreate) -> Result<NewApiKey> {
    let owner = tx.load(Id::<Organization>::from_uuid(tx.organization)).await?;
    issue(&tx, &owner.into(), body).await
}

async fn update(tx: Tx, id: Id<ApiKey>, patch: ApiKeyPatch) -> Result<ApiKey> {
    let (row, giver) = (tx.load(id).await?, giver(&tx).await?);
    may_change(giver.as_ref(), &row, tx.now)?;
    let mut next = row.clone();
    patch.metadata.apply(&mut next.metadata)?;
    patch.name.into_iter().for_each(|name| next.name = name);
    patch.scopes.into_iter().for_each(|scopes| next.scopes = kept(&scopes));
    patch.plan.into_iter().for_each(|plan| set_plan(&mut next, plan));
    patch.allowed_ips.into_iter().for_each(|ips| next.allowed_ips = kept(&ips));
    patch.allowed_origins.into_iter().for_each(|all| next.allowed_origins = kept(&all));
    patch.expires_at.map(bodega_kernel::micros).apply(&mut next.expires_at);
    patch.external_id.apply(&mut next.external_id);
    may_give(giver.as_ref(), &next, Asked::InBody)?;
    tx.signal(KEYS);
    tx.update(&UPDATED, row, |row| {
        *row = next;
        Ok(())
    })
    .await
}

async fn rotate(tx: Tx, id: Id<ApiKey>, body: ApiKeyRotate) -> Result<NewApiKey> {
    let (row, giver) = (tx.load(id).await?, giver(&tx).await?);
    // Whoever rotates a key is shown the secret of the new one, and with it all its rights.
    may_change(giver.as_ref(), &row, tx.now)?;
    if body.overlap_seconds > 0 {
        room(&tx).await?;
    }
    let owner = tx.load(Id::<Organization>::from_uuid(tx.organization)).await?;
    let secret = secret::make(owner.mode)?;
    let next = Model {
        id: tx.new_id::<ApiKey>().uuid(),
        hash: secret::hash(&secret).to_vec(),
        hint: secret::hint(&secret),
        created_by_id: giver.map(|giver| giver.id),
        rotated_from_id: Some(row.id),
        // What the old one has used up the new one has too.
        counted_as_id: row.counted_as_id.or(Some(row.id)),
        // Two keys cannot have the same; the new one is the one that is meant from now on.
        external_id: row.external_id.clone(),
        last_used_at: None,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
        ..row.clone()
    };
    let (ends, heir) = (tx.now + TimeDelta::seconds(body.overlap_seconds), next.id);
    let _old: ApiKey = tx
        .update(&ROTATED, row, |old| {
            old.external_id = None;
            old.expires_at = Some(old.expires_at.map_or(ends, |set| set.min(ends)));
            old.rotated_to_id = Some(heir);
            Ok(())
        })
        .await?;
    let key = tx.create(&CREATED, next).await?;
    tx.signal(KEYS);
    Ok(NewApiKey { secret, key })
}

/// Ends a key at once.
pub async fn revoke(tx: Tx, id: Id<ApiKey>) -> Result<ApiKey> {
    let row = tx.load(id).await?;
    if row.revoked_at.is_some() {
        return Err(Problem::new(&problem::INVALID_TRANSITION)
            .with("from", "revoked")
            .with("allowed", Vec::<String>::new()));
    }
    let now = tx.now;
    tx.signal(KEYS);
    tx.update(&REVOKED, row, |next| {
        next.revoked_at = Some(now);
        Ok(())
    })
    .await
}

/// Makes a key of an organization, within what whoever asks may give.
pub async fn issue(tx: &Tx, owner: &Organization, body: ApiKeyCreate) -> Result<NewApiKey> {
    let granted = body.granted();
    let secret = secret::make(owner.mode)?;
    let id = tx.new_id::<ApiKey>().uuid();
    let mut row = Model {
        id,
        organization_id: owner.id.uuid(),
        name: body.name,
        hash: secret::hash(&secret).to_vec(),
        hint: secret::hint(&secret),
        scopes: if body.all { serde_json::json!(["*"]) } else { kept(&granted) },
        plan: String::new(),
        per_minute: 0,
        per_day: 0,
        api_version: tx.origin.api_version.clone(),
        allowed_ips: kept(&body.allowed_ips),
        allowed_origins: kept(&body.allowed_origins),
        rotated_from_id: None,
        rotated_to_id: None,
        created_by_id: None,
        counted_as_id: Some(id),
        lineage: None,
        expires_at: body.expires_at.map(bodega_kernel::micros),
        revoked_at: None,
        last_used_at: None,
        external_id: body.external_id,
        metadata: body.metadata,
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    };
    set_plan(&mut row, body.plan);
    let giver = giver(tx).await?;
    if row.organization_id == tx.organization {
        may_give(giver.as_ref(), &row, Asked::InBody)?;
        row.created_by_id = giver.as_ref().map(|giver| giver.id);
        row.lineage = giver.as_ref().map(descent).transpose()?;
        room(tx).await?;
    } else if let Some(giver) = &giver {
        // A founded organization is nothing that the founder's key leads to: when and from where that
        // may be used does not bind the keys of others.
        let rights = Rights::of(giver).at_any_time_from_anywhere();
        within(&rights, &Rights::of(&row), Asked::InBody)?;
    }
    let key = tx.create(&CREATED, row).await?;
    // A secret that was tried before it was made must not be remembered as unknown.
    tx.signal(KEYS);
    Ok(NewApiKey { secret, key })
}

fn per_minute(plan: PlanName) -> i32 {
    i32::try_from(plan.allows().per_minute).unwrap_or(i32::MAX)
}

fn set_plan(row: &mut Model, plan: PlanName) {
    let allows = plan.allows();
    row.plan = plan.as_str().to_owned();
    row.per_minute = per_minute(plan);
    row.per_day = i32::try_from(allows.per_day).unwrap_or(i32::MAX);
}

fn kept<T: Serialize>(all: &[T]) -> Value {
    serde_json::to_value(all).unwrap_or_default()
}

fn stored<T: serde::de::DeserializeOwned>(json: Value) -> Vec<T> {
    serde_json::from_value(json).unwrap_or_default()
}
