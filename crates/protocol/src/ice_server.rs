//! STUN and TURN servers.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A STUN or TURN server: RTCIceServer (W3C WebRTC, section 4.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` or `turns:` URLs (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// The TURN user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The TURN password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The text is not a STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a stun:, stuns:, turn: or turns: URL, optionally followed by \",user,credential\""
)]
pub struct ParseIceServerError(String);

impl FromStr for IceServer {
    type Err = ParseIceServerError;

    /// Parses `URL[,user,credential]`; the credential may contain commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ',');
        let url = parts.next().unwrap_or_default();
        let known = ["stun:", "stuns:", "turn:", "turns:"];
        if !known.iter().any(|scheme| {
            url.strip_prefix(scheme)
                .is_some_and(|host| !host.is_empty())
        }) {
            return Err(ParseIceServerError(text.to_owned()));
        }
        let (username, credential) = match (parts.next(), parts.next()) {
            (None, _) => (None, None),
            (Some(user), Some(credential)) => (Some(user.to_owned()), Some(credential.to_owned())),
            (Some(_), None) => return Err(ParseIceServerError(text.to_owned())),
        };
        Ok(Self {
            urls: vec![url.to_owned()],
            username,
            credential,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_parses_with_and_without_credentials() {
        let stun: IceServer = "stun:192.0.2.1:3478".parse().unwrap();
        assert_eq!((stun.urls.len(), stun.username), (1, None));
        let turn: IceServer = "turn:192.0.2.1?transport=udp,ann,a,b".parse().unwrap();
        assert_eq!(turn.credential.as_deref(), Some("a,b"));
        for text in ["", "http://x", "turn:", "turn:x,ann"] {
            assert!(text.parse::<IceServer>().is_err(), "{text}");
        }
    }
}
