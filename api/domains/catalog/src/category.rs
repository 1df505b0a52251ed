//! Categories: the tree in which products are filed.

use bodega_contract::{Deleted, Resource};
use bodega_kernel::{
    Cx, Event, ExternalId, FieldError, Id, ListQuery, Metadata, MetadataPatch, Noun, Page, Patch,
    Problem, Result, Tx, problem, text,
};
use chrono::{DateTime, Utc};
use entity::catalog::category::{Entity, Model};
use sea_orm::{ConnectionTrait, Statement};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Product, common};

/// How deep the tree may be, a root being at level 1.
pub(crate) const LEVELS_MAX: usize = 10;

/// Whoever changes the shape of the tree goes alone: two moves that are each fine can be a cycle
/// together.
pub(crate) const TREE: &str = "category_tree";

pub(crate) fn resource() -> Resource<Category> {
    Resource::new("catalog:read", "catalog:write", "A node of the tree in which products are filed")
        .belongs_to::<Category>("parent", "parent_id")
        .has_pages::<Category>("children", "parent_id")
        .has_pages::<Product>("products", "category_id")
        .list(list)
        .filter(["id", "parent_id", "name", "slug", "external_id", "created_at", "updated_at"])
        .sort(["name"])
        .get(get)
        .create(create)
        .note("The tree is at most 10 levels deep.")
        .emits(&CREATED)
        .fails(&problem::SLUG_TAKEN)
        .fails(&problem::CYCLE)
        .update(update)
        .note("A category moves with all that is under it, and never under itself.")
        .emits(&UPDATED)
        .fails(&problem::SLUG_TAKEN)
        .fails(&problem::CYCLE)
        .delete(delete)
        .note("A category that has others or products in it cannot go.")
        .emits(&DELETED)
        .fails(&problem::IN_USE)
}

pub(crate) static CREATED: Event = Event::new("category.created", "A category was added.");
static UPDATED: Event = Event::new("category.updated", "A category changed or moved.");
static DELETED: Event = Event::new("category.deleted", "A category was removed.");

/// A node of the tree in which products are filed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Category {
    /// Its id.
    pub id: Id<Self>,
    /// The category it is under; none for a root.
    pub parent_id: Option<Id<Self>>,
    /// What it is called.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its name in URLs, unique among categories.
    #[schema(max_length = 200)]
    pub slug: String,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// Its place among its siblings, smallest first.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub position: i32,
    /// Your own id for the object.
    #[schema(max_length = 200)]
    pub external_id: Option<String>,
    /// Your own pairs of text.
    pub metadata: Metadata,
    /// Grows by one with each change.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A new category.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Coffee", "position": 10})))]
pub struct CategoryCreate {
    /// The category it is under; none for a root.
    pub parent_id: Option<Id<Category>>,
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// Its name in URLs, unique among categories; made of `name` where absent.
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[schema(max_length = 5000)]
    pub description: Option<String>,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000, default = 0)]
    pub position: i32,
    /// Your own id for the object.
    pub external_id: Option<ExternalId>,
    /// Your own pairs of text.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Changes to a category.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Coffee and tea", "parent_id": null})))]
pub struct CategoryPatch {
    /// The category to move it under; null makes it a root.
    #[serde(default)]
    #[schema(value_type = Option<Id<Category>>)]
    pub parent_id: Patch<Id<Category>>,
    /// What it is called.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        nullable = false
    )]
    pub name: Option<String>,
    /// Its name in URLs, unique among categories.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 200, nullable = false)]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub description: Patch<String>,
    /// Its place among its siblings, smallest first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000, nullable = false)]
    pub position: Option<i32>,
    /// Your own id for the object.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<ExternalId>,
    /// Pairs to set or, with null, to remove.
    #[serde(default)]
    pub metadata: MetadataPatch,
}

impl Noun for Category {
    type Entity = Entity;
    const NAME: &'static str = "category";
    const PLURAL: &'static str = "categories";
    const PREFIX: &'static str = "cat";
}

impl From<Model> for Category {
    fn from(row: Model) -> Self {
        let Model {
            id,
            organization_id: _,
            parent_id,
            name,
            slug,
            description,
            position,
            external_id,
            metadata,
            version,
            created_at,
            updated_at,
        } = row;
        Self {
            id: Id::from_uuid(id),
            parent_id: parent_id.map(Id::from_uuid),
            name,
            slug,
            description,
            position,
            external_id,
            metadata: Metadata::stored(metadata),
            version,
            created_at,
            updated_at,
        }
    }
}

async fn list(cx: Cx, query: ListQuery) -> Result<Page<Category>> {
    cx.page(&query).await
}

async fn get(cx: Cx, id: Id<Category>) -> Result<Category> {
    cx.load(id).await
}

