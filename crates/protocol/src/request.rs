//! Requests: messages that create, join, leave, list, describe or resume.

use serde::{Deserialize, Serialize};

use crate::{Features, Metadata, RequestId, RoomKind};

/// A request with its body in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<T> {
    /// Chosen by the client; the reply echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The body.
    pub payload: T,
}

/// The room to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    /// The display name.
    pub name: String,
    /// The participant limit; 0 = unlimited; absent: the limit of `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_participants: Option<u32>,
    /// Description and visibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The kind of room, which decides roles and the default limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RoomKind>,
    /// The passcode that joining requires; [`crate::limits::PASSCODE_CHARS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// Whether a host has to admit each participant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting_room: bool,
    /// When the room opens: RFC 3339; absent = at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
    /// When the room closes: RFC 3339; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
    /// The parent room, for a breakout room; see [`crate::breakout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The creator's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The creator's access token, where the server requires one: a JWT of
    /// [`crate::token::Claims`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The extensions that the client requests.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    pub features: Features,
}

/// The room to join.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    /// Any id of the room.
    pub room_id: String,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The access token, where the server requires one: a JWT of
    /// [`crate::token::Claims`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The room's passcode, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// The seal of [`crate::Entered::seal`]. It restores a room that a restarted
    /// server lost; without it such a room is `room-not-found`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// A single-use ticket of [`crate::breakout::MoveNotice`]. A join with it from
    /// inside another room moves the client atomically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The credentials of an egress worker, which joins as a recorder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressCredentials>,
    /// The extensions that the client requests.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    pub features: Features,
}

/// Credentials of an egress worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressCredentials {
    /// The egress job, `EG_` and 12 characters.
    pub id: String,
    /// A single-use secret, bound to the job's lease.
    pub secret: String,
}

/// The room to leave: `{"payload": {"roomId": …}}`, or `roomId` at top level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LeaveForms", into = "LeaveForms")]
pub struct LeaveRoom {
    /// Any id of the room; absent: the client's room.
    pub room_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaveForms {
    #[serde(default, skip_serializing)]
    room_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<GetRoom>,
}

impl From<LeaveForms> for LeaveRoom {
    fn from(forms: LeaveForms) -> Self {
        let payload = forms.payload.map(|payload| payload.room_id);
        Self {
            room_id: payload.or(forms.room_id),
        }
    }
}

impl From<LeaveRoom> for LeaveForms {
    fn from(leave: LeaveRoom) -> Self {
        Self {
            room_id: None,
            payload: leave.room_id.map(|room_id| GetRoom { room_id }),
        }
    }
}

/// Lists the public rooms: occupied ones first, then the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRooms {
    /// Chosen by the client; the reply echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Which part of the list; absent: its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<ListPage>,
}

/// A part of the list of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListPage {
    /// Rooms to skip.
    #[serde(default)]
    pub offset: u32,
    /// Rooms at most, up to [`crate::limits::MAX_LISTED_ROOMS`], which is also the
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Names one room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetRoom {
    /// Any id of the room.
    pub room_id: String,
}

/// The membership to restore.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// The newest resume token that the server sent.
    pub resume_token: String,
}
