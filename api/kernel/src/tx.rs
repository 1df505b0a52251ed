//! What a command gets: the open transaction, and the only ways to write in it.
//!
//! Every write goes through [`Tx::create`], [`Tx::update`] or [`Tx::delete`], and each notes an event
//! and an audit row in the journal, which [`Tx::commit`] writes before it commits: so a change, its
//! events and its audit rows are there together or not at all, and no handler can forget one.

mod journal;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use entity::platform::{idempotency_record, setting};
use entity::{Owned, Stored};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Statement,
};
use serde_json::Value;
use uuid::Uuid;

use journal::{Guard, Journal, Written};

use crate::statements::insert;
use crate::{
    Actor, Budget, Changes, Cx, Event, Id, Job, Noun, Origin, Platform, Problem, Result, Row,
    ScopeSet, Transaction, problem,
};

/// Rows in one statement: PostgreSQL binds up to 65,535 values, SQLite up to 32,766.
const ROWS_PER_INSERT: usize = 500;

/// Raised in this process when events were committed: the relay looks at once. Jobs raise the name of
/// their queue, so that no other queue asks the database for nothing.
pub const COMMITTED: &str = "committed";

/// Rows in one statement, where their number varies.
const PIECE_MAX: usize = 128;

/// An open write transaction. Cheap to clone: all clones are the same one.
#[derive(Clone)]
pub struct Tx {
    cx: Cx,
    transaction: Arc<Transaction>,
    journal: Arc<Mutex<Journal>>,
    shared: bool,
}

/// A row of `V` that can be written.
pub trait Writable<V: Noun>:
    Stored<Entity = V::Entity> + IntoActiveModel<<V::Entity as EntityTrait>::ActiveModel>
{
}

impl<V: Noun, R> Writable<V> for R where
    R: Stored<Entity = V::Entity> + IntoActiveModel<<V::Entity as EntityTrait>::ActiveModel>
{
}

/// What a commit wrote beside the change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Committed {
    /// How many events.
    pub events: usize,
}

impl std::ops::Deref for Tx {
    type Target = Cx;

    fn deref(&self) -> &Cx {
        &self.cx
    }
}

impl Tx {
    /// Opens a transaction. Only the corridor does.
    pub async fn open(cx: &Cx) -> Result<Self> {
        cx.platform.db.count(1);
        let transaction = Arc::new(cx.platform.db.begin().await?);
        Ok(Self {
            cx: cx.within(transaction.clone()),
            transaction,
            journal: Arc::default(),
            shared: false,
        })
    }

    /// For the platform's own commands (the CLI, the demo, the workers): no key and no limits, but
    /// the same transaction, events and audit rows.
    pub async fn act<T>(
        platform: &Arc<Platform>,
        organization: Uuid,
        operation: &'static str,
        run: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let cx = Cx::reading(
            platform.clone(),
            organization,
            Actor { kind: "system", id: None },
            Arc::new(ScopeSet::all()),
            Origin::system(operation, platform.versions.latest()),
        );
        let cx = cx.within_budget(Arc::new(Budget::of_program()));
        let tx = Self::open(&cx).await?;
        let done = run(&tx).await?;
        tx.commit(Vec::new()).await?;
        Ok(done)
    }

    /// The same transaction, for another operation of the same batch.
    pub fn doing(&self, operation: &'static str) -> Self {
        Self { cx: self.cx.doing(operation), shared: true, ..self.clone() }
    }

    /// The context, to read from this transaction.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// The object of this call must have this version when it is loaded.
    pub fn expect_version(&self, object: Uuid, version: i64) {
        self.journal().guard = Some(Guard { object, version, checked: false });
    }

    /// The row of an object, locked until the end; checks `If-Match`.
    pub async fn load<V: Noun>(&self, id: Id<V>) -> Result<Row<V>>
    where
        Row<V>: Stored,
    {
        let row = self.row::<V>(id, true).await?;
        // Once: a later line of the same batch finds the version that this one has made.
        let mut journal = self.journal();
        let guard = journal.guard.as_mut().filter(|g| !g.checked && g.object == id.uuid());
        if let Some(guard) = guard {
            guard.checked = true;
            if guard.version != row.version() {
                return Err(
                    Problem::new(&problem::VERSION_MISMATCH).with("current_version", row.version())
                );
            }
        }
        Ok(row)
    }

