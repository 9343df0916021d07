//! Host controls, and the messages that report their effect.

use serde::{Deserialize, Serialize};

use crate::{RoomKind, TrackSource};

/// Asks a member to mute a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientMute {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The addressed member's client id.
    pub to: String,
    /// The track to mute.
    pub payload: MuteSource,
}

/// Names the track to mute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteSource {
    /// The track's source.
    pub source: TrackSource,
}

/// Asks the receiver to mute a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerMute {
    /// The room.
    pub room_id: String,
    /// The host's client id; absent when an administrator asked over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The track to mute.
    pub payload: MuteSource,
}

/// The room's current settings. Clients with feature `controls` get it after
/// joining and whenever a setting changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomUpdated {
    /// The room.
    pub room_id: String,
    /// The complete settings, not only the changed ones.
    pub room: UpdatedRoom,
}

/// The settings of a room that can change during a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdatedRoom {
    /// The room's id to join by.
    pub id: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
    /// The kind of room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RoomKind>,
    /// The host's client id; absent while the room has no host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The participant limit; 0 = unlimited.
    #[serde(default)]
    pub max_participants: u32,
    /// Whether joins are refused.
    #[serde(default)]
    pub locked: bool,
    /// Whether a host has to admit each participant.
    #[serde(default)]
    pub waiting_room: bool,
    /// Whether joining requires a passcode.
    #[serde(default)]
    pub needs_passcode: bool,
    /// When the room closes: RFC 3339, UTC; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
    /// The recorders and live streams of the room. A recorder is in no member
    /// list. A client accepts an offer from a sender outside the member list only
    /// if this list names the sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorders: Vec<Recorder>,
    /// The id of the parent room, in a breakout room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A hidden participant that records or streams the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorder {
    /// The recorder's client id.
    pub id: String,
    /// The egress job, `EG_` and 12 characters.
    pub egress_id: String,
    /// What the recorder does.
    pub kind: RecorderKind,
}

/// What a recorder does with the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecorderKind {
    /// It records to a file.
    Record,
    /// It streams live.
    Live,
}

/// The room closed, and the receiver is in no room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomClosed {
    /// The room.
    pub room_id: String,
    /// Why it closed.
    pub reason: ClosedReason,
}

/// Why a room closed. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ClosedReason {
    /// The host ended it.
    EndedByHost,
    /// The host left and did not return before the departure timeout.
    HostLeft,
    /// Its closing time passed.
    TimeOver,
    /// Nobody except its creator joined before the idle timeout.
    Idle,
    /// An administrator closed it.
    Closed,
    /// It was deleted.
    Deleted,
}

/// The receiver was removed from the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRemoved {
    /// The room.
    pub room_id: String,
    /// The receiver's client id.
    pub member_id: String,
    /// Who removed it.
    pub reason: RemovedReason,
}

/// Who removed a member. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum RemovedReason {
    /// The host.
    RemovedByHost,
    /// An administrator over HTTP.
    RemovedByAdministrator,
}
