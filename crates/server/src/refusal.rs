//! Refused requests: an error code and a text for the client.

mod name;

use std::borrow::Cow;
use std::time::Duration;

use visavis_protocol::limits::MAX_DESCRIPTION_CHARS;
use visavis_protocol::{Envelope, ErrorCode, ErrorMessage, ServerMessage};

use crate::access::principal::{AccessError, Denied};
use crate::access::token::TokenError;
use crate::clock::Timestamp;
use crate::store::StoreError;
pub(crate) use name::display_name;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: ErrorCode,
    pub text: Cow<'static, str>,
    /// Seconds until a retry makes sense.
    pub retry_after: Option<u64>,
    /// When the room opens.
    pub opens_at: Option<Timestamp>,
}

impl Refusal {
    pub fn new(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
            retry_after: None,
            opens_at: None,
        }
    }

    /// The room's time window has not begun.
    pub fn room_not_open(opens_at: Timestamp) -> Self {
        let text = format!("the room opens at {}", opens_at.rfc3339());
        Self {
            opens_at: Some(opens_at),
            ..Self::new(ErrorCode::RoomNotOpen, text)
        }
    }

    /// The room was closed.
    pub fn room_ended() -> Self {
        Self::new(ErrorCode::RoomEnded, "the room has ended")
    }

    /// There is no such room, or it was deleted.
    pub fn room_not_found() -> Self {
        Self::new(ErrorCode::RoomNotFound, "there is no such room")
    }

    /// The participant limit is reached.
    pub fn room_full() -> Self {
        Self::new(ErrorCode::RoomFull, "the room is full")
    }

    /// The same, where a place may become free after this time.
    pub fn room_full_until(wait: Option<Duration>) -> Self {
        Self {
            retry_after: wait.map(|wait| wait.as_secs() + 1),
            ..Self::room_full()
        }
    }

    /// The sender is not in the room that it names.
    pub fn not_in_room() -> Self {
        Self::new(ErrorCode::NotInRoom, "you are not in this room")
    }

    /// There is no member with this id.
    pub fn member_not_found() -> Self {
        Self::new(ErrorCode::MemberNotFound, "no such member in this room")
    }

    /// The resume token is unknown or expired.
    pub fn void_token() -> Self {
        Self::new(
            ErrorCode::Unauthorized,
            "the resume token is not valid; join again",
        )
    }

    /// The store failed; the cause is logged where it happened.
    pub fn server_busy() -> Self {
        Self::new(
            ErrorCode::ServerBusy,
            "the server is unavailable; try again",
        )
    }

    /// The server failed, and a retry fails in the same way; the cause is logged where
    /// it happened.
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "the server failed internally")
    }

    /// A retry makes sense after this time.
    pub fn rate_limited(wait: Duration, text: &'static str) -> Self {
        Self {
            retry_after: Some(wait.as_secs() + 1),
            ..Self::new(ErrorCode::RateLimited, text)
        }
    }

    /// The error message that answers a message with this envelope.
    pub fn answer(self, envelope: Envelope) -> ServerMessage {
        ServerMessage::Error(ErrorMessage {
            code: self.code,
            message: self.text.into_owned(),
            request_id: envelope.request_id,
            room_id: envelope.room_id,
            to: envelope.to,
            retry_after: self.retry_after,
            opens_at: self.opens_at.map(Timestamp::rfc3339),
        })
    }
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        let code = match error {
            AccessError::Token(TokenError::Expired) => ErrorCode::TokenExpired,
            _ => ErrorCode::Unauthorized,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Unauthenticated => ErrorCode::Unauthorized,
            Denied::Forbidden => ErrorCode::Forbidden,
        };
        Self::new(code, denied.to_string())
    }
}

/// Logs the cause. Answers `internal` for a row that cannot be read, since a retry reads
/// the same row, and `server-busy` for any other failure.
pub(crate) fn store_failed(error: StoreError) -> Refusal {
    if let StoreError::Unreadable(cause) = &error {
        // The error's text may quote the document.
        let why = format!("{:?} error", cause.classify());
        tracing::error!(why, "a stored document cannot be read");
        return Refusal::internal();
    }
    tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
    Refusal::server_busy()
}

/// A room's display name: never empty. A long one is cut, as in
/// [`display_name`].
pub(crate) fn room_name(text: &str) -> Result<String, Refusal> {
    match display_name(text) {
        name if name.is_empty() => Err(Refusal::new(ErrorCode::BadMessage, "a room needs a name")),
        name => Ok(name),
    }
}

/// A room's description.
pub(crate) fn description(text: &str) -> Result<String, Refusal> {
    let kept = |c: &char| *c == '\n' || !c.is_control();
    bounded(text.chars().filter(kept).collect(), MAX_DESCRIPTION_CHARS)
}

fn bounded(text: String, most: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > most {
        let why = format!("text exceeds {most} characters");
        return Err(Refusal::new(ErrorCode::BadMessage, why));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_row_is_internal_and_an_outage_is_busy() {
        let unreadable = serde_json::from_str::<u32>("{").unwrap_err();
        let refusal = store_failed(StoreError::Unreadable(unreadable));
        assert_eq!(refusal.code, ErrorCode::Internal);
        let refusal = store_failed(StoreError::Failed("no answer".into()));
        assert_eq!(refusal.code, ErrorCode::ServerBusy);
    }

    #[test]
    fn names_are_trimmed_and_lose_control_characters() {
        assert_eq!(room_name("  Tea \u{7}time\n").unwrap(), "Tea time");
        assert_eq!(display_name(" \u{0} "), "");
        assert_eq!(description(" a\nb\u{1b} ").unwrap(), "a\nb");
    }

    #[test]
    fn an_empty_room_name_and_a_long_description_are_refused() {
        for text in [" \t ", "\u{200b}"] {
            assert_eq!(room_name(text).unwrap_err().text, "a room needs a name");
        }
        assert!(description(&"x".repeat(MAX_DESCRIPTION_CHARS + 1)).is_err());
    }
}
