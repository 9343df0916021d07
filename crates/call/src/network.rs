//! Watches the addresses of this machine, on every system in the same way: by
//! asking for them twice a second.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use if_addrs::{IfAddr, get_if_addrs};

/// How often to ask.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);
/// More time than this between two readings means that the machine slept, or that
/// the process was stopped.
const SLEPT: Duration = Duration::from_secs(10);

/// A change of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Addresses were added.
    Added,
    /// Addresses are gone, or the machine slept: sockets may be dead.
    Broken,
}

/// The addresses and the times of the last reading.
#[derive(Debug)]
pub(crate) struct NetworkWatch {
    addresses: HashSet<IpAddr>,
    read_at: Instant,
    /// Wall-clock time: monotonic time stands still while some systems sleep.
    unix_ms: u64,
}

impl NetworkWatch {
    pub fn new(now: Instant, unix_ms: u64) -> Self {
        Self {
            addresses: addresses().unwrap_or_default(),
            read_at: now,
            unix_ms,
        }
    }

    /// Reads the addresses and compares them with the last ones.
    pub fn poll(&mut self, now: Instant, unix_ms: u64) -> Option<Change> {
        // A reading that fails says nothing.
        let addresses = addresses().unwrap_or_else(|| self.addresses.clone());
        self.changed(addresses, now, unix_ms)
    }

    fn changed(
        &mut self,
        addresses: HashSet<IpAddr>,
        now: Instant,
        unix_ms: u64,
    ) -> Option<Change> {
        // Between two networks there is nothing to try yet; the change counts when the
        // next address is there.
        if addresses.is_empty() && !self.addresses.is_empty() {
            return None;
        }
        let elapsed = now.duration_since(self.read_at);
        let by_clock = Duration::from_millis(unix_ms.saturating_sub(self.unix_ms));
        let change = if elapsed.max(by_clock) > SLEPT || !self.addresses.is_subset(&addresses) {
            Some(Change::Broken)
        } else {
            (addresses.len() > self.addresses.len()).then_some(Change::Added)
        };
        self.addresses = addresses;
        self.read_at = now;
        self.unix_ms = unix_ms;
        change
    }
}

/// The addresses that other machines may reach.
fn addresses() -> Option<HashSet<IpAddr>> {
    let interfaces = get_if_addrs().ok()?;
    let usable = interfaces.iter().filter_map(|interface| {
        let is_local = match &interface.addr {
            IfAddr::V4(address) => address.ip.is_link_local(),
            IfAddr::V6(address) => address.ip.is_unicast_link_local(),
        };
        (!interface.is_loopback() && !is_local).then(|| interface.ip())
    });
    Some(usable.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> HashSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_lost_address_breaks_sockets_and_an_added_one_does_not() {
        let mut now = Instant::now();
        let mut watch = NetworkWatch {
            addresses: set(&["192.0.2.1"]),
            read_at: now,
            unix_ms: 0,
        };
        let mut next = |texts: &[&str]| {
            now += INTERVAL;
            watch.changed(set(texts), now, 0)
        };
        assert_eq!(next(&["192.0.2.1"]), None);
        assert_eq!(next(&["192.0.2.1", "2001:db8::1"]), Some(Change::Added));
        assert_eq!(next(&["192.0.2.2", "2001:db8::1"]), Some(Change::Broken));
        assert_eq!(next(&["192.0.2.2"]), Some(Change::Broken));
        assert_eq!(next(&["192.0.2.2"]), None);
        assert_eq!(next(&[]), None, "there is no network to try");
        assert_eq!(next(&["192.0.2.3"]), Some(Change::Broken));
    }

    #[test]
    fn a_machine_that_slept_may_have_dead_sockets_whichever_clock_shows_it() {
        let start = Instant::now();
        for (monotonic, unix_ms) in [(Duration::from_secs(40), 0), (INTERVAL, 40_000)] {
            let mut watch = NetworkWatch {
                addresses: set(&[]),
                read_at: start,
                unix_ms: 0,
            };
            let change = watch.changed(set(&[]), start + monotonic, unix_ms);
            assert_eq!(change, Some(Change::Broken));
        }
    }
}
