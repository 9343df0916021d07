//! How many requests of an address are answered.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use crate::access::proxy::client_network;

/// Time between two answers to an address (IPv6: /64), in the long run: 200 a second.
const INTERVAL_MICROS: u64 = 5_000;
/// How far an address may be ahead of that: 1,000 answers at once, for the call of many
/// clients behind one NAT.
const BURST_MICROS: u64 = 1_000 * INTERVAL_MICROS;
/// Addresses that share a slot share its rate. Spoofed source addresses take no memory,
/// and cannot push an address out of the table.
const SLOTS: usize = 4_096;

/// The rates of all addresses, by the generic cell rate algorithm.
pub(super) struct Rates {
    /// Randomly keyed: an attacker cannot find an address that shares the slot of another.
    hasher: RandomState,
    started: Instant,
    /// When the rate of a slot is met again, in microseconds since the start.
    slots: Box<[u64]>,
}

impl Rates {
    pub fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            started: now,
            slots: vec![0; SLOTS].into(),
        }
    }

    /// Whether a request of this address is answered now; if so it is counted.
    pub fn allow(&mut self, address: IpAddr, now: Instant) -> bool {
        let now = now.duration_since(self.started).as_micros() as u64;
        let hash = self.hasher.hash_one(client_network(address));
        let slot = &mut self.slots[(hash % SLOTS as u64) as usize];
        let met = (*slot).max(now);
        let allowed = met - now < BURST_MICROS;
        if allowed {
            *slot = met + INTERVAL_MICROS;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    fn allowed(rates: &mut Rates, address: IpAddr, now: Instant) -> usize {
        (0..3_000).filter(|_| rates.allow(address, now)).count()
    }

    #[test]
    fn an_address_gets_a_burst_of_answers_and_then_200_a_second() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(allowed(&mut rates, address, start), 1_000);
        let later = start + Duration::from_secs(1);
        assert_eq!(allowed(&mut rates, address, later), 200);
        let rested = later + Duration::from_secs(3_600);
        assert_eq!(allowed(&mut rates, address, rested), 1_000);
    }

    #[test]
    fn addresses_of_one_ipv6_64_share_a_rate() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        let one = Ipv6Addr::from(0x2001_0db8_0000_0001_0000_0000_0000_0001).into();
        let other = Ipv6Addr::from(0x2001_0db8_0000_0001_ffff_0000_0000_0002).into();
        assert_eq!(allowed(&mut rates, one, start), 1_000);
        assert_eq!(allowed(&mut rates, other, start), 0);
    }

    #[test]
    fn a_flood_from_many_addresses_takes_no_memory_and_hardly_touches_others() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        // The flood spends the whole burst of at most 64 of 4,096 slots.
        for number in 0..64_u32 {
            allowed(&mut rates, Ipv4Addr::from(number).into(), start);
        }
        assert_eq!(rates.slots.len(), SLOTS);
        let others = (0..1_000_u32).map(|number| Ipv4Addr::from(0x0a00_0000 + number).into());
        let served = others
            .filter(|address| rates.allow(*address, start))
            .count();
        assert!(served > 900, "{served} of 1,000 addresses are served");
    }
}
