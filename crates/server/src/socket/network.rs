//! Addresses that count together.

use std::net::{IpAddr, Ipv6Addr};

/// The address that connections are counted for: an IPv6 address counts with its
/// /64, since one subscriber has at least that many.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        v4 => v4,
    }
}
