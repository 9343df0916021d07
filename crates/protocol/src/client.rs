//! What a client says.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::parse::{body, messages};
use crate::{
    CreateRoom, ErrorCode, GetRoom, JoinRoom, LeaveRoom, ListRooms, MemberPatch, MuteUp,
    ParseError, QualityReport, Request, RequestId, Resume,
};

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
        /// How well the sender hears its peers.
        "report-quality" => ReportQuality(ReportQuality),
        /// A passing sign to all, such as applause.
        "reaction" => Reaction(ReactionUp),
        /// A host asks a member to mute itself.
        "mute-member" => MuteMember(MuteUp),
        /// A host puts a member out of the room.
        "remove-member" => RemoveMember(AtMember),
        /// A host lets nobody in any more.
        "lock-room" => LockRoom(AtRoom),
        /// A host lets people in again.
        "unlock-room" => UnlockRoom(AtRoom),
        /// A host makes another member host in its place.
        "transfer-host" => TransferHost(AtMember),
        /// A host closes the room.
        "end-room" => EndRoom(AtRoom),
        /// A host lets in one who waits.
        "admit-member" => AdmitMember(AtMember),
        /// A host sends away one who waits.
        "deny-member" => DenyMember(AtMember),
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

/// A message to the sender's room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToRoom<T> {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The body.
    pub payload: T,
}

/// A change of oneself.
pub type UpdateMember = ToRoom<MemberPatch>;

/// How well the sender hears its peers.
pub type ReportQuality = ToRoom<QualityReport>;

/// A passing sign: an object, passed on as it stands; ours is a [`crate::ReactionBody`].
pub type ReactionUp = ToRoom<Box<RawValue>>;

/// A control whose object is the sender's room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtRoom {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
}

/// A control whose object is a member of the sender's room, or one who waits
/// for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtMember {
    /// The sender's room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The client id.
    pub to: String,
}
