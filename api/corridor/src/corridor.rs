//! The corridor: every call, through whichever door, walks the same way, once.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bodega_contract::{
    Authenticator, Caller, Handler, Input, Kind, Limiter, Operation, Prepared, Recorder, Registry,
    Reply,
};
use bodega_kernel::{
    APART_BYTES, Apart, Budget, Cx, FieldError, Page, Platform, Problem, Result, ScopeSet, Shown,
    Size, Tx, Versions, json, problem, tagged, text,
};
use entity::platform::idempotency_record::Model as Record;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::body::Body;
use crate::followers::Followers;
use crate::idempotency::{self, InProgress, Seal};
use crate::prepare::Lines;
use crate::query::{self, Ask, Expand, Shape};
use crate::shares::Turns;
use crate::validate;

/// No call takes longer: who waits for news of a log waits up to 30 seconds of it.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);

/// A body that is larger is read and checked apart from the threads that answer calls.
const LARGE_BODY_BYTES: usize = 64 * 1024;

/// How many objects of an answer may be read in a transaction, by links or by lines of an atomic batch:
/// others wait for it meanwhile.
const IN_TRANSACTION_OBJECTS_MAX: u64 = 1_000;

/// What is asked for.
pub struct Call<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The id in the path.
    pub id: Option<String>,
    /// The query string, decoded.
    pub query: Vec<(String, String)>,
    /// The body as it came; read only once it is known who sent it.
    pub raw: Option<Vec<u8>>,
    /// The body.
    pub body: Option<Value>,
    /// What a door found wrong with the request; told where the rest of it would be validated.
    pub fault: Option<Problem>,
    /// The version the object must have.
    pub if_match: Option<i64>,
    /// The caller's name for this call.
    pub idempotency_key: Option<String>,
    /// What is asked beside the query string.
    pub ask: Ask,
    /// It does not wait for news, whatever it asks: others wait for it.
    pub at_once: bool,
    /// Whoever waits for news has a place among those who follow already.
    pub placed: bool,
    /// What was worked out for it before the transaction that it is a line of; the corridor's own.
    pub prepared: Option<Result<Prepared>>,
}

impl<'a> Call<'a> {
    /// A call of this operation.
    pub fn of(operation: &'a Operation) -> Self {
        Self {
            operation,
            id: None,
            query: Vec::new(),
            raw: None,
            body: None,
            fault: None,
            if_match: None,
            idempotency_key: None,
            ask: Ask::default(),
            at_once: false,
            placed: false,
            prepared: None,
        }
    }

    /// Reads the body that came.
    pub(crate) async fn read_body(&mut self, apart: &Apart) {
        let Some(raw) = self.raw.take() else { return };
        let read = match raw.len() > LARGE_BODY_BYTES {
            true => apart.run(move || json::parse(&raw)).await.flatten(),
            false => json::parse(&raw),
        };
        match read {
            Ok(body) => self.body = Some(body),
            Err(problem) if self.fault.is_none() => self.fault = Some(problem),
            Err(_) => {}
        }
    }
}

/// What a call is answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Whether it is the first answer to an idempotency key again.
    pub replayed: bool,
}

/// A call under way: what its lines share when it is a batch.
pub(crate) struct Walk<'a> {
    pub(crate) cx: &'a Cx,
    /// Who calls: looked at again before each line, because a key may be revoked meanwhile.
    pub(crate) caller: &'a Caller,
    version: &'static str,
    /// Answers to remember with the one commit of an atomic batch.
    kept: Mutex<Vec<Record>>,
}

impl Walk<'_> {
    /// Opens what is kept of answers with secrets in them: only the same key can.
    fn seal(&self) -> Seal {
        Seal::of(self.caller.credentials.token().unwrap_or_default())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Record>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The corridor, and all it needs.
pub struct Corridor {
    registry: &'static Registry,
    pub(crate) platform: Arc<Platform>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limiter: Arc<dyn Limiter>,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) followers: Followers,
    pub(crate) turns: Turns,
    in_progress: InProgress,
}

impl Corridor {
    /// Builds the corridor. The registry lives as long as the process.
    pub fn new(
        registry: &'static Registry,
        platform: Arc<Platform>,
        authenticator: Arc<dyn Authenticator>,
        limiter: Arc<dyn Limiter>,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        let (followers, in_progress) = (Followers::default(), InProgress::default());
        let turns = Turns::new(platform.db.share_of_one());
        Self { registry, platform, authenticator, limiter, recorder, followers, turns, in_progress }
    }

    /// The list of operations.
    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// The versions there are.
    pub fn versions(&self) -> &Versions {
        &self.platform.versions
    }

