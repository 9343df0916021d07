//! The call engine: one handle in, one [`CallView`] and events out.
//!
//! [`Call::start`] joins a room through its signalling server, keeps a mesh of
//! peer connections with everyone inside, and sends what [`Media`] captures,
//! encoded once however many peers there are. It needs nothing of a server
//! beyond the plain room protocol; what else the server offers it uses.
//!
//! Inside: `state` is pure and decides, `task` waits and performs, `signal`
//! talks to the server, `peer` is the only module that names webrtc-rs.

mod call;
mod command;
mod event;
mod lobby;
mod peer;
mod signal;
mod state;
mod task;
mod time;
mod view;

pub use call::{Call, CallHandle};
pub use command::{CallCommand, CallConfig, Media, RoomChoice};
pub use event::{CallEvent, PeerStatistics, Statistics};
pub use lobby::{Lobby, LobbyError};
pub use signal::NotAServer;
pub use view::{
    CallPhase, CallView, ChatView, EndReason, ParticipantView, PeerConnectionState, RoomView,
    TrackView,
};
