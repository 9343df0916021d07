//! Sockets and new connections, counted for each address and in all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use visavis_protocol::limits::CONNECTIONS_PER_MINUTE;

use super::rate::Buckets;
use crate::access::creation::SharedCreations;
use crate::access::proxy::client_network;

const MINUTE: Duration = Duration::from_secs(60);
/// Addresses without sockets that are remembered; past it the one unused for longest is
/// forgotten.
const MOST_ADDRESSES: usize = 10_000;

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
    /// What it created without authentication.
    creations: SharedCreations,
    used: Instant,
}

/// A counted socket; dropping it frees the place.
pub(super) struct Place {
    shared: Arc<Shared>,
    /// The budget of its address; `None` for an exempt socket.
    pub budget: Option<Arc<Mutex<Buckets>>>,
    /// What its address created; `None` for an exempt socket.
    pub creations: Option<SharedCreations>,
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
        table.sweep(now);
        if table.sockets >= self.0.max_sockets {
            return Err(Full::Server);
        }
        let (mut budget, mut creations) = (None, None);
        if limited {
            let entry = table.entry(now, network);
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
            creations = Some(Arc::clone(&entry.creations));
        }
        table.sockets += 1;
        Ok(Place {
            shared: Arc::clone(&self.0),
            budget,
            creations,
            network,
        })
    }

    /// What the address created without authentication.
    pub fn creations(&self, now: Instant, address: IpAddr) -> SharedCreations {
        let mut table = self.0.table();
        table.sweep(now);
        Arc::clone(&table.entry(now, client_network(address)).creations)
    }
}

impl Table {
    /// Forgets addresses of which nothing counts any more.
    fn sweep(&mut self, now: Instant) {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.swept.is_some_and(|swept| since(swept) < MINUTE) {
            return;
        }
        self.addresses.retain(|_, address| {
            // A locked one is in use.
            let rested = |creations: &SharedCreations| {
                creations.try_lock().is_ok_and(|one| one.is_rested(now))
            };
            address.sockets > 0 || since(address.minute) < MINUTE || !rested(&address.creations)
        });
        self.swept = Some(now);
    }

    fn entry(&mut self, now: Instant, network: IpAddr) -> &mut Address {
        if self.addresses.len() >= MOST_ADDRESSES && !self.addresses.contains_key(&network) {
            let unused = self.addresses.iter().filter(|(_, one)| one.sockets == 0);
            let oldest = unused.min_by_key(|(_, one)| one.used);
            if let Some(oldest) = oldest.map(|(network, _)| *network) {
                self.addresses.remove(&oldest);
            }
        }
        let entry = self.addresses.entry(network).or_insert_with(|| Address {
            sockets: 0,
            minute: now,
            connections: 0,
            budget: Buckets::of_address(now),
            creations: SharedCreations::default(),
            used: now,
        });
        entry.used = now;
        entry
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
    fn ten_thousand_addresses_are_remembered_and_the_longest_unused_forgotten() {
        let start = Instant::now();
        let addresses = Addresses::new(10, 10);
        let at = |number: u32| IpAddr::from(std::net::Ipv4Addr::from(number));
        let created = |number: u32| {
            let creations =
                addresses.creations(start + Duration::from_millis(number.into()), at(number));
            let mut creations = creations.try_lock().unwrap();
            creations.add(start, uuid::Uuid::nil());
        };
        let open = addresses.admit(start, at(0), true).unwrap();
        for number in 1..=10_001 {
            created(number);
        }
        let table = addresses.0.table();
        assert_eq!(table.addresses.len(), MOST_ADDRESSES);
        // The one with a socket stays, though it is the oldest.
        for (number, remembered) in [(0, true), (1, false), (2, false), (3, true)] {
            assert_eq!(table.addresses.contains_key(&at(number)), remembered);
        }
        drop(table);
        drop(open);
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
