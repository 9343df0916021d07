//! What a window shows of a call. Derived from the state, whole, newest wins.

use serde::Serialize;
use visavis_protocol::{ErrorCode, Role};

/// A call as its user sees it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct CallView {
    /// How far the call is.
    pub phase: CallPhase,
    /// The room, once inside.
    pub room: Option<RoomView>,
    /// The local user first, then the others in the order of joining.
    pub participants: Vec<ParticipantView>,
    /// Oldest first.
    pub chat: Vec<ChatView>,
    /// The room service is out of reach; the call goes on.
    pub service_away: bool,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum CallPhase {
    /// Reaching the server and entering the room.
    #[default]
    Joining,
    /// Inside.
    Inside,
    /// Over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum EndReason {
    /// The local user left.
    Left,
    /// The server was not reached when the call was to begin.
    ServerUnreachable,
    /// The server refused.
    Refused {
        /// Why.
        code: ErrorCode,
    },
    /// The server was out of reach, and so was everyone inside.
    ConnectionLost,
}

/// The room that one is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct RoomView {
    /// What others join by.
    pub id: String,
    /// What a person calls it; the id where nobody said.
    pub name: String,
}

/// Someone in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ParticipantView {
    /// The client id.
    pub id: String,
    /// The name to show; may be empty.
    pub name: String,
    /// Whether this is the local user.
    pub is_me: bool,
    /// What the participant is in this room.
    pub role: Role,
    /// The peer connection; `connected` for the local user.
    pub connection: PeerConnectionState,
    /// The participant's sound.
    pub microphone: TrackView,
    /// The participant's picture.
    pub camera: TrackView,
    /// Whether sound above the noise was heard just now.
    pub speaking: bool,
    /// Whether a picture is there to be drawn.
    pub has_picture: bool,
}

/// A track as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum TrackView {
    /// There is none.
    Absent,
    /// It sends nothing at the moment.
    Muted,
    /// It sends.
    On,
}

/// RTCPeerConnectionState (W3C WebRTC, section 4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum PeerConnectionState {
    /// Nothing was tried yet.
    New,
    /// On the way.
    Connecting,
    /// Media can flow.
    Connected,
    /// It stopped answering; may come back by itself.
    Disconnected,
    /// It will not come back by itself; an ICE restart is under way.
    Failed,
    /// It is over.
    Closed,
}

/// A chat message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ChatView {
    /// Unique in the call.
    pub id: String,
    /// The sender's client id.
    pub from: String,
    /// The sender's name when it was sent; may be empty.
    pub name: String,
    /// Whether the local user sent it.
    pub is_mine: bool,
    /// Plain text.
    pub text: String,
    /// Milliseconds since the Unix epoch.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub sent_at: u64,
    /// Whether it is still on its way to the server.
    pub pending: bool,
}
