//! Filters through a table that lies between: products by the categories that they are filed in, and
//! by those that are above these in their tree.
//!
//! Few rows are looked up, one by one, from what names them. Where there are many, the list is walked
//! in its order instead until its page is full: so that a page costs about as much however many rows
//! there are. Which of both it is, is decided in the statement itself, for each list that it reads.

use entity::Owned;
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement, UnionType,
    WithClause,
};
use sea_orm::{DbBackend, EntityTrait, IdenStatic};
use uuid::Uuid;

/// From so many rows on there are many.
const MANY: u64 = 1_000;

/// The names that the statements below give to what they work out.
const ASKED: &str = "asked";
const TREE: &str = "tree";
const UP: &str = "up";
/// The lists that are read: one for each object of a link, or a single one.
pub(crate) const LIST: &str = "list";
const MEMBER: &str = "member";
/// A row that was looked up.
const FOUND: &str = "found_row";

/// How a list's rows are found by objects that they do not name themselves.
#[derive(Clone, Debug)]
pub struct Through {
    table: &'static str,
    row: &'static str,
    named: &'static str,
    tree: Option<Tree>,
}

#[derive(Clone, Debug)]
struct Tree {
    table: &'static str,
    id: &'static str,
    parent: &'static str,
    organization: &'static str,
    levels_max: i64,
}

impl Through {
    /// By a table in which one column names the row and another the object that finds it.
    pub fn table<E: EntityTrait>(row: E::Column, named: E::Column) -> Self {
        let table = E::default().table_name();
        Self { table, row: row.as_str(), named: named.as_str(), tree: None }
    }

    /// The objects that find rows are a tree: each also finds what those below it find. A tree has no
    /// more levels than these.
    pub fn under<E: Owned>(self, parent: E::Column, levels_max: usize) -> Self {
        let tree = Tree {
            table: E::default().table_name(),
            id: E::ID.as_str(),
            parent: parent.as_str(),
            organization: E::ORGANIZATION.as_str(),
            levels_max: i64::try_from(levels_max).unwrap_or(i64::MAX),
        };
        Self { tree: Some(tree), ..self }
    }

    /// What a statement begins with: the lists that are asked for, each with what finds its rows.
    pub(crate) fn with(
        &self,
        backend: DbBackend,
        organization: Uuid,
        asked: &[(Uuid, Uuid)],
    ) -> WithClause {
        let count = asked.len() as u64;
        let of_list = Expr::col((TREE, "list")).equals((MEMBER, "list"));
        let names = Query::select().distinct().column((ASKED, "list")).from(ASKED).take();
        let mut many = Query::select().expr(Expr::cust("1")).from(TREE).take();
        self.join_members(backend, &mut many);
        many.and_where(of_list.clone()).limit(1).offset(MANY);
        let mut lists = Query::select()
            .column((MEMBER, "list"))
            .expr(Expr::exists(many))
            .from_subquery(names, MEMBER)
            // It keeps SQLite from asking again for each row that it looks at.
            .limit(count)
            .take();
        let mut columns = vec!["id", "many"];
        if backend == DbBackend::Postgres {
            let under = Query::select().column((TREE, "id")).from(TREE).and_where(of_list).take();
            lists.expr(array(under));
            columns.push("under");
        }
        let mut lists = cte(LIST, &columns, lists);
        lists.materialized(true);
        let [asked, tree] = self.tree(organization, asked);
        WithClause::new().recursive(true).cte(asked).cte(tree).cte(lists).clone()
    }

    /// What was asked for, and what is below it.
    fn tree(&self, organization: Uuid, asked: &[(Uuid, Uuid)]) -> [CommonTableExpression; 2] {
        let given = asked.iter().copied();
        let given = Query::select().expr(Expr::cust("*")).from_values(given, "given").take();
        let tree = cte(TREE, &["list", "id", "level"], self.down(organization));
        [cte(ASKED, &["list", "id"], given), tree]
    }

