//! The engine's state machines. They are pure: time is an argument, and they
//! name no runtime, thread, clock, random generator or WebRTC library.
//! [`Input`]s go in, [`Effect`]s come out; `task` performs the effects.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub(crate) mod allocation;
pub(crate) mod bandwidth;
pub(crate) mod call;
pub(crate) mod chat;
pub(crate) mod clock_offset;
pub(crate) mod demand;
pub(crate) mod link;
pub(crate) mod negotiation;
pub(crate) mod participant;
pub(crate) mod quality;
pub(crate) mod route;
pub(crate) mod session;

use std::time::Instant;

use visavis_protocol::{ClientMessage, IceServer, ServerMessage, TrackSource};

use crate::command::{CallCommand, VideoSize};
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand, PeerEvent};
use crate::state::allocation::EncoderRate;
use crate::state::quality::Sample;

/// The time at which an input is handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Monotonic time, for deadlines.
    pub instant: Instant,
    /// Wall-clock time in milliseconds since the Unix epoch, for display.
    pub unix_ms: u64,
}

/// Inputs of the engine.
#[derive(Debug)]
pub(crate) enum Input {
    /// A command of the local user.
    Command(CallCommand),
    /// A message of the server.
    ServerMessage(Box<ServerMessage>),
    /// The signalling connection closed, broke or could not be opened.
    SignallingClosed,
    /// An event of a peer connection.
    Peer(LinkId, PeerEvent),
    /// The first decoded frame of a track arrived, or its frames were cleared.
    FrameAvailability {
        /// The link that receives the track.
        link: LinkId,
        /// The track's source.
        source: TrackSource,
        /// Whether there is a frame to draw.
        available: bool,
    },
    /// The capture state of a local device changed.
    CaptureChanged {
        /// What the device captures.
        source: TrackSource,
        /// Whether it is capturing.
        live: bool,
        /// The size of the frames that are captured.
        size: Option<VideoSize>,
    },
    /// Voice activity of the microphones.
    VoiceActivity {
        /// The local user's, muted or not.
        local: bool,
        /// The remote participants', by link.
        remote: Vec<(LinkId, bool)>,
    },
    /// One second passed.
    SecondElapsed,
    /// What was measured of the connected links in the last second.
    Measured(Vec<(LinkId, Sample)>),
    /// The addresses of this machine changed, or it was suspended.
    NetworkChanged {
        /// Whether sockets may have died: an address is gone, or time has passed
        /// in which nothing was sent.
        broken: bool,
    },
    /// The time of [`call::CallState::next_deadline`] was reached.
    Deadline,
}

/// Effects that the engine requests.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Connect to the server. Events of an earlier connection are ignored.
    Connect,
    /// Send a message to the server.
    Send(ClientMessage),
    /// Create a peer connection.
    Spawn {
        /// Its link.
        link: LinkId,
        /// The id of the remote participant in views and events.
        participant: String,
        /// The server's ICE servers, used besides the configured ones.
        ice_servers: Vec<IceServer>,
        /// The volume of its sound, in percent.
        volume: u8,
    },
    /// Set the volume of the sound that a link receives, in percent.
    SetVolume {
        /// The link.
        link: LinkId,
        /// At most [`participant::MAX_VOLUME`].
        volume: u8,
    },
    /// Send a command to a peer connection.
    Peer(LinkId, PeerCommand),
    /// Use other ICE servers for a peer connection from its next ICE restart on.
    SetIceServers {
        /// Its link.
        link: LinkId,
        /// The server's ICE servers, used besides the configured ones.
        ice_servers: Vec<IceServer>,
    },
    /// Close a peer connection.
    Close(LinkId),
    /// Clear the receiver of a track that its sender muted, so that neither its
    /// last frame is shown nor its audio concealed.
    ClearReceived {
        /// The link that receives the track.
        link: LinkId,
        /// The track's source.
        source: TrackSource,
    },
    /// Mute or unmute a local source.
    Mute {
        /// The source.
        source: TrackSource,
        /// Whether to mute it.
        muted: bool,
    },
    /// Set the target of one encoder of video.
    SetEncoder(EncoderRate),
    /// Emit an event to the users of the call's handle.
    Emit(CallEvent),
}
