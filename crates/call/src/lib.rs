//! The call engine. Its interface is a [`CallHandle`] that takes commands and
//! gives a [`CallView`], events and statistics.
//!
//! [`Call::start`] joins a room through a signalling server and keeps a peer
//! connection with every other member (a mesh). It sends what [`Media`]
//! captures, encoded once per codec for all peers. The plain room protocol
//! suffices; protocol extensions are used where the server announces them.
//!
//! Modules: `state` holds the pure state machines, `task` runs them and performs
//! their effects, `signalling` is the connection to the server, and `peer` is the
//! only module that names webrtc-rs.

mod call;
mod command;
mod event;
mod lip_sync;
mod lobby;
mod network;
mod outputs;
mod peer;
mod rtp;
mod signalling;
mod state;
mod statistics;
mod task;
mod time;
mod view;

pub use call::{Call, CallHandle, StartError};
pub use command::{CallCommand, CallConfig, Media, RoomChoice, ShownTrack, ShownVideo, VideoSize};
pub use event::CallEvent;
pub use lobby::{Lobby, LobbyError};
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use peer::fuzzing;
pub use signalling::NotAServer;
pub use statistics::{
    CandidatePair, InboundTrack, OutboundTrack, PeerStatistics, QualityLimitationReason, Statistics,
};
pub use view::{
    CallPhase, CallView, ChatView, ConnectionQuality, EndReason, LinkProblem, MutedByHost,
    ParticipantView, PeerConnectionState, QualityCause, QualityView, RoomView, TrackView,
};