    fn down(&self, organization: Uuid) -> SelectStatement {
        let Some(Tree { table, id, parent, organization: owner, levels_max }) = &self.tree else {
            return Query::select()
                .columns([(ASKED, "list"), (ASKED, "id")])
                .expr(Expr::cust("1"))
                .from(ASKED)
                .take();
        };
        let own = Expr::col((*table, *owner)).eq(organization);
        let next = Query::select()
            .column((TREE, "list"))
            .column((*table, *id))
            .expr(Expr::col((TREE, "level")).add(Expr::cust("1")))
            .from(TREE)
            .cross_join(*table)
            .and_where(Expr::col((*table, *parent)).equals((TREE, "id")))
            .and_where(own.clone())
            .and_where(Expr::col((TREE, "level")).lt(*levels_max))
            .take();
        Query::select()
            .column((ASKED, "list"))
            .column((*table, *id))
            .expr(Expr::cust("1"))
            .from(ASKED)
            .cross_join(*table)
            .and_where(Expr::col((*table, *id)).equals((ASKED, "id")))
            .and_where(own)
            .union(UnionType::All, next)
            .take()
    }

    /// Joins the table in between to the tree, each category's rows from the index: on PostgreSQL by a
    /// bound, without which it reads the whole table for a few.
    fn join_members(&self, backend: DbBackend, of: &mut SelectStatement) {
        let named = Expr::col((self.table, self.named)).equals((TREE, "id"));
        match backend {
            DbBackend::Postgres => {
                let members = Query::select()
                    .column((self.table, self.row))
                    .from(self.table)
                    .and_where(named)
                    .limit(MANY + 1)
                    .take();
                of.join_lateral(JoinType::InnerJoin, members, self.table, Expr::cust("TRUE"));
            }
            _ => {
                of.cross_join(self.table).and_where(named);
            }
        }
    }

    /// Rows of `table`, all that the lists have; each may come several times.
    pub(crate) fn all(
        &self,
        mut rows: SelectStatement,
        table: &'static str,
        id: &'static str,
    ) -> SelectStatement {
        rows.from_clear()
            .from(TREE)
            .cross_join(self.table)
            .cross_join(table)
            .and_where(Expr::col((self.table, self.named)).equals((TREE, "id")))
            .and_where(Expr::col((table, id)).equals((self.table, self.row)));
        rows
    }

