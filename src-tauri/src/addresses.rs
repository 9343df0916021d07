//! Under which of its addresses others on the network reach this computer.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// The beginnings of the names of interfaces that lead to containers and virtual
/// machines of this computer only.
const INTERNAL: [&str; 11] = [
    "docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "lxc", "lxd", "cni", "flannel", "podman",
];

/// An address outside this computer. Nothing is sent to it (RFC 5737).
const OUTSIDE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The addresses, the likeliest first.
pub(crate) fn reachable() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let found = interfaces
        .into_iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) => Some((interface.name, ip)),
            IpAddr::V6(_) => None,
        });
    rank(found.collect(), outgoing())
}

/// The address that the system would send from to the outside.
fn outgoing() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(OUTSIDE).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn rank(interfaces: Vec<(String, Ipv4Addr)>, outgoing: Option<Ipv4Addr>) -> Vec<Ipv4Addr> {
    let is_internal = |name: &str| INTERNAL.iter().any(|start| name.starts_with(start));
    let mut addresses: Vec<Ipv4Addr> = interfaces
        .into_iter()
        .filter(|(name, ip)| !is_internal(name) && !ip.is_loopback() && !ip.is_link_local())
        .map(|(_, ip)| ip)
        .collect();
    // Stable: the others keep the system's order, private ones before public ones.
    addresses.sort_by_key(|ip| (Some(*ip) != outgoing, !ip.is_private()));
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_get_the_address_of_the_network_not_of_a_container_bridge() {
        let interface = |name: &str, ip: [u8; 4]| (name.to_owned(), Ipv4Addr::from(ip));
        let interfaces = vec![
            interface("lo", [127, 0, 0, 1]),
            interface("docker0", [172, 17, 0, 1]),
            interface("br-0a1b2c", [172, 18, 0, 1]),
            interface("eth1", [169, 254, 7, 7]),
            interface("tun0", [10, 8, 0, 2]),
            interface("wlan0", [192, 168, 1, 20]),
        ];
        let (wlan, tun) = (Ipv4Addr::new(192, 168, 1, 20), Ipv4Addr::new(10, 8, 0, 2));
        assert_eq!(rank(interfaces.clone(), Some(wlan)), [wlan, tun]);
        assert_eq!(rank(interfaces, None), [tun, wlan]);
        assert!(rank(vec![interface("lo", [127, 0, 0, 1])], None).is_empty());
    }
}
