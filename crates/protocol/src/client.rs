//! What a client says.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::parse::{body, messages};
use crate::{ErrorCode, Features, MemberPatch, Metadata, ParseError, RequestId};

messages! {
    /// A message from a client to the server.
    pub enum ClientMessage {
        /// Makes a room and enters it.
        "create-room" => CreateRoom(Request<CreateRoom>),
        /// Enters a room.
        "join-room" => JoinRoom(Request<JoinRoom>),
        /// Leaves the room.
        "leave-room" => LeaveRoom(LeaveRoom),
        /// Asks for the public rooms.
        "list-rooms" => ListRooms(ListRooms),
        /// Asks for one room, without entering.
        "get-room" => GetRoom(Request<GetRoom>),
        /// Takes one's place again after the socket broke.
        "resume" => Resume(Request<Resume>),
        /// An offer to a member.
        "offer" => Offer(RelayUp),
        /// An answer to a member.
        "answer" => Answer(RelayUp),
        /// A candidate to a member.
        "ice-candidate" => IceCandidate(RelayUp),
        /// A candidate to a member, under an older name.
        "ice" => Ice(RelayUp),
        /// A chat message to all.
        "chat" => Chat(ChatUp),
        /// A change of oneself.
        "update-member" => UpdateMember(UpdateMember),
    }
}

/// What stands around a message's body; echoed in errors about it. A field of
/// the wrong kind counts as absent here: the body's own reading refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The room that the message names at its top level.
    #[serde(default, deserialize_with = "lenient")]
    pub room_id: Option<String>,
    /// The member that the message is aimed at.
    #[serde(default, deserialize_with = "lenient")]
    pub to: Option<String>,
    /// The request's own name.
    #[serde(default, deserialize_with = "lenient")]
    pub request_id: Option<RequestId>,
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(field)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A message that the server cannot take, with what to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// [`ErrorCode::BadMessage`] or [`ErrorCode::UnknownType`].
    pub code: ErrorCode,
    /// What is wrong with it.
    pub message: String,
    /// What of the envelope could be read.
    pub envelope: Envelope,
}

impl ClientMessage {
    /// Reads a message as the server does: the envelope first, so that even a
    /// message that is refused is answered under its own request id.
    ///
    /// # Errors
    /// When the text is no message, or one of an unknown type.
    pub fn read(text: &str) -> Result<(Envelope, Self), Box<Rejected>> {
        let envelope: Envelope = body(text).unwrap_or_default();
        match Self::parse(text) {
            Ok(message) => Ok((envelope, message)),
            Err(error) => Err(Box::new(Rejected {
                code: match error {
                    ParseError::Malformed(_) => ErrorCode::BadMessage,
                    ParseError::UnknownType(_) => ErrorCode::UnknownType,
                },
                message: error.to_string(),
                envelope,
            })),
        }
    }
}

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
    /// The creator's name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
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

/// What goes to one member, unread.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayUp {
    /// The room that both are in; without one, the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The member's client id.
    pub to: String,
    /// An object; passed on as it stands.
    pub payload: Box<RawValue>,
}

/// A chat message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatUp {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// Only this member gets it besides the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The sender's own name for the message, so that a copy that comes over a
    /// data channel can be told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Any value; our clients send a [`crate::ChatBody`].
    pub payload: Box<RawValue>,
}

/// A change of oneself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMember {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// What changes.
    pub payload: MemberPatch,
}
