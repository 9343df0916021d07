//! One peer connection. The only module that names webrtc-rs.
//!
//! A task owns the connection. It takes [`PeerCommand`]s and emits
//! [`PeerEvent`]s. Encoded media flows from the queues of the local senders to
//! the connection, and from the connection to the receivers of this peer.

mod bandwidth;
mod candidates;
mod channel;
mod clock;
mod connection;
mod context;
mod continuity;
mod counters;
mod engine;
mod event;
mod feedback;
mod first_picture;
mod frame_timing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod interceptor;
mod layers;
mod negotiation;
mod payload_types;
mod receiving;
mod remote_reports;
mod router;
mod rtx;
mod runtime;
mod sdp;
mod send;
mod sender_reports;
mod sending;
mod task;
#[cfg(test)]
mod tests;
mod traffic;
mod transceivers;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use visavis_media::audio::AudioReceiver;
use visavis_media::video::VideoReceiver;
use visavis_protocol::{Description, Grants, IceCandidate, IceServer, PeerMessage, TrackSource};

use crate::command::Media;
use crate::state::bandwidth::Estimate;
use crate::state::demand::Layers;
use crate::statistics::{CandidatePair, InboundTrack, OutboundTrack};
use crate::view::PeerConnectionState;
use context::{PeerContext, Publisher};
use task::PeerTask;

pub(crate) use engine::needs_tcp;
pub(crate) use remote_reports::RemoteReports;

/// Commands queued for a peer. When the queue is full, `send` waits and
/// `try_send` fails. A peer that waits to emit an event takes no commands, so
/// the task that reads the events must use `try_send`, or it can deadlock. Setting a
/// description takes tens of milliseconds, during which the candidates of a whole
/// peer may come at once: a host with many interfaces and TURN servers has hundreds.
const COMMANDS_CAPACITY: usize = 1_024;

/// Configuration of a peer connection.
#[derive(Debug, Clone)]
pub(crate) struct PeerConfig {
    /// STUN and TURN servers to gather candidates with.
    pub ice_servers: Vec<IceServer>,
    /// Gathers relayed candidates only.
    pub relay_only: bool,
    /// First in our offers, and sent where the remote peer supports it.
    pub preferred_codec: visavis_media::VideoCodec,
}

/// Identifies a link of this call, from 1. A participant gets a new link when the
/// first one cannot be repaired; the number tells late events of the old one apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub u64);

/// Commands to a peer connection. They run in order, one at a time.
#[derive(Debug, Clone)]
pub(crate) enum PeerCommand {
    /// Creates an offer and sets it as the local description. Answered by
    /// [`PeerEvent::LocalDescription`] or [`PeerEvent::NegotiationFailed`].
    MakeOffer {
        /// Uses new ICE credentials (RFC 8445, section 2.4).
        ice_restart: bool,
    },
    /// Sets a remote offer, creates an answer and sets it. Answered by
    /// [`PeerEvent::LocalDescription`] or [`PeerEvent::NegotiationFailed`].
    AcceptOffer {
        /// SDP.
        sdp: String,
        /// Rolls back our pending offer first (RFC 9429, section 4.1.10.2).
        rollback: bool,
        /// Whether the offer may begin a new DTLS association: with a fingerprint
        /// that differs from the one in use, it replaces this connection.
        may_replace: bool,
    },
    /// Sets the answer to our pending offer. Answered by
    /// [`PeerEvent::AnswerAccepted`] or [`PeerEvent::NegotiationFailed`].
    AcceptAnswer {
        /// SDP.
        sdp: String,
    },
    /// Adds a remote candidate. It is buffered until a remote description is set.
    AddCandidate(IceCandidate),
    /// Sets what the two sides may publish; at first everything. Media of other
    /// sources is neither sent nor decoded.
    SetGrants {
        /// What the local user may publish.
        local: Grants,
        /// What the remote participant may publish.
        remote: Grants,
    },
    /// Sets the layer that the remote peer gets of each video track; at first the full
    /// size. A track without a layer is not sent.
    SetLayers(Layers),
    /// Sets the remote tracks that are hidden; at first none. They are not decoded.
    SetHidden(Vec<TrackSource>),
    /// Sets the STUN and TURN servers for the next gathering on new sockets: the first, or
    /// that of the next ICE restart.
    SetIceServers(Vec<IceServer>),
    /// Sends a message over the data channel. Without an open channel it is dropped.
    Send(Box<PeerMessage>),
}

