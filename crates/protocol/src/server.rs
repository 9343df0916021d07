//! Messages from the server to a client.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::parse::messages;
use crate::{
    CreatedRoom, ErrorMessage, Features, IceServer, JoinRequest, JoinWaiting, JoinedRoom,
    ListedRoom, Member, MemberRemoved, RequestId, RoomClosed, RoomInfo, RoomUpdated, ServerMute,
    ServerReaction,
};

/// The protocol version in [`Welcome`].
pub const PROTOCOL: u32 = 1;

messages! {
    /// A message from the server to a client.
    pub enum ServerMessage, pub fn parse {
        /// The first message on a connection: the client id and the features.
        "client-id" => ClientId(Welcome),
        /// The reply to `create-room`.
        "room-created" => RoomCreated(RoomCreated),
        /// The reply to `join-room`.
        "room-joined" => RoomJoined(RoomJoined),
        /// The reply to `resume`.
        "resumed" => Resumed(RoomJoined),
        /// A member joined; sent to the other members.
        "member-joined" => MemberJoined(MemberJoined),
        /// A member left; sent to the other members.
        "member-left" => MemberLeft(MemberLeft),
        /// A member changed; requires feature `members`.
        "member-updated" => MemberUpdated(MemberUpdated),
        /// Viewers of a large room came and went; requires feature `members`.
        "members-changed" => MembersChanged(MembersChanged),
        /// The reply to `list-rooms`.
        "rooms-list" => RoomsList(RoomsList),
        /// The reply to `get-room`.
        "room-info" => RoomInfo(RoomInfoMessage),
        /// An SDP offer from a member.
        "offer" => Offer(ServerRelay),
        /// An SDP answer from a member.
        "answer" => Answer(ServerRelay),
        /// An ICE candidate from a member.
        "ice-candidate" => IceCandidate(ServerRelay),
        /// An ICE candidate from a member, under the message's older name.
        "ice" => Ice(ServerRelay),
        /// A chat message; the sender gets its echo.
        "chat" => Chat(ServerChat),
        /// A member's reaction; requires feature `reactions`.
        "reaction" => Reaction(ServerReaction),
        /// The room's settings; requires feature `controls`.
        "room-updated" => RoomUpdated(RoomUpdated),
        /// The room closed; requires feature `controls`.
        "room-closed" => RoomClosed(RoomClosed),
        /// The receiver was removed; requires feature `controls`.
        "member-removed" => MemberRemoved(MemberRemoved),
        /// The receiver has to mute a track; requires feature `controls`.
        "mute-member" => MuteMember(ServerMute),
        /// The receiver's join waits; requires feature `waiting`.
        "join-waiting" => JoinWaiting(JoinWaiting),
        /// A client waits to be admitted; sent to hosts with feature `waiting`.
        "join-request" => JoinRequest(JoinRequest),
        /// New STUN and TURN servers; requires feature `ice`.
        "ice-servers" => IceServers(RoomPayload<RenewedIceServers>),
        /// A new access token; requires feature `controls`.
        "token-renewed" => TokenRenewed(RoomPayload<RenewedToken>),
        /// A request or message was refused.
        "error" => Error(ErrorMessage),
    }
}

/// The client id and the features of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The client id, a UUID.
    pub id: String,
    /// [`PROTOCOL`]; 0 when the server sends none.
    #[serde(default)]
    pub protocol: u32,
    /// The extensions that the server supports.
    #[serde(default)]
    pub features: Features,
}

/// The reply to `create-room`: the creator is a member.
pub type RoomCreated = Entered<CreatedRoom>;

/// The reply to `join-room` and `resume`: the client is a member.
pub type RoomJoined = Entered<JoinedRoom>;

/// The client is a member of a room.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entered<R> {
    /// The request's id, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room: R,
    /// The credential for `resume`; requires feature `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// STUN and TURN servers, for clients that requested any feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ice_servers: Option<Vec<IceServer>>,
    /// An opaque copy of the room's settings, encrypted by the server; requires
    /// feature `resume`. [`crate::JoinRoom::seal`] returns it to a server that
    /// lost the room in a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// A member joined. Clients with feature `members` get [`Self::member`] and
/// [`Self::count`], other clients get [`Self::participants`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberJoined {
    /// The room.
    pub room_id: String,
    /// The member's client id.
    pub member_id: String,
    /// All client ids in the room, in join order; absent for feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<String>>,
    /// The member object; requires feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// Number of participants after the change; requires feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// A member left. Clients with feature `members` get [`Self::count`], other
/// clients get [`Self::participants`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberLeft {
    /// The room.
    pub room_id: String,
    /// The member's client id.
    pub member_id: String,
    /// All client ids in the room, in join order; absent for feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<String>>,
    /// Number of participants after the change; requires feature `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// Viewers joined or left a room of more than
/// [`crate::limits::LARGE_ROOM_MEMBERS`]. The server collects these changes and
/// sends at most one message per [`crate::limits::MEMBERS_CHANGED_INTERVAL`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MembersChanged {
    /// The room.
    pub room_id: String,
    /// The viewers who joined.
    #[serde(default)]
    pub joined: Vec<Member>,
    /// Client ids of the viewers who left.
    #[serde(default)]
    pub left: Vec<String>,
    /// Number of participants after the change.
    pub count: u32,
}

/// A member changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberUpdated {
    /// The room.
    pub room_id: String,
    /// The member's client id.
    pub member_id: String,
    /// The complete member object.
    pub member: Member,
}

/// A message about a room, with its body in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomPayload<T> {
    /// The room.
    pub room_id: String,
    /// The body.
    pub payload: T,
}

/// STUN and TURN servers that replace the previous ones. The server sends them
/// after 75 % of the credentials' lifetime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewedIceServers {
    /// The complete list.
    pub ice_servers: Vec<IceServer>,
    /// When the credentials expire: RFC 3339, UTC.
    pub expires_at: String,
}

/// An access token that replaces the previous one, for rejoining. An expired
/// token does not end a running call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewedToken {
    /// A JWT of [`crate::token::Claims`].
    pub token: String,
    /// When the token expires: RFC 3339, UTC.
    pub expires_at: String,
}

/// The rooms that a client may list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomsList {
    /// The request's id, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The rooms.
    pub rooms: Vec<ListedRoom>,
}

/// One room, as a lobby shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfoMessage {
    /// The request's id, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room: RoomInfo,
}

/// A negotiation message from a member; the payload is the sender's text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerRelay {
    /// The sender's client id.
    pub from: String,
    /// The payload, unchanged.
    pub payload: Box<RawValue>,
}

/// A chat message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerChat {
    /// The room.
    #[serde(default)]
    pub room_id: String,
    /// The sender's client id.
    pub from: String,
    /// The payload, unchanged.
    pub payload: Box<RawValue>,
    /// The message id, unique in the room; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When the server received it: RFC 3339, UTC; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// The sender's display name; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A private message's recipient; requires feature `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
