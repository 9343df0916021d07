//! The view of a call: a complete snapshot of what a window shows, derived from
//! the state after each change.

use serde::Serialize;
use visavis_protocol::{ClosedReason, ErrorCode, RemovedReason, Role, TrackSource, WaitReason};

/// The view of a call.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct CallView {
    /// The phase of the call.
    pub phase: CallPhase,
    /// The room, once joined.
    pub room: Option<RoomView>,
    /// The local user first, then the others in the order of joining.
    pub participants: Vec<ParticipantView>,
    /// Chat messages, oldest first.
    pub chat: Vec<ChatView>,
    /// Whether the connection to the server is lost. The call continues.
    pub service_away: bool,
    /// The host muted a source of the local user, who has not unmuted it since.
    pub muted_by_host: Option<MutedByHost>,
    /// The sources that the local user is granted to publish.
    pub may_publish: Vec<TrackSource>,
}

/// A source of the local user that the host muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct MutedByHost {
    /// The muted source.
    pub source: TrackSource,
    /// The host's display name; empty when it is not known, as for an administrator.
    pub name: String,
}

/// The phase of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum CallPhase {
    /// Connecting to the server and joining the room.
    #[default]
    Joining,
    /// The join waits; it goes on by itself.
    Waiting {
        /// For a place, or for a host.
        reason: WaitReason,
        /// The position among the joins that wait for the same, from 1.
        position: u32,
    },
    /// The room opens later; the join follows by itself.
    NotOpen {
        /// When it opens, in milliseconds since the Unix epoch.
        #[serde(rename = "opensAt")]
        #[cfg_attr(feature = "ts", ts(rename = "opensAt", type = "number"))]
        opens_at: u64,
    },
    /// The room has a passcode, and the one that was sent is not it.
    PasscodeNeeded {
        /// Whether one was sent.
        wrong: bool,
    },
    /// In the room.
    Inside,
    /// The call ended.
    Ended {
        /// Why it ended.
        reason: EndReason,
    },
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum EndReason {
    /// The local user left.
    Left,
    /// The server was not reachable at the start of the call.
    ServerUnreachable,
    /// The server refused the join.
    Refused {
        /// The server's error code.
        code: ErrorCode,
    },
    /// The connections to the server and to all members were lost.
    ConnectionLost,
    /// The room closed.
    RoomClosed {
        /// Why.
        why: ClosedReason,
    },
    /// The local user was removed from the room.
    Removed {
        /// By whom.
        why: RemovedReason,
    },
}

/// The room of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct RoomView {
    /// The room id.
    pub id: String,
    /// The display name; the id for a room without a name.
    pub name: String,
}

/// A participant of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ParticipantView {
    /// Identifies the participant in this call: its client id when it was first
    /// seen. It stays the same when the participant rejoins under another one.
    pub id: String,
    /// The display name; may be empty.
    pub name: String,
    /// Whether this is the local user.
    pub is_me: bool,
    /// The participant's role in this room.
    pub role: Role,
    /// The state of the peer connection; `connected` for the local user.
    pub connection: PeerConnectionState,
    /// What is wrong with the connection, when repairs did not help.
    pub problem: Option<LinkProblem>,
    /// The participant's microphone.
    pub microphone: TrackView,
    /// The participant's camera.
    pub camera: TrackView,
    /// The screen or window that the participant shares.
    pub screen_share: TrackView,
    /// Whether the participant is speaking.
    pub speaking: bool,
    /// How loud the participant's sound is played, in percent: 0 to 200.
    pub volume: u8,
    /// The sources with a video frame to draw.
    pub pictures: Vec<TrackSource>,
    /// How well the participant is received; for the local user, how well the others
    /// are reached. None before the first connection.
    pub quality: Option<QualityView>,
}

/// The quality of a connection. It changes after some seconds, and at once when the
/// connection is lost or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct QualityView {
    /// The level.
    pub level: ConnectionQuality,
    /// What makes it poor.
    pub cause: Option<QualityCause>,
}

/// A level of connection quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ConnectionQuality {
    /// Nothing is noticeably impaired.
    Good,
    /// Sound or video is impaired.
    Poor,
    /// The connection is interrupted.
    Lost,
}

/// What makes a connection poor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum QualityCause {
    /// Packets of this participant alone are lost or late.
    TheirUplink,
    /// Packets of most participants are lost or late.
    MyDownlink,
    /// Packets to most participants are lost, or the links carry too little.
    MyUplink,
    /// This computer does not encode or decode fast enough.
    Processor,
    /// The path is long, or its delay varies.
    Delay,
}

/// What is wrong with the connection to a participant. Attempts to repair it
/// continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum LinkProblem {
    /// No network path was found, or it failed again and again.
    Unreachable,
    /// A session description of one side was refused by the other.
    Negotiation,
}

/// The state of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum TrackView {
    /// There is no such track.
    Absent,
    /// The track is muted.
    Muted,
    /// The track sends media.
    On,
    /// The track is on, but the sender's link is too narrow for it.
    Suspended,
    /// The track sends media in a codec that the receiver does not have.
    Unsupported,
}

/// RTCPeerConnectionState (W3C WebRTC, section 4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum PeerConnectionState {
    /// Connecting has not started.
    New,
    /// ICE or DTLS is connecting.
    Connecting,
    /// Media can flow.
    Connected,
    /// The remote peer stopped responding; the connection may recover by itself.
    Disconnected,
    /// The connection failed and needs an ICE restart, which follows.
    Failed,
    /// The connection is closed.
    Closed,
}

/// A chat message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ChatView {
    /// The message id, unique in the call.
    pub id: String,
    /// The sender: the id of a participant view, or a client id of someone who left.
    pub from: String,
    /// The sender's display name when it was sent; may be empty.
    pub name: String,
    /// Whether the local user sent it.
    pub is_mine: bool,
    /// Whether only its sender and one recipient see it.
    pub is_private: bool,
    /// The text, without markup.
    pub text: String,
    /// When it was sent, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub sent_at: u64,
    /// Whether the server has not confirmed it yet.
    pub pending: bool,
}
