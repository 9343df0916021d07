//! A room service's URL as a person types or pastes it.

use std::net::IpAddr;

use tauri::Url;

/// Why a text is no room service's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a room service's URL begins with ws, wss, http or https and names a host")]
pub struct NotAServer;

/// Reads a URL, or `HOST[:PORT]` alone, which means `ws`. What is a URL is
/// left as it is: the call engine uses it unchanged.
///
/// # Errors
/// When it cannot be a room service's.
pub fn parse(text: &str) -> Result<String, NotAServer> {
    let text = text.trim();
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("ws://{text}")
    };
    let url = Url::parse(&whole).map_err(|_| NotAServer)?;
    let known = matches!(url.scheme(), "ws" | "wss" | "http" | "https");
    (known && url.has_host()).then_some(whole).ok_or(NotAServer)
}

/// The host and port that a URL leads to; none for what is no URL.
pub fn place(url: &str) -> Option<(String, u16)> {
    let url = Url::parse(url).ok()?;
    let port = url.port_or_known_default()?;
    Some((url.host_str()?.to_ascii_lowercase(), port))
}

/// Whether others on the way can read and change what is exchanged with a server: it
/// is not encrypted, and it leaves this computer and private networks.
pub fn is_cleartext(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return true;
    };
    if matches!(url.scheme(), "wss" | "https") {
        return false;
    }
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        Ok(IpAddr::V6(ip)) => {
            !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
        Err(_) => !(host == "localhost" || host.ends_with(".local")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_and_leaves_private_networks_is_cleartext() {
        for url in [
            "wss://example.org",
            "ws://127.0.0.1:1",
            "ws://192.168.1.2",
            "ws://[fd00::1]",
            "ws://localhost:7420",
        ] {
            assert!(!is_cleartext(url), "{url}");
        }
        for url in [
            "ws://example.org",
            "http://203.0.113.7",
            "ws://[2001:db8::1]:1",
        ] {
            assert!(is_cleartext(url), "{url}");
        }
    }

    #[test]
    fn a_host_alone_is_enough_and_a_url_stays_as_it_is() {
        assert_eq!(
            parse(" 192.0.2.1:7420 ").as_deref(),
            Ok("ws://192.0.2.1:7420")
        );
        assert_eq!(parse("example.org").as_deref(), Ok("ws://example.org"));
        assert_eq!(
            parse("https://example.org/ws").as_deref(),
            Ok("https://example.org/ws")
        );
        for text in ["", "ws://", "ftp://example.org", "visavis://room/x", "a b"] {
            assert_eq!(parse(text), Err(NotAServer), "{text}");
        }
    }
}
