//! Wire types of Visavis: the signalling messages between client and server,
//! and the messages between peers on their data channel. Serialisation only: no
//! network, no clock, no randomness.
//!
//! A client sends [`ClientMessage`], the server sends [`ServerMessage`], and
//! peers exchange [`PeerMessage`]. A receiver ignores unknown fields. A client
//! also ignores unknown message types; the server answers them with
//! [`ErrorCode::UnknownType`].

pub mod breakout;
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
    AddressedToMember, AddressedToRoom, ClientChat, ClientMessage, ClientReaction, ClientRelay,
    Envelope, Rejected, ReportQuality, RoomMessage, UpdateMember,
};
pub use control::{
    ClientMute, ClosedReason, MemberRemoved, MuteSource, Recorder, RecorderKind, RemovedReason,
    RoomClosed, RoomUpdated, ServerMute, UpdatedRoom,
};
pub use error::{CloseCode, ErrorCode, ErrorMessage};
pub use feature::{Feature, Features};
pub use ice_server::{IceServer, ParseIceServerError};
pub use link::{JoinLink, LinkTarget, RoomLink, RoomLinkError};
pub use member::{
    Grants, Member, MemberConnection, MemberPatch, Role, Track, TrackSource, TrackState,
};
pub use parse::{ParseError, RequestId};
pub use peer::{
    Caption, ClockPing, ClockPong, Demand, DemandedTrack, FixedBytes, Hello, Identity,
    PEER_CHANNEL_LABEL, PEER_PROTOCOL, PeerChat, PeerMessage, PeerPayload, PeerRelay, Rejoined,
    RelayedMessage, Suspended, VerifyCommit, VerifyNonce, VerifyReveal,
};
pub use quality::{PeerQuality, QualityReport};
pub use reaction::{ReactionBody, ServerReaction};
pub use relay::{Description, DescriptionKind, IceCandidate, RelayKind};
pub use request::{
    CreateRoom, EgressCredentials, GetRoom, JoinRoom, LeaveRoom, ListPage, ListRooms, Request,
    Resume,
};
pub use room::{CreatedRoom, JoinedRoom, ListedRoom, Metadata, RoomInfo, RoomKind, RoomState};
pub use server::{
    Entered, MemberJoined, MemberLeft, MemberUpdated, MembersChanged, PROTOCOL, RenewedIceServers,
    RenewedToken, RoomCreated, RoomInfoMessage, RoomJoined, RoomPayload, RoomsList, ServerChat,
    ServerMessage, ServerRelay, Welcome,
};
pub use waiting::{JoinRequest, JoinWaiting, WaitReason};
