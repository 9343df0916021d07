//! The client address of a request that may have come through proxies.
#![deny(clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The proxies whose headers are trusted: `--trusted-proxy`.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub(crate) Vec<IpNet>);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client's address, as far as it is known.
    pub address: IpAddr,
    /// Whether a listed proxy sent it; its `X-User-Id` is then valid.
    pub trusted: bool,
    /// Whether it comes from this machine without a proxy, and from no web page
    /// of another machine.
    pub loopback: bool,
    /// Whether a program on this machine sent it: a loopback peer without a proxy,
    /// which names the server by a loopback or listed host and is no web page.
    pub local: bool,
    /// Whether the sender administrates everything in open mode.
    pub operator: bool,
    /// Whether a web page of an unlisted origin sent it.
    pub foreign: bool,
}

impl Origin {
    /// Whether the rates do not apply.
    pub fn is_exempt(&self) -> bool {
        self.loopback
    }
}

/// The network that counts as one client in limits by address: an IPv4 address,
/// or the /64 of an IPv6 one, which a single subscriber gets as a whole.
pub(crate) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

impl TrustedProxies {
    /// Reads networks, `10.0.0.0/8`, and single addresses.
    ///
    /// # Errors
    /// Names the first that is neither.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let networks = networks.into_iter().map(network);
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last address in the chain that is no listed proxy's. Each entry was
    /// written by the hop after it, so entries before an unreadable one are
    /// ignored.
    pub(crate) fn client_address(&self, peer: IpAddr, forwarded_for: &[&str]) -> IpAddr {
        let mut address = peer.to_canonical();
        let entries = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
        for entry in entries.map(str::trim).filter(|entry| !entry.is_empty()) {
            if !self.trusts(address) {
                break;
            }
            let Some(before) = address_of(entry) else {
                break;
            };
            address = before;
        }
        address
    }

    /// Whether this address is a listed proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Reads a network, `10.0.0.0/8`, or a single address.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let single = text
        .parse()
        .map(|address: IpAddr| address.to_canonical().into());
    single
        .or_else(|_| text.parse())
        .map_err(|_| format!("{text} is neither an address nor a network such as 10.0.0.0/8"))
}

/// An entry is an address; some proxies add a port.
fn address_of(entry: &str) -> Option<IpAddr> {
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(entry.parse::<SocketAddr>().ok()?.ip());
    let address: Option<IpAddr> = entry.parse().ok();
    address
        .or_else(bracketed)
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies() -> TrustedProxies {
        let nets = ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"];
        TrustedProxies(nets.map(|net| network(net).unwrap()).to_vec())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_listed_proxy() {
        for (peer, forwarded_for, client) in [
            // No proxy, or none that is listed: its headers say nothing.
            ("198.51.100.7", &[][..], "198.51.100.7"),
            ("198.51.100.7", &["203.0.113.9"], "198.51.100.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // The client's own claim stands first and is ignored.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
            // Through several of ours.
            (
                "10.0.0.1",
                &["203.0.113.9, 10.0.0.3,10.0.0.2"],
                "203.0.113.9",
            ),
            (
                "10.0.0.1",
                &["203.0.113.9", "10.0.0.3", " 10.0.0.2 "],
                "203.0.113.9",
            ),
            // From inside the listed network.
            ("10.0.0.1", &["10.0.0.9"], "10.0.0.9"),
            // An unreadable entry: the chain is trusted up to there.
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, , "], "203.0.113.9"),
            // Ports and version 6.
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("2001:db8::1", &["[2001:470::9]:4711"], "2001:470::9"),
            ("2001:db8::1", &["[2001:470::9]"], "2001:470::9"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
        ] {
            let found = proxies().client_address(ip(peer), forwarded_for);
            assert_eq!(found, ip(client), "{peer} {forwarded_for:?}");
        }
    }

    #[test]
    fn a_network_is_read_with_and_without_its_length() {
        assert_eq!(network("10.0.0.0/8"), Ok("10.0.0.0/8".parse().unwrap()));
        assert_eq!(network("127.0.0.1"), Ok("127.0.0.1/32".parse().unwrap()));
        assert_eq!(network("::1"), Ok("::1/128".parse().unwrap()));
        assert!(network("localhost").is_err());
    }

    #[test]
    fn addresses_of_one_ipv6_64_count_as_one_client() {
        let one = client_network(ip("2001:db8:0:1::1"));
        assert_eq!(one, client_network(ip("2001:db8:0:1:ffff::2")));
        assert_ne!(one, client_network(ip("2001:db8:0:2::1")));
        assert_eq!(client_network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_ne!(
            client_network(ip("192.0.2.1")),
            client_network(ip("192.0.2.2"))
        );
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic_or_an_unlisted_peer_another(
            lines in prop::collection::vec("([0-9a-f.:,\\[\\] ]|10.0.0.1|\\PC){0,40}", 0..4),
            last in 0_u8..255,
        ) {
            let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let stranger = IpAddr::from([198, 51, 100, last]);
            prop_assert_eq!(proxies().client_address(stranger, &lines), stranger);
            let proxy = ip("10.0.0.1");
            let _ = proxies().client_address(proxy, &lines);
            // The entry that the proxy adds decides, whatever the client sent before it.
            let entry = stranger.to_string();
            lines.push(&entry);
            prop_assert_eq!(proxies().client_address(proxy, &lines), stranger);
        }
    }
}
