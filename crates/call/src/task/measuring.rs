//! What the task of a call measures once a second.

#[cfg(test)]
use std::time::Duration;

use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::{
    CaptureState, VideoReceiveStats, VideoSendStats, VideoSender, bitrate_for,
};
use visavis_protocol::TrackSource;

use super::Peer;
use crate::command::Media;
use crate::peer::Receiver;
use crate::state::demand::VIDEO;
use crate::statistics::{PeerStatistics, QualityLimitationReason};

/// An encoder is overloaded that needs more than this share of the time between two
/// frames: others of the process and the system need their part.
const OVERLOADED: f64 = 0.8;
/// Video is limited by bandwidth below this share of the bit rate that its size can
/// use: estimates vary.
const LIMITED: f64 = 0.9;

/// The readings of the second before.
#[derive(Default)]
pub(super) struct Measuring {
    encoded: [VideoSendStats; 2],
}

/// The state of the encoder of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoder {
    source: TrackSource,
    /// Bits per second; 0 while nothing is captured.
    target_bitrate: u64,
    is_overloaded: bool,
    is_below_source: bool,
}

impl Measuring {
    /// Reads the encoders of camera and screen, which share `bitrate`.
    pub(super) fn encoders(&mut self, media: &Media, bitrate: u64) -> [Encoder; 2] {
        let senders = [&media.video, &media.screen];
        let formats = senders.map(live);
        let live = formats.iter().flatten().count().max(1) as u64;
        std::array::from_fn(|index| {
            let now = senders[index].stats();
            let before = std::mem::replace(&mut self.encoded[index], now);
            let source = VIDEO[index];
            let Some((wanted, frames_per_second)) = formats[index] else {
                return Encoder {
                    source,
                    target_bitrate: 0,
                    is_overloaded: false,
                    is_below_source: false,
                };
            };
            let target_bitrate = (bitrate / live).min(wanted);
            Encoder {
                source,
                target_bitrate,
                is_overloaded: is_overloaded(&before, &now, frames_per_second),
                is_below_source: (target_bitrate as f64) < LIMITED * wanted as f64,
            }
        })
    }
}

/// The bit rate that a source can use, and its frames per second, while it captures.
fn live(sender: &VideoSender) -> Option<(u64, u32)> {
    match sender.state().get() {
        Some(CaptureState::Live(format)) => {
            let wanted = bitrate_for(format.width, format.height);
            Some((wanted.into(), format.frames_per_second))
        }
        _ => None,
    }
}

fn is_overloaded(before: &VideoSendStats, now: &VideoSendStats, frames_per_second: u32) -> bool {
    let frames = now.frames_encoded.saturating_sub(before.frames_encoded);
    let time = now
        .total_encode_time
        .saturating_sub(before.total_encode_time);
    let interval = 1.0 / f64::from(frames_per_second.max(1));
    frames > 0 && time.as_secs_f64() / frames as f64 > OVERLOADED * interval
}

/// The statistics of a peer.
pub(super) fn statistics(peer: &Peer, encoders: &[Encoder; 2]) -> PeerStatistics {
    let transport = peer.handle.statistics.borrow().clone();
    let mut outbound = transport.tracks;
    for encoder in encoders {
        let Some(track) = outbound.get_mut(&encoder.source) else {
            continue;
        };
        track.target_bitrate = if peer.is_video_paused {
            0
        } else {
            encoder.target_bitrate
        };
        track.quality_limitation_reason = if encoder.target_bitrate == 0 {
            QualityLimitationReason::None
        } else if encoder.is_overloaded {
            QualityLimitationReason::Cpu
        } else if encoder.is_below_source || peer.is_video_paused {
            QualityLimitationReason::Bandwidth
        } else {
            QualityLimitationReason::None
        };
    }
    let camera = outbound.get(&TrackSource::Camera).copied();
    let camera = camera.unwrap_or_default();
    let video = |source| match peer.receivers.get(&source) {
        Some(Receiver::Video(video)) => video.stats(),
        _ => VideoReceiveStats::default(),
    };
    let audio = match peer.receivers.get(&TrackSource::Microphone) {
        Some(Receiver::Audio(audio)) => audio.stats(),
        _ => AudioReceiveStats::default(),
    };
    PeerStatistics {
        member: peer.participant.clone(),
        bytes_sent: outbound.values().map(|track| track.bytes).sum(),
        frames_sent: camera.frames,
        remote_loss_percent: camera.remote_loss_percent,
        round_trip_ms: transport.round_trip_ms,
        available_bits_per_second: transport.bandwidth.target,
        video_bits_per_second: camera.target_bitrate,
        candidate_pair: transport.candidate_pair,
        outbound,
        inbound: transport.received,
        video: video(TrackSource::Camera),
        screen: video(TrackSource::ScreenShare),
        audio,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_that_needs_most_of_the_time_between_two_frames_is_overloaded() {
        let stats = |frames_encoded, ms| VideoSendStats {
            frames_encoded,
            total_encode_time: Duration::from_millis(ms),
            ..VideoSendStats::default()
        };
        let before = stats(100, 1_000);
        assert!(!is_overloaded(&before, &before, 30), "nothing was encoded");
        assert!(!is_overloaded(&before, &stats(130, 1_600), 30));
        assert!(is_overloaded(&before, &stats(120, 1_600), 30));
    }
}
