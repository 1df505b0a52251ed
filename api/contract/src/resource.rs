//! How a resource is declared.

use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use bodega_kernel::{
    Code, Cx, Event, Id, ListQuery, Noun, Page, Problem, Result, Row, Shown, Through, Tx, problem,
};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::handler::{command, on_object, on_object_with, query, reply};
use crate::operation::{Handler, Input, Prepared, Reply};
use crate::transition::{Life, Transitions};
use crate::{
    Deprecation, FilterKind, FilterRule, Kind, Link, ListRules, Method, Operation, Output, Schema,
    Schemas,
};

/// The answer to a removal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// The id of the object that was removed.
    #[schema(max_length = 90)]
    pub id: String,
    /// Always true.
    pub deleted: bool,
}

impl Deleted {
    /// It is removed.
    pub fn of<V: Noun>(id: Id<V>) -> Self {
        Self { id: id.to_string(), deleted: true }
    }
}

/// The scopes that reading and writing a resource take.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// To read.
    pub read: &'static str,
    /// To write.
    pub write: &'static str,
}

/// A resource, complete but not yet in the registry. The methods that add an operation come in the
/// order of its life; those below them (`emits`, `fails`, `scope`, …) say more of the one added last.
pub struct Resource<V: Noun> {
    pub(crate) parts: Declared,
    of: PhantomData<fn() -> V>,
}

/// A declared resource, its type erased: what a domain lists.
pub struct Declared {
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) about: &'static str,
    pub(crate) view: String,
    pub(crate) operations: Vec<Operation>,
    pub(crate) events: Vec<&'static Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) schemas: Schemas,
    /// What is wrong with the declaration; the registry's lint tells.
    pub(crate) faults: Vec<String>,
    pub(crate) life: Option<Life>,
    pub(crate) transitions: Transitions,
    access: Access,
    pub(crate) prefix: &'static str,
}

impl<V: Noun> Resource<V> {
    /// Declares a resource: the scopes to read and to write it, and what it is, in a phrase.
    pub fn new(access: Access, about: &'static str) -> Self {
        let mut schemas = Schemas::default();
        let view = schemas.add_output::<V>();
        Self {
            parts: Declared {
                name: V::NAME,
                plural: V::PLURAL,
                about,
                view,
                operations: Vec::new(),
                events: Vec::new(),
                links: Vec::new(),
                schemas,
                faults: Vec::new(),
                access,
                prefix: V::PREFIX,
                life: None,
                transitions: Transitions::default(),
            },
            of: PhantomData,
        }
    }

    /// `GET /v1/products`, by a handler of its own.
    pub fn list_with<F>(self, run: fn(Cx, ListQuery) -> F) -> Self
    where
        F: Future<Output = Result<Page<V>>> + Send + 'static,
    {
        let handler = query(move |cx, input| {
            let page = run(cx, input.list.unwrap_or_else(unreachable_list));
            Box::pin(async move {
                let Page { data, next_cursor, prev_cursor, total_count, cursors, reached } =
                    page.await?;
                let data = data.iter().map(Shown::of).collect::<Result<_>>()?;
                let page = Page { data, next_cursor, prev_cursor, total_count, cursors, reached };
                Ok(Reply::Page(page))
            })
        });
        let name = self.parts.plural.replace('_', " ");
        let output = Output::Page(self.parts.view.clone());
        let mut list = self.parts.operation("list", Method::Get, "", output, handler);
        list.summary = format!("List {name}");
        list.about =
            format!("The organization's {name}, newest first unless `sort` says otherwise.");
        list.list = Some(ListRules { sorts: vec!["created_at"], ..ListRules::default() });
        self.push(list)
    }

