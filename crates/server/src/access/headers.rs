//! Credentials and addresses in request headers.

use std::net::SocketAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use super::proxy::{Origin, TrustedProxies};
use super::site::{host_of, is_loopback, is_loopback_origin, is_secret};

/// Headers that proxies add. A request that has one did not come directly.
const PROXY_HEADERS: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// What the origin of a request is judged by.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// `--trusted-proxy`.
    pub proxies: &'a TrustedProxies,
    /// `--allow-host`.
    pub hosts: &'a [String],
    /// `--allow-origin`.
    pub web_origins: &'a [String],
    /// The operator's secret of an embedded server.
    pub operator_secret: Option<&'a str>,
}

impl Rules<'_> {
    /// Where a request comes from.
    pub fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> Origin {
        let forwarded = headers.get_all("x-forwarded-for").iter();
        let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
        let peer = peer.ip().to_canonical();
        let trusted = self.proxies.trusts(peer);
        let web = headers.get(header::ORIGIN);
        let loopback_web = web.is_none_or(|web| web.to_str().is_ok_and(is_loopback_origin));
        let proxied = PROXY_HEADERS.iter().any(|name| headers.contains_key(*name));
        let direct = peer.is_loopback() && !trusted && !proxied;
        let local = direct && web.is_none() && self.knows_host(headers);
        Origin {
            address: self.proxies.client_address(peer, &forwarded),
            trusted,
            loopback: direct && loopback_web,
            local,
            operator: match self.operator_secret {
                Some(secret) => {
                    let given = headers.get("x-visavis-operator");
                    given.is_some_and(|given| is_secret(given.as_bytes(), secret))
                }
                None => local,
            },
            foreign: is_foreign(headers, self.web_origins),
        }
    }

    /// Whether the request names this server by a loopback or listed host, and by
    /// no other.
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let host = host_of(host.to_str().unwrap_or_default());
        is_loopback(host) || self.hosts.iter().any(|one| one.eq_ignore_ascii_case(host))
    }
}

/// Whether a web page of an origin that is not listed sends the request.
pub(crate) fn is_foreign(headers: &HeaderMap, listed: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.any(|origin| !listed.iter().any(|one| one.as_bytes() == origin.as_bytes()))
}

/// The first value of a header that a proxy adds, which is the client's; only from a
/// listed proxy (`trusted`).
pub(crate) fn forwarded<'a>(headers: &'a HeaderMap, name: &str, trusted: bool) -> Option<&'a str> {
    let value = headers.get(name).filter(|_| trusted)?.to_str().ok()?;
    value.split(',').next().map(str::trim)
}

/// The host, with its port if it has one, by which the client named the server.
pub(crate) fn authority(headers: &HeaderMap, trusted: bool) -> Option<&str> {
    let plain = |host: &&str| !host.contains('@') && host.parse::<Authority>().is_ok();
    let forwarded = forwarded(headers, "x-forwarded-host", trusted).filter(plain);
    forwarded.or_else(|| text(headers, header::HOST.as_str()))
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, header::AUTHORIZATION.as_str())?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The user in `X-User-Id`. Valid only from a listed proxy.
pub(crate) fn user(headers: &HeaderMap) -> Option<&str> {
    text(headers, "x-user-id")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
