//! How a resource is declared.

use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use bodega_kernel::{
    Code, Cx, Event, Id, Linked, ListQuery, Noun, Page, Problem, Result, Row, Shown, Tx, problem,
};
use futures::future::BoxFuture;
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::handler::{command, on_object, on_object_with, query, reply};
use crate::operation::{Handler, Input, Prepared, Reply};
use crate::{
    Deprecation, FilterKind, FilterRule, Kind, ListRules, Method, Operation, Output, Schema,
    Schemas,
};

/// The answer to a removal.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// Always true.
    pub deleted: bool,
}

impl Deleted {
    /// Gone.
    pub const DONE: Self = Self { deleted: true };
}

/// Ids in, what they lead to out, in one statement, or two where a table lies between.
pub type Load = Arc<dyn Fn(Cx, Vec<Uuid>) -> BoxFuture<'static, Result<Linked>> + Send + Sync>;

/// A way from objects of one resource to objects of another: `expand` and GraphQL walk the same one.
#[derive(Clone)]
pub struct Link {
    /// What it is called on the object.
    pub name: &'static str,
    /// The resource it leads to.
    pub target: &'static str,
    /// The field that holds the key: `id`, or `brand_id`.
    pub key: &'static str,
    /// Whether it leads to one object or to a list.
    pub one: bool,
    /// Loads what it leads to, for many objects at once.
    pub load: Load,
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
    read: &'static str,
    write: &'static str,
    prefix: &'static str,
}

impl<V: Noun> Resource<V> {
    /// Declares a resource: the scopes to read and to write it, and what it is, in a phrase.
    pub fn new(read: &'static str, write: &'static str, about: &'static str) -> Self {
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
                read,
                write,
                prefix: V::PREFIX,
            },
            of: PhantomData,
        }
    }

    /// `GET /v1/products`.
    pub fn list<F>(self, run: fn(Cx, ListQuery) -> F) -> Self
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
    pub fn filter<const N: usize>(mut self, fields: [&'static str; N]) -> Self {
        for name in fields {
            let column = <V::Entity as EntityTrait>::Column::from_str(name);
            let kind = self.parts.schemas.field(&self.parts.view, name).and_then(FilterKind::of);
            match (column, kind) {
                (Ok(column), Some(kind)) => {
                    let nullable = column.def().is_null();
                    self.rules().filters.push(FilterRule { name, kind, nullable });
                }
                _ => self.fault(format!("cannot filter by {name}: not a column and a field")),
            }
        }
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

    /// `GET /v1/products/{id}`.
    pub fn get<F>(self, run: fn(Cx, Id<V>) -> F) -> Self
    where
        F: Future<Output = Result<V>> + Send + 'static,
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
        create.fails.push(&problem::EXTERNAL_ID_TAKEN);
        self.push(create)
    }

    /// `PATCH /v1/products/{id}`.
    pub fn update<P, F>(mut self, run: fn(Tx, Id<V>, P) -> F) -> Self
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
        update.fails.extend([&problem::EXTERNAL_ID_TAKEN, &problem::VERSION_MISMATCH]);
        self.push(update)
    }

    /// `DELETE /v1/products/{id}`.
    pub fn delete<F>(mut self, run: fn(Tx, Id<V>) -> F) -> Self
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
        (ask.kind, ask.scope) = (Kind::Query, self.parts.read);
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

    /// A link to the one object that a field names: `brand` by `brand_id`.
    pub fn belongs_to<T: Noun>(mut self, name: &'static str, key: &'static str) -> Self
    where
        Row<T>: ModelTrait<Entity = T::Entity>,
    {
        let load: Load =
            Arc::new(|cx, ids| Box::pin(async move { cx.linked_by_id::<T>(ids).await }));
        self.parts.links.push(Link { name, target: T::NAME, key, one: true, load });
        self
    }

    /// A link to the objects that name this one in a column: `variants` by their `product_id`.
    pub fn has_many<T: Noun>(
        mut self,
        name: &'static str,
        column: <T::Entity as EntityTrait>::Column,
    ) -> Self
    where
        Row<T>: ModelTrait<Entity = T::Entity>,
        <T::Entity as EntityTrait>::Column: Copy + Send + Sync,
    {
        let load: Load = Arc::new(move |cx, ids| {
            Box::pin(async move { cx.linked_children::<T>(column, ids).await })
        });
        self.parts.links.push(Link { name, target: T::NAME, key: "id", one: false, load });
        self
    }

    /// A link of its own making: ids in, what they lead to out.
    pub fn link<T: Noun, F>(mut self, name: &'static str, run: fn(Cx, Vec<Uuid>) -> F) -> Self
    where
        F: Future<Output = Result<Linked>> + Send + 'static,
    {
        let load: Load = Arc::new(move |cx, ids| Box::pin(run(cx, ids)));
        self.parts.links.push(Link { name, target: T::NAME, key: "id", one: false, load });
        self
    }

    fn push(mut self, operation: Operation) -> Self {
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
            read: "",
            write: "",
            prefix: "",
        }
    }

    /// The events it can cause.
    pub fn events(&self) -> impl Iterator<Item = &'static Event> {
        let caused = self.operations.iter().flat_map(|operation| &operation.emits);
        caused.chain(&self.events).copied()
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
            scope: if kind == Kind::Query { self.read } else { self.write },
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
            handler,
        }
    }

    fn acting(
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
