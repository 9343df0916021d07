//! The URL by which the server lists itself among the ICE servers of its clients.

use std::net::IpAddr;
use std::str::FromStr;

use super::StunAddress;
use crate::access::site::{host_of, is_loopback};

/// The longest name in DNS, and its longest label (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Whether the server answers STUN (RFC 8489) on UDP, at the address and port of each of
/// its listeners, and how it lists itself among the ICE servers of its clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stun {
    /// It is listed with the port of the listener and the host of
    /// [`crate::ServerConfig::public_url`]; without one, the host by which the client
    /// reached the server.
    #[default]
    On,
    /// It answers no STUN and is not listed.
    Off,
    /// It is listed as this `HOST:PORT`, at which clients reach the UDP port.
    At(String),
}

/// The text is not a setting of the STUN server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither on, off nor HOST:PORT")]
pub struct InvalidStun(String);

impl FromStr for Stun {
    type Err = InvalidStun;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => return Ok(Self::On),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let invalid = || InvalidStun(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().ok().filter(|port: &u16| *port > 0);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host = Some(host).filter(|host| bracketed || !host.contains(':'));
        let host = host.and_then(|host| url_host(host_of(host)));
        let (host, port) = host.zip(port).ok_or_else(invalid)?;
        Ok(Self::At(format!("{host}:{port}")))
    }
}

impl Stun {
    /// The URL (RFC 7064) for a client that reached a listener under this authority, a
    /// host with or without a port. `None`: it is not listed.
    ///
    /// A listener on a loopback address is listed to clients that name a loopback host
    /// only: others came through a proxy, and cannot reach the UDP port.
    pub(crate) fn url(
        &self,
        StunAddress(listener): StunAddress,
        public_url: Option<&str>,
        authority: Option<&str>,
    ) -> Option<String> {
        let listener = listener?;
        match self {
            Self::Off => None,
            Self::At(place) => Some(format!("stun:{place}")),
            Self::On => {
                let host = host_of(public_url.map(authority_of).or(authority)?);
                let unreachable = listener.ip().is_loopback() && !is_loopback(host);
                let host = url_host(host).filter(|_| !unreachable)?;
                Some(format!("stun:{host}:{}", listener.port()))
            }
        }
    }
}

/// The host and port of a URL.
fn authority_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// A host as written in a URL; `None` if it is neither the address of one host nor a name
/// in DNS.
fn url_host(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        let is_host = !address.is_unspecified() && !address.is_multicast();
        return is_host.then(|| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(letter)
    };
    // A host that ends in a number is an IPv4 address (RFC 3696, section 2), here an
    // invalid one.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.len() <= MAX_NAME && name.split('.').all(is_label) && !is_number;
    is_name.then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> StunAddress {
        StunAddress(Some(address.parse().unwrap()))
    }

    #[test]
    fn the_server_is_listed_by_the_host_that_the_client_used_and_its_own_port() {
        for (authority, url) in [
            ("rooms.example.org", "stun:rooms.example.org:7420"),
            ("Rooms.Example.org.:443", "stun:rooms.example.org:7420"),
            ("192.0.2.7:80", "stun:192.0.2.7:7420"),
            ("[2001:db8::7]:80", "stun:[2001:db8::7]:7420"),
            ("localhost:7420", "stun:localhost:7420"),
        ] {
            let listed = Stun::On.url(at("0.0.0.0:7420"), None, Some(authority));
            assert_eq!(listed.as_deref(), Some(url), "{authority}");
        }
    }

    #[test]
    fn a_host_that_cannot_be_one_is_not_listed() {
        let long = ["a"; 130].join(".");
        for authority in [
            "",
            ":7420",
            "a b",
            "a/b",
            "user@rooms.example.org",
            "a..b",
            "0.0.0.0:7420",
            "[::]:7420",
            "224.0.0.1",
            "127.1",
            "1.2.3.400",
            "[fe80::1%25eth0]:7420",
            "ro\u{f6}ms.example",
            &long,
        ] {
            let listed = Stun::On.url(at("0.0.0.0:7420"), None, Some(authority));
            assert_eq!(listed, None, "{authority}");
        }
        assert_eq!(Stun::On.url(at("0.0.0.0:7420"), None, None), None);
    }

    #[test]
    fn the_public_url_gives_the_host_where_there_is_one() {
        for (public_url, url) in [
            ("wss://rooms.example.org", "stun:rooms.example.org:7420"),
            ("ws://192.0.2.7:80/rooms?a", "stun:192.0.2.7:7420"),
            ("wss://[2001:db8::7]/", "stun:[2001:db8::7]:7420"),
        ] {
            let listed = Stun::On.url(at("0.0.0.0:7420"), Some(public_url), Some("inner"));
            assert_eq!(listed.as_deref(), Some(url), "{public_url}");
        }
    }

    #[test]
    fn a_loopback_listener_is_listed_to_clients_of_this_machine_only() {
        let listed = |authority| Stun::On.url(at("127.0.0.1:7420"), None, Some(authority));
        assert_eq!(listed("localhost").as_deref(), Some("stun:localhost:7420"));
        assert_eq!(listed("[::1]:1").as_deref(), Some("stun:[::1]:7420"));
        assert_eq!(listed("rooms.example.org"), None);
        let place = Stun::At("rooms.example.org:3478".to_owned());
        let listed = place.url(at("127.0.0.1:7420"), None, None);
        assert_eq!(listed.as_deref(), Some("stun:rooms.example.org:3478"));
    }

    #[test]
    fn a_listener_without_udp_is_not_listed() {
        for stun in [Stun::On, Stun::Off, Stun::At("a:1".to_owned())] {
            assert_eq!(stun.url(StunAddress(None), None, Some("a")), None);
        }
        assert_eq!(Stun::Off.url(at("0.0.0.0:1"), None, Some("a")), None);
    }

    #[test]
    fn the_setting_is_on_off_or_where_clients_reach_it() {
        assert_eq!("on".parse(), Ok(Stun::On));
        assert_eq!("off".parse(), Ok(Stun::Off));
        for (text, place) in [
            ("rooms.example.org:3478", "rooms.example.org:3478"),
            ("192.0.2.7:7420", "192.0.2.7:7420"),
            ("[2001:db8::7]:7420", "[2001:db8::7]:7420"),
        ] {
            assert_eq!(text.parse(), Ok(Stun::At(place.to_owned())), "{text}");
        }
        for text in [
            "",
            "yes",
            "rooms.example.org",
            "a:0",
            "a:65536",
            ":1",
            "2001:db8::7:1",
            "a b:1",
        ] {
            assert!(text.parse::<Stun>().is_err(), "{text}");
        }
    }
}