    /// What lives as long as the process.
    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// Neither a panic nor a wait without end leaves the corridor.
    pub(crate) async fn guarded<T>(&self, walk: impl Future<Output = Result<T>>) -> Result<T> {
        let walk = tokio::time::timeout(CALL_TIMEOUT, AssertUnwindSafe(walk).catch_unwind());
        match walk.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
                Err(Problem::internal(format!("panic: {}", said.unwrap_or("?"))))
            }
            // It may have been on its way to the end.
            Err(_) => Err(Problem::new(&problem::BUSY).retry_after(1).detail(text(
                "The call took too long; a change it asked for may have been made. Try again with \
                 the same `Idempotency-Key`.",
                "La llamada tardó demasiado; el cambio que pedía puede haberse hecho. Intente de \
                 nuevo con la misma `Idempotency-Key`.",
            ))),
        }
    }

    pub(crate) async fn enter(
        &self,
        cx: Cx,
        caller: &Caller,
        version: &'static str,
        mut call: Call<'_>,
    ) -> Result<Answer> {
        if let Some(header) = &call.idempotency_key {
            call.idempotency_key = Some(idempotency::key(header)?);
        }
        let walk = Walk { cx: &cx, caller, version, kept: Mutex::default() };
        self.walk_line(&walk, call, None).await
    }

    /// One operation of a call: in `tx` where an atomic batch has one open, else on its own. Boxed,
    /// because a batch walks its lines through here again.
    pub(crate) fn walk_line<'a>(
        &'a self,
        walk: &'a Walk<'a>,
        mut call: Call<'a>,
        tx: Option<&'a Tx>,
    ) -> BoxFuture<'a, Result<Answer>> {
        async move {
            let operation = call.operation;
            authorize(&walk.cx.scopes, operation.scope)?;
            let shape = self.valid(walk, &mut call).await?;
            if operation.kind != Kind::Query {
                return self.command(walk, call, &shape.expand, tx).await;
            }
            let Handler::Query(run) = &operation.handler else {
                return Err(Problem::internal("a query without a query's handler"));
            };
            let cx = tx.map_or(walk.cx, Tx::cx);
            cx.wait_turn().await?;
            let body = call.body.unwrap_or_default();
            let input = Input { id: call.id, list: shape.list, body, ..Input::default() };
            let reply = run(cx.clone(), input).await?;
            let body = self.shaped(cx, operation, reply, shape.expand, shape.fields).await?;
            let body = self.downgraded(walk.version, operation, body)?;
            Ok(Answer { status: operation.status, body, replayed: false })
        }
        .boxed()
    }

    /// Checks query and body against the operation's schema; an old body is brought up to date first.
    pub(crate) async fn valid(&self, walk: &Walk<'_>, call: &mut Call<'_>) -> Result<Shape> {
        if let Some(fault) = call.fault.take() {
            return Err(fault);
        }
        let operation = call.operation;
        let ask = std::mem::take(&mut call.ask);
        let mut shape = query::read(self.registry, operation, &call.query, ask)?;
        if let Some(list) = shape.list.as_mut().filter(|_| call.at_once) {
            list.wait = Duration::ZERO;
        }
        self.authorize_links(walk.cx, operation.resource, &shape.expand)?;
        call.body = match call.body.take() {
            Some(body) if Size::of(&body).bytes > APART_BYTES => {
                let (registry, id) = (self.registry, operation.id);
                let (platform, version) = (self.platform.clone(), walk.version);
                let check = move || {
                    let operation = registry.operation(id);
                    let operation = operation.ok_or_else(|| Problem::internal("no operation"))?;
                    fit(registry, &platform.versions, version, operation, Some(body))
                };
                self.platform.apart.run(check).await.flatten()?
            }
            body => fit(self.registry, &self.platform.versions, walk.version, operation, body)?,
        };
        Ok(shape)
    }

    /// Idempotency, transaction, handler, commit.
    async fn command(
        &self,
        walk: &Walk<'_>,
        mut call: Call<'_>,
        links: &[Expand],
        tx: Option<&Tx>,
    ) -> Result<Answer> {
        let operation = call.operation;
        let instance = operation.path.replace("{id}", call.id.as_deref().unwrap_or_default());
        let key = call.idempotency_key.clone();
        let fingerprint = key.as_ref().map(|_| idempotency::fingerprint(&call)).unwrap_or_default();
        let _held = match &key {
            Some(key) => Some(self.in_progress.hold(walk.cx.organization, key)?),
            None => None,
        };
        if let (Handler::Batch, Some(body)) = (&operation.handler, &call.body)
            && (body["atomic"] != true || key.is_none() && self.only_reads(body))
        {
            let body = call.body.unwrap_or_default();
            let (body, _) = self.run_batch(walk, None, body, key.as_deref(), Lines::new()).await?;
            let body = Body::Tree(body);
            return Ok(Answer { status: operation.status, body, replayed: false });
        }
        let mut lines = Lines::new();
        if tx.is_none() {
            if let (Handler::Batch, Some(body)) = (&operation.handler, &call.body) {
                lines = self.prepare_lines(walk, body).await;
            }
            call.prepared = self.prepared(walk, &call).await;
        }
        let cx = tx.map_or(walk.cx, Tx::cx);
        let open = match tx {
            Some(tx) => tx.doing(operation.id),
            None => {
                let budget = Arc::new(Budget::of_objects(IN_TRANSACTION_OBJECTS_MAX));
                Tx::open(&cx.doing(operation.id).within_budget(budget)).await?
            }
        };
        let done = self.handle(walk, &open, call, lines, key.as_deref(), &fingerprint).await;
        let done = match done {
            Ok(done) => self.shown(&open, operation.resource, done, links).await,
            Err(problem) => Err(problem),
        };
        if tx.is_none() {
            // It is within its bound, and what all of the request has cost is told when it is paid.
            let _ = walk.cx.budget.take(open.budget.size(), &problem::ANSWER_TOO_LARGE);
        }
        let seal = (operation.secret && key.is_some()).then(|| walk.seal());
        let remember = |body: &Body, status: u16| {
            let keep = |key: &str| {
                idempotency::record(walk.cx, key, fingerprint.clone(), status, body, seal.as_ref())
            };
            key.as_deref().map(keep).transpose()
        };
        match done {
            Ok(Done { mut answer, shown, stays: true }) => {
                let own = match answer.replayed {
                    true => None,
                    false => remember(&answer.body, answer.status)?,
                };
                walk.kept().extend(own);
                shown.into_iter().for_each(|shown| answer.body = shown);
                if tx.is_none() {
                    let kept = std::mem::take(&mut *walk.kept());
                    open.commit(kept)
                        .await
                        .map_err(|problem| in_progress(problem, key.is_some()))?;
                }
                Ok(answer)
            }
            Ok(Done { answer, stays: false, .. }) => {
                open.rollback().await?;
                self.keep(walk.cx, remember(&answer.body, answer.status)?).await?;
                Ok(answer)
            }
            Err(problem) if tx.is_some() => Err(problem),
            Err(problem) => {
                open.rollback().await?;
                if refused_for_good(&problem) {
                    let language = walk.cx.origin.language;
                    let id = tagged("req", walk.cx.origin.request_id);
                    let body = Body::Tree(problem.to_json(language, &instance, &id));
                    self.keep(walk.cx, remember(&body, problem.code.status)?).await?;
                }
                Err(problem)
            }
        }
    }

    async fn handle(
        &self,
        walk: &Walk<'_>,
        tx: &Tx,
        call: Call<'_>,
        lines: Lines,
        key: Option<&str>,
        fingerprint: &[u8],
    ) -> Result<Done> {
        if let Some(key) = key {
            // A line before this one may have had the same key; the database does not know it yet.
            let before = walk.kept().iter().find(|kept| kept.idempotency_key == key).cloned();
            let record = match before {
                Some(record) => Some(record),
                None => idempotency::remembered(tx, key).await?,
            };
            if let Some(record) = record {
                let answer = idempotency::replay(record, fingerprint, || walk.seal())?;
                return Ok(Done { answer, shown: None, stays: true });
            }
        }
        let operation = call.operation;
        let (body, stays) = match &operation.handler {
            Handler::Batch => {
                let lines_of = call.body.unwrap_or_default();
                let (body, stays) = self.run_batch(walk, Some(tx), lines_of, None, lines).await?;
                (Body::Tree(body), stays)
            }
            Handler::Command(run) => {
                let body = call.body.unwrap_or_default();
                let (if_match, prepared) = (call.if_match, call.prepared.transpose()?);
                let input = Input { id: call.id, body, if_match, list: None, prepared };
                match run(tx.clone(), input).await? {
                    Reply::One(object) => (Body::One(object), true),
                    Reply::Page(_) => return Err(Problem::internal("a command answered a page")),
                }
            }
            Handler::Query(_) => return Err(Problem::internal("a command with a query's handler")),
        };
        if cfg!(debug_assertions)
            && operation.kind == Kind::Command
            && !tx.is_shared()
            && let Some(name) = tx.undeclared(&operation.emits)
        {
            return Err(Problem::internal(format!("{} does not declare {name}", operation.id)));
        }
        let body = self.downgraded(walk.version, operation, body)?;
        let answer = Answer { status: operation.status, body, replayed: false };
        Ok(Done { answer, shown: None, stays })
    }

    /// The answer with its links. They are read before the commit, so that what cannot be shown is
    /// not done either; and they are few, because others wait for the transaction.
    async fn shown(
        &self,
        tx: &Tx,
        resource: &str,
        mut done: Done,
        links: &[Expand],
    ) -> Result<Done> {
        if links.is_empty() || done.answer.status >= 400 {
            return Ok(done);
        }
        let shown = match done.answer.body.clone() {
            Body::One(mut object) => {
                self.embed(tx.cx(), resource, vec![&mut object], links).await?;
                Body::One(object)
            }
            body => {
                let mut tree = body.tree()?;
                self.embed(tx.cx(), resource, vec![&mut tree], links).await?;
                Body::Tree(tree)
            }
        };
        done.shown = Some(shown);
        Ok(done)
    }

    /// Remembers an answer that changed nothing.
    async fn keep(&self, cx: &Cx, record: Option<Record>) -> Result<()> {
        let Some(record) = record else { return Ok(()) };
        let tx = Tx::open(cx).await?;
        match tx.commit(vec![record]).await {
            Ok(_) => Ok(()),
            // Another node was first to remember the same refusal.
            Err(problem) if problem.code.code == problem::CONFLICT.code => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Embeds what `expand` asks for, then keeps what `fields` asks for.
    async fn shaped(
        &self,
        cx: &Cx,
        operation: &Operation,
        reply: Reply,
        expand: Vec<Expand>,
        fields: Option<Vec<String>>,
    ) -> Result<Body> {
        let (mut objects, page) = match reply {
            Reply::One(object) => (vec![object], None),
            Reply::Page(mut page) => (std::mem::take(&mut page.data), Some(page)),
        };
        let size = objects.iter().map(Shown::size).sum();
        cx.budget.take(size, &problem::ANSWER_TOO_LARGE)?;
        self.embed(cx, operation.resource, objects.iter_mut().collect(), &expand).await?;
        if let Some(fields) = fields {
            objects
                .iter_mut()
                .for_each(|object| object.keep(|name| fields.iter().any(|f| f == name)));
        }
        match page {
            Some(page) => Ok(Body::Page(Page { data: objects, ..page })),
            None => objects.pop().map(Body::One).ok_or_else(|| Problem::internal("no object")),
        }
    }

    /// The answer as an older version has it, where it was another one then.
    fn downgraded(&self, version: &str, operation: &Operation, body: Body) -> Result<Body> {
        let versions = &self.platform.versions;
        if !versions.changes_answers(version, operation.id) {
            return Ok(body);
        }
        let mut tree = body.tree()?;
        versions.downgrade(version, operation.id, &mut tree);
        Ok(Body::Tree(tree))
    }
}

/// A body that fits the operation's schema, brought up to date.
fn fit(
    registry: &Registry,
    versions: &Versions,
    version: &'static str,
    operation: &Operation,
    body: Option<Value>,
) -> Result<Option<Value>> {
    match (&operation.input, body) {
        (Some(schema), Some(mut body)) => {
            // The lines of a batch answer each for its own.
            if operation.kind != Kind::Batch
                && let Some(place) = json::find_nul(&body)
            {
                let detail = text("has a NUL character", "tiene un carácter NUL");
                return Err(Problem::invalid(FieldError::body(place, "invalid", detail)));
            }
            versions.upgrade(version, operation.id, &mut body);
            validate::check(schema, registry.schemas(), &body)?;
            Ok(Some(body))
        }
        (Some(_), None) => {
            let detail = text("A JSON body is required", "Se requiere un cuerpo JSON");
            Err(Problem::invalid(FieldError::body("", "required", detail)))
        }
        (None, Some(body)) => validate::check_none(&body).map(|()| Some(body)),
        (None, None) => Ok(None),
    }
}

/// What a handler did, and whether it is to stay (an atomic batch that failed is not).
struct Done {
    /// What is remembered of it.
    answer: Answer,
    /// The same with its links, where any were asked for.
    shown: Option<Body>,
    stays: bool,
}

pub(crate) fn authorize(scopes: &ScopeSet, scope: &str) -> Result<()> {
    if scope.is_empty() || scopes.holds(scope) {
        return Ok(());
    }
    Err(Problem::lacks(scope))
}

/// A refusal that another try would meet again; what may pass next time is not remembered.
fn refused_for_good(problem: &Problem) -> bool {
    (400..500).contains(&problem.code.status)
        && problem.code.status != problem::UNAUTHENTICATED.status
        && problem.retry_after_s.is_none()
        && problem.code.code != problem::IDEMPOTENCY_KEY_REUSED.code
}

/// Two nodes answered the same key at once, and the other was first.
fn in_progress(problem: Problem, keyed: bool) -> Problem {
    match keyed && problem.code.code == problem::CONFLICT.code {
        true => Problem::new(&problem::IDEMPOTENCY_IN_PROGRESS).retry_after(1),
        false => problem,
    }
}
