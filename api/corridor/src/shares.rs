//! Fair shares: so many of something at once, in all and for one organization, so that nobody's many
//! keep others from having one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bodega_kernel::{Problem, Result, problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// How many of something are taken, by whom.
#[derive(Clone)]
pub(crate) struct Shares {
    taken: Arc<Mutex<Taken>>,
    all_max: usize,
    one_max: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<Uuid, usize>,
}

/// One of them; free again when dropped.
pub(crate) struct Share {
    shares: Shares,
    whose: Uuid,
}

impl Shares {
    /// So many in all, and so many at most for one.
    pub(crate) fn new(all_max: usize, one_max: usize) -> Self {
        Self { taken: Arc::default(), all_max, one_max }
    }

    /// Takes one, where there is one for whoever asks: the fewer are free, the fewer may one have. So
    /// the last are always for those who have none.
    pub(crate) fn take(&self, whose: Uuid) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by.get(&whose).copied().unwrap_or(0);
        let free = self.all_max.saturating_sub(taken.all);
        if own >= self.one_max || own * 2 >= free {
            return None;
        }
        taken.all += 1;
        *taken.by.entry(whose).or_default() += 1;
        Some(Share { shares: self.clone(), whose })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.whose);
            }
        }
    }
}

/// Calls that a process has in hand at once.
const IN_HAND_MAX: usize = 4_096;

/// Calls that one organization has in hand at once: those that work and those that wait for their
/// turn. More would only wait longer.
const IN_HAND_OF_ONE_MAX: usize = 256;

/// A call whose turn does not come is told to come again.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// When to come again.
const RETRY_S: u64 = 1;

/// Whose turn it is: one organization's calls work on a part of the database's connections only, and
/// the rest of them wait their turn without one, so that the calls of others find one free.
pub(crate) struct Turns {
    in_hand: Shares,
    /// By organization, and whether they write.
    lines: Mutex<HashMap<(Uuid, bool), Arc<Semaphore>>>,
    reads_of_one_max: usize,
    /// Where calls that write are counted apart.
    writes_of_one_max: Option<usize>,
}

/// A call's turn; over when dropped.
pub(crate) struct Turn {
    _in_hand: Share,
    _working: OwnedSemaphorePermit,
}

impl Turns {
    /// Turns at a database that so many calls of one organization may read from and write to at once.
    pub(crate) fn new(shares: (usize, Option<usize>)) -> Self {
        Self {
            in_hand: Shares::new(IN_HAND_MAX, IN_HAND_OF_ONE_MAX),
            lines: Mutex::default(),
            reads_of_one_max: shares.0,
            writes_of_one_max: shares.1,
        }
    }

    /// Waits for a turn.
    pub(crate) async fn next(&self, organization: Uuid, writes: bool) -> Result<Turn> {
        let busy = || Problem::new(&problem::BUSY).retry_after(RETRY_S);
        let in_hand = self.in_hand.take(organization).ok_or_else(busy)?;
        let line = self.line(organization, writes);
        let working = match line.clone().try_acquire_owned() {
            Ok(working) => working,
            Err(_) => match tokio::time::timeout(TURN_TIMEOUT, line.acquire_owned()).await {
                Ok(Ok(working)) => working,
                _ => return Err(busy()),
            },
        };
        Ok(Turn { _in_hand: in_hand, _working: working })
    }

    /// The line of an organization. Lines where nobody stands go when there are many.
    fn line(&self, organization: Uuid, writes: bool) -> Arc<Semaphore> {
        let apart = self.writes_of_one_max.filter(|_| writes);
        let whose = (organization, apart.is_some());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&whose) {
            return line.clone();
        }
        if lines.len() >= IN_HAND_MAX {
            lines.retain(|_, line| Arc::strong_count(line) > 1);
        }
        let line = Arc::new(Semaphore::new(apart.unwrap_or(self.reads_of_one_max)));
        lines.insert(whose, line.clone());
        line
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn nobody_takes_the_last_ones_from_others() {
        let shares = Shares::new(100, 60);
        let whose = Uuid::now_v7();
        let mut taken: Vec<Share> = std::iter::from_fn(|| shares.take(whose)).collect();
        assert!((30..=60).contains(&taken.len()), "{} of 100", taken.len());
        // However many come, each newcomer finds one until all are taken.
        for _ in taken.len()..100 {
            taken.push(shares.take(Uuid::now_v7()).expect("one for a newcomer"));
        }
        assert!(shares.take(Uuid::now_v7()).is_none());
        taken.clear();
        assert!(shares.take(whose).is_some());
        assert_eq!(shares.taken.lock().unwrap().by.len(), 0);
    }

    #[tokio::test]
    async fn a_line_of_one_does_not_hold_up_another() {
        let turns = Turns::new((2, Some(1)));
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let held = [turns.next(one, false).await.unwrap(), turns.next(one, false).await.unwrap()];
        assert!(turns.next(one, false).now_or_never().is_none(), "it waits");
        assert!(turns.next(other, false).now_or_never().is_some_and(|turn| turn.is_ok()));
        let writes = turns.next(one, true).await;
        assert!(writes.is_ok() && turns.next(one, true).now_or_never().is_none());
        let waits = turns.next(one, false);
        let frees = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (turn, ()) = tokio::join!(waits, frees);
        assert!(turn.is_ok());
    }
}
