//! Errors as the wire has them: a closed list of codes.

use serde::{Deserialize, Serialize};

use crate::RequestId;

/// What went wrong. The list is closed; people are told by the code, never by
/// the text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ErrorCode {
    /// Not a message: no JSON, a field missing or of the wrong kind.
    BadMessage,
    /// Over [`crate::limits::MAX_MESSAGE_BYTES`].
    MessageTooLarge,
    /// A `type` that the server does not know.
    UnknownType,
    /// No, or no valid, proof of who one is; also a resume token that is void.
    Unauthorized,
    /// Known, but not allowed to.
    Forbidden,
    /// The token was valid once.
    TokenExpired,
    /// No such room, or not any more.
    RoomNotFound,
    /// The room opens later.
    RoomNotOpen,
    /// The room was closed by its host or by its time.
    RoomEnded,
    /// As many inside as may be.
    RoomFull,
    /// The host locked the room.
    RoomLocked,
    /// The passcode is missing or wrong.
    WrongPasscode,
    /// The room has a waiting room and the client does not know how to wait.
    WaitingRoom,
    /// The host said no.
    Denied,
    /// The message needs a room, and the client is in none or another.
    NotInRoom,
    /// One room per connection.
    AlreadyInRoom,
    /// The addressed member is not in the room.
    MemberNotFound,
    /// Too many requests; wait for `retryAfter` seconds.
    RateLimited,
    /// The server cannot serve now; try again.
    ServerBusy,
    /// The server failed.
    Internal,
}

/// The body of an `error` message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorMessage {
    /// What went wrong.
    pub code: ErrorCode,
    /// For developers and logs.
    #[serde(default)]
    pub message: String,
    /// The request's own.
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
    /// With [`ErrorCode::RoomNotOpen`]: when it opens, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
}

/// WebSocket close codes of the room service (RFC 6455, section 7.4; 4000 to
/// 4999 are the application's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The server is going away.
    GoingAway = 1001,
    /// A message over [`crate::limits::CLOSING_MESSAGE_BYTES`].
    TooBig = 1009,
    /// The credentials are no longer valid.
    Unauthorized = 4001,
    /// The client does not read what it is sent.
    TooSlow = 4008,
    /// The same participant came back on another connection.
    Replaced = 4009,
    /// Too many messages for too long.
    RateLimited = 4029,
}
