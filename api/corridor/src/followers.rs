//! Who follows a log through an open line, whichever door it came by: bounded, in all and a key, so
//! that nobody's streams keep others from having one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bodega_kernel::{Problem, Result, problem};
use uuid::Uuid;

/// A process has no more followers.
const FOLLOWERS_MAX: usize = 1_000;

/// One key has no more followers.
const FOLLOWERS_OF_KEY_MAX: usize = 100;

/// How many followers each key has.
#[derive(Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<HashMap<Uuid, usize>>>);

/// A follower's place; free again when dropped.
pub struct Place {
    all: Followers,
    key: Uuid,
}

impl Followers {
    pub(crate) fn enter(&self, key: Uuid) -> Result<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, own) = (all.values().sum::<usize>(), all.get(&key).copied().unwrap_or(0));
        if sum >= FOLLOWERS_MAX || own >= FOLLOWERS_OF_KEY_MAX {
            return Err(Problem::new(&problem::BUSY).retry_after(5));
        }
        all.insert(key, own + 1);
        Ok(Place { all: self.clone(), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_places_and_gets_them_back() {
        let (all, key) = (Followers::default(), Uuid::now_v7());
        let mut places: Vec<_> = (0..FOLLOWERS_OF_KEY_MAX).map(|_| all.enter(key)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(all.enter(key).is_err());
        assert!(all.enter(Uuid::now_v7()).is_ok());
        places.pop();
        assert!(all.enter(key).is_ok());
    }
}
