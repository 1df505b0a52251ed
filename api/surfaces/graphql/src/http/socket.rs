//! Results over a web socket: the protocol `graphql-transport-ws`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::rt::task::JoinHandle;
use actix_web::{FromRequest, HttpRequest, HttpResponse, rt, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason};
use bodega_contract::{Caller, Credentials};
use bodega_kernel::{Problem, json, problem};
use bodega_rest::http::Incoming;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::frames::{Closed, Frames, Sender};
use super::outbox::{Counted, Outbox};
use super::places::{KNOWN, Place, STRANGERS};
use super::{BODY_BYTES_MAX, SEVERAL};
use crate::Door;
use crate::error::Stop;
use crate::follow::Next;
use crate::params::Params;
use crate::service::{Service, Terms};

const PROTOCOL: &str = "graphql-transport-ws";

/// Who connects says within this time who they are.
const INIT: Duration = Duration::from_secs(10);

/// How often it is asked whether the other end is still there and its key still holds, and how long it
/// is believed to be there.
const PING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);

/// One message has to get out within this time, or the other end is not reading.
const SEND: Duration = Duration::from_secs(10);

/// What is under way when its caller goes away has so long to end by itself; then it is given up.
const LEAVE: Duration = Duration::from_secs(2);

/// Who does not read is treated as who has gone.
const GONE: Closed = Closed(1001, "Nobody there");

/// One connection asks for no more at the same time.
const OPERATIONS_MAX: usize = 20;

/// Whether a request asks for a web socket.
pub(crate) fn is_asked_for(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Opens the socket.
pub(crate) async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    door: &Door,
    incoming: Incoming,
) -> HttpResponse {
    let Some(place) = STRANGERS.enter(incoming.caller.ip) else {
        return incoming.refuse(&Problem::new(&problem::BUSY).retry_after(5));
    };
    let sender = Rc::new(Sender::default());
    let frames = Frames::new(payload.into_inner(), sender.clone());
    let mut frames: Payload = Payload::Stream { payload: Box::pin(frames) };
    let opened = web::Payload::from_request(request, &mut frames)
        .await
        .and_then(|payload| actix_ws::handle_with_protocols(request, payload, &[PROTOCOL]));
    let Ok((response, session, stream)) = opened else {
        return incoming.refuse(&Problem::new(&problem::MALFORMED_REQUEST));
    };
    let spoken = response.headers().contains_key("sec-websocket-protocol");
    let stream = stream.max_frame_size(BODY_BYTES_MAX);
    let stream = stream.aggregate_continuations().max_continuation_size(BODY_BYTES_MAX);
    let outbox = Outbox::new(session.clone());
    let response = response.map_body(|_, body| Counted::new(body, &outbox));
    let mut connection = Connection {
        service: door.service.clone(),
        caller: incoming.caller,
        outbox,
        sender,
        place: Some(Standing::Stranger(place)),
        running: HashMap::new(),
        alive: Rc::new(()),
    };
    rt::spawn(async move {
        let closed = match spoken {
            true => match connection.serve(stream).await {
                Ok(never) => match never {},
                Err(closed) => closed,
            },
            false => Closed(4406, "Subprotocol not acceptable"),
        };
        let reason =
            CloseReason { code: CloseCode::from(closed.0), description: Some(closed.1.to_owned()) };
        let closing = tokio::time::timeout(SEND, session.close(Some(reason)));
        let _ = tokio::join!(closing, connection.leave());
    });
    response.map_into_boxed_body()
}

/// Whose place a connection has.
enum Standing {
    Stranger(#[expect(dead_code, reason = "held")] Place<Option<std::net::IpAddr>>),
    Known(#[expect(dead_code, reason = "held")] Place<Uuid>),
}

/// An operation under way.
struct Running {
    task: JoinHandle<()>,
    /// Nobody waits for it any more.
    left: CancellationToken,
}

/// A connection under way.
struct Connection {
    service: Arc<Service>,
    caller: Caller,
    outbox: Outbox,
    sender: Rc<Sender>,
    place: Option<Standing>,
    running: HashMap<String, Running>,
    /// Held by each operation for as long as there is anything left of it.
    alive: Rc<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.running.values().for_each(|running| running.task.abort());
    }
}

impl Connection {
    fn is_known(&self) -> bool {
        matches!(self.place, Some(Standing::Known(_)))
    }

    /// Lets what is under way come to its end, so that the request log tells of it.
    async fn leave(&mut self) {
        let all: Vec<_> = self.running.drain().map(|(_, running)| running).collect();
        all.iter().for_each(|running| running.left.cancel());
        let ends = all.into_iter().map(|running| running.task);
        let _ = futures::future::join_all(ends).await;
    }

