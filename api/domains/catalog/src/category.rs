//! Categories: the tree in which products are filed.

use bodega_contract::Resource;
use bodega_kernel::values::{Name, Slug, Text};
use bodega_kernel::{Event, FieldError, Id, Patch, Problem, Result, Tx, problem, text};
use bodega_macros::object;
use sea_orm::{ConnectionTrait, Statement};

use crate::common::slug;
use crate::{CATALOG, Product};

/// How deep the tree may be, a root being at level 1.
pub(crate) const LEVELS_MAX: usize = 10;

/// Whoever changes the shape of the tree goes alone: two moves that are each fine can be a cycle
/// together.
pub(crate) const TREE: &str = "category_tree";

pub(crate) fn resource() -> Resource<Category> {
    Resource::new(CATALOG, "A node of the tree in which products are filed")
        .belongs_to::<Category>("parent", "parent_id")
        .has_pages::<Category>("children", "parent_id")
        .has_pages::<Product>("products", "category_id")
        .list()
        .filter(["parent_id", "name", "slug"])
        .sort(["name"])
        .get()
        .create(create)
        .note("The tree is at most 10 levels deep.")
        .emits(&CREATED)
        .fails(&problem::CYCLE)
        .update(update)
        .note("A category moves with all that is under it, and never under itself.")
        .emits(&UPDATED)
        .fails(&problem::CYCLE)
        .deletes(&DELETED)
        .note("A category that has others or products in it cannot be removed.")
        .fails(&problem::IN_USE)
}

pub(crate) static CREATED: Event = Event::new("category.created", "A category was added.");
static UPDATED: Event = Event::new("category.updated", "A category changed or moved.");
static DELETED: Event = Event::new("category.deleted", "A category was removed.");

/// A node of the tree in which products are filed.
#[object(
    name = "category", plural = "categories", prefix = "cat", table = entity::catalog::category,
    create = {"name": "Coffee", "position": 10},
    patch = {"name": "Coffee and tea", "parent_id": null},
)]
pub struct Category {
    /// The category this one is under; null for one at the top of the tree.
    #[patch(by_hand)]
    pub parent_id: Option<Id<Category>>,
    /// The name shown to customers.
    pub name: Name,
    /// The name in URLs, unique among categories. Made of `name` where absent.
    #[create(optional)]
    #[unique(problem::SLUG_TAKEN)]
    pub slug: Slug,
    /// A text about the category, shown to customers.
    pub description: Option<Text<5000>>,
    /// Its place among the categories under the same parent, smallest first.
    #[create(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub position: i32,
}

async fn create(tx: Tx, body: CategoryCreate) -> Result<Category> {
    let id = tx.new_id();
    if let Some(parent) = body.parent_id {
        tx.alone(TREE).await?;
        check_place(&tx, id, parent).await?;
    }
    let slug = slug(body.slug.clone(), &body.name, id);
    tx.create(&CREATED, body.row(&tx, id, slug)).await
}

async fn update(tx: Tx, id: Id<Category>, patch: CategoryPatch) -> Result<Category> {
    let (changes, parent) = patch.split();
    if parent != Patch::Keep {
        // Before any row is locked: who goes alone must not wait for one who waits to go alone.
        tx.alone(TREE).await?;
    }
    let row = tx.load(id).await?;
    if let Patch::Set(parent) = parent {
        check_place(&tx, id, parent).await?;
    }
    tx.patch_with(&UPDATED, row, changes, |next| parent.map(Id::uuid).apply(&mut next.parent_id))
        .await
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
async fn check_place(tx: &Tx, node: Id<Category>, parent: Id<Category>) -> Result<()> {
    tx.refer(parent, "/parent_id").await?;
    let levels_max = i64::try_from(LEVELS_MAX).map_err(Problem::internal)?;
    let walk = Statement::from_sql_and_values(
        tx.db().get_database_backend(),
        WALK,
        [tx.organization.into(), parent.uuid().into(), node.uuid().into(), levels_max.into()],
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
