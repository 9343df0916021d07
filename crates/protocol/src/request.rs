//! Requests: messages whose body stands in `payload`, and the like.

use serde::{Deserialize, Serialize};

use crate::{Features, Metadata, RequestId, RoomKind};

/// A request whose body stands in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<T> {
    /// Chosen by the client; the reply bears the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The body.
    pub payload: T,
}

/// A room to make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    /// What a person calls it.
    pub name: String,
    /// The most that may be inside; absent or 0 = unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_participants: Option<u32>,
    /// Description, private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// What it is for, which decides who may do what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RoomKind>,
    /// What others must know to enter; [`crate::limits::PASSCODE_CHARS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// Whether the host lets people in one by one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting_room: bool,
    /// RFC 3339; absent = open from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
    /// RFC 3339; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
    /// The creator's name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The creator's, where tokens are required: a JWT of [`crate::token::Claims`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The extensions that the client wants.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    pub features: Features,
}

/// A room to enter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    /// Any id of the room.
    pub room_id: String,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The joiner's, where tokens are required: a JWT of [`crate::token::Claims`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The room's, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// The extensions that the client wants.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    pub features: Features,
}

/// A room to leave: `{"payload": {"roomId": …}}`, or `roomId` at top level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LeaveForms", into = "LeaveForms")]
pub struct LeaveRoom {
    /// Any id of the room; without one, the room that the client is in.
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

/// A question for the public rooms.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRooms {
    /// Chosen by the client; the reply bears the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// A question for one room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetRoom {
    /// Any id of the room.
    pub room_id: String,
}

/// A place to take again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// The last token that the server gave.
    pub resume_token: String,
}
