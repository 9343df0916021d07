//! Access tokens: HS256 JWTs with LiveKit's claims, made and checked with the
//! service's one API key. The time is an argument: a manual clock moves tokens too.
#![deny(clippy::disallowed_methods)]

use std::fmt;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use visavis_protocol::token::{Claims, VideoGrant};

use crate::clock::Timestamp;

/// How long a token of ours is good for, in seconds: 4 h.
pub(crate) const TOKEN_LIFE: u64 = 4 * 3_600;

/// How far others' clocks may be from ours, in seconds.
pub(crate) const LEEWAY: u64 = 60;

/// What tokens are signed with: the API key's name and its secret.
#[derive(Clone)]
pub struct Keys {
    api_key: String,
    secret: String,
}

/// A token that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is not one that can be read")]
    Malformed,
    #[error("the token is not signed with HS256")]
    Algorithm,
    #[error("the token is not signed with this service's key")]
    Signature,
    #[error("the token was made by or for another service")]
    Issuer,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.api_key).finish()
    }
}

impl Keys {
    /// `None` where either is empty: anybody could sign.
    pub fn new(api_key: impl Into<String>, secret: impl Into<String>) -> Option<Self> {
        let (api_key, secret) = (api_key.into(), secret.into());
        let filled = !api_key.is_empty() && !secret.is_empty();
        filled.then_some(Self { api_key, secret })
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// The claims of a token for this identity, good from now on for [`TOKEN_LIFE`].
    pub(crate) fn claims(
        &self,
        identity: &str,
        name: Option<&str>,
        video: VideoGrant,
        now: Timestamp,
    ) -> Claims {
        Claims {
            sub: Some(identity.to_owned()),
            name: name.map(str::to_owned),
            video: Some(video),
            ..self.dated(now, TOKEN_LIFE)
        }
    }

    /// Claims of nothing but who signs them and when, for so many seconds.
    pub(crate) fn dated(&self, now: Timestamp, instance: u64) -> Claims {
        let now = seconds(now);
        Claims {
            iss: self.api_key.clone(),
            iat: Some(now),
            nbf: Some(now),
            exp: now + instance,
            ..Claims::default()
        }
    }

    /// # Errors
    /// None that claims can cause.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let key = EncodingKey::from_secret(self.secret());
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, claims, &key).map_err(|error| refusal(&error))
    }

    /// Reads a token that this key signed and that is valid now.
    pub(crate) fn verify(&self, text: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[&self.api_key]);
        // Checked below: the library would ask the system's clock.
        rules.validate_exp = false;
        let key = DecodingKey::from_secret(self.secret());
        jsonwebtoken::decode_header(text).map_err(|error| unreadable(&error))?;
        let claims = jsonwebtoken::decode::<Claims>(text, &key, &rules)
            .map_err(|error| refusal(&error))?
            .claims;
        let now = seconds(now);
        if now >= claims.exp.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if claims
            .nbf
            .is_some_and(|nbf| nbf > now.saturating_add(LEEWAY))
        {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.secs()).unwrap_or_default()
}

/// Why a header does not parse: `none` is no algorithm that the library knows.
fn unreadable(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::Json(error) if error.is_data() => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

fn refusal(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::Issuer,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;
