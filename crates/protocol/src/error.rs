//! Error codes and WebSocket close codes.

use serde::{Deserialize, Serialize};

use crate::RequestId;

/// Why a request or message was refused. The list is closed. Programs branch on
/// the code and translate it for people; the text beside it is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ErrorCode {
    /// Not a JSON object, or a field is missing or of the wrong type.
    BadMessage,
    /// Larger than [`crate::limits::MAX_MESSAGE_BYTES`].
    MessageTooLarge,
    /// The server does not know this `type`.
    UnknownType,
    /// Authentication required: the token is missing or invalid. Also an invalid
    /// resume token.
    Unauthorized,
    /// Authenticated, but not permitted.
    Forbidden,
    /// The token has expired.
    TokenExpired,
    /// The room does not exist or was deleted.
    RoomNotFound,
    /// The room opens later; see [`ErrorMessage::opens_at`].
    RoomNotOpen,
    /// The room was closed by its host or by its closing time.
    RoomEnded,
    /// The participant limit is reached.
    RoomFull,
    /// The host locked the room.
    RoomLocked,
    /// The passcode is missing or wrong.
    WrongPasscode,
    /// The room has a waiting room, and the client did not request feature
    /// `waiting`.
    WaitingRoom,
    /// A host refused to admit the client.
    Denied,
    /// The client is not in the room that the message concerns.
    NotInRoom,
    /// The connection is already in another room.
    AlreadyInRoom,
    /// The addressed member is not in the room.
    MemberNotFound,
    /// Too many requests; see [`ErrorMessage::retry_after`].
    RateLimited,
    /// The server is temporarily unable to serve the request; retry.
    ServerBusy,
    /// The server failed internally.
    Internal,
}

/// The body of an `error` message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorMessage {
    /// The error code.
    pub code: ErrorCode,
    /// A description for logs and developers.
    #[serde(default)]
    pub message: String,
    /// The request's id, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room that the request named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The member that the request named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// With [`ErrorCode::RoomNotOpen`]: when the room opens, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
}

/// WebSocket close codes that the server sends (RFC 6455, section 7.4; 4000 to
/// 4999 are reserved for applications).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The server is shutting down.
    GoingAway = 1001,
    /// The client violated the WebSocket protocol.
    ProtocolError = 1002,
    /// A text message is not UTF-8.
    InvalidPayload = 1007,
    /// A message larger than [`crate::limits::CLOSING_MESSAGE_BYTES`], or, before
    /// the client joined a room, than
    /// [`crate::limits::MAX_MESSAGE_BYTES_BEFORE_JOIN`].
    TooBig = 1009,
    /// The credentials are no longer valid.
    Unauthorized = 4001,
    /// The client does not read its messages fast enough.
    TooSlow = 4008,
    /// The participant resumed on another connection.
    Replaced = 4009,
    /// The client exceeded the message rate for too long.
    RateLimited = 4029,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_codes_are_those_of_the_specification() {
        use CloseCode::*;
        for (code, number) in [
            (GoingAway, 1001),
            (ProtocolError, 1002),
            (InvalidPayload, 1007),
            (TooBig, 1009),
            (Unauthorized, 4001),
            (TooSlow, 4008),
            (Replaced, 4009),
            (RateLimited, 4029),
        ] {
            assert_eq!(code as u16, number, "{code:?}");
        }
    }
}
