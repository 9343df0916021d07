//! The figures of each track, with the names of W3C webrtc-stats. Times are in
//! seconds, as there.

use serde::Serialize;
use visavis_call::{InboundTrack, OutboundTrack, PeerStatistics, QualityLimitationReason};
use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;
use visavis_protocol::TrackSource;

/// What is sent, by source.
#[derive(Debug, Serialize)]
pub struct Outbound {
    pub microphone: OutboundAudio,
    pub camera: OutboundVideo,
    pub screen_share: OutboundVideo,
}

/// `RTCOutboundRtpStreamStats`, with `RTCRemoteInboundRtpStreamStats` in `remote`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboundAudio {
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub total_packet_send_delay: f64,
    pub nack_count: u64,
    pub retransmitted_packets_sent: u64,
    pub retransmitted_bytes_sent: u64,
    pub remote: Remote,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboundVideo {
    #[serde(flatten)]
    pub common: OutboundAudio,
    pub frames_sent: u64,
    pub key_frames_sent: u64,
    pub total_encode_time: f64,
    pub pli_count: u64,
    pub fir_count: u64,
    pub target_bitrate: u64,
    pub quality_limitation_reason: QualityLimitationReason,
}

/// What the peer reports.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    pub fraction_lost: f64,
    pub packets_lost: i64,
    pub jitter: f64,
}

/// What is received, by source.
#[derive(Debug, Serialize)]
pub struct Inbound {
    pub microphone: InboundAudio,
    pub camera: InboundVideo,
    pub screen_share: InboundVideo,
}