    async fn serve(
        &mut self,
        mut stream: AggregatedMessageStream,
    ) -> Result<std::convert::Infallible, Closed> {
        let (begun, mut heard) = (Instant::now(), Instant::now());
        let mut ping = tokio::time::interval(PING);
        let service = self.service.clone();
        let signals = &service.corridor.platform().signals;
        loop {
            let stopping = signals.next(PROTOCOL);
            if signals.is_closed() {
                return Err(Closed(1001, "The server stops"));
            }
            let message = tokio::select! {
                message = stream.next() => message,
                () = stopping => continue,
                _ = ping.tick() => {
                    self.look_after(begun, heard).await?;
                    continue;
                }
            };
            heard = Instant::now();
            let text = match message {
                Some(Ok(AggregatedMessage::Text(text))) => text,
                Some(Ok(AggregatedMessage::Ping(bytes))) => {
                    self.outbox.pong(&bytes, SEND).await.map_err(|_| GONE)?;
                    continue;
                }
                Some(Ok(AggregatedMessage::Pong(_))) => continue,
                Some(Ok(AggregatedMessage::Binary(_))) => {
                    return Err(Closed(4400, "A message is a text"));
                }
                Some(Ok(AggregatedMessage::Close(_))) | None => return Err(Closed(1000, "")),
                Some(Err(_)) => {
                    let reason = self.sender.closed();
                    return Err(reason.unwrap_or(Closed(1002, "No web socket message")));
                }
            };
            self.message(text.as_bytes()).await?;
        }
    }

    /// Whether the other end is still there, has said who it is, and may still be.
    async fn look_after(&mut self, begun: Instant, heard: Instant) -> Result<(), Closed> {
        if !self.is_known() && begun.elapsed() >= INIT {
            return Err(Closed(4408, "Connection initialisation timeout"));
        }
        if heard.elapsed() > SILENCE {
            return Err(GONE);
        }
        self.outbox.ping(SEND).await.map_err(|_| GONE)?;
        // What is under way looks by itself, and says so to whoever waits for it.
        let idle = self.running.values().all(|running| running.task.is_finished());
        if self.is_known()
            && idle
            && let Err(problem) = self.service.corridor.admit(&self.caller).await
            && problem.code.status < 500
        {
            return Err(Closed(4403, "Forbidden"));
        }
        Ok(())
    }

    async fn message(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        let invalid = || Closed(4400, "Not a message of the protocol");
        let message = json::parse(bytes).map_err(|_| invalid())?;
        let id = message["id"].as_str().filter(|id| (1..=255).contains(&id.len()));
        match (message["type"].as_str(), id) {
            (Some("connection_init"), _) => self.init(&message["payload"]).await,
            (Some("ping"), _) => self.send(&json!({"type": "pong"})).await,
            (Some("pong"), _) => Ok(()),
            (Some("subscribe"), Some(id)) => {
                let Some(Value::Object(payload)) = message.get("payload") else {
                    return Err(invalid());
                };
                let params = Params::of(payload.clone());
                self.subscribe(id.to_owned(), params.map_err(|_| invalid())?)
            }
            (Some("complete"), Some(id)) => {
                if let Some(running) = self.running.remove(id) {
                    running.left.cancel();
                }
                Ok(())
            }
            _ => Err(invalid()),
        }
    }

    /// Who it is: by the payload's key, or by the header that the connection was opened with.
    async fn init(&mut self, payload: &Value) -> Result<(), Closed> {
        if self.is_known() {
            return Err(Closed(4429, "Too many initialisation requests"));
        }
        let members = payload.as_object().into_iter().flatten();
        let mut given = members.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some((_, value)) = given.next() {
            self.caller.credentials = Credentials::read(Some(value.as_str().unwrap_or("?")));
        }
        let organization = match self.service.corridor.admit(&self.caller).await {
            Ok(visit) => visit.principal().organization,
            Err(problem) if problem.code.status >= 500 => {
                return Err(Closed(1013, "Try again later"));
            }
            Err(_) => return Err(Closed(4403, "Forbidden")),
        };
        let Some(place) = KNOWN.enter(organization) else {
            return Err(Closed(4429, "Too many connections"));
        };
        self.place = Some(Standing::Known(place));
        self.sender.is_known();
        self.send(&json!({"type": "connection_ack"})).await
    }

