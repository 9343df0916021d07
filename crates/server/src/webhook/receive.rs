//! Incoming webhooks: a LiveKit server's, and a stream provider's.
#![deny(clippy::disallowed_methods)]

mod event;

use std::collections::{HashSet, VecDeque};

use hmac::{Hmac, KeyInit, Mac};
use livekit_protocol::WebhookEvent;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use super::sign::body_hash;
use crate::access::token::{Keys, LEEWAY, TokenError};
use crate::clock::Timestamp;
use crate::lifecycle::session::SessionEvent;

/// Why a webhook is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error("the webhook is not signed")]
    Missing,
    #[error("the webhook's signature is invalid: {0}")]
    Signature(TokenError),
    #[error("the webhook's signature has expired")]
    Expired,
    #[error("the webhook's body does not match its signature")]
    Altered,
    /// A repetition of a received event; it is answered as a success because its
    /// sender did not get the first response.
    #[error("the webhook was received before")]
    Replayed,
    #[error("the webhook's body does not parse")]
    Unreadable,
}

/// Verifies and parses a LiveKit server's webhook, and remembers its id.
pub(crate) fn receive(
    keys: &Keys,
    authorization: Option<&str>,
    body: &[u8],
    now: Timestamp,
    seen: &mut Seen,
) -> Result<WebhookEvent, WebhookError> {
    let token = authorization.ok_or(WebhookError::Missing)?;
    let claims = keys.verify(token, now).map_err(|error| match error {
        TokenError::Expired => WebhookError::Expired,
        error => WebhookError::Signature(error),
    })?;
    if claims.sha256.is_none_or(|hash| hash != body_hash(body)) {
        return Err(WebhookError::Altered);
    }
    let event = event::read(body).ok_or(WebhookError::Unreadable)?;
    let until = claims.exp.saturating_add(LEEWAY);
    if !seen.first_time(key(&event, body), until, now) {
        return Err(WebhookError::Replayed);
    }
    Ok(event)
}

/// Identifies an event: its id, else the hash of its body. A retry may be signed
/// anew.
fn key(event: &WebhookEvent, body: &[u8]) -> String {
    match event.id.as_str() {
        "" => body_hash(body),
        id => id.to_owned(),
    }
}

/// The events of the last minutes, each kept until its token has expired.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    order: VecDeque<(u64, String)>,
    keys: HashSet<String>,
}

/// Past this number the oldest is dropped; only holders of the key can fill it.
const MOST_SEEN: usize = 16_384;

impl Seen {
    fn first_time(&mut self, key: String, until: u64, now: Timestamp) -> bool {
        let now = u64::try_from(now.secs()).unwrap_or_default();
        while let Some((expiry, _)) = self.order.front() {
            if *expiry > now && self.order.len() < MOST_SEEN {
                break;
            }
            if let Some((_, key)) = self.order.pop_front() {
                self.keys.remove(&key);
            }
        }
        let is_new = self.keys.insert(key.clone());
        if is_new {
            self.order.push_back((until, key));
        }
        is_new
    }

    /// Forgets an event that was received and could not be applied: its sender
    /// retries.
    pub fn forget(&mut self, event: &WebhookEvent, body: &[u8]) {
        let key = key(event, body);
        if self.keys.remove(&key) {
            self.order.retain(|(_, other)| *other != key);
        }
    }
}

/// A stream provider's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StreamReport {
    /// The room whose session it is about.
    pub room_id: String,
    pub status: StreamStatus,
}

/// The state of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamStatus {
    /// It arrives.
    Active,
    /// Nothing arrives.
    Idle,
    /// Its sender is gone.
    Disconnected,
}

impl StreamStatus {
    /// What it means for the session.
    pub fn event(self) -> SessionEvent {
        match self {
            Self::Active => SessionEvent::ProviderActive,
            Self::Idle | Self::Disconnected => SessionEvent::ProviderIdle,
        }
    }
}

/// Checks and reads a stream provider's webhook. `signature` is its
/// `X-Signature`: the hex HMAC-SHA256 of the body under the API secret.
pub(crate) fn receive_stream(
    keys: &Keys,
    signature: Option<&str>,
    body: &[u8],
) -> Result<StreamReport, WebhookError> {
    let signature = signature.ok_or(WebhookError::Missing)?;
    let tag = from_hex(signature).ok_or(WebhookError::Altered)?;
    // Compares in constant time.
    let verdict = stream_mac(keys, body).map(|mac| mac.verify_slice(&tag).is_ok());
    if verdict != Some(true) {
        return Err(WebhookError::Altered);
    }
    serde_json::from_slice(body).map_err(|_| WebhookError::Unreadable)
}

fn stream_mac(keys: &Keys, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.secret()).ok()?;
    mac.update(body);
    Some(mac)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().bytes().map(|c| char::from(c).to_digit(16));
    let digits: Vec<u32> = digits.collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(high << 4 | low).ok())
        .collect()
}

#[cfg(test)]
mod tests;
