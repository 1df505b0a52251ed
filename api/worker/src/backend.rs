//! A queue as a backend of apalis. Its own storages do not fit (see `ARCHITECTURE.md`), so this one
//! feeds its workers from our table: jobs are taken only when there is room for them, and at once
//! when this process has committed one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use sea_orm::DbErr;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tower_layer::Identity;

use crate::queue::{Queue, Taken};

/// What another process has committed is found by looking this often.
const POLL: Duration = Duration::from_millis(100);

/// A database that does not answer is asked again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// Jobs taken in one statement.
const TAKE_MAX: usize = 32;

/// Feeds one worker of apalis.
pub(crate) struct Feed {
    queue: Queue,
    tasks: BoxStream<'static, Task<Held>>,
    closing: Option<BoxFuture<'static, Result<u64, DbErr>>>,
}

/// A job and its room: there is room for another only when its end is written.
pub(crate) struct Held {
    pub(crate) job: Taken,
    _room: OwnedSemaphorePermit,
}

struct State {
    queue: Queue,
    taken: VecDeque<Held>,
    wake: Arc<Notify>,
    room: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Feed {
    pub(crate) fn new(
        queue: Queue,
        wake: Arc<Notify>,
        room: Arc<Semaphore>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let state = State { queue: queue.clone(), taken: VecDeque::new(), wake, room, stop };
        let tasks = stream::unfold(state, |mut state| async move {
            let held = state.next().await?;
            let id = TaskId::from_string(held.job.id);
            let task = TaskBuilder::new(held).task_id(id).build();
            Some((task, state))
        });
        Self { queue, tasks: tasks.fuse().boxed(), closing: None }
    }
}

impl State {
    /// The next job; none when the worker is to stop.
    async fn next(&mut self) -> Option<Held> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(held) = self.taken.pop_front() {
                return Some(held);
            }
            let room = tokio::select! {
                room = room(&self.room) => room,
                _ = self.stop.changed() => continue,
            };
            let pause = match take(&self.queue, room.len()).await {
                Ok(jobs) if jobs.is_empty() => POLL,
                Ok(jobs) => {
                    let held =
                        jobs.into_iter().zip(room).map(|(job, room)| Held { job, _room: room });
                    self.taken.extend(held);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, queue = self.queue.name, "no jobs can be taken");
                    PAUSE
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = self.stop.changed() => {}
            }
        }
    }
}

/// In a task of its own: this stream is not polled while a worker that stops waits for what is in
/// hand, and a statement that stands still would keep the connection that the others end with.
async fn take(queue: &Queue, limit: usize) -> Result<Vec<Taken>, DbErr> {
    let queue = queue.clone();
    let taking = tokio::spawn(async move { queue.take(limit).await });
    taking.await.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())))
}

/// Room for some jobs, once there is any: none is taken that cannot be begun.
async fn room(all: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    let mut room: Vec<_> = all.clone().acquire_owned().await.into_iter().collect();
    let more = std::iter::from_fn(|| all.clone().try_acquire_owned().ok());
    room.extend(more.take(TAKE_MAX - 1));
    room
}

impl Backend for Feed {
    type Task = Task<Held>;
    type Error = DbErr;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), DbErr>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, DbErr>>> {
        self.tasks.poll_next_unpin(cx).map(|task| task.map(Ok))
    }

    /// What was taken and not begun goes back, so that nobody waits for its lease to run out; also
    /// what the database is giving us right now.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), DbErr>> {
        let (queue, tasks) = (&self.queue, &mut self.tasks);
        let closing = self.closing.get_or_insert_with(|| {
            let (queue, tasks) = (queue.clone(), std::mem::replace(tasks, stream::empty().boxed()));
            async move {
                tasks.for_each(async |_| {}).await;
                queue.give_back().await
            }
            .boxed()
        });
        closing.poll_unpin(cx).map(|given| given.map(drop))
    }
}

impl BackendConfig for Feed {
    type Args = Held;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
