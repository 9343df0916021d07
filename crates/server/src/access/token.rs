//! Access tokens: HS256 JWTs with LiveKit's claims, signed and verified with the
//! server's one API key. The time is an argument: a manual clock moves tokens too.
#![deny(clippy::disallowed_methods)]

mod claims;
mod renewal;

use std::fmt;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use visavis_protocol::token::{Claims, VideoGrant};

pub(crate) use self::renewal::TokenRenewal;
use crate::clock::Timestamp;

/// The lifetime of our tokens, in seconds: 4 h.
pub(crate) const TOKEN_LIFE: u64 = 4 * 3_600;

/// The tolerated clock difference, in seconds.
pub(crate) const LEEWAY: u64 = 60;

/// The API key's name and its secret.
#[derive(Clone)]
pub struct Keys {
    api_key: String,
    secret: String,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is not signed with HS256")]
    Algorithm,
    #[error("the token is not signed with this server's key")]
    Signature,
    #[error("the token was issued by another API key")]
    Issuer,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    /// It would not grant what its issuer meant.
    #[error("the token's video grant misspells `{0}`")]
    Misspelt(&'static str),
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.api_key).finish()
    }
}

impl Keys {
    /// `None` if either is empty: anybody could sign.
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

    /// The claims of a token for this identity, valid for [`TOKEN_LIFE`] from now.
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

    /// Claims with issuer and times only, valid for so many seconds.
    pub(crate) fn dated(&self, now: Timestamp, lifetime: u64) -> Claims {
        let now = seconds(now);
        Claims {
            iss: self.api_key.clone(),
            iat: Some(now),
            nbf: Some(now),
            exp: now + lifetime,
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

    /// Verifies a token: signature, issuer and times.
    pub(crate) fn verify(&self, text: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[&self.api_key]);
        // Checked below: the library would read the system's clock.
        rules.validate_exp = false;
        // As in LiveKit, an audience restricts nothing.
        rules.validate_aud = false;
        let key = DecodingKey::from_secret(self.secret());
        jsonwebtoken::decode_header(text).map_err(|error| unreadable(&error))?;
        let claims = jsonwebtoken::decode(text, &key, &rules)
            .map_err(|error| refusal(&error))?
            .claims;
        let claims = claims::read(claims)?;
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

/// Why a header does not parse. The library knows no algorithm `none`.
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
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;
