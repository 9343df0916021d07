//! When a token is replaced before it expires, and by which.

use std::sync::Arc;
use std::time::{Duration, Instant};

use visavis_protocol::RenewedToken;
use visavis_protocol::token::Claims;

use super::{Keys, TOKEN_LIFE, TokenError, seconds};
use crate::clock::{Now, Timestamp};

/// A token that was issued for less is replaced by one that is valid for so long, in
/// seconds.
const SHORTEST_LIFE: u64 = 60;
/// No new token is valid for longer, in seconds: 365 days.
const LONGEST_LIFE: u64 = 365 * 24 * 3_600;

/// The next renewal of a member's token.
#[derive(Debug, Clone)]
pub(crate) struct TokenRenewal {
    claims: Arc<Claims>,
    /// When it is due: after 75 % of what was left of the token.
    pub at: Instant,
}

impl TokenRenewal {
    pub(crate) fn of(claims: &Claims, now: Now) -> Self {
        let left = claims.exp.saturating_sub(seconds(now.utc));
        let left = Duration::from_secs(left.min(LONGEST_LIFE));
        Self {
            claims: Arc::new(claims.clone()),
            at: now.instant + left / 4 * 3,
        }
    }
}

impl Keys {
    /// A token with the same claims, valid for as long as the first was, and when that one
    /// is to be renewed.
    ///
    /// # Errors
    /// None that claims can cause.
    pub(crate) fn renew(
        &self,
        renewal: &TokenRenewal,
        now: Now,
    ) -> Result<(RenewedToken, TokenRenewal), TokenError> {
        let before = &renewal.claims;
        let issued = before.iat.or(before.nbf);
        let life = issued.map_or(TOKEN_LIFE, |issued| before.exp.saturating_sub(issued));
        let dated = self.dated(now.utc, life.clamp(SHORTEST_LIFE, LONGEST_LIFE));
        let claims = Claims {
            iat: dated.iat,
            nbf: dated.nbf,
            exp: dated.exp,
            ..Claims::clone(before)
        };
        let expires = Timestamp::from_secs(i64::try_from(claims.exp).unwrap_or(i64::MAX));
        let renewed = RenewedToken {
            token: self.sign(&claims)?,
            expires_at: expires.rfc3339(),
        };
        Ok((renewed, TokenRenewal::of(&claims, now)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant")]
mod tests {
    use super::*;

    fn now(seconds: i64) -> Now {
        Now {
            instant: Instant::now(),
            utc: Timestamp::from_secs(seconds),
        }
    }

    #[test]
    fn a_new_token_has_the_claims_and_the_lifetime_of_the_one_before() {
        let keys = Keys::new("key", "a secret that is long enough").unwrap();
        let start = now(1_000);
        let claims = Claims {
            sub: Some("ann".to_owned()),
            metadata: Some("{}".to_owned()),
            ..keys.dated(start.utc, 400)
        };
        let first = TokenRenewal::of(&claims, start);
        assert_eq!(first.at, start.instant + Duration::from_secs(300));
        let due = now(1_300);
        let (renewed, next) = keys.renew(&first, due).unwrap();
        assert_eq!(renewed.expires_at, "1970-01-01T00:28:20Z");
        assert_eq!(next.at, due.instant + Duration::from_secs(300));
        let read = keys.verify(&renewed.token, now(1_650).utc).unwrap();
        let expected = Claims {
            iat: Some(1_300),
            nbf: Some(1_300),
            exp: 1_700,
            ..claims
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_token_without_an_end_and_one_that_is_over_are_renewed_in_bounds() {
        let keys = Keys::new("key", "a secret that is long enough").unwrap();
        let start = now(1_000);
        for (exp, life) in [(u64::MAX, LONGEST_LIFE), (900, SHORTEST_LIFE)] {
            let claims = Claims {
                exp,
                ..keys.dated(start.utc, 0)
            };
            let (_, next) = keys
                .renew(&TokenRenewal::of(&claims, start), start)
                .unwrap();
            assert_eq!(next.at, start.instant + Duration::from_secs(life) / 4 * 3);
        }
    }
}
