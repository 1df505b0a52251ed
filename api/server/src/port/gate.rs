//! How many connections there may be: in all, so that the rest of the program keeps the sockets and
//! files it needs, and from one address, so that nobody takes them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets and files that are not for the public: the operator's port, databases, deliveries.
const KEPT_FILES: usize = 256;

/// Fewer connections than this are of no use, however few files the process may open.
const CONNECTIONS_MIN: usize = 16;

/// Lets connections in.
#[derive(Clone)]
pub(crate) struct Gate(Arc<State>);

struct State {
    max: usize,
    /// Not counted behind proxies: all calls come from theirs.
    of_address_max: Option<usize>,
    within: Mutex<Within>,
}

#[derive(Default)]
struct Within {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place; free again when dropped.
pub(crate) struct Place {
    gate: Gate,
    address: Option<IpAddr>,
}

impl Gate {
    pub(crate) fn new(max: usize, of_address_max: Option<usize>) -> Self {
        let within = Mutex::default();
        Self(Arc::new(State { max, of_address_max, within }))
    }

    /// A place for a connection from there, if there is one left.
    pub(crate) fn enter(&self, address: Option<IpAddr>) -> Option<Place> {
        let address = address.filter(|_| self.0.of_address_max.is_some()).map(network);
        let mut within = self.within();
        if within.all >= self.0.max {
            return None;
        }
        if let (Some(address), Some(max)) = (address, self.0.of_address_max) {
            let own = within.by_address.entry(address).or_default();
            if *own >= max {
                return None;
            }
            *own += 1;
        }
        within.all += 1;
        Some(Place { gate: self.clone(), address })
    }

    /// How many there are at most.
    pub(crate) fn max(&self) -> usize {
        self.0.max
    }

    fn within(&self) -> MutexGuard<'_, Within> {
        self.0.within.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut within = self.gate.within();
        within.all = within.all.saturating_sub(1);
        let Some(address) = self.address else { return };
        if let Some(own) = within.by_address.get_mut(&address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                within.by_address.remove(&address);
            }
        }
    }
}

/// Whoever has one address of version 6 has its whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
        address => address,
    }
}

/// Asks for all the files that the process may open, and says how many of them connections may take.
pub(crate) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    // Where there are few, half of them.
    let left = files.saturating_sub(KEPT_FILES).max(files / 2);
    let connections = wanted.min(left).max(CONNECTIONS_MIN);
    if connections < wanted {
        tracing::info!(wanted, connections, files, "fewer connections: few files may be open");
    }
    connections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let gate = Gate::new(3, Some(2));
        let mut places: Vec<_> = (0..2).map(|_| gate.enter(address("192.0.2.1"))).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(gate.enter(address("192.0.2.1")).is_none());
        assert!(gate.enter(address("::ffff:192.0.2.1")).is_none(), "the same address");
        let other = gate.enter(address("2001:db8::1"));
        assert!(other.is_some());
        assert!(gate.enter(address("198.51.100.1")).is_none(), "no place is left");
        places.pop();
        drop(other);
        assert!(gate.enter(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let gate = Gate::new(9, Some(1));
        let _held = gate.enter(address("2001:db8:1:2:3::4"));
        assert!(gate.enter(address("2001:db8:1:2:ffff::1")).is_none());
        assert!(gate.enter(address("2001:db8:1:3::4")).is_some());
    }

    #[test]
    fn behind_a_proxy_only_the_sum_counts() {
        let gate = Gate::new(2, None);
        let held: Vec<_> = (0..2).map(|_| gate.enter(address("192.0.2.1"))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(gate.enter(address("192.0.2.1")).is_none());
    }
}
