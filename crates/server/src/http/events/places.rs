//! How many event streams are open, in all and for each client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::proxy::client_network;

/// The most event streams at a time.
const MOST: usize = 1_000;
/// The most of one address (IPv6: of one /64).
const MOST_PER_ADDRESS: usize = 32;

/// The open event streams; copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamPlaces(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Why no stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There are too many in all.
    Server,
    /// There are too many of this address.
    Address,
}

/// The place of one stream, free again once dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: StreamPlaces,
    network: IpAddr,
}

impl StreamPlaces {
    /// Takes a place for a stream to this address.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, NoPlace> {
        let network = client_network(address);
        let mut open = self.open();
        if open.by_network.get(&network).copied().unwrap_or_default() >= MOST_PER_ADDRESS {
            return Err(NoPlace::Address);
        }
        if open.all >= MOST {
            return Err(NoPlace::Server);
        }
        open.all += 1;
        *open.by_network.entry(network).or_default() += 1;
        drop(open);
        Ok(Place {
            places: self.clone(),
            network,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        open.all -= 1;
        if let Some(count) = open.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn one_address_does_not_take_every_place_and_a_dropped_place_is_free() {
        let places = StreamPlaces::default();
        let address = |last: u32| IpAddr::from(Ipv4Addr::from(0x0a00_0000 + last));
        let mut taken: Vec<_> = (0..MOST_PER_ADDRESS)
            .map(|_| places.take(address(1)).unwrap())
            .collect();
        assert_eq!(places.take(address(1)).unwrap_err(), NoPlace::Address);
        taken.pop();
        taken.push(places.take(address(1)).unwrap());
        for last in 2..=u32::try_from(MOST - MOST_PER_ADDRESS + 1).unwrap() {
            taken.push(places.take(address(last)).unwrap());
        }
        assert_eq!(places.take(address(9_999)).unwrap_err(), NoPlace::Server);
        drop(taken);
        assert!(places.open().by_network.is_empty() && places.open().all == 0);
    }

    #[test]
    fn addresses_of_one_64_share_their_places() {
        let places = StreamPlaces::default();
        let address = |last: u128| IpAddr::from(Ipv6Addr::from((0x2001_0db8 << 96) + last));
        let _taken: Vec<_> = (0..32)
            .map(|last| places.take(address(last)).unwrap())
            .collect();
        assert_eq!(places.take(address(99)).unwrap_err(), NoPlace::Address);
        assert!(places.take(address(1 << 64)).is_ok());
    }
}