/// `RTCInboundRtpStreamStats` of any kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundCommon {
    pub packets_received: u64,
    pub packets_lost: u64,
    pub bytes_received: u64,
    pub jitter: f64,
    pub nack_count: u64,
    pub retransmitted_packets_received: u64,
    pub retransmitted_bytes_received: u64,
    pub jitter_buffer_delay: f64,
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_emitted_count: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundAudio {
    #[serde(flatten)]
    pub common: InboundCommon,
    pub fec_packets_received: u64,
    pub fec_packets_discarded: u64,
    pub concealed_samples: u64,
    pub silent_concealed_samples: u64,
    pub concealment_events: u64,
    pub inserted_samples_for_deceleration: u64,
    pub removed_samples_for_acceleration: u64,
    pub total_samples_received: u64,
    pub total_audio_energy: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundVideo {
    #[serde(flatten)]
    pub common: InboundCommon,
    pub pli_count: u64,
    pub frame_width: u32,
    pub frame_height: u32,
    pub frames_received: u64,
    pub frames_decoded: u64,
    pub key_frames_decoded: u64,
    pub frames_rendered: u64,
    pub frames_dropped: u64,
    pub freeze_count: u64,
    pub total_freezes_duration: f64,
    pub pause_count: u64,
    pub total_pauses_duration: f64,
    pub total_inter_frame_delay: f64,
    pub total_squared_inter_frame_delay: f64,
    pub total_decode_time: f64,
    pub total_processing_delay: f64,
    pub jitter_buffer_minimum_delay: f64,
}

impl Outbound {
    pub fn new(statistics: &PeerStatistics) -> Self {
        let of = |source| statistics.outbound.get(&source).copied();
        let of = |source| of(source).unwrap_or_default();
        Self {
            microphone: outbound(&of(TrackSource::Microphone)),
            camera: outbound_video(&of(TrackSource::Camera)),
            screen_share: outbound_video(&of(TrackSource::ScreenShare)),
        }
    }
}

impl Inbound {
    pub fn new(statistics: &PeerStatistics) -> Self {
        let of = |source| statistics.inbound.get(&source).copied();
        let of = |source| of(source).unwrap_or_default();
        Self {
            microphone: inbound_audio(&of(TrackSource::Microphone), &statistics.audio),
            camera: inbound_video(&of(TrackSource::Camera), &statistics.video),
            screen_share: inbound_video(&of(TrackSource::ScreenShare), &statistics.screen),
        }
    }
}

fn outbound(track: &OutboundTrack) -> OutboundAudio {
    OutboundAudio {
        packets_sent: track.packets,
        bytes_sent: track.bytes + track.retransmitted_bytes,
        total_packet_send_delay: track.total_packet_send_delay.as_secs_f64(),
        nack_count: track.nack_count,
        retransmitted_packets_sent: track.retransmitted_packets,
        retransmitted_bytes_sent: track.retransmitted_bytes,
        remote: Remote {
            fraction_lost: f64::from(track.remote_loss_percent) / 100.0,
            packets_lost: track.remote_packets_lost,
            jitter: f64::from(track.remote_jitter_ms) / 1_000.0,
        },
    }
}

fn outbound_video(track: &OutboundTrack) -> OutboundVideo {
    OutboundVideo {
        common: outbound(track),
        frames_sent: track.frames,
        key_frames_sent: track.key_frames,
        total_encode_time: track.total_encode_time.as_secs_f64(),
        pli_count: track.pli_count,
        fir_count: track.fir_count,
        target_bitrate: track.target_bitrate,
        quality_limitation_reason: track.quality_limitation_reason,
    }
}

fn inbound_audio(track: &InboundTrack, audio: &AudioReceiveStats) -> InboundAudio {
    InboundAudio {
        common: InboundCommon {
            packets_received: audio.packets_received,
            packets_lost: audio.packets_lost,
            bytes_received: audio.bytes_received,
            jitter: f64::from(audio.jitter_ms) / 1_000.0,
            nack_count: track.nack_count,
            retransmitted_packets_received: track.retransmitted_packets,
            retransmitted_bytes_received: track.retransmitted_bytes,
            jitter_buffer_delay: audio.jitter_buffer_delay_seconds,
            jitter_buffer_target_delay: audio.jitter_buffer_target_delay_seconds,
            jitter_buffer_emitted_count: audio.emitted_samples,
        },
        fec_packets_received: audio.fec_packets_received,
        fec_packets_discarded: audio
            .fec_packets_received
            .saturating_sub(audio.fec_packets_used),
        concealed_samples: audio.concealed_samples,
        silent_concealed_samples: audio.silent_concealed_samples,
        concealment_events: audio.concealment_events,
        inserted_samples_for_deceleration: audio.inserted_samples,
        removed_samples_for_acceleration: audio.removed_samples,
        total_samples_received: audio.total_samples_played,
        total_audio_energy: audio.total_energy,
    }
}

fn inbound_video(track: &InboundTrack, video: &VideoReceiveStats) -> InboundVideo {
    InboundVideo {
        common: InboundCommon {
            packets_received: video.packets_received,
            packets_lost: video.packets_lost,
            bytes_received: video.bytes_received,
            jitter: f64::from(video.jitter_ms) / 1_000.0,
            nack_count: track.nack_count,
            retransmitted_packets_received: track.retransmitted_packets,
            retransmitted_bytes_received: track.retransmitted_bytes,
            jitter_buffer_delay: video.jitter_buffer_delay.as_secs_f64(),
            jitter_buffer_target_delay: video.jitter_buffer_target_delay.as_secs_f64(),
            jitter_buffer_emitted_count: video.jitter_buffer_emitted_count,
        },
        pli_count: track.pli_count,
        frame_width: video.width,
        frame_height: video.height,
        frames_received: video.frames_received,
        frames_decoded: video.frames_decoded,
        key_frames_decoded: video.key_frames_decoded,
        frames_rendered: video.frames_rendered,
        frames_dropped: video.frames_dropped,
        freeze_count: video.freezes,
        total_freezes_duration: video.freeze_ms as f64 / 1_000.0,
        pause_count: video.pauses,
        total_pauses_duration: video.total_pauses_duration.as_secs_f64(),
        total_inter_frame_delay: video.total_inter_frame_delay.as_secs_f64(),
        total_squared_inter_frame_delay: video.total_squared_inter_frame_delay,
        total_decode_time: video.total_decode_time.as_secs_f64(),
        total_processing_delay: video.total_processing_delay.as_secs_f64(),
        jitter_buffer_minimum_delay: video.jitter_buffer_minimum_delay.as_secs_f64(),
    }
}
