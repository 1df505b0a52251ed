//! How many web sockets there may be: of those that have not said who they are, and of those who have.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// A process has no more sockets of callers that it does not know yet, and one address no more of them.
const STRANGERS_MAX: usize = 500;
const STRANGERS_OF_ADDRESS_MAX: usize = 50;

/// A process has no more sockets of callers that it knows, and one organization no more of them.
const KNOWN_MAX: usize = 1_000;
const KNOWN_OF_ORGANIZATION_MAX: usize = 100;

/// Sockets of whoever may still be anybody.
pub(crate) static STRANGERS: LazyLock<Places<Option<IpAddr>>> =
    LazyLock::new(|| Places::new(STRANGERS_MAX, STRANGERS_OF_ADDRESS_MAX));

/// Sockets of organizations.
pub(crate) static KNOWN: LazyLock<Places<Uuid>> =
    LazyLock::new(|| Places::new(KNOWN_MAX, KNOWN_OF_ORGANIZATION_MAX));

/// Places, in all and for each who takes them.
pub(crate) struct Places<K: Copy + Eq + Hash + 'static> {
    max: usize,
    of_one_max: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place; free again when dropped.
pub(crate) struct Place<K: Copy + Eq + Hash + 'static> {
    of: &'static Places<K>,
    who: K,
}

impl<K: Copy + Eq + Hash> Places<K> {
    fn new(max: usize, of_one_max: usize) -> Self {
        Self { max, of_one_max, taken: Mutex::default() }
    }

    /// A place, where one is left for this one.
    pub(crate) fn enter(&'static self, who: K) -> Option<Place<K>> {
        let mut taken = self.taken();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&who).copied().unwrap_or(0));
        if all >= self.max || own >= self.of_one_max {
            return None;
        }
        taken.insert(who, own + 1);
        Some(Place { of: self, who })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        if let Some(own) = taken.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_takes_its_share_and_gives_it_back() {
        static PLACES: LazyLock<Places<u8>> = LazyLock::new(|| Places::new(3, 2));
        let mut own: Vec<_> = (0..2).filter_map(|_| PLACES.enter(1)).collect();
        assert_eq!(own.len(), 2);
        assert!(PLACES.enter(1).is_none());
        let other = PLACES.enter(2);
        assert!(other.is_some() && PLACES.enter(3).is_none(), "there are three in all");
        own.pop();
        drop(other);
        assert!(PLACES.enter(1).is_some());
    }
}
