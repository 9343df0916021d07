//! Which hosts and web origins belong to the server's own operator.
//!
//! A web page that any visitor opens can send requests to a server on that
//! visitor's machine, and DNS rebinding gives such a page the server's address
//! under its own name. The browser tells both by `Origin` and `Host`.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A secret for [`crate::ServerConfig::operator_secret`]: 32 random bytes in
/// hexadecimal digits. An embedder makes one at each start.
pub fn operator_secret() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares in constant time.
pub(crate) fn is_secret(given: &[u8], secret: &str) -> bool {
    let mac = |message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(message);
        Some(mac)
    };
    let (Some(given), Some(expected)) = (mac(given), mac(secret.as_bytes())) else {
        return false;
    };
    given
        .verify_slice(&expected.finalize().into_bytes())
        .is_ok()
}

/// The host of a `Host` header, without its port and an IPv6 address' brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _)| host),
    };
    host.trim()
}

/// Whether this host is `localhost` or an address of 127.0.0.0/8 or `::1`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.parse().map(|address: IpAddr| address.to_canonical());
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a web origin, `http://localhost:3000`, is of this machine.
pub(crate) fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| is_loopback(host_of(authority)))
}

/// A web origin as browsers send it: scheme, host and port in lower case.
///
/// # Errors
/// The text is no origin of http or https.
pub(crate) fn web_origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text} is not an origin such as https://app.example.org");
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let named = url.username().is_empty() && url.password().is_none();
    if !bare || !named || !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_this_machine_are_loopback() {
        for (authority, loopback) in [
            ("localhost", true),
            ("LOCALHOST:7420", true),
            ("127.0.0.1:80", true),
            ("127.200.3.4", true),
            ("[::1]:7420", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:7420", false),
            ("evil.example", false),
            ("192.168.1.1", false),
            ("0.0.0.0:7420", false),
            ("[::2]:7420", false),
            ("127.1", false),
        ] {
            assert_eq!(is_loopback(host_of(authority)), loopback, "{authority}");
        }
        assert!(is_loopback_origin("http://localhost:3000"));
        for origin in ["null", "http://evil.example", "localhost", ""] {
            assert!(!is_loopback_origin(origin), "{origin}");
        }
    }

    #[test]
    fn a_web_origin_is_written_as_browsers_send_it() {
        let origin = web_origin("HTTPS://App.Example.org:443/");
        assert_eq!(origin.unwrap(), "https://app.example.org");
        let origin = web_origin("http://app.example.org:8080");
        assert_eq!(origin.unwrap(), "http://app.example.org:8080");
        for text in [
            "*",
            "null",
            "app.example.org",
            "ws://a",
            "https://a/b",
            "https://u@a",
        ] {
            assert!(web_origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_very_secret_is_equal_to_it() {
        let secret = operator_secret();
        assert_eq!(secret.len(), 64);
        assert_ne!(secret, operator_secret());
        assert!(is_secret(secret.as_bytes(), &secret));
        assert!(!is_secret(&secret.as_bytes()[1..], &secret));
        assert!(!is_secret(b"", &secret));
    }
}
