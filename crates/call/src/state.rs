//! The engine's decisions: pure, with time as an argument. Names no runtime,
//! no thread, no clock and no WebRTC library.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub(crate) mod call;
pub(crate) mod chat;
pub(crate) mod negotiation;
pub(crate) mod quality;
pub(crate) mod remote;
pub(crate) mod session;
pub(crate) mod speaking;

use std::time::Instant;

use visavis_protocol::{ClientMessage, IceServer, ServerMessage};

use crate::command::CallCommand;
use crate::event::CallEvent;
use crate::peer::{PeerCommand, PeerEvent, PeerKey};

/// The time at which something is handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// For people: milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

/// What the engine waits for.
#[derive(Debug)]
pub(crate) enum Input {
    /// The local user asks.
    Command(CallCommand),
    /// The server says.
    Signal(Box<ServerMessage>),
    /// The server's socket is gone, or was never reached.
    SignalClosed,
    /// A peer connection says.
    Peer(PeerKey, PeerEvent),
    /// A picture of a peer is there, or is no longer.
    Picture {
        /// Whose.
        key: PeerKey,
        /// Whether it is there.
        shown: bool,
    },
    /// What is really captured.
    Local {
        /// Sound.
        microphone: bool,
        /// Pictures.
        camera: bool,
    },
    /// Loudness, by client id; ours under our own.
    Levels(Vec<(String, f32)>),
    /// A second went by; the worst loss that peers reported in it, in percent.
    Second {
        /// None where no report came.
        worst_loss_percent: Option<f32>,
    },
    /// [`call::CallState::next_deadline`] has come.
    Deadline,
}

/// What the engine is to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Connect to the server; an earlier connection is given up.
    Connect,
    /// Say to the server.
    Send(ClientMessage),
    /// Make a peer connection.
    Spawn {
        /// Its name.
        key: PeerKey,
        /// What the server gave, besides the configured ones.
        ice_servers: Vec<IceServer>,
    },
    /// Tell a peer connection.
    Peer(PeerKey, PeerCommand),
    /// End a peer connection.
    Close(PeerKey),
    /// Forget what was received of a track that its sender muted.
    Forget {
        /// Whose.
        key: PeerKey,
        /// Its pictures; otherwise its sound.
        pictures: bool,
    },
    /// Mute or unmute the local sound.
    MuteMicrophone(bool),
    /// Mute or unmute the local pictures.
    MuteCamera(bool),
    /// The share of the full picture rate to send, 0.05 to 1.
    ScaleBitrate(f32),
    /// Tell the user of the engine.
    Emit(CallEvent),
}
