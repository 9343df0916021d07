//! Breakout rooms: rooms with a parent, between which the host moves members.
//!
//! **No server serves these messages yet.** They are agreed, but they are not
//! part of [`crate::ClientMessage`], so a server answers them with
//! [`crate::ErrorCode::UnknownType`] until it serves them.
//!
//! ```text
//! host ── move-room {roomId: breakout, to, deadline} ──► server
//! server ── move-room {roomId: breakout, ticket, deadline} ──► member
//! member ── join-room {roomId: breakout, ticket} ──► server ── room-joined ──► member
//! member ── return-room {} ──► server ── room-joined of the parent ──► member
//! ```
//!
//! The host recalls members with a `move-room` whose `roomId` is the parent:
//! `to` names one member, and without `to` it recalls all breakout rooms.

use serde::{Deserialize, Serialize};

use crate::RequestId;
use crate::parse::messages;

messages! {
    /// A breakout request from a client to the server.
    pub enum BreakoutRequest, pub fn parse {
        /// Host control of the parent room: moves or recalls members.
        "move-room" => MoveRoom(MoveRoom),
        /// Returns the sender from a breakout room to its parent. The reply is
        /// `room-joined` of the parent.
        "return-room" => ReturnRoom(ReturnRoom),
    }
}

messages! {
    /// A breakout message from the server to a client with feature `controls`.
    pub enum BreakoutNotice, pub fn parse {
        /// The receiver has to move to another room.
        "move-room" => MoveRoom(MoveNotice),
    }
}

/// Moves a member to a breakout room, or recalls members to the parent. Only the
/// host of the parent may send it; other senders get `forbidden`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveRoom {
    /// Chosen by the client; an error echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Any id of the destination: a breakout room, or the parent for a recall.
    pub room_id: String,
    /// The client id of the member to move. Absent in a recall: all members of all
    /// breakout rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When the member moves at the latest: RFC 3339; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

/// Asks the receiver to move. It joins with [`crate::JoinRoom::ticket`] when its
/// user agrees, or at the deadline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveNotice {
    /// The destination.
    pub room_id: String,
    /// The client id of the host who moves the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A single-use ticket for joining the destination.
    pub ticket: String,
    /// When the receiver moves at the latest: RFC 3339, UTC; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

/// Returns the sender to the parent room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnRoom {
    /// Chosen by the client; the reply echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The breakout room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
}
