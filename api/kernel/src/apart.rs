//! Work that takes a processor for long, such as reading a large body or writing a large answer: it is
//! done apart from the threads that answer calls, a few at a time, so that small calls never stand
//! behind it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::{Problem, Result, problem};

/// From so many bytes of values on, reading or writing them takes milliseconds.
pub const APART_BYTES: u64 = 512 * 1024;

/// Whoever has large work to do waits this long for their turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads for large work.
pub struct Apart(Arc<Semaphore>);

impl Default for Apart {
    /// Half of what the machine can do at once.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Semaphore::new((cores / 2).max(1))))
    }
}

impl Apart {
    /// Does it as soon as it is its turn.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = || Problem::new(&problem::BUSY).retry_after(1);
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.0.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_ends_in_a_panic_gives_its_place_back() {
        let apart = Apart::default();
        for _ in 0..100 {
            assert!(apart.run(|| panic!("as it may")).await.is_err());
        }
        assert_eq!(apart.run(|| 7).await.unwrap(), 7);
    }
}
