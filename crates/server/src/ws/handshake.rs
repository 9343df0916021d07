//! The opening handshake, server side (RFC 6455, section 4.2).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// Appended to the client's key before hashing (section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION: &str = "13";
const KEY_BYTES: usize = 16;

/// The response to a handshake.
pub(super) fn respond(headers: &HeaderMap) -> Response {
    match key(headers) {
        Ok(key) => {
            let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
            let headers = [
                (header::CONNECTION, "upgrade"),
                (header::UPGRADE, "websocket"),
                (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
            ];
            (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
        }
        Err((status, why)) => {
            let version = [(header::SEC_WEBSOCKET_VERSION, VERSION)];
            (status, version, why).into_response()
        }
    }
}

/// The key of a valid handshake request.
fn key(headers: &HeaderMap) -> Result<&str, (StatusCode, &'static str)> {
    let has = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name).into_iter();
        let mut tokens = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        tokens.any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            "this path accepts WebSocket handshakes only",
        ));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, VERSION) {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13",
        ));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.and_then(|key: &HeaderValue| key.to_str().ok());
    let is_key = |key: &&str| {
        let bytes = BASE64_STANDARD.decode(key);
        bytes.is_ok_and(|bytes| bytes.len() == KEY_BYTES)
    };
    key.filter(is_key).ok_or((
        StatusCode::BAD_REQUEST,
        "Sec-WebSocket-Key must be 16 bytes in base64",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(pairs: &[(&'static str, &'static str)]) -> Response {
        let header = |&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        respond(&pairs.iter().map(header).collect())
    }

    const FIREFOX: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let answer = asks(&FIREFOX);
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        let accept = &answer.headers()[header::SEC_WEBSOCKET_ACCEPT];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn anything_else_is_told_what_is_missing() {
        for without in 0..FIREFOX.len() {
            let mut some = FIREFOX.to_vec();
            some.remove(without);
            let status = asks(&some).status();
            assert!(status.is_client_error(), "without {without}: {status}");
        }
        let mut short = FIREFOX;
        short[3].1 = "dGhl";
        assert_eq!(asks(&short).status(), StatusCode::BAD_REQUEST);
        let mut old = FIREFOX;
        old[2].1 = "8";
        let answer = asks(&old);
        assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(answer.headers()[header::SEC_WEBSOCKET_VERSION], VERSION);
    }
}
