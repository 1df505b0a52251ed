//! Which addresses are on the public internet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::IpNet;

use crate::refusal::Refusal;

/// What the operator of this installation permits.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Ranges that may be reached although they are not public: a shop's own network, or loopback
    /// in tests.
    pub allowed: Vec<IpNet>,
    /// Whether plain `http` is refused.
    pub https_only: bool,
}

impl Policy {
    /// Whether messages may go to this address, as far as the address alone can tell.
    pub fn permits(&self, address: IpAddr) -> bool {
        self.allows(address) || is_public(address)
    }

    /// The last check before a connection: whether messages may go from here to this address.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.allows(address) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Refusal::PrivateAddress);
        }
        // Traffic to one's own public address never leaves the machine, so no firewall before it is
        // asked: a database that is closed to the world would be open to this.
        if is_own(address) { Err(Refusal::OwnAddress) } else { Ok(()) }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        self.allowed.iter().any(|range| range.contains(&address))
    }
}

/// Whether an address is one of this machine's: what it would be reached from is that address
/// itself.
fn is_own(address: IpAddr) -> bool {
    // Nothing is sent: connecting a datagram socket only asks the system for the way.
    let way = || -> io::Result<IpAddr> {
        let any: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(SocketAddr::new(address, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    // Where there is no way, there will be no connection either.
    way().is_ok_and(|from| from == address)
}

/// Whether an address belongs to the public internet: not to a private network, this machine, a
/// cloud's metadata service, a group of machines, or a range that is reserved for something else.
pub fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The system connects `::ffff:a.b.c.d` over IPv4, so that is what it is judged as.
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // "This network", which systems take for this machine; and private networks.
        [0 | 10 | 127, ..] => true,
        // Carrier-grade NAT, 100.64.0.0/10.
        [100, 64..=127, ..] => true,
        // Link-local, with the metadata services of most clouds.
        [169, 254, ..] => true,
        // Azure's metadata and control service: a public range, but reachable only from inside.
        [168, 63, 129, 16] => true,
        [172, 16..=31, ..] => true,
        [192, 168, ..] => true,
        // IETF protocol assignments (and Oracle's metadata service); documentation; 6to4 relays.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        // Benchmarking, 198.18.0.0/15, and documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast; reserved; broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        // NAT64: what an IPv6-only machine is given for a receiver that has IPv4 alone.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        // IETF protocol assignments, 2001::/23, with Teredo, ORCHID and benchmarking.
        [0x2001, 0..=0x1ff, ..] => false,
        // Documentation; 6to4, which carries IPv4 addresses and has no public relays any more.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002, ..] => false,
        // Global unicast, 2000::/3. All else is unspecified, loopback, IPv4-compatible, local
        // NAT64, discard-only, unique local, link-local, site-local, multicast or not assigned.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_knows_its_own_addresses() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
        assert!(!is_own(Ipv4Addr::new(1, 1, 1, 1).into()));
    }

    #[test]
    fn own_addresses_are_refused_unless_they_are_allowed() {
        let allowed = Policy { allowed: vec!["127.0.0.0/8".parse().unwrap()], https_only: false };
        assert_eq!(allowed.check(Ipv4Addr::LOCALHOST.into()), Ok(()));
        let loopback = Policy::default().check(Ipv4Addr::LOCALHOST.into());
        assert_eq!(loopback, Err(Refusal::PrivateAddress));
    }
}
