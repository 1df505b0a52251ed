//! Results over a web socket: the protocol `graphql-transport-ws`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use actix_web::{HttpRequest, HttpResponse, rt, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use bodega_contract::Caller;
use bodega_kernel::{Problem, json, problem};
use bodega_rest::http::{Incoming, bearer};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::BODY_BYTES_MAX;
use crate::Door;
use crate::error::Stop;
use crate::follow::Next;
use crate::params::Params;
use crate::service::{Service, Terms};

const PROTOCOL: &str = "graphql-transport-ws";

/// Who connects says within this time who they are.
const INIT: Duration = Duration::from_secs(10);

/// How often it is asked whether the other end is still there, and how long that is believed.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);

/// One message has to get out within this time, or the other end is not reading.
const SEND: Duration = Duration::from_secs(10);

/// One connection asks for no more at the same time.
const OPERATIONS_MAX: usize = 20;

/// A process has no more connections.
const CONNECTIONS_MAX: usize = 1_000;

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// Why a connection is closed.
struct Closed(u16, &'static str);

/// A connection that counts while it is there.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a request asks for a web socket.
pub(crate) fn is_asked_for(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Opens the socket.
pub(crate) fn open(
    request: &HttpRequest,
    payload: web::Payload,
    door: &Door,
    incoming: Incoming,
) -> HttpResponse {
    let counted = Counted;
    if CONNECTIONS.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
        return incoming.refuse(&Problem::new(&problem::BUSY).retry_after(5));
    }
    let opened = actix_ws::handle_with_protocols(request, payload, &[PROTOCOL]);
    let Ok((response, session, stream)) = opened else {
        return incoming.refuse(&Problem::new(&problem::MALFORMED_REQUEST));
    };
    let spoken = response.headers().contains_key("sec-websocket-protocol");
    let stream = stream.max_frame_size(BODY_BYTES_MAX);
    let stream = stream.aggregate_continuations().max_continuation_size(BODY_BYTES_MAX);
    let (done, finished) = mpsc::channel(OPERATIONS_MAX);
    let connection = Connection {
        service: door.service.clone(),
        caller: incoming.caller,
        session: session.clone(),
        acknowledged: false,
        running: HashMap::new(),
        done,
    };
    rt::spawn(async move {
        let _counted = counted;
        let closed = match spoken {
            true => connection.serve(stream, finished).await,
            false => Closed(4406, "Subprotocol not acceptable"),
        };
        let reason =
            CloseReason { code: CloseCode::from(closed.0), description: Some(closed.1.to_owned()) };
        let _ = tokio::time::timeout(SEND, session.close(Some(reason))).await;
    });
    response
}

/// A connection under way.
struct Connection {
    service: Arc<Service>,
    caller: Caller,
    session: Session,
    acknowledged: bool,
    running: HashMap<String, JoinHandle<()>>,
    done: mpsc::Sender<String>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.running.values().for_each(JoinHandle::abort);
    }
}

