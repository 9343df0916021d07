//! What the server says.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::parse::messages;
use crate::{
    CreatedRoom, ErrorMessage, Features, IceServer, JoinRequest, JoinWaiting, JoinedRoom,
    ListedRoom, Member, MemberRemoved, MuteDown, ReactionDown, RequestId, RoomClosed, RoomInfo,
    RoomUpdated,
};

/// The protocol's version.
pub const PROTOCOL: u32 = 1;

messages! {
    /// A message from the server to a client.
    pub enum ServerMessage {
        /// First of all: who the client is.
        "client-id" => ClientId(Welcome),
        /// The reply to `create-room`.
        "room-created" => RoomCreated(RoomCreated),
        /// The reply to `join-room`.
        "room-joined" => RoomJoined(RoomJoined),
        /// The reply to `resume`.
        "resumed" => Resumed(RoomJoined),
        /// To the others, when someone joined.
        "member-joined" => MemberJoined(MemberJoined),
        /// To the others, when someone left.
        "member-left" => MemberLeft(MemberLeft),
        /// To those with feature `members`, when a member changed.
        "member-updated" => MemberUpdated(MemberUpdated),
        /// The reply to `list-rooms`.
        "rooms-list" => RoomsList(RoomsList),
        /// The reply to `get-room`.
        "room-info" => RoomInfo(RoomInfoMessage),
        /// An offer of a peer.
        "offer" => Offer(RelayDown),
        /// An answer of a peer.
        "answer" => Answer(RelayDown),
        /// A candidate of a peer.
        "ice-candidate" => IceCandidate(RelayDown),
        /// A candidate of a peer, under an older name.
        "ice" => Ice(RelayDown),
        /// A chat message; the sender gets it too.
        "chat" => Chat(ChatDown),
        /// A passing sign of a member; the sender gets it too.
        "reaction" => Reaction(ReactionDown),
        /// To those with feature `controls`: what the room is now.
        "room-updated" => RoomUpdated(RoomUpdated),
        /// To those with feature `controls`, when the room is over.
        "room-closed" => RoomClosed(RoomClosed),
        /// To the one who was put out.
        "member-removed" => MemberRemoved(MemberRemoved),
        /// To the one who is to mute itself.
        "mute-member" => MuteMember(MuteDown),
        /// To one who joined and has to wait.
        "join-waiting" => JoinWaiting(JoinWaiting),
        /// To hosts, when someone waits for their word.
        "join-request" => JoinRequest(JoinRequest),
        /// A request was refused, or a message was none.
        "error" => Error(ErrorMessage),
    }
}

/// Who the client is, and what the server can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The client's id, a UUID.
    pub id: String,
    /// [`PROTOCOL`]; 0 where the server does not say.
    #[serde(default)]
    pub protocol: u32,
    /// The extensions that it has.
    #[serde(default)]
    pub features: Features,
}

/// The creator is inside.
pub type RoomCreated = Entered<CreatedRoom>;

/// The joiner is inside, or inside again.
pub type RoomJoined = Entered<JoinedRoom>;

/// One is inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entered<R> {
    /// The request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room: R,
    /// For feature `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// For those who asked for any feature, where the server has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ice_servers: Option<Vec<IceServer>>,
}

/// Someone joined.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberJoined {
    /// The room.
    pub room_id: String,
    /// Who.
    pub member_id: String,
    /// Everyone inside now.
    pub participants: Vec<String>,
    /// For feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
}

/// Someone left.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberLeft {
    /// The room.
    pub room_id: String,
    /// Who.
    pub member_id: String,
    /// Everyone inside now.
    pub participants: Vec<String>,
}

/// A member changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberUpdated {
    /// The room.
    pub room_id: String,
    /// Who.
    pub member_id: String,
    /// The member as it is now.
    pub member: Member,
}

/// The rooms that are not private.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomsList {
    /// The request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The rooms.
    pub rooms: Vec<ListedRoom>,
}

/// What a lobby shows of a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfoMessage {
    /// The request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room: RoomInfo,
}

/// What a peer sent, with who it was. The payload is the peer's own text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RelayDown {
    /// The peer's client id.
    pub from: String,
    /// As sent.
    pub payload: Box<RawValue>,
}

/// A chat message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatDown {
    /// The room.
    #[serde(default)]
    pub room_id: String,
    /// The sender's client id.
    pub from: String,
    /// As sent.
    pub payload: Box<RawValue>,
    /// For feature `chat`: unique in the room; the sender's own where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For feature `chat`: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// For feature `chat`: the sender's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For feature `chat`: the only member who gets it besides the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
