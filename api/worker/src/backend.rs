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
use tokio::sync::{Notify, Semaphore, watch};
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
    tasks: BoxStream<'static, Task<Taken>>,
    closing: Option<BoxFuture<'static, Result<u64, DbErr>>>,
}

struct State {
    queue: Queue,
    taken: VecDeque<Taken>,
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
            let job = state.next().await?;
            let task = TaskBuilder::new(job.clone()).task_id(TaskId::from_string(job.id)).build();
            Some((task, state))
        });
        Self { queue, tasks: tasks.boxed(), closing: None }
    }
}

impl State {
    /// The next job; none when the worker is to stop.
    async fn next(&mut self) -> Option<Taken> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(job) = self.taken.pop_front() {
                return Some(job);
            }
            let room = self.room.available_permits().min(TAKE_MAX);
            let pause = match self.queue.take(room).await {
                Ok(jobs) if jobs.is_empty() => POLL,
                Ok(jobs) => {
                    self.taken.extend(jobs);
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

impl Backend for Feed {
    type Task = Task<Taken>;
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

    /// What was taken and not begun goes back, so that nobody waits for its lease to run out.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), DbErr>> {
        let queue = &self.queue;
        let closing = self.closing.get_or_insert_with(|| {
            let queue = queue.clone();
            async move { queue.give_back().await }.boxed()
        });
        closing.poll_unpin(cx).map(|given| given.map(drop))
    }
}

impl BackendConfig for Feed {
    type Args = Taken;
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
