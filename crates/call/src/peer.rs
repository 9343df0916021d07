//! One peer connection. The only module that names webrtc-rs.
//!
//! A task owns the connection: commands go in, events come out, media flows
//! between the queues of the local media and the receivers of this peer.

use visavis_media::audio::AudioReceiver;
use visavis_media::video::VideoReceiver;
use visavis_protocol::{Description, IceCandidate, IceServer, PeerMessage};

use crate::view::PeerConnectionState;

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
    /// On the selected candidate pair.
    pub round_trip_ms: Option<f32>,
}
