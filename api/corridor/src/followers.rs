//! Who waits for news of a log, whichever door they came by: bounded in all, an organization
//! and a key, so that nobody's streams keep others from having one.

use bodega_kernel::{Problem, Result, problem};
use uuid::Uuid;

use crate::shares::{Share, Shares};

/// A process has no more followers.
const FOLLOWERS_MAX: usize = 1_000;

/// One organization has no more followers.
const FOLLOWERS_OF_ORGANIZATION_MAX: usize = 200;

/// One key has no more followers.
const FOLLOWERS_OF_KEY_MAX: usize = 100;

/// How many followers each organization and each key has.
pub(crate) struct Followers {
    organizations: Shares,
    keys: Shares,
}

/// A follower's place; free again when dropped.
pub struct Place {
    _organization: Share,
    _key: Share,
}

impl Default for Followers {
    fn default() -> Self {
        Self {
            organizations: Shares::new(FOLLOWERS_MAX, FOLLOWERS_OF_ORGANIZATION_MAX),
            // The organizations share what there is; of keys only each one's own number counts.
            keys: Shares::new(usize::MAX, FOLLOWERS_OF_KEY_MAX),
        }
    }
}

impl Followers {
    pub(crate) fn enter(&self, organization: Uuid, key: Uuid) -> Result<Place> {
        let busy = || Problem::new(&problem::BUSY).retry_after(5);
        let _organization = self.organizations.take(organization).ok_or_else(busy)?;
        let _key = self.keys.take(key).ok_or_else(busy)?;
        Ok(Place { _organization, _key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_an_organization_have_so_many_places_and_get_them_back() {
        let (all, organization) = (Followers::default(), Uuid::now_v7());
        let [key, another, third] = [(); 3].map(|()| Uuid::now_v7());
        let enter = |key| all.enter(organization, key);
        let mut places: Vec<_> = (0..FOLLOWERS_OF_KEY_MAX).map(|_| enter(key)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(enter(key).is_err());
        places.extend((0..FOLLOWERS_OF_KEY_MAX).map(|_| enter(another)));
        assert!(places.iter().all(Result::is_ok));
        assert!(enter(third).is_err(), "the organization's places are taken");
        assert!(all.enter(Uuid::now_v7(), Uuid::now_v7()).is_ok());
        places.truncate(1);
        assert!(enter(key).is_ok() && enter(third).is_ok());
    }

    #[test]
    fn many_who_take_what_they_can_leave_places_for_others() {
        let all = Followers::default();
        let mut places = Vec::new();
        for _ in 0..8 {
            let organization = Uuid::now_v7();
            for _ in 0..10 {
                let key = Uuid::now_v7();
                places.extend(std::iter::from_fn(|| all.enter(organization, key).ok()));
            }
        }
        assert!(places.len() < FOLLOWERS_MAX, "{} taken", places.len());
        assert!(all.enter(Uuid::now_v7(), Uuid::now_v7()).is_ok());
    }
}
