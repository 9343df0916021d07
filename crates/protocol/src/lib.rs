//! The wire of Visavis: what clients and the room service say to each other,
//! and what peers say over their data channel. Serialisation only: no network,
//! no clock, no randomness.
//!
//! [`ClientMessage`] goes up, [`ServerMessage`] comes down, [`PeerMessage`]
//! travels between peers. A receiver ignores fields it does not know; a client
//! also ignores message types it does not know, a server answers them with
//! [`ErrorCode::UnknownType`].

mod chat;
mod client;
mod control;
mod error;
mod feature;
mod ice_server;
pub mod limits;
mod link;
mod member;
mod parse;
mod peer;
mod quality;
mod reaction;
mod relay;
mod request;
mod room;
mod server;
pub mod token;
mod waiting;

pub use chat::{ChatBody, ChatEntry};
pub use client::{
    AtMember, AtRoom, ChatUp, ClientMessage, Envelope, ReactionUp, Rejected, RelayUp,
    ReportQuality, ToRoom, UpdateMember,
};
pub use control::{
    ClosedReason, MemberRemoved, MuteDown, MuteSource, MuteUp, RemovedReason, RoomClosed,
    RoomUpdated, UpdatedRoom,
};
pub use error::{CloseCode, ErrorCode, ErrorMessage};
pub use feature::{Feature, Features};
pub use ice_server::{IceServer, ParseIceServerError};
pub use link::{RoomLink, RoomLinkError};
pub use member::{
    Grants, Member, MemberConnection, MemberPatch, Role, Track, TrackSource, TrackState,
};
pub use parse::{ParseError, RequestId};
pub use peer::{Hello, PEER_CHANNEL_LABEL, PEER_PROTOCOL, PeerChat, PeerMessage, PeerPayload};
pub use quality::{PeerQuality, QualityReport};
pub use reaction::{ReactionBody, ReactionDown};
pub use relay::{Description, DescriptionKind, IceCandidate, RelayKind};
pub use request::{CreateRoom, GetRoom, JoinRoom, LeaveRoom, ListRooms, Request, Resume};
pub use room::{CreatedRoom, JoinedRoom, ListedRoom, Metadata, RoomInfo, RoomKind, RoomState};
pub use server::{
    ChatDown, Entered, MemberJoined, MemberLeft, MemberUpdated, PROTOCOL, RelayDown, RoomCreated,
    RoomInfoMessage, RoomJoined, RoomsList, ServerMessage, Welcome,
};
pub use waiting::{JoinRequest, JoinWaiting, WaitReason};
