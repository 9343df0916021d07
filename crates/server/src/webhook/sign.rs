//! What proves that a webhook is ours and its body whole: LiveKit's
//! `Authorization`, a token that carries the body's hash.
#![deny(clippy::disallowed_methods)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use visavis_protocol::token::Claims;

use crate::access::token::{Keys, TokenError};
use crate::clock::Timestamp;

/// How long a webhook's token is good for, in seconds.
const WEBHOOK_LIFE: u64 = 5 * 60;

/// The `Authorization` of a webhook with exactly this body: the token alone,
/// without `Bearer`.
///
/// # Errors
/// As [`Keys::sign`].
pub(crate) fn authorization(
    keys: &Keys,
    body: &[u8],
    now: Timestamp,
) -> Result<String, TokenError> {
    keys.sign(&Claims {
        sha256: Some(body_hash(body)),
        ..keys.dated(now, WEBHOOK_LIFE)
    })
}

/// Standard base64 of the body's SHA-256.
pub(super) fn body_hash(body: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_763_649_000_000);

    #[test]
    fn a_webhooks_token_is_good_for_five_minutes_and_bears_the_bodys_hash() {
        let keys = Keys::new("devkey", "a secret").unwrap();
        let token = authorization(&keys, b"{}", NOW).unwrap();
        let claims = keys.verify(&token, NOW).unwrap();
        assert_eq!(claims.exp - claims.nbf.unwrap(), 300);
        // printf '{}' | openssl dgst -sha256 -binary | base64
        let hash = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
        assert_eq!(claims.sha256.as_deref(), Some(hash));
        assert_eq!((claims.sub, claims.video), (None, None), "it opens no room");
    }
}
