//! Rooms, as signalling messages describe them.

use serde::{Deserialize, Serialize};

use crate::{ChatEntry, Member};

/// A new room, in the reply to its creator, who has joined it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedRoom {
    /// The room's id to join by.
    pub id: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
    /// When it was created: RFC 3339, UTC.
    #[serde(default)]
    pub created_at: String,
    /// The creator's client id.
    #[serde(default)]
    pub host: String,
    /// The participant limit; 0 = unlimited.
    #[serde(default)]
    pub max_participants: u32,
    /// Client ids in join order.
    pub participants: Vec<String>,
    /// The metadata of the request, when it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The members; requires feature `members`. In a webinar or broadcast the
    /// list holds only the members who may publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Number of members that [`Self::members`] omits: the viewers of a webinar or
    /// broadcast; requires feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_count: Option<u32>,
    /// The chat history; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Vec<ChatEntry>>,
}

/// A room, in the reply to a client that joined or resumed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedRoom {
    /// The room's id to join by.
    pub id: String,
    /// Client ids in join order, including the receiver's.
    pub participants: Vec<String>,
    /// The display name, for clients that requested any feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The members; requires feature `members`. In a webinar or broadcast the
    /// list holds only the members who may publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Number of members that [`Self::members`] omits: the viewers of a webinar or
    /// broadcast; requires feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_count: Option<u32>,
    /// The chat history; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Vec<ChatEntry>>,
}

/// Description and visibility of a room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether room lists omit the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
}

/// The kind of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomKind {
    /// Two participants; no chat.
    Individual,
    /// A meeting.
    Group,
    /// Hosts publish, participants watch; up to 100 by default.
    Webinar,
    /// Hosts publish, participants watch; unlimited by default.
    Broadcast,
    /// Everyone publishes; unlimited by default.
    Open,
}

/// A room in the list of public rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ListedRoom {
    /// The room's id to join by.
    pub id: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
    /// Number of participants.
    #[serde(default)]
    pub participant_count: u32,
}

/// A room as a lobby shows it before joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct RoomInfo {
    /// The room's id to join by.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The occupancy state.
    pub state: RoomState,
    /// Number of participants.
    pub participant_count: u32,
    /// Whether joining requires a passcode.
    pub needs_passcode: bool,
    /// Whether a host has to admit each participant.
    pub waiting_room: bool,
    /// When the room opens: RFC 3339, UTC; absent once it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub opens_at: Option<String>,
    /// Names of the participants; public rooms only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub names: Option<Vec<String>>,
}

/// The occupancy state of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum RoomState {
    /// No participants.
    Empty,
    /// Participants, but no two of them connected to each other.
    Active,
    /// At least two participants connected to each other.
    InCall,
}
