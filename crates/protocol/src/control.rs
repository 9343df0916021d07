//! What hosts do to a room and its members, and how the room hears of it.

use serde::{Deserialize, Serialize};

use crate::{RoomKind, TrackSource};

/// A host asks a member to mute itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteUp {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The member's client id.
    pub to: String,
    /// What to mute.
    pub payload: MuteSource,
}

/// What to mute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteSource {
    /// Where the track's media comes from.
    pub source: TrackSource,
}

/// The receiver is to mute itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteDown {
    /// The room.
    pub room_id: String,
    /// The host's client id; absent when an administrator asks from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What to mute.
    pub payload: MuteSource,
}

/// The room is now like this: to those with feature `controls`, right after they
/// entered and whenever any of it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomUpdated {
    /// The room.
    pub room_id: String,
    /// All of it, not only what changed.
    pub room: UpdatedRoom,
}

/// A room as those inside see it change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdatedRoom {
    /// What others join by.
    pub id: String,
    /// What a person calls it.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RoomKind>,
    /// The host's client id, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The most that may be inside; 0 = unlimited.
    #[serde(default)]
    pub max_participants: u32,
    /// Whether nobody is let in.
    #[serde(default)]
    pub locked: bool,
    /// Whether the host lets people in one by one.
    #[serde(default)]
    pub waiting_room: bool,
    /// Whether a passcode is asked for.
    #[serde(default)]
    pub needs_passcode: bool,
    /// RFC 3339, UTC; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
}

/// The room is over, and nobody is inside any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomClosed {
    /// The room.
    pub room_id: String,
    /// Why.
    pub reason: ClosedReason,
}

/// Why a room is over. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedReason {
    /// Its host ended it.
    EndedByHost,
    /// Its host left and did not come back in time.
    HostLeft,
    /// Its time is over.
    TimeOver,
    /// Nobody but its creator ever entered.
    Idle,
    /// An administrator closed it.
    Closed,
    /// It was deleted.
    Deleted,
}

/// The receiver was put out of the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRemoved {
    /// The room.
    pub room_id: String,
    /// Who: the receiver.
    pub member_id: String,
    /// By whom.
    pub reason: RemovedReason,
}

/// By whom a member was put out. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemovedReason {
    /// By the host.
    RemovedByHost,
    /// By an administrator from outside.
    RemovedByAdministrator,
}
