//! Reads the claims of tokens that other libraries made.
#![deny(clippy::disallowed_methods)]

use serde_json::{Map, Value};
use visavis_protocol::token::Claims;

use super::TokenError;

/// The members of LiveKit's video grant.
const GRANT: [&str; 18] = [
    "roomCreate",
    "roomList",
    "roomRecord",
    "roomAdmin",
    "roomJoin",
    "room",
    "destinationRoom",
    "canPublish",
    "canSubscribe",
    "canPublishData",
    "canPublishSources",
    "canUpdateOwnMetadata",
    "canSubscribeMetrics",
    "canManageAgentSession",
    "ingressAdmin",
    "hidden",
    "recorder",
    "agent",
];

/// Reads claims. A null member is absent, times may have fractions (RFC 7519,
/// section 2), and unknown members are ignored; a member of the video grant that
/// differs from a known one in case or underscores only is an error.
pub(super) fn read(mut claims: Map<String, Value>) -> Result<Claims, TokenError> {
    claims.retain(|_, value| !value.is_null());
    for time in ["iat", "nbf", "exp"] {
        if let Some(value) = claims.get_mut(time) {
            whole(value);
        }
    }
    if let Some(Value::Object(grant)) = claims.get_mut("video") {
        grant.retain(|_, value| !value.is_null());
        if let Some(meant) = grant.keys().find_map(|name| misspelt(name)) {
            return Err(TokenError::Misspelt(meant));
        }
    }
    serde_json::from_value(Value::Object(claims)).map_err(|_| TokenError::Malformed)
}

/// Drops the fraction of a number of seconds.
fn whole(value: &mut Value) {
    if let Some(seconds) = value.as_f64()
        && value.as_u64().is_none()
        && seconds >= 0.0
    {
        // Saturates.
        *value = Value::from(seconds as u64);
    }
}

/// The known member that an unknown one resembles.
fn misspelt(name: &str) -> Option<&'static str> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let mut known = GRANT.into_iter();
    known.find(|known| *known != name && plain(known) == plain(name))
}