    /// Checks that an object that the body points at is there, and keeps it there until the end.
    pub async fn refer<V: Noun>(&self, id: Id<V>, pointer: &str) -> Result<()> {
        match self.missing(&[id]).await? {
            None => Ok(()),
            Some(_) => Err(Problem::no_such::<V>(pointer)),
        }
    }

    /// [`Tx::refer`] for a list of them, in one statement.
    pub async fn refer_all<V: Noun>(&self, ids: &[Id<V>], pointer: &str) -> Result<()> {
        match self.missing(ids).await? {
            None => Ok(()),
            Some(index) => Err(Problem::no_such::<V>(&format!("{pointer}/{index}"))),
        }
    }

    /// The first of these that is not there; those that are stay until the end.
    async fn missing<V: Noun>(&self, ids: &[Id<V>]) -> Result<Option<usize>> {
        if ids.is_empty() {
            return Ok(None);
        }
        let mut query = self
            .rows::<V>()?
            .filter(V::Entity::ID.is_in(ids.iter().map(|id| id.uuid())))
            .select_only()
            .column(V::Entity::ID);
        if self.db().get_database_backend() == DbBackend::Postgres {
            query = query.lock_shared();
        }
        let found: Vec<Uuid> = query.into_tuple().all(self.db()).await?;
        Ok(ids.iter().position(|id| !found.contains(&id.uuid())))
    }

