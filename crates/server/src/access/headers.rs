//! Credentials and addresses in request headers.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};

use super::proxy::{Origin, TrustedProxies};

/// Where a connection comes from, behind listed proxies.
pub(crate) fn origin(proxies: &TrustedProxies, peer: SocketAddr, headers: &HeaderMap) -> Origin {
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    proxies.origin(peer.ip().to_canonical(), &forwarded)
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