    fn subscribe(&mut self, id: String, params: Params) -> Result<(), Closed> {
        if !self.is_known() {
            return Err(Closed(4401, "Unauthorized"));
        }
        if self.running.get(&id).is_some_and(|running| !running.task.is_finished()) {
            return Err(Closed(4409, "Subscriber already exists"));
        }
        self.running.retain(|_, running| !running.task.is_finished());
        // Those count too that were given up a moment ago.
        let left = Rc::strong_count(&self.alive).saturating_sub(1 + self.running.len());
        if self.running.len() >= OPERATIONS_MAX || left >= OPERATIONS_MAX {
            return Err(Closed(4429, "Too many operations at once"));
        }
        let left_behind = CancellationToken::new();
        let operation = One {
            service: self.service.clone(),
            caller: Caller { request_id: Uuid::now_v7(), ..self.caller.clone() },
            outbox: self.outbox.clone(),
            id: id.clone(),
            left: left_behind.clone(),
        };
        let (alive, left) = (self.alive.clone(), left_behind.clone());
        let task = rt::spawn(async move {
            let _alive = alive;
            let given_up = async {
                left_behind.cancelled().await;
                tokio::time::sleep(LEAVE).await;
            };
            tokio::select! {
                // Where nobody hears it there is nobody left to tell.
                _ = operation.run(params) => {}
                () = given_up => {}
            }
        });
        self.running.insert(id, Running { task, left });
        Ok(())
    }

    async fn send(&mut self, message: &Value) -> Result<(), Closed> {
        self.outbox.text(message.to_string(), SEND).await.map_err(|_| GONE)
    }
}

/// One operation of a connection.
struct One {
    service: Arc<Service>,
    caller: Caller,
    outbox: Outbox,
    id: String,
    /// Nobody waits for it any more.
    left: CancellationToken,
}

impl One {
    async fn run(mut self, params: Params) -> Result<(), Closed> {
        self.outbox.room(SEND).await.map_err(|_| GONE)?;
        match self.service.subscribe_or_run(&self.caller, &params).await {
            Ok(Started::Subscription(mut subscription)) => loop {
                let next = tokio::select! {
                    biased;
                    () = self.left.cancelled() => return Ok(()),
                    next = subscription.next() => next,
                };
                match next {
                    Next::Answers(answers) => {
                        for answer in answers {
                            self.next(&answer).await?;
                        }
                    }
                    Next::End(None) => break self.complete().await,
                    Next::End(Some(error)) => break self.error(vec![error]).await,
                }
            },
            Ok(Started::Answer(answer)) => {
                self.next(&answer).await?;
                self.complete().await
            }
            Err(errors) => self.error(errors).await,
        }
    }

    async fn next(&mut self, answer: &[u8]) -> Result<(), Closed> {
        let (id, answer) = (Value::from(self.id.as_str()), String::from_utf8_lossy(answer));
        let text = format!("{{\"id\":{id},\"type\":\"next\",\"payload\":{answer}}}");
        self.send(text).await
    }

    async fn complete(&mut self) -> Result<(), Closed> {
        self.send(json!({"id": self.id, "type": "complete"}).to_string()).await
    }

    async fn error(&mut self, errors: Vec<Value>) -> Result<(), Closed> {
        self.send(json!({"id": self.id, "type": "error", "payload": errors}).to_string()).await
    }

    async fn send(&mut self, text: String) -> Result<(), Closed> {
        // Its name may already be another's.
        match self.left.is_cancelled() {
            true => Err(GONE),
            false => self.outbox.text(text, SEND).await.map_err(|_| GONE),
        }
    }
}

/// What an operation turned out to be.
enum Started {
    Subscription(Box<crate::follow::Subscription>),
    Answer(Vec<u8>),
}

impl Service {
    /// Begins what a message asks for, whichever kind of operation it is.
    async fn subscribe_or_run(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<Started, Vec<Value>> {
        let told = |problem: Problem| Stop::Problem(problem).errors(caller);
        let mut visit = self.corridor.admit(caller).await.map_err(told)?;
        if self.is_subscription(&visit, params).await {
            let told = |stop: Stop| stop.errors(caller);
            let subscription = self.subscribe(caller, params).await.map_err(told)?;
            return Ok(Started::Subscription(Box::new(subscription)));
        }
        visit.begin(SEVERAL, "POST");
        let reply = self.run(&mut visit, caller, params, Terms::default()).await;
        let reply = super::leave(visit, "POST", None, reply).map_err(told)?;
        match reply.refused {
            None => Ok(Started::Answer(reply.body)),
            Some(_) => {
                let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                Err(body["errors"].as_array().cloned().unwrap_or_default())
            }
        }
    }
}
