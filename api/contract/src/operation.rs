//! What a door sees of an operation: everything but its body.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bodega_kernel::{Code, Cx, Event, ListQuery, Page, Problem, Result, Shown, Tx};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{ListRules, Load, Schema, Transition};

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads; gets a reader.
    Query,
    /// Changes; gets the open transaction.
    Command,
    /// Other operations, many at once.
    Batch,
}

/// How REST calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read.
    Get,
    /// Create, or act.
    Post,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// `GET`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// From the name HTTP gives it; `HEAD` is a `GET` without the body.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// What an operation answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One object of this schema.
    One(String),
    /// A page of objects of this schema.
    Page(String),
}

impl Output {
    /// The schema's name.
    pub fn schema(&self) -> &str {
        let (Self::One(name) | Self::Page(name)) = self;
        name
    }
}

/// That something goes away, since when, and what to use instead.
#[derive(Clone, Copy, Debug)]
pub struct Deprecation {
    /// The operation, or the input field (`/name`) of it.
    pub field: Option<&'static str>,
    /// `YYYY-MM-DD`.
    pub since: &'static str,
    /// When it stops working, `YYYY-MM-DD`.
    pub sunset: &'static str,
    /// What to use instead.
    pub instead: &'static str,
}

/// One operation of one resource.
pub struct Operation {
    /// `product.archive`: a contract, never renamed.
    pub id: &'static str,
    /// `product`.
    pub resource: &'static str,
    /// `archive`.
    pub verb: &'static str,
    /// Whether it changes anything.
    pub kind: Kind,
    /// How REST calls it.
    pub method: Method,
    /// `/v1/products/{id}/archive`.
    pub path: String,
    /// What a key must hold; nothing, where empty.
    pub scope: &'static str,
    /// What it takes from the limits.
    pub cost: u32,
    /// In a few words.
    pub summary: String,
    /// In a few sentences.
    pub about: String,
    /// The body it takes.
    pub input: Option<Schema>,
    /// What it answers with.
    pub output: Output,
    /// The HTTP status of success.
    pub status: u16,
    /// Filters and sorting, for a list.
    pub list: Option<ListRules>,
    /// Whether `fields` and `expand` shape its answer.
    pub shaped: bool,
    /// Whether its answer holds a secret, so that what is kept of it must be unreadable at rest.
    pub secret: bool,
    /// The prefix of the ids in its path.
    pub prefix: &'static str,
    /// The events it can cause.
    pub emits: Vec<&'static Event>,
    /// Its problems beside those that every operation can have.
    pub fails: Vec<&'static Code>,
    /// What of it goes away.
    pub deprecated: Vec<Deprecation>,
    /// The states it leads from and to, where it is a transition.
    pub transition: Option<Transition>,
    /// What is worked out for it before its transaction is opened, where it has much to read.
    pub prepare: Option<Prepare>,
    /// Reads many of what it gets at once, by their ids, where it gets one by its id.
    pub by_ids: Option<Load>,
    /// The function behind it; only the corridor runs it.
    pub handler: Handler,
}

impl Operation {
    /// Whether its path has an id.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }
}

/// What reaches a handler, already authorized and valid.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The id in the path.
    pub id: Option<String>,
    /// What was asked of a list.
    pub list: Option<ListQuery>,
    /// The body.
    pub body: Value,
    /// The version the object must have.
    pub if_match: Option<i64>,
    /// What was worked out before.
    pub prepared: Option<Prepared>,
}

/// What an operation worked out before its transaction; only the operation knows what it is.
#[derive(Clone)]
pub struct Prepared(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Prepared {
    pub(crate) fn of(what: impl Any + Send) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(what)))))
    }

    /// What it is, once.
    pub(crate) fn take<P: Any + Send>(&self) -> Result<P> {
        let what = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let what = what.and_then(|what| what.downcast().ok()).map(|what| *what);
        what.ok_or_else(|| Problem::internal("an operation that nothing was prepared for"))
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

/// What a handler gives back.
pub enum Reply {
    /// One object.
    One(Shown),
    /// A page of them.
    Page(Page<Shown>),
}

type Run<C> = Arc<dyn Fn(C, Input) -> BoxFuture<'static, Result<Reply>> + Send + Sync>;

/// Works out, from a reader and before the transaction is opened, what a command needs.
pub type Prepare = Arc<dyn Fn(Cx, Input) -> BoxFuture<'static, Result<Prepared>> + Send + Sync>;

/// The function behind an operation, its types erased.
#[derive(Clone)]
pub enum Handler {
    /// Of a query.
    Query(Run<Cx>),
    /// Of a command.
    Command(Run<Tx>),
    /// Of a batch: the corridor itself.
    Batch,
}