    /// The ids on the pages of the lists, by whichever way is the shorter one. `rows` selects an `id`
    /// and what it is `placed` by, from `table`; `finish` puts them in order and cuts them.
    pub(crate) fn page(
        &self,
        backend: DbBackend,
        rows: &SelectStatement,
        table: &'static str,
        id: &'static str,
        asked: Option<&[Uuid]>,
        finish: impl Fn(&mut SelectStatement),
    ) -> SelectStatement {
        let many = || Expr::col((LIST, "many"));
        let row = Expr::col((table, id)).equals((self.table, self.row));
        let mut few = match backend {
            DbBackend::Postgres => {
                let mut few =
                    Query::select().columns([(FOUND, "id"), (FOUND, "placed")]).from(TREE).take();
                self.join_members(backend, &mut few);
                // One row at a time by its id, whatever PostgreSQL thinks of how many there are.
                let one = rows.clone().and_where(row).offset(0).take();
                few.join_lateral(JoinType::InnerJoin, one, FOUND, Expr::cust("TRUE"));
                few
            }
            _ => {
                let mut few = rows.clone();
                few.from_clear().from(TREE);
                self.join_members(backend, &mut few);
                few.cross_join(table).and_where(row);
                few
            }
        };
        few.distinct()
            .and_where(many().not())
            .and_where(Expr::col((TREE, "list")).equals((LIST, "id")));
        finish(&mut few);
        let mut walked = rows.clone();
        let found = |named: Expr| match asked {
            Some(ids) => named.is_in(ids.iter().copied()),
            None => named.eq(Expr::col((LIST, "id"))),
        };
        let finds = match backend {
            DbBackend::Postgres => self.is_among(table, id, Expr::col((LIST, "under"))),
            _ => self.is_under(table, id, found),
        };
        walked.and_where(many()).and_where(finds);
        finish(&mut walked);
        let ids = |rows: SelectStatement, name: &'static str| {
            Query::select().column((name, "id")).from_subquery(rows, name).take()
        };
        ids(few, "few").union(UnionType::All, ids(walked, "walked")).take()
    }

    /// Whether a row of `table` is found by any of these.
    pub(crate) fn finds(
        &self,
        backend: DbBackend,
        organization: Uuid,
        table: &'static str,
        id: &'static str,
        by: &[Uuid],
    ) -> Expr {
        match backend {
            DbBackend::Postgres => {
                let asked: Vec<_> = by.iter().map(|id| (Uuid::nil(), *id)).collect();
                let [asked, tree] = self.tree(organization, &asked);
                let with = WithClause::new().recursive(true).cte(asked).cte(tree).clone();
                let under = Query::select().column((TREE, "id")).from(TREE).with_cte(with).take();
                self.is_among(table, id, array(under))
            }
            _ => self.is_under(table, id, |named| named.is_in(by.iter().copied())),
        }
    }

    /// Whether what a row is named with is in a list of PostgreSQL's. Written so that it is no condition
    /// that an index could be asked for once for each of them.
    fn is_among(&self, table: &'static str, id: &'static str, under: Expr) -> Expr {
        let named = Expr::col((self.table, self.named));
        let any = Query::select()
            .expr(Expr::cust_with_exprs("bool_or($1 = ANY($2))", [named, under]))
            .from(self.table)
            .and_where(Expr::col((self.table, self.row)).equals((table, id)))
            .take();
        Expr::SubQuery(None, Box::new(any.into()))
    }

    /// Whether `found` holds for what a row is named with, or for anything above that.
    fn is_under(
        &self,
        table: &'static str,
        id: &'static str,
        found: impl FnOnce(Expr) -> Expr,
    ) -> Expr {
        let row = Expr::col((self.table, self.row)).equals((table, id));
        let mut any = Query::select().expr(Expr::cust("1")).limit(1).take();
        match &self.tree {
            None => any
                .from(self.table)
                .and_where(row)
                .and_where(found(Expr::col((self.table, self.named)))),
            Some(tree) => {
                let up = cte(UP, &["id", "parent", "level"], self.up(tree, row));
                any.from(UP)
                    .and_where(found(Expr::col((UP, "id"))))
                    .with_cte(WithClause::new().recursive(true).cte(up).clone())
            }
        };
        // Compared, so that SQLite makes no join of it and walks in an order of its own.
        Expr::SubQuery(None, Box::new(any.into())).eq(Expr::cust("1"))
    }

    fn up(&self, tree: &Tree, row: Expr) -> SelectStatement {
        let Tree { table, id, parent, levels_max, .. } = tree;
        let next = Query::select()
            .columns([(*table, *id), (*table, *parent)])
            .expr(Expr::col((UP, "level")).add(Expr::cust("1")))
            .from(UP)
            .cross_join(*table)
            .and_where(Expr::col((*table, *id)).equals((UP, "parent")))
            .and_where(Expr::col((UP, "level")).lt(*levels_max))
            .take();
        Query::select()
            .columns([(*table, *id), (*table, *parent)])
            .expr(Expr::cust("1"))
            .from(self.table)
            .cross_join(*table)
            .and_where(row)
            .and_where(Expr::col((*table, *id)).equals((self.table, self.named)))
            .union(UnionType::All, next)
            .take()
    }
}

/// The list that a row of [`Through::all`] is on.
pub(crate) fn list_of_member() -> Expr {
    Expr::col((TREE, "list"))
}

/// What a statement brings, as one of PostgreSQL's lists.
fn array(of: SelectStatement) -> Expr {
    Expr::cust_with_exprs("ARRAY $1", [Expr::SubQuery(None, Box::new(of.into()))])
}

pub(crate) fn cte(
    name: &'static str,
    columns: &[&'static str],
    query: SelectStatement,
) -> CommonTableExpression {
    let columns = columns.iter().map(|column| (*column).into_iden());
    let mut cte = CommonTableExpression::new();
    cte.table_name(name).columns(columns).query(query);
    cte
}