async fn create(tx: Tx, body: CategoryCreate) -> Result<Category> {
    let row = row(&tx, body);
    if let Some(parent) = row.parent_id {
        tx.alone(TREE).await?;
        check_place(&tx, row.id, Id::from_uuid(parent)).await?;
    }
    tx.create(&CREATED, row).await
}

async fn update(tx: Tx, id: Id<Category>, patch: CategoryPatch) -> Result<Category> {
    if patch.parent_id != Patch::Keep {
        // Before any row is locked: who goes alone must not wait for one who waits to go alone.
        tx.alone(TREE).await?;
    }
    let row = tx.load(id).await?;
    if let Patch::Set(parent) = patch.parent_id {
        check_place(&tx, row.id, parent).await?;
    }
    let mut metadata = row.metadata.clone();
    patch.metadata.apply(&mut metadata)?;
    tx.update(&UPDATED, row, |next| {
        patch.parent_id.map(Id::uuid).apply(&mut next.parent_id);
        patch.name.into_iter().for_each(|name| next.name = name);
        patch.slug.into_iter().for_each(|slug| next.slug = slug);
        patch.description.apply(&mut next.description);
        patch.position.into_iter().for_each(|position| next.position = position);
        patch.external_id.map(|id| id.0).apply(&mut next.external_id);
        next.metadata = metadata;
    })
    .await
}

async fn delete(tx: Tx, id: Id<Category>) -> Result<Deleted> {
    let row = tx.load(id).await?;
    // What is filed in it, categories or products, holds it by a foreign key.
    tx.delete::<Category>(&DELETED, row).await?;
    Ok(Deleted::DONE)
}

/// The row of a new category; whether it may be where it wants to be is for [`check_place`] to say.
pub(crate) fn row(tx: &Tx, body: CategoryCreate) -> Model {
    let CategoryCreate { parent_id, name, slug, description, position, external_id, metadata } =
        body;
    let id: Id<Category> = tx.new_id();
    Model {
        id: id.uuid(),
        organization_id: tx.organization,
        parent_id: parent_id.map(Id::uuid),
        slug: common::slug(slug, &name, id),
        name,
        description,
        position,
        external_id: external_id.map(|id| id.0),
        metadata: metadata.into_json(),
        version: 1,
        created_at: tx.now,
        updated_at: tx.now,
    }
}

/// How many levels there are from the parent up, whether the node is among them, and how many
/// levels the node has from itself down. Both walks end at `$4` levels, whatever the rows say.
const WALK: &str = r"
WITH RECURSIVE
above(id, parent_id, level) AS (
    SELECT id, parent_id, CAST(1 AS bigint) FROM category
    WHERE organization_id = $1 AND id = $2
    UNION ALL
    SELECT up.id, up.parent_id, above.level + 1 FROM above
    JOIN category up ON up.id = above.parent_id
    WHERE up.organization_id = $1 AND above.level < $4
),
below(id, level) AS (
    SELECT id, CAST(1 AS bigint) FROM category
    WHERE organization_id = $1 AND id = $3
    UNION ALL
    SELECT down.id, below.level + 1 FROM below
    JOIN category down ON down.parent_id = below.id
    WHERE down.organization_id = $1 AND below.level < $4
)
SELECT
    (SELECT COUNT(*) FROM above) AS levels_above,
    (SELECT COUNT(*) FROM above WHERE id = $3) AS under_itself,
    (SELECT COALESCE(MAX(level), 1) FROM below) AS levels_below";

/// Refuses a place under itself, or one that makes the tree too deep.
async fn check_place(tx: &Tx, node: Uuid, parent: Id<Category>) -> Result<()> {
    tx.refer(parent, "/parent_id").await?;
    let levels_max = i64::try_from(LEVELS_MAX).map_err(Problem::internal)?;
    let walk = Statement::from_sql_and_values(
        tx.db().get_database_backend(),
        WALK,
        [tx.organization.into(), parent.uuid().into(), node.into(), levels_max.into()],
    );
    let found = tx.db().query_one_raw(walk).await?;
    let found = found.ok_or_else(|| Problem::internal("a walk without an end"))?;
    let above: i64 = found.try_get("", "levels_above")?;
    let under_itself: i64 = found.try_get("", "under_itself")?;
    let below: i64 = found.try_get("", "levels_below")?;
    let (code, detail) = if under_itself > 0 {
        ("cycle", text("would be under itself", "quedaría debajo de sí misma"))
    } else if above + below > levels_max {
        let (en, es) = ("would make the tree deeper than 10 levels", "pasaría de 10 niveles");
        ("too_deep", text(en, es))
    } else {
        return Ok(());
    };
    Err(Problem::new(&problem::CYCLE).at(FieldError::body("/parent_id", code, detail)))
}