    /// The fields that the list added last filters by.
    pub fn filter<const N: usize>(self, fields: [&'static str; N]) -> Self {
        self.filter_by(fields)
    }

    pub(crate) fn filter_by(mut self, fields: impl IntoIterator<Item = &'static str>) -> Self {
        for name in fields {
            let column = <V::Entity as EntityTrait>::Column::from_str(name);
            let kind = self.parts.schemas.field(&self.parts.view, name).and_then(FilterKind::of);
            match (column, kind) {
                (Ok(column), Some(kind)) => {
                    let nullable = column.def().is_null();
                    let (through, about) = (None, None);
                    self.rules().filters.push(FilterRule { name, kind, nullable, through, about });
                }
                _ => self.fault(format!("cannot filter by {name}: not a column and a field")),
            }
        }
        self
    }

    /// A filter of the list added last by objects that its rows do not name in a column: by the id of
    /// a `T`, through a table in between. What it finds is said in a sentence.
    pub fn filter_through<T: Noun>(
        mut self,
        name: &'static str,
        through: Through,
        about: &'static str,
    ) -> Self {
        let (kind, through) = (FilterKind::Id(T::PREFIX.to_owned()), Some(through));
        let rule = FilterRule { name, kind, nullable: false, through, about: Some(about) };
        self.rules().filters.push(rule);
        self
    }

    /// The fields, beside `created_at`, that the list added last sorts by.
    pub fn sort<const N: usize>(mut self, fields: [&'static str; N]) -> Self {
        for name in fields {
            match <V::Entity as EntityTrait>::Column::from_str(name) {
                Ok(column) if !column.def().is_null() => self.rules().sorts.push(name),
                _ => self.fault(format!(
                    "cannot sort by {name}: not a column, or one that can be empty"
                )),
            }
        }
        self
    }

    /// The list added last is a log: `after` follows it by the column `sequence`, `wait_s` waits
    /// for more of it, and it can be streamed.
    pub fn feed(mut self) -> Self {
        self.rules().feed = true;
        self
    }

    /// `GET /v1/products/{id}`, by a handler of its own.
    pub fn get_with<F>(self, run: fn(Cx, Id<V>) -> F) -> Self
    where
        F: Future<Output = Result<V>> + Send + 'static,
        Row<V>: ModelTrait<Entity = V::Entity>,
    {
        let handler = query(move |cx, input| match input.id() {
            Ok(id) => {
                let got = run(cx, id);
                reply(got)
            }
            Err(problem) => Box::pin(async { Err(problem) }),
        });
        let output = Output::One(self.parts.view.clone());
        let mut get = self.parts.operation("get", Method::Get, "/{id}", output, handler);
        get.summary = format!("Get {}", self.parts.one());
        get.about = format!("One {} by its id.", self.parts.spoken());
        get.shaped = true;
        get.by_ids =
            Some(Arc::new(|cx, ids| Box::pin(async move { cx.linked_by_id::<V>(ids).await })));
        self.push(get)
    }

    /// `POST /v1/products`.
    pub fn create<C, O, F>(mut self, run: fn(Tx, C) -> F) -> Self
    where
        C: DeserializeOwned + ToSchema + Send + 'static,
        O: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<O>> + Send + 'static,
    {
        let handler = command(move |tx, input| match input.body::<C>() {
            Ok(body) => reply(run(tx, body)),
            Err(problem) => Box::pin(async { Err(problem) }),
        });
        let output = Output::One(self.parts.schemas.add_output::<O>());
        let mut create = self.parts.operation("create", Method::Post, "", output, handler);
        create.summary = format!("Create {}", self.parts.one());
        create.about = format!("Makes a new {}.", self.parts.spoken());
        create.input = Some(Schema::new(self.parts.schemas.add::<C>()));
        create.status = 201;
        create.fails.extend(V::UNIQUE.iter().map(|unique| unique.code));
        self.push(create)
    }

    /// `PATCH /v1/products/{id}`, by a handler of its own.
    pub fn update<P, F>(self, run: fn(Tx, Id<V>, P) -> F) -> Self
    where
        P: DeserializeOwned + ToSchema + Send + 'static,
        F: Future<Output = Result<V>> + Send + 'static,
    {
        self.update_by(run)
    }

    pub(crate) fn update_by<P, F>(
        mut self,
        run: impl Fn(Tx, Id<V>, P) -> F + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned + ToSchema + Send + 'static,
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let output = Output::One(self.parts.view.clone());
        let handler = on_object_with(run);
        let mut update = self.parts.operation("update", Method::Patch, "/{id}", output, handler);
        update.summary = format!("Update {}", self.parts.one());
        update.about =
            "Changes the fields that are given (JSON Merge Patch, RFC 7396): null empties a \
                        field, an absent one stays. `If-Match` guards against a change in between."
                .to_owned();
        update.input = Some(Schema::new(self.parts.schemas.add::<P>()));
        // More than 50 pairs of metadata, once the patch is merged.
        update.fails.push(&problem::LIMIT_REACHED);
        update.fails.extend(V::UNIQUE.iter().map(|unique| unique.code));
        update.fails.push(&problem::VERSION_MISMATCH);
        self.push(update)
    }

    /// `DELETE /v1/products/{id}`, by a handler of its own.
    pub fn delete<F>(self, run: fn(Tx, Id<V>) -> F) -> Self
    where
        F: Future<Output = Result<Deleted>> + Send + 'static,
    {
        self.delete_by(run)
    }

    pub(crate) fn delete_by<F>(
        mut self,
        run: impl Fn(Tx, Id<V>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Deleted>> + Send + 'static,
    {
        let output = Output::One(self.parts.schemas.add_output::<Deleted>());
        let handler = on_object(run);
        let mut delete = self.parts.operation("delete", Method::Delete, "/{id}", output, handler);
        delete.summary = format!("Delete {}", self.parts.one());
        delete.about = format!(
            "Removes the {} for good; its events and audit rows stay.",
            self.parts.spoken()
        );
        delete.fails.push(&problem::VERSION_MISMATCH);
        self.push(delete)
    }

    /// `POST /v1/products/{id}/archive`: what it does, in a sentence, is its documentation.
    pub fn action<O, F>(mut self, verb: &'static str, about: &str, run: fn(Tx, Id<V>) -> F) -> Self
    where
        O: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<O>> + Send + 'static,
    {
        let output = Output::One(self.parts.schemas.add_output::<O>());
        let action = self.parts.acting(verb, about, output, on_object(run));
        self.push(action)
    }

    /// An action that takes a body.
    pub fn action_with<I, O, F>(
        mut self,
        verb: &'static str,
        about: &str,
        run: fn(Tx, Id<V>, I) -> F,
    ) -> Self
    where
        I: DeserializeOwned + ToSchema + Send + 'static,
        O: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<O>> + Send + 'static,
    {
        let output = Output::One(self.parts.schemas.add_output::<O>());
        let mut action = self.parts.acting(verb, about, output, on_object_with(run));
        action.input = Some(Schema::new(self.parts.schemas.add::<I>()));
        self.push(action)
    }

    /// An action that has much to read before it changes anything: `prepare` does that from a reader,
    /// before the transaction is opened, and `run` is given what it worked out. In an atomic batch it
    /// does so before any line is done.
    pub fn action_prepared<I, P, O, F, G>(
        mut self,
        verb: &'static str,
        about: &str,
        prepare: fn(Cx, Id<V>, I) -> F,
        run: fn(Tx, Id<V>, I, P) -> G,
    ) -> Self
    where
        I: DeserializeOwned + ToSchema + Send + 'static,
        P: Send + 'static,
        O: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<P>> + Send + 'static,
        G: Future<Output = Result<O>> + Send + 'static,
    {
        let output = Output::One(self.parts.schemas.add_output::<O>());
        let handler = command(move |tx, input| {
            let prepared = input.prepared.clone();
            let read = input.object::<V>(&tx).and_then(|id| {
                let missing = || Problem::internal("an operation that nothing was prepared for");
                let prepared = prepared.ok_or_else(missing)?.take::<P>()?;
                Ok((id, input.body::<I>()?, prepared))
            });
            match read {
                Ok((id, body, prepared)) => reply(run(tx, id, body, prepared)),
                Err(problem) => Box::pin(async { Err(problem) }),
            }
        });
        let mut action = self.parts.acting(verb, about, output, handler);
        action.input = Some(Schema::new(self.parts.schemas.add::<I>()));
        action.prepare = Some(Arc::new(move |cx, input: Input| {
            match input.id().and_then(|id| Ok((id, input.body()?))) {
                Ok((id, body)) => {
                    let prepared = prepare(cx, id, body);
                    Box::pin(async move { prepared.await.map(Prepared::of) })
                }
                Err(problem) => Box::pin(async { Err(problem) }),
            }
        }));
        self.push(action)
    }

    /// A question that takes a body: it changes nothing, so it needs no more than to read.
    pub fn ask<I, O, F>(
        mut self,
        verb: &'static str,
        about: &str,
        run: fn(Cx, Id<V>, I) -> F,
    ) -> Self
    where
        I: DeserializeOwned + ToSchema + Send + 'static,
        O: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<O>> + Send + 'static,
    {
        let output = Output::One(self.parts.schemas.add_output::<O>());
        let handler =
            query(move |cx, input| match input.id().and_then(|id| Ok((id, input.body()?))) {
                Ok((id, body)) => reply(run(cx, id, body)),
                Err(problem) => Box::pin(async { Err(problem) }),
            });
        let mut ask = self.parts.acting(verb, about, output, handler);
        (ask.kind, ask.scope) = (Kind::Query, self.parts.access.read);
        ask.fails.clear();
        ask.input = Some(Schema::new(self.parts.schemas.add::<I>()));
        self.push(ask)
    }

    /// Documents the operation added last beyond its standard sentence.
    pub fn note(self, about: &str) -> Self {
        self.last(|operation| operation.about.extend([" ", about]))
    }

    /// An event that the operation added last can cause.
    pub fn emits(self, event: &'static Event) -> Self {
        self.last(|operation| operation.emits.push(event))
    }

    /// An event that no operation causes, but the platform by itself.
    pub fn causes(mut self, event: &'static Event) -> Self {
        self.parts.events.push(event);
        self
    }

    /// A problem of its own that the operation added last can have.
    pub fn fails(self, code: &'static Code) -> Self {
        self.last(|operation| operation.fails.push(code))
    }

    /// The operation added last needs this scope instead of the resource's.
    pub fn scope(self, scope: &'static str) -> Self {
        self.last(|operation| operation.scope = scope)
    }

    /// The answer of the operation added last holds a secret.
    pub fn secret(self) -> Self {
        self.last(|operation| operation.secret = true)
    }

    /// The operation added last, or a field of its input, goes away.
    pub fn deprecated(self, deprecation: Deprecation) -> Self {
        self.last(|operation| operation.deprecated.push(deprecation))
    }

    pub(crate) fn push(mut self, operation: Operation) -> Self {
        self.parts.operations.push(operation);
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Operation)) -> Self {
        match self.parts.operations.last_mut() {
            Some(operation) => change(operation),
            None => self.fault("says more of an operation before it has one".to_owned()),
        }
        self
    }

    fn rules(&mut self) -> &mut ListRules {
        let last = self.parts.operations.last_mut();
        last.and_then(|operation| operation.list.as_mut()).unwrap_or_else(unreachable_list)
    }

    fn fault(&mut self, fault: String) {
        self.parts.faults.push(format!("{}: {fault}", self.parts.name));
    }
}

impl<V: Noun> From<Resource<V>> for Declared {
    fn from(resource: Resource<V>) -> Self {
        resource.parts
    }
}

/// A declaration in the wrong order is a mistake of the program, found when it starts.
#[expect(clippy::panic, reason = "the registry is built before anything is served")]
fn unreachable_list<T>() -> T {
    panic!("filter() and sort() come after list()")
}

impl Declared {
    /// Something that has operations but no objects, such as batches.
    pub fn bare(
        name: &'static str,
        about: &'static str,
        schemas: Schemas,
        operations: Vec<Operation>,
    ) -> Self {
        Self {
            name,
            plural: name,
            about,
            view: String::new(),
            operations,
            events: Vec::new(),
            links: Vec::new(),
            schemas,
            faults: Vec::new(),
            life: None,
            transitions: Transitions::default(),
            access: Access { read: "", write: "" },
            prefix: "",
        }
    }

    /// The events it can cause.
    pub fn events(&self) -> impl Iterator<Item = &'static Event> {
        let caused = self.operations.iter().flat_map(|operation| &operation.emits);
        caused.chain(&self.events).copied()
    }

    /// Whether its objects have this field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.schemas.field(&self.view, field).is_some()
    }

    /// Its schemas, for what is known only beside other resources.
    pub fn schemas_mut(&mut self) -> &mut Schemas {
        &mut self.schemas
    }

    /// `a brand`, `an api key`.
    fn one(&self) -> String {
        let article = if self.name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {}", self.spoken())
    }

    fn spoken(&self) -> String {
        self.name.replace('_', " ")
    }

    fn operation(
        &self,
        verb: &'static str,
        method: Method,
        path: &str,
        output: Output,
        handler: Handler,
    ) -> Operation {
        let kind = if method == Method::Get { Kind::Query } else { Kind::Command };
        Operation {
            id: format!("{}.{verb}", self.name).leak(),
            resource: self.name,
            verb,
            kind,
            method,
            path: format!("/v1/{}{path}", self.plural),
            scope: if kind == Kind::Query { self.access.read } else { self.access.write },
            cost: 1,
            summary: String::new(),
            about: String::new(),
            input: None,
            shaped: matches!(output, Output::Page(_)),
            output,
            status: 200,
            list: None,
            secret: false,
            prefix: self.prefix,
            emits: Vec::new(),
            fails: Vec::new(),
            deprecated: Vec::new(),
            prepare: None,
            transition: None,
            by_ids: None,
            handler,
        }
    }

    pub(crate) fn acting(
        &self,
        verb: &'static str,
        about: &str,
        output: Output,
        handler: Handler,
    ) -> Operation {
        let mut action =
            self.operation(verb, Method::Post, &format!("/{{id}}/{verb}"), output, handler);
        let mut summary = verb.replace('_', " ");
        summary.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        action.summary = format!("{summary} {}", self.one());
        action.about = about.to_owned();
        action.fails.push(&problem::VERSION_MISMATCH);
        action
    }
}
