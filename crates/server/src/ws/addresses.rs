//! Sockets and new connections, counted for each address and in all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use visavis_protocol::limits::CONNECTIONS_PER_MINUTE;

use super::rate::Buckets;
use crate::access::proxy::client_network;

const MINUTE: Duration = Duration::from_secs(60);

/// Why a connection is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// Until the address' minute is over.
    #[error("too many new connections from this address")]
    Rate(Duration),
    #[error("too many connections from this address")]
    Address,
    #[error("too many connections on this server")]
    Server,
}

/// The open sockets; clones share them.
#[derive(Clone)]
pub(super) struct Addresses(Arc<Shared>);

struct Shared {
    max_per_address: usize,
    max_sockets: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sockets: usize,
    /// By address, or /64 of an IPv6 address.
    addresses: HashMap<IpAddr, Address>,
    swept: Option<Instant>,
}

struct Address {
    sockets: usize,
    /// Start of the current minute, and the new connections in it.
    minute: Instant,
    connections: u32,
    /// What its sockets may send.
    budget: Arc<Mutex<Buckets>>,
}

/// A counted socket; dropping it frees the place.
pub(super) struct Place {
    shared: Arc<Shared>,
    /// The budget of its address; `None` for an exempt socket.
    pub budget: Option<Arc<Mutex<Buckets>>>,
    network: IpAddr,
}

impl Addresses {
    pub fn new(max_per_address: usize, max_sockets: usize) -> Self {
        Self(Arc::new(Shared {
            max_per_address,
            max_sockets,
            table: Mutex::default(),
        }))
    }

    /// Counts a connection and its socket.
    ///
    /// # Errors
    /// The limit that it would exceed.
    pub fn admit(&self, now: Instant, address: IpAddr, limited: bool) -> Result<Place, Full> {
        let network = client_network(address);
        let mut table = self.0.table();
        let since = |then: Instant| now.saturating_duration_since(then);
        if table.swept.is_none_or(|swept| since(swept) >= MINUTE) {
            let kept = |a: &Address| a.sockets > 0 || since(a.minute) < MINUTE;
            table.addresses.retain(|_, address| kept(address));
            table.swept = Some(now);
        }
        if table.sockets >= self.0.max_sockets {
            return Err(Full::Server);
        }
        let mut budget = None;
        if limited {
            let entry = table.addresses.entry(network).or_insert(Address {
                sockets: 0,
                minute: now,
                connections: 0,
                budget: Buckets::of_address(now),
            });
            if since(entry.minute) >= MINUTE {
                (entry.minute, entry.connections) = (now, 0);
            }
            if entry.connections == CONNECTIONS_PER_MINUTE {
                return Err(Full::Rate(MINUTE - since(entry.minute)));
            }
            if entry.sockets >= self.0.max_per_address {
                return Err(Full::Address);
            }
            entry.connections += 1;
            entry.sockets += 1;
            budget = Some(Arc::clone(&entry.budget));
        }
        table.sockets += 1;
        Ok(Place {
            shared: Arc::clone(&self.0),
            budget,
            network,
        })
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.sockets -= 1;
        if self.budget.is_some()
            && let Some(address) = table.addresses.get_mut(&self.network)
        {
            address.sockets -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";
    const OTHER: &str = "192.0.2.2";

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn new_connections_are_counted_for_each_address() {
        let start = Instant::now();
        let addresses = Addresses::new(1_000, 1_000);
        for _ in 0..CONNECTIONS_PER_MINUTE {
            drop(addresses.admit(start, at(ONE), true).unwrap());
        }
        let refused = addresses.admit(start, at(ONE), true).err();
        assert_eq!(refused, Some(Full::Rate(MINUTE)));
        assert!(addresses.admit(start, at(ONE), false).is_ok(), "exempt");
        assert!(addresses.admit(start, at(OTHER), true).is_ok());
        assert!(addresses.admit(start + MINUTE, at(ONE), true).is_ok());
        assert_eq!(
            addresses.0.table().addresses.len(),
            1,
            "expired minutes are dropped"
        );
    }

    #[test]
    fn open_sockets_are_bounded_for_each_address_and_in_all() {
        let now = Instant::now();
        let addresses = Addresses::new(2, 5);
        let admit = |address, limited| addresses.admit(now, at(address), limited);
        let mut open: Vec<Place> = (0..2).map(|_| admit(ONE, true).unwrap()).collect();
        assert_eq!(admit(ONE, true).err(), Some(Full::Address));
        open.push(admit(OTHER, true).unwrap());
        open.push(admit(ONE, false).unwrap());
        open.push(admit("192.0.2.3", true).unwrap());
        assert_eq!(admit("192.0.2.4", true).err(), Some(Full::Server));
        assert_eq!(admit("127.0.0.1", false).err(), Some(Full::Server));
        open.clear();
        assert!(admit(ONE, true).is_ok());
        assert_eq!(addresses.0.table().sockets, 0);
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        let now = Instant::now();
        let addresses = Addresses::new(1, 5);
        let admit = |address| addresses.admit(now, at(address), true);
        let _open = admit("2001:db8:1:1::1").unwrap();
        assert_eq!(admit("2001:db8:1:1:ffff::2").err(), Some(Full::Address));
        assert!(admit("2001:db8:1:2::1").is_ok());
    }
}