/// Events of a peer connection.
#[derive(Debug, Clone)]
pub(crate) enum PeerEvent {
    /// A local description was set and must be sent to the remote peer.
    LocalDescription(Description),
    /// A local candidate was gathered. An empty one ends the candidates.
    LocalCandidate(IceCandidate),
    /// The remote answer was set; the signalling state is stable.
    AnswerAccepted,
    /// A description was rejected or could not be created. Media that was
    /// negotiated before continues.
    NegotiationFailed {
        /// For logs; contains no SDP.
        reason: String,
    },
    /// The remote offer has no section for a track that we send, or leaves out the
    /// data channel: an offer of ours must follow.
    NegotiationNeeded,
    /// The sources whose section was negotiated without a common codec; all of them,
    /// after each negotiation in which they changed.
    NoCommonCodec(Vec<TrackSource>),
    /// The first negotiation with a track of this source created its receiver.
    ReceiverAdded(TrackSource, Receiver),
    /// The connection state changed. `Failed` can be repaired by an ICE restart,
    /// `Closed` only by a new connection.
    Connection(PeerConnectionState),
    /// What the link carries, at most ten times a second.
    Bandwidth(Estimate),
    /// The data channel is open.
    ChannelOpen,
    /// The data channel of a connected link delivers nothing, or delivers again.
    ChannelStalled(bool),
    /// A message arrived on the data channel.
    Message(Box<PeerMessage>),
}

/// Statistics of one peer connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransportStatistics {
    /// What is sent, by the source of the track.
    pub tracks: HashMap<TrackSource, OutboundTrack>,
    /// Feedback about what is received, by the source of the track.
    pub received: HashMap<TrackSource, InboundTrack>,
    /// The selected candidate pair.
    pub candidate_pair: Option<CandidatePair>,
    /// The peer's clock less ours, in milliseconds.
    pub clock_offset_ms: Option<f64>,
    /// Round-trip time of the selected candidate pair, in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// What the link carries.
    pub bandwidth: Estimate,
}

/// The receiver of one remote track.
#[derive(Clone)]
pub(crate) enum Receiver {
    /// Part of the playout mix.
    Audio(Arc<AudioReceiver>),
    Video(Arc<VideoReceiver>),
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio(_) => "Audio",
            Self::Video(_) => "Video",
        })
    }
}

/// Handle of a peer connection. Dropping it ends the connection.
pub(crate) struct PeerHandle {
    /// Commands, run in order.
    pub commands: mpsc::Sender<PeerCommand>,
    /// Updated once a second.
    pub statistics: watch::Receiver<TransportStatistics>,
    /// The remote peer's sender reports.
    pub reports: Arc<RemoteReports>,
}

/// Spawns the task of a peer connection and returns at once. Failures arrive as
/// events. The task ends when `cancel` is cancelled, without an event, or when
/// the handle is dropped, with [`PeerConnectionState::Closed`]. Closing takes at
/// most 2 s.
pub(crate) fn spawn(
    link: LinkId,
    config: PeerConfig,
    media: &Media,
    events: mpsc::Sender<(LinkId, PeerEvent)>,
    cancel: CancellationToken,
    tasks: &TaskTracker,
) -> PeerHandle {
    let publishers = HashMap::from([
        (
            TrackSource::Microphone,
            Publisher::Audio(media.audio.clone()),
        ),
        (TrackSource::Camera, Publisher::Video(media.video.clone())),
        (
            TrackSource::ScreenShare,
            Publisher::Video(media.screen.clone()),
        ),
    ]);
    let context = PeerContext::new(config, publishers, media.playout.clone(), tasks.clone());
    start(link, context, events, cancel)
}

fn start(
    link: LinkId,
    context: PeerContext,
    events: mpsc::Sender<(LinkId, PeerEvent)>,
    cancel: CancellationToken,
) -> PeerHandle {
    let (commands, receiver) = mpsc::channel(COMMANDS_CAPACITY);
    let (figures, statistics) = watch::channel(TransportStatistics::default());
    let (tasks, reports) = (context.tasks.clone(), context.reports.clone());
    let span = tracing::info_span!("peer", link = link.0);
    let task = PeerTask {
        link,
        context: Arc::new(context),
        events,
        statistics: figures,
        cancel,
    };
    tasks.spawn(task.run(receiver).instrument(span));
    PeerHandle {
        commands,
        statistics,
        reports,
    }
}
