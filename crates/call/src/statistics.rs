//! Statistics of a call, named and defined as in W3C webrtc-stats where it has the
//! figure. `docs/statistics.md` describes them all.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;
use visavis_protocol::TrackSource;

use crate::view::QualityView;

/// The statistics of every peer.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// In the order of joining.
    pub peers: Vec<PeerStatistics>,
}

/// The statistics of one peer. Counters start at zero with each new connection.
#[derive(Debug, Clone, Default)]
pub struct PeerStatistics {
    /// Client id.
    pub member: String,
    /// RTP payload bytes sent, audio and video.
    pub bytes_sent: u64,
    /// Encoded video frames sent to this peer.
    pub frames_sent: u64,
    /// Loss of our video in the peer's newest report, in percent (RFC 3550, section
    /// 6.4.1).
    pub remote_loss_percent: f32,
    /// Round-trip time of the selected candidate pair, in milliseconds, or of RTCP where
    /// the pair has none.
    pub round_trip_ms: Option<f32>,
    /// Estimate of what the link carries from here to the peer, in bits per second (W3C
    /// `availableOutgoingBitrate`).
    pub available_bits_per_second: u64,
    /// Bit rate that the video to this peer is encoded at, in bits per second (W3C
    /// `targetBitrate`); 0 while its link is too narrow for video.
    pub video_bits_per_second: u64,
    /// The peer's clock less ours, in milliseconds, as its clock-pongs say.
    pub clock_offset_ms: Option<f64>,
    /// How well the peer is received, as in the view.
    pub quality: Option<QualityView>,
    /// The candidate pair in use.
    pub candidate_pair: Option<CandidatePair>,
    /// What is sent of each of our tracks.
    pub outbound: HashMap<TrackSource, OutboundTrack>,
    /// Feedback and retransmissions of each received track.
    pub inbound: HashMap<TrackSource, InboundTrack>,
    /// Statistics of the received camera.
    pub video: VideoReceiveStats,
    /// Statistics of the received screen.
    pub screen: VideoReceiveStats,
    /// Statistics of the received audio.
    pub audio: AudioReceiveStats,
}

/// The selected candidate pair (W3C `RTCIceCandidatePairStats`), without addresses.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidatePair {
    /// `candidateType` of the local candidate: host, srflx, prflx or relay.
    pub local_candidate_type: String,
    /// `candidateType` of the remote candidate.
    pub remote_candidate_type: String,
    /// `protocol` of the local candidate: udp or tcp.
    pub protocol: String,
    /// In seconds; absent before the first response.
    pub current_round_trip_time: Option<f64>,
    /// In seconds; divided by `responses_received`, the mean.
    pub total_round_trip_time: f64,
    /// Responses to connectivity checks.
    pub responses_received: u64,
}

/// What one peer gets of one of our tracks (W3C `RTCOutboundRtpStreamStats`), and what
/// it reports about it (`RTCRemoteInboundRtpStreamStats`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OutboundTrack {
    /// Packets sent, retransmissions included.
    pub packets: u64,
    /// RTP payload bytes of media sent, without retransmissions.
    pub bytes: u64,
    /// Encoded video frames sent; 0 for audio.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Sum of the encode times of these frames (W3C `totalEncodeTime`).
    pub total_encode_time: Duration,
    /// Sum of the times that packets waited in the pacer (W3C `totalPacketSendDelay`).
    pub total_packet_send_delay: Duration,
    /// NACK packets received.
    pub nack_count: u64,
    /// Picture loss indications received.
    pub pli_count: u64,
    /// Full intra requests received.
    pub fir_count: u64,
    /// Packets sent again.
    pub retransmitted_packets: u64,
    /// Payload bytes of these.
    pub retransmitted_bytes: u64,
    /// Fraction lost in the newest report block about the track, in percent
    /// (RFC 3550, section 6.4.1).
    pub remote_loss_percent: f32,
    /// Packets lost, as the peer reports; duplicates may make it negative.
    pub remote_packets_lost: i64,
    /// Interarrival jitter that the peer reports, in milliseconds.
    pub remote_jitter_ms: f32,
    /// Report blocks about the track so far.
    pub reports: u64,
    /// Bit rate that the track is encoded at, in bits per second; 0 while it is not
    /// sent, and for audio.
    pub target_bitrate: u64,
    /// Why the video is smaller or has a lower bit rate than its source allows.
    pub quality_limitation_reason: QualityLimitationReason,
}

/// Why video is not sent as good as its source allows (W3C
/// `RTCQualityLimitationReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QualityLimitationReason {
    /// It is not limited.
    #[default]
    None,
    /// Encoding takes longer than the interval between two frames.
    Cpu,
    /// The link to a peer carries less.
    Bandwidth,
}

/// What we asked a peer for of one of its tracks, and what it sent again (W3C
/// `RTCInboundRtpStreamStats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InboundTrack {
    /// NACK packets sent.
    pub nack_count: u64,
    /// Picture loss indications sent.
    pub pli_count: u64,
    /// Packets received on the RTX stream, those of bandwidth probes included.
    pub retransmitted_packets: u64,
    /// Payload bytes of these.
    pub retransmitted_bytes: u64,
}