    /// Only one transaction at a time goes on from here, an organization and `what`: for rules that
    /// span rows, such as a tree without cycles. SQLite has one writer anyway.
    pub async fn alone(&self, what: &str) -> Result<()> {
        if self.db().get_database_backend() == DbBackend::Postgres {
            let name = format!("{what}:{}", self.organization);
            self.db()
                .execute_raw(Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                    [name.into()],
                ))
                .await?;
        }
        Ok(())
    }

    /// Writes a new object.
    pub async fn create<V: Noun>(&self, event: &'static Event, row: Row<V>) -> Result<V>
    where
        Row<V>: Writable<V>,
        <V::Entity as EntityTrait>::ActiveModel: Send,
    {
        self.create_many(event, vec![row]).await?.pop().ok_or_else(|| Problem::internal("no row"))
    }

    /// Writes new objects: a statement for every 500 of them.
    pub async fn create_many<V: Noun>(
        &self,
        event: &'static Event,
        rows: Vec<Row<V>>,
    ) -> Result<Vec<V>>
    where
        Row<V>: Writable<V>,
        <V::Entity as EntityTrait>::ActiveModel: Send,
    {
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            let inserted = insert(self.db(), chunk.iter().cloned()).await;
            inserted.map_err(Problem::writing::<V>)?;
        }
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            let object = Written::of(&row);
            let view = V::from(row);
            self.note::<V>(event, object, None, Some(to_json(&view)?));
            views.push(view);
        }
        Ok(views)
    }

    /// Changes an object as a patch says: what the patch refers to is checked first.
    pub async fn patch<V: Noun>(
        &self,
        event: &'static Event,
        row: Row<V>,
        changes: impl Changes<V>,
    ) -> Result<V>
    where
        Row<V>: Writable<V>,
        <V::Entity as EntityTrait>::ActiveModel: Send,
    {
        self.patch_with(event, row, changes, |_| ()).await
    }

    /// [`Tx::patch`], and what the handler decided by hand.
    pub async fn patch_with<V: Noun>(
        &self,
        event: &'static Event,
        row: Row<V>,
        changes: impl Changes<V>,
        by_hand: impl FnOnce(&mut Row<V>) + Send,
    ) -> Result<V>
    where
        Row<V>: Writable<V>,
        <V::Entity as EntityTrait>::ActiveModel: Send,
    {
        changes.check(self).await?;
        self.update::<Row<V>, V>(event, row, |next| {
            by_hand(next);
            changes.apply(next)
        })
        .await
    }

    /// Changes an object; a change that changes nothing writes nothing.
    #[expect(clippy::disallowed_methods, reason = "one of the three ways to write")]
    pub async fn update<M, V>(
        &self,
        event: &'static Event,
        row: M,
        change: impl FnOnce(&mut M) -> Result<()>,
    ) -> Result<V>
    where
        M: Stored + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        M::Entity: Owned<Model = M>,
        <M::Entity as EntityTrait>::ActiveModel: Send,
        V: Noun<Entity = M::Entity> + From<M>,
    {
        let mut next = row.clone();
        change(&mut next)?;
        if next == row {
            return Ok(row.into());
        }
        next.touch(self.now);
        let model = next.clone().into_active_model().reset_all();
        let updated = M::Entity::update(model).exec_without_returning(self.db()).await;
        updated.map_err(Problem::writing::<V>)?;
        let object = Written::of(&next);
        let view = V::from(next);
        self.note::<V>(event, object, Some(to_json(&V::from(row))?), Some(to_json(&view)?));
        Ok(view)
    }

    /// Removes an object.
    pub async fn delete<V: Noun>(&self, event: &'static Event, row: Row<V>) -> Result<()>
    where
        Row<V>: Stored,
    {
        self.delete_many::<V>(event, vec![row]).await
    }

    /// Removes objects: a statement for every 500 of them.
    #[expect(clippy::disallowed_methods, reason = "one of the three ways to write")]
    pub async fn delete_many<V: Noun>(&self, event: &'static Event, rows: Vec<Row<V>>) -> Result<()>
    where
        Row<V>: Stored,
    {
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            V::Entity::delete_many()
                .filter(V::Entity::ORGANIZATION.eq(self.organization))
                .filter(V::Entity::ID.is_in(chunk.iter().map(Stored::id)))
                .exec(self.db())
                .await?;
        }
        for row in rows {
            let written = Written::of(&row);
            let object = Written { version: written.version + 1, ..written };
            self.note::<V>(event, object, Some(to_json(&V::from(row))?), None);
        }
        Ok(())
    }

    /// Replaces the rows of a table that only indexes a field of `V`, such as product × category.
    pub async fn reindex<E: Owned>(
        &self,
        column: E::Column,
        of: Uuid,
        rows: Vec<E::ActiveModel>,
    ) -> Result<()>
    where
        E::ActiveModel: Send,
    {
        self.reindex_all::<E>(column, &[of], rows).await
    }

    /// [`Tx::reindex`] for several, in as many statements as for one.
    #[expect(clippy::disallowed_methods, reason = "rows without an event of their own")]
    pub async fn reindex_all<E: Owned>(
        &self,
        column: E::Column,
        of: &[Uuid],
        rows: Vec<E::ActiveModel>,
    ) -> Result<()>
    where
        E::ActiveModel: Send,
    {
        E::delete_many()
            .filter(E::ORGANIZATION.eq(self.organization))
            .filter(column.is_in(of.iter().copied()))
            .exec(self.db())
            .await?;
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            E::insert_many(chunk.iter().cloned()).exec_without_returning(self.db()).await?;
        }
        Ok(())
    }

    /// Tells the caches of every node, after the commit, that something of `topic` has changed.
    pub fn signal(&self, topic: &'static str) {
        let mut journal = self.journal();
        if !journal.signals.contains(&topic) {
            journal.signals.push(topic);
        }
    }

    /// Something to be done beside the call, once this is committed.
    pub fn enqueue(&self, job: Job) {
        self.journal().jobs.push(job);
    }

    /// Whether this is one of the lines of an atomic batch.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The event noted so far that is none of these, if there is one.
    pub fn undeclared(&self, declared: &[&'static Event]) -> Option<String> {
        let journal = self.journal();
        let mut names = journal.events.iter().map(|event| &event.r#type);
        names.find(|name| declared.iter().all(|event| event.name != *name)).cloned()
    }

    /// The answer that this key was given before, still kept. Where another node is answering the
    /// same key right now, `idempotency_in_progress`.
    pub async fn remembered(
        &self,
        key: &str,
        kept_since: DateTime<Utc>,
    ) -> Result<Option<idempotency_record::Model>> {
        if self.db().get_database_backend() == DbBackend::Postgres {
            let name = format!("{}:{key}", self.organization);
            let row = self
                .db()
                .query_one_raw(Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1)) AS free",
                    [name.into()],
                ))
                .await?;
            if !row.is_some_and(|row| row.try_get("", "free").unwrap_or(false)) {
                return Err(Problem::new(&problem::IDEMPOTENCY_IN_PROGRESS).retry_after(1));
            }
        }
        let found = idempotency_record::Entity::of(self.organization)
            .filter(idempotency_record::Column::IdempotencyKey.eq(key))
            .one(self.db())
            .await?;
        match found {
            Some(old) if old.created_at < kept_since => {
                self.forget(key).await?;
                Ok(None)
            }
            found => Ok(found),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the platform's own row")]
    async fn forget(&self, key: &str) -> Result<()> {
        idempotency_record::Entity::delete_many()
            .filter(idempotency_record::Column::OrganizationId.eq(self.organization))
            .filter(idempotency_record::Column::IdempotencyKey.eq(key))
            .exec(self.db())
            .await?;
        Ok(())
    }

    /// Writes the journal and the answers that are to be remembered; then commits.
    pub async fn commit(self, answers: Vec<idempotency_record::Model>) -> Result<Committed> {
        let Journal { events, audit, jobs, signals, guard, .. } =
            std::mem::take(&mut *self.journal());
        if guard.is_some_and(|guard| !guard.checked) {
            return Err(Problem::internal("If-Match was given and never checked"));
        }
        let db = self.db();
        for chunk in in_powers_of_two(&events) {
            insert(db, chunk.iter().cloned()).await?;
        }
        for chunk in in_powers_of_two(&audit) {
            insert(db, chunk.iter().cloned()).await?;
        }
        for chunk in in_powers_of_two(&answers) {
            insert(db, chunk.iter().cloned()).await?;
        }
        Job::push(db, &jobs, self.now).await?;
        for topic in &signals {
            self.publish(topic).await?;
        }
        let platform = self.platform.clone();
        self.finish().await?.commit().await?;
        platform.db.count(1);
        signals.iter().for_each(|topic| platform.signals.raise(topic));
        if !events.is_empty() {
            platform.signals.raise(COMMITTED);
        }
        let queues: BTreeSet<&str> = jobs.iter().map(|job| job.queue).collect();
        queues.iter().for_each(|queue| platform.signals.raise(queue));
        Ok(Committed { events: events.len() })
    }

    /// Undoes everything.
    pub async fn rollback(self) -> Result<()> {
        let platform = self.platform.clone();
        self.finish().await?.rollback().await?;
        platform.db.count(1);
        Ok(())
    }

    async fn finish(self) -> Result<Transaction> {
        let Self { cx, transaction, .. } = self;
        drop(cx);
        Arc::into_inner(transaction)
            .ok_or_else(|| Problem::internal("a handler kept the transaction beyond its end"))
    }

    /// A row that other processes poll on SQLite, and a notification on PostgreSQL.
    #[expect(clippy::disallowed_methods, reason = "the platform's own row")]
    async fn publish(&self, topic: &str) -> Result<()> {
        let row =
            setting::Model { name: format!("signal:{topic}"), value: Uuid::now_v7().to_string() };
        setting::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(setting::Column::Name)
                    .update_column(setting::Column::Value)
                    .to_owned(),
            )
            .exec_without_returning(self.db())
            .await?;
        if self.db().get_database_backend() == DbBackend::Postgres {
            self.db()
                .execute_raw(Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "SELECT pg_notify('bodega_signal', $1)",
                    [topic.into()],
                ))
                .await?;
        }
        Ok(())
    }
}

/// Cuts rows into pieces of 128, 64, … 1. Every number of rows is a statement of its own to the
/// database, prepared and kept, and a kept statement over hundreds of rows takes a megabyte: so
/// there are only eight sizes.
pub fn in_powers_of_two<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = rows.len().min(PIECE_MAX).checked_ilog2().map_or(0, |power| 1 << power);
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The same for the members of a list of ids, where one that is there twice does no harm: each piece
/// is filled up with its last one, so that there are no small pieces.
pub fn in_padded_pieces<T: Copy>(ids: &[T]) -> impl Iterator<Item = Vec<T>> {
    ids.chunks(PIECE_MAX).map(|piece| {
        let last = piece.last().copied();
        let padding = last.into_iter().cycle().take(piece.len().next_power_of_two() - piece.len());
        piece.iter().copied().chain(padding).collect()
    })
}

fn to_json(view: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(view).map_err(Problem::internal)
}

#[cfg(test)]
mod tests;
