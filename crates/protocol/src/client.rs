//! Messages from a client to the server.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::parse::{body, messages};
use crate::{
    ClientMute, CreateRoom, ErrorCode, GetRoom, JoinRoom, LeaveRoom, ListRooms, MemberPatch,
    ParseError, QualityReport, Request, RequestId, Resume,
};

messages! {
    /// A message from a client to the server.
    pub enum ClientMessage, pub fn parse {
        /// Creates a room and joins it.
        "create-room" => CreateRoom(Request<CreateRoom>),
        /// Joins a room.
        "join-room" => JoinRoom(Request<JoinRoom>),
        /// Leaves the room.
        "leave-room" => LeaveRoom(LeaveRoom),
        /// Lists the public rooms.
        "list-rooms" => ListRooms(ListRooms),
        /// Describes one room without joining it.
        "get-room" => GetRoom(Request<GetRoom>),
        /// Restores the membership after the socket broke.
        "resume" => Resume(Request<Resume>),
        /// An SDP offer to a member.
        "offer" => Offer(ClientRelay),
        /// An SDP answer to a member.
        "answer" => Answer(ClientRelay),
        /// An ICE candidate to a member.
        "ice-candidate" => IceCandidate(ClientRelay),
        /// An ICE candidate to a member, under the message's older name.
        "ice" => Ice(ClientRelay),
        /// A chat message to the room or to one member.
        "chat" => Chat(ClientChat),
        /// A change of the sender's name, tracks or raised hand.
        "update-member" => UpdateMember(UpdateMember),
        /// Connection quality that the sender measured for each peer.
        "report-quality" => ReportQuality(ReportQuality),
        /// A reaction to the room, such as applause.
        "reaction" => Reaction(ClientReaction),
        /// Host control: asks a member to mute a track.
        "mute-member" => MuteMember(ClientMute),
        /// Host control: removes a member from the room.
        "remove-member" => RemoveMember(AddressedToMember),
        /// Host control: refuses further joins.
        "lock-room" => LockRoom(AddressedToRoom),
        /// Host control: allows joins again.
        "unlock-room" => UnlockRoom(AddressedToRoom),
        /// Host control: transfers the host role to another member.
        "transfer-host" => TransferHost(AddressedToMember),
        /// Host control: closes the room.
        "end-room" => EndRoom(AddressedToRoom),
        /// Host control: admits a client from the waiting room.
        "admit-member" => AdmitMember(AddressedToMember),
        /// Host control: refuses a client in the waiting room.
        "deny-member" => DenyMember(AddressedToMember),
    }
}

/// The fields around a message's body, echoed in errors about the message. A
/// field of the wrong type counts as absent here; parsing the body refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// `roomId` at top level.
    #[serde(default, deserialize_with = "lenient")]
    pub room_id: Option<String>,
    /// The addressed member.
    #[serde(default, deserialize_with = "lenient")]
    pub to: Option<String>,
    /// The request id that the client chose.
    #[serde(default, deserialize_with = "lenient")]
    pub request_id: Option<RequestId>,
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(field)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A message that the server refuses, with the fields of the error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// [`ErrorCode::BadMessage`] or [`ErrorCode::UnknownType`].
    pub code: ErrorCode,
    /// Why it is refused.
    pub message: String,
    /// The readable fields of the envelope.
    pub envelope: Envelope,
}

impl ClientMessage {
    /// Parses a message as the server does: the envelope first, so that the
    /// error for a refused message carries its request id.
    ///
    /// # Errors
    /// The text is not a message, or its type is unknown.
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

/// A negotiation message to one member; the server forwards its payload unread.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientRelay {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The addressed member's client id.
    pub to: String,
    /// An object, forwarded unchanged.
    pub payload: Box<RawValue>,
}

/// A chat message to the room or to one member.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientChat {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The recipient of a private message; the sender gets its echo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The message id chosen by the sender. A receiver uses it to drop the copy
    /// that arrives over a data channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When the message was sent over the data channels: RFC 3339, UTC. Present
    /// when the sender posts it again after the server connection was lost; the
    /// server then drops repeats by sender and [`Self::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// Any JSON value; this project's clients send a [`crate::ChatBody`].
    pub payload: Box<RawValue>,
}

/// A message to the sender's room, with its body in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomMessage<T> {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The body.
    pub payload: T,
}

/// A change of the sender's name, tracks or raised hand.
pub type UpdateMember = RoomMessage<MemberPatch>;

/// Connection quality that the sender measured for each peer.
pub type ReportQuality = RoomMessage<QualityReport>;

/// A reaction: an object, forwarded unchanged; this project's clients send a
/// [`crate::ReactionBody`].
pub type ClientReaction = RoomMessage<Box<RawValue>>;

/// A host control that applies to the sender's room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressedToRoom {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
}

/// A host control that applies to a member of the sender's room, or to a client
/// that waits to join it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressedToMember {
    /// The room; absent: the sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
    /// The addressed client's id.
    pub to: String,
}
