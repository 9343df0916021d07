//! One peer connection. The only module that names webrtc-rs.
//!
//! A task owns the connection: commands go in, events come out, media flows
//! between the queues of the local media and the receivers of this peer.

mod channel;
mod connection;
mod engine;
mod feedback;
mod negotiation;
mod receive;
mod rtx;
mod runtime;
mod sdp;
mod send;
mod signal;
mod tap;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use visavis_media::audio::AudioReceiver;
use visavis_media::video::VideoReceiver;
use visavis_protocol::{Description, IceCandidate, IceServer, PeerMessage};

use crate::command::Media;
use crate::view::PeerConnectionState;
use connection::Parts;
use task::PeerTask;

/// Commands waiting for a peer: 64; when full the sender waits. A peer that
/// waits for room among the events takes no commands: whoever takes the events
/// must not wait here without taking them.
const COMMANDS_CAPACITY: usize = 64;

/// How to make a peer connection.
#[derive(Debug, Clone)]
pub(crate) struct PeerConfig {
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// Only relayed candidates.
    pub relay_only: bool,
    /// Offered first.
    pub preferred_codec: visavis_media::VideoCodec,
}

/// Names a connection: a member may get a second one after the first failed,
/// and events of the old one are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PeerKey {
    /// Client id.
    pub member: String,
    /// Counts the connections of this call.
    pub generation: u64,
}

/// What the engine asks of a peer connection. Carried out in order, one at a time.
#[derive(Debug, Clone)]
pub(crate) enum PeerCommand {
    /// Make an offer and set it; answered by [`PeerEvent::LocalDescription`].
    MakeOffer {
        /// With new ICE credentials (RFC 8445, section 2.4).
        ice_restart: bool,
    },
    /// Take an offer, answer it and set the answer; answered by [`PeerEvent::LocalDescription`].
    AcceptOffer {
        /// SDP.
        sdp: String,
        /// Take back our own pending offer first.
        rollback: bool,
    },
    /// Take the answer to our pending offer.
    AcceptAnswer {
        /// SDP.
        sdp: String,
    },
    /// A candidate of the other side; held until its description is there.
    AddCandidate(IceCandidate),
    /// A message over the data channel; dropped where there is no open one.
    Send(Box<PeerMessage>),
}

/// What a peer connection says.
#[derive(Debug, Clone)]
pub(crate) enum PeerEvent {
    /// Ours was set; the other side is to get it.
    LocalDescription(Description),
    /// A candidate of ours; an empty one ends them.
    LocalCandidate(IceCandidate),
    /// The answer of the other side was taken: stable again.
    AnswerAccepted,
    /// A description was refused or could not be made; the connection is as before.
    NegotiationFailed {
        /// For logs: never contains SDP.
        reason: String,
    },
    /// The connection changed.
    Connection(PeerConnectionState),
    /// The data channel is open.
    ChannelOpen,
    /// A message over the data channel.
    Message(Box<PeerMessage>),
}

/// The network's figures of one peer connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransportStatistics {
    /// RTP payload bytes sent.
    pub bytes_sent: u64,
    /// Encoded pictures sent.
    pub frames_sent: u64,
    /// From the newest receiver report about our pictures, in percent (RFC 3550, section 6.4).
    pub remote_loss_percent: f32,
    /// Receiver reports about our pictures so far.
    pub reports: u64,
    /// On the selected candidate pair.
    pub round_trip_ms: Option<f32>,
}

/// A peer connection's other end.
pub(crate) struct PeerHandle {
    /// Carried out in order.
    pub commands: mpsc::Sender<PeerCommand>,
    /// The other side's pictures.
    pub video: Arc<VideoReceiver>,
    /// The other side's sound, in the mix.
    pub audio: Arc<AudioReceiver>,
    /// Renewed once a second.
    pub statistics: watch::Receiver<TransportStatistics>,
}

/// Makes a peer connection. Returns at once: what fails arrives as an event.
/// It ends with `cancel`, within 2 s, without an event; and with its handle.
pub(crate) fn spawn(
    key: PeerKey,
    config: PeerConfig,
    media: &Media,
    events: mpsc::Sender<(PeerKey, PeerEvent)>,
    cancel: CancellationToken,
    tasks: &TaskTracker,
) -> PeerHandle {
    let (commands, receiver) = mpsc::channel(COMMANDS_CAPACITY);
    let (figures, statistics) = watch::channel(TransportStatistics::default());
    let key_frame_needed = Arc::new(Notify::new());
    let needed = key_frame_needed.clone();
    let video = Arc::new(VideoReceiver::new(move || needed.notify_one()));
    let audio = Arc::new(media.playout.add());
    let parts = Parts {
        config,
        video_sender: media.video.clone(),
        audio_sender: media.audio.clone(),
        video: video.clone(),
        audio: audio.clone(),
        key_frame_needed,
        counters: Arc::default(),
        tasks: tasks.clone(),
    };
    let span = tracing::info_span!("peer", generation = key.generation);
    let task = PeerTask {
        key,
        parts: Arc::new(parts),
        events,
        statistics: figures,
        cancel,
    };
    tasks.spawn(task.run(receiver).instrument(span));
    PeerHandle {
        commands,
        video,
        audio,
        statistics,
    }
}
