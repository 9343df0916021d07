//! Rooms as the wire has them.

use serde::{Deserialize, Serialize};

use crate::{ChatEntry, Member};

/// A new room, for its creator, who is already inside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedRoom {
    /// What others join by.
    pub id: String,
    /// What a person calls it.
    #[serde(default)]
    pub name: String,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub created_at: String,
    /// The creator's client id.
    #[serde(default)]
    pub host: String,
    /// The most that may be inside; 0 = unlimited.
    #[serde(default)]
    pub max_participants: u32,
    /// Client ids, in the order of joining.
    pub participants: Vec<String>,
    /// As given, when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// For feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// For feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Vec<ChatEntry>>,
}

/// A room, for one who joined or resumed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedRoom {
    /// What others join by.
    pub id: String,
    /// Client ids, in the order of joining, the joiner's among them.
    pub participants: Vec<String>,
    /// For those who asked for any feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// For feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Vec<ChatEntry>>,
}

/// What a creator says of a room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// What the room is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Not listed; joined by id alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
}

/// What a room is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomKind {
    /// Two people.
    Individual,
    /// A group.
    Group,
    /// Some speak, many watch.
    Webinar,
    /// One speaks, many watch.
    Broadcast,
    /// Anyone, as many as like.
    Open,
}

/// A room in the public list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ListedRoom {
    /// What others join by.
    pub id: String,
    /// What a person calls it.
    #[serde(default)]
    pub name: String,
    /// How many are inside.
    #[serde(default)]
    pub participant_count: u32,
}

/// What a lobby shows of a room before joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct RoomInfo {
    /// What others join by.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Who and what is inside.
    pub state: RoomState,
    /// How many are inside.
    pub participant_count: u32,
    /// Whether a passcode is asked for.
    pub needs_passcode: bool,
    /// Whether the host lets people in one by one.
    pub waiting_room: bool,
    /// When it opens, RFC 3339, UTC; of rooms that are not open yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub opens_at: Option<String>,
    /// Who is inside; of public rooms only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub names: Option<Vec<String>>,
}

/// Who and what is inside a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum RoomState {
    /// Nobody.
    Empty,
    /// People, and no two of them in a call.
    Active,
    /// At least two in a call with each other.
    InCall,
}
