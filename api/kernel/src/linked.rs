//! What a link leads to, for many objects at once: each object that is found is here once, however
//! many share it, and is counted against the call's budget as it is read.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;

use entity::Owned;
use futures::{Stream, TryStreamExt};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, QuerySelect, Value};
use uuid::Uuid;

use crate::budget::exceeded;
use crate::{Cx, Noun, Result, Row, Shown, Size, problem};

/// How many pairs of an object and what it leads to one link may bring.
pub const LINKED_MAX: usize = 10_000;

/// Objects as the API shows them, and whose they are.
#[derive(Debug, Default)]
pub struct Linked {
    /// Each object once, with its size.
    pub objects: Vec<(Shown, Size)>,
    /// Which of them each object that was asked for leads to, in order.
    pub of: HashMap<Uuid, Vec<usize>>,
    /// What is around the page of each object, where the link leads to pages.
    pub around: HashMap<Uuid, Around>,
    places: HashMap<Uuid, usize>,
    pairs: usize,
}

/// What is around a page that a link leads to.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// A cursor a row, where the query says which way to go.
    pub cursors: Vec<String>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
    /// Whether something comes before it.
    pub has_previous: bool,
    /// How many rows there are in all, where asked.
    pub total_count: Option<u64>,
}

/// What a page takes beside what is on it.
const AROUND_BYTES: u64 = 512;

impl Around {
    /// How large it is.
    pub fn size(&self) -> Size {
        let cursors: usize = self.cursors.iter().chain(&self.next_cursor).map(String::len).sum();
        Size { objects: 0, bytes: AROUND_BYTES + cursors as u64 }
    }
}

impl Linked {
    /// One more that an object leads to; shown and counted where it is seen for the first time.
    pub fn add<V: Noun>(
        &mut self,
        cx: &Cx,
        of: Uuid,
        id: Uuid,
        view: impl FnOnce() -> V,
    ) -> Result<()> {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => {
                let object = Shown::of(&view())?;
                let size = object.size();
                cx.budget.take(size, &problem::EXPANSION_TOO_LARGE)?;
                self.objects.push((object, size));
                self.places.insert(id, self.objects.len() - 1);
                self.objects.len() - 1
            }
        };
        self.lead(of, place)
    }

    /// Whose the objects are, where lists of ids say so; those that are not there are left out.
    pub fn grouped<'a>(
        mut self,
        lists: impl Iterator<Item = (Uuid, impl Iterator<Item = &'a Uuid>)>,
    ) -> Result<Self> {
        (self.of, self.pairs) = (HashMap::new(), 0);
        for (of, ids) in lists {
            for id in ids {
                if let Some(place) = self.places.get(id).copied() {
                    self.lead(of, place)?;
                }
            }
        }
        Ok(self)
    }

    /// Refuses more pairs than one link may bring.
    pub fn check(pairs: usize) -> Result<()> {
        match pairs > LINKED_MAX {
            true => Err(exceeded(&problem::EXPANSION_TOO_LARGE, "objects", LINKED_MAX as u64)),
            false => Ok(()),
        }
    }

    fn lead(&mut self, of: Uuid, place: usize) -> Result<()> {
        self.pairs += 1;
        Self::check(self.pairs)?;
        self.of.entry(of).or_default().push(place);
        Ok(())
    }
}

impl Cx {
    /// Reads rows one by one, so that who takes them can stop before there are too many.
    pub async fn each<M>(
        &self,
        rows: impl Future<Output = Result<impl Stream<Item = Result<M, DbErr>> + Send, DbErr>>,
        mut take: impl FnMut(M) -> Result<()>,
    ) -> Result<()> {
        crate::db::bounded(async {
            let mut rows = pin!(rows.await?);
            while let Some(row) = rows.try_next().await? {
                if let Err(problem) = take(row) {
                    return Ok(Err(problem));
                }
            }
            Ok(Ok(()))
        })
        .await?
    }

    /// The objects with these ids, each leading to itself.
    pub async fn linked_by_id<V: Noun>(&self, ids: Vec<Uuid>) -> Result<Linked>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let rows = self.rows::<V>()?.filter(V::Entity::ID.is_in(ids));
        let mut linked = Linked::default();
        self.each(rows.stream(self.db()), |row| {
            let id = id_of::<V>(&row);
            linked.add(self, id, id, || V::from(row))
        })
        .await?;
        Ok(linked)
    }

    /// The objects whose `parent` column is one of these, oldest first.
    pub async fn linked_children<V: Noun>(
        &self,
        parent: <V::Entity as EntityTrait>::Column,
        parents: Vec<Uuid>,
    ) -> Result<Linked>
    where
        Row<V>: ModelTrait<Entity = V::Entity>,
        <V::Entity as EntityTrait>::Column: Copy,
    {
        let rows = self.rows::<V>()?.filter(parent.is_in(parents)).limit(LINKED_MAX as u64 + 1);
        let mut linked = Linked::default();
        let mut ids = Vec::new();
        self.each(rows.stream(self.db()), |row| {
            let Value::Uuid(Some(of)) = row.get(parent) else { return Ok(()) };
            let id = id_of::<V>(&row);
            ids.push(id);
            linked.add(self, of, id, || V::from(row))
        })
        .await?;
        // Sorted here, not there: asked to sort by id, SQLite walks the whole table in that order.
        linked.of.values_mut().for_each(|places| places.sort_unstable_by_key(|at| ids.get(*at)));
        Ok(linked)
    }
}

/// The id of a row.
pub(crate) fn id_of<V: Noun>(row: &Row<V>) -> Uuid
where
    Row<V>: ModelTrait<Entity = V::Entity>,
{
    match row.get(V::Entity::ID) {
        Value::Uuid(Some(id)) => id,
        _ => Uuid::nil(),
    }
}