impl Connection {
    async fn serve(
        mut self,
        mut stream: AggregatedMessageStream,
        mut finished: mpsc::Receiver<String>,
    ) -> Closed {
        let (begun, mut heard) = (Instant::now(), Instant::now());
        let mut ping = tokio::time::interval(PING.min(INIT));
        let service = self.service.clone();
        let signals = &service.corridor.platform().signals;
        loop {
            let stopping = signals.next(PROTOCOL);
            if signals.is_closed() {
                return Closed(1001, "The server stops");
            }
            let message = tokio::select! {
                message = stream.next() => message,
                id = finished.recv() => {
                    id.into_iter().for_each(|id| _ = self.running.remove(&id));
                    continue;
                }
                () = stopping => continue,
                _ = ping.tick() => {
                    if !self.acknowledged && begun.elapsed() >= INIT {
                        return Closed(4408, "Connection initialisation timeout");
                    }
                    let sent = tokio::time::timeout(SEND, self.session.ping(b"")).await;
                    if heard.elapsed() > SILENCE || !matches!(sent, Ok(Ok(()))) {
                        return Closed(1001, "Nobody there");
                    }
                    continue;
                }
            };
            heard = Instant::now();
            let text = match message {
                Some(Ok(AggregatedMessage::Text(text))) => text,
                Some(Ok(AggregatedMessage::Ping(bytes))) => {
                    let _ = tokio::time::timeout(SEND, self.session.pong(&bytes)).await;
                    continue;
                }
                Some(Ok(AggregatedMessage::Pong(_))) => continue,
                Some(Ok(AggregatedMessage::Binary(_))) => {
                    return Closed(4400, "A message is a text");
                }
                Some(Ok(AggregatedMessage::Close(_))) | None => return Closed(1000, ""),
                Some(Err(_)) => return Closed(1009, "Too large, or no web socket message"),
            };
            if let Err(closed) = self.message(text.as_bytes()).await {
                return closed;
            }
        }
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
                    running.abort();
                }
                Ok(())
            }
            _ => Err(invalid()),
        }
    }

    /// Who it is: by the payload's key, or by the header that the connection was opened with.
    async fn init(&mut self, payload: &Value) -> Result<(), Closed> {
        if self.acknowledged {
            return Err(Closed(4429, "Too many initialisation requests"));
        }
        let members = payload.as_object().into_iter().flatten();
        let mut given = members.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some((_, value)) = given.next() {
            self.caller.token = value.as_str().and_then(bearer).map(str::to_owned);
        }
        match self.service.corridor.admit(&self.caller).await {
            Ok(_) => {}
            Err(problem) if problem.code.status >= 500 => {
                return Err(Closed(1013, "Try again later"));
            }
            Err(_) => return Err(Closed(4403, "Forbidden")),
        }
        self.acknowledged = true;
        self.send(&json!({"type": "connection_ack"})).await
    }

    fn subscribe(&mut self, id: String, params: Params) -> Result<(), Closed> {
        if !self.acknowledged {
            return Err(Closed(4401, "Unauthorized"));
        }
        if self.running.get(&id).is_some_and(|running| !running.is_finished()) {
            return Err(Closed(4409, "Subscriber already exists"));
        }
        self.running.retain(|_, running| !running.is_finished());
        if self.running.len() >= OPERATIONS_MAX {
            return Err(Closed(4429, "Too many operations at once"));
        }
        let operation = One {
            service: self.service.clone(),
            caller: Caller { request_id: uuid::Uuid::now_v7(), ..self.caller.clone() },
            session: self.session.clone(),
            id: id.clone(),
        };
        let done = self.done.clone();
        let running = rt::spawn(async move {
            let id = operation.id.clone();
            // Where nobody hears it there is nobody left to tell.
            let _ = operation.run(params).await;
            let _ = done.send(id).await;
        });
        self.running.insert(id, running);
        Ok(())
    }

    async fn send(&mut self, message: &Value) -> Result<(), Closed> {
        send(&mut self.session, message.to_string()).await
    }
}

async fn send(session: &mut Session, text: String) -> Result<(), Closed> {
    match tokio::time::timeout(SEND, session.text(text)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Closed(1001, "Nobody there")),
    }
}

/// One operation of a connection.
struct One {
    service: Arc<Service>,
    caller: Caller,
    session: Session,
    id: String,
}

impl One {
    async fn run(mut self, params: Params) -> Result<(), Closed> {
        match self.service.subscribe_or_run(&self.caller, &params).await {
            Ok(Started::Subscription(mut subscription)) => loop {
                match subscription.next().await {
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
        send(&mut self.session, text).await
    }

    async fn complete(&mut self) -> Result<(), Closed> {
        send(&mut self.session, json!({"id": self.id, "type": "complete"}).to_string()).await
    }

    async fn error(&mut self, errors: Vec<Value>) -> Result<(), Closed> {
        let text = json!({"id": self.id, "type": "error", "payload": errors}).to_string();
        send(&mut self.session, text).await
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
