//! What the task of a call measures once a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::{
    CaptureState, VideoReceiveStats, VideoSendStats, VideoSender, bitrate_for,
};
use visavis_protocol::TrackSource;

use super::Peer;
use crate::command::Media;
use crate::peer::{LinkId, Receiver};
use crate::state::demand::VIDEO;
use crate::state::quality::Sample;
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
    peers: HashMap<LinkId, (Instant, PeerStatistics)>,
}

/// The state of the encoder of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoder {
    source: TrackSource,
    /// Bits per second; 0 while nothing is captured.
    target_bitrate: u64,
    /// Bits per second that the source can use.
    pub(super) wanted: u64,
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
                    wanted: 0,
                    is_overloaded: false,
                    is_below_source: false,
                };
            };
            let target_bitrate = (bitrate / live).min(wanted);
            Encoder {
                source,
                target_bitrate,
                wanted,
                is_overloaded: is_overloaded(&before, &now, frames_per_second),
                is_below_source: (target_bitrate as f64) < LIMITED * wanted as f64,
            }
        })
    }
}

impl Measuring {
    /// What happened on these links since the call before. `demand` is the bit rate that
    /// our sources can use.
    pub(super) fn samples(
        &mut self,
        now: Instant,
        demand: u64,
        peers: impl Iterator<Item = (LinkId, PeerStatistics)>,
    ) -> Vec<(LinkId, Sample)> {
        let peers: HashMap<_, _> = peers.map(|(link, peer)| (link, (now, peer))).collect();
        let before = std::mem::replace(&mut self.peers, peers);
        let samples = self.peers.iter().filter_map(|(link, (_, peer))| {
            let (then, before) = before.get(link)?;
            let time = now.saturating_duration_since(*then);
            Some((*link, sample(before, peer, time, demand)))
        });
        samples.collect()
    }
}

/// What happened between two readings of a peer.
fn sample(before: &PeerStatistics, now: &PeerStatistics, time: Duration, demand: u64) -> Sample {
    let grown = |of: &dyn Fn(&PeerStatistics) -> u64| of(now).saturating_sub(of(before));
    let videos = |of: &dyn Fn(&VideoReceiveStats) -> u64| {
        grown(&|peer| of(&peer.video)) + grown(&|peer| of(&peer.screen))
    };
    let decode_time = |video: &VideoReceiveStats| video.total_decode_time.as_micros() as u64;
    let decoding = Duration::from_micros(videos(&decode_time));
    let played = grown(&|peer| peer.audio.total_samples_played);
    let concealed = grown(&|peer| peer.audio.concealed_samples);
    let sent = |source| now.outbound.get(&source).copied().unwrap_or_default();
    let tracks = VIDEO.map(sent);
    let limitation = [
        QualityLimitationReason::Cpu,
        QualityLimitationReason::Bandwidth,
    ]
    .into_iter()
    .find(|reason| {
        let mut tracks = tracks.iter();
        tracks.any(|track| track.quality_limitation_reason == *reason)
    });
    let reported = [TrackSource::Microphone, TrackSource::Camera].map(sent);
    Sample {
        received: videos(&|video| video.packets_received)
            + grown(&|peer| peer.audio.packets_received),
        lost: videos(&|video| video.packets_lost) + grown(&|peer| peer.audio.packets_lost),
        round_trip: now
            .round_trip_ms
            .map(|ms| Duration::from_secs_f32(ms.max(0.0) / 1_000.0)),
        jitter: Duration::from_secs_f32(now.video.jitter_ms.max(now.audio.jitter_ms) / 1_000.0),
        frozen: Duration::from_millis(videos(&|video| video.freeze_ms)),
        concealed: concealed as f32 / played.max(1) as f32,
        decoding: decoding.as_secs_f32() / time.as_secs_f32().max(0.001),
        remote_loss: reported
            .iter()
            .map(|track| track.remote_loss_percent / 100.0)
            .fold(0.0, f32::max),
        limitation: limitation.unwrap_or_default(),
        estimate: now.available_bits_per_second,
        demand,
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
    use crate::statistics::OutboundTrack;

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

    #[test]
    fn a_sample_holds_what_happened_between_two_readings() {
        let reading = |number: u64| PeerStatistics {
            round_trip_ms: Some(30.0),
            available_bits_per_second: 700_000,
            outbound: HashMap::from([(
                TrackSource::Camera,
                OutboundTrack {
                    remote_loss_percent: 4.0,
                    quality_limitation_reason: QualityLimitationReason::Bandwidth,
                    ..OutboundTrack::default()
                },
            )]),
            video: VideoReceiveStats {
                packets_received: 100 * number,
                packets_lost: 3 * number,
                freeze_ms: 250 * number,
                jitter_ms: 7.0,
                total_decode_time: Duration::from_millis(400) * number as u32,
                ..VideoReceiveStats::default()
            },
            audio: AudioReceiveStats {
                packets_received: 50 * number,
                packets_lost: number,
                concealed_samples: 4_800 * number,
                total_samples_played: 48_000 * number,
                ..AudioReceiveStats::default()
            },
            ..PeerStatistics::default()
        };
        let mut measuring = Measuring::default();
        let start = Instant::now();
        let mut samples = |number: u64| {
            let now = start + Duration::from_secs(2) * number as u32;
            let peers = [(LinkId(1), reading(number))].into_iter();
            measuring.samples(now, 900_000, peers)
        };
        assert!(samples(1).is_empty(), "there is nothing to compare with");
        let [(LinkId(1), sample)] = &samples(2)[..] else {
            panic!()
        };
        assert_eq!((sample.received, sample.lost), (150, 4));
        let round_trip = sample.round_trip.unwrap().as_secs_f32();
        assert!((round_trip - 0.03).abs() < 1e-6);
        assert_eq!(sample.frozen, Duration::from_millis(250));
        assert!((sample.jitter.as_secs_f32() - 0.007).abs() < 1e-6);
        assert!((sample.concealed - 0.1).abs() < 1e-6);
        assert!((sample.decoding - 0.2).abs() < 1e-6, "of two seconds");
        assert!((sample.remote_loss - 0.04).abs() < 1e-6);
        assert_eq!(sample.limitation, QualityLimitationReason::Bandwidth);
        assert_eq!((sample.estimate, sample.demand), (700_000, 900_000));
    }
}
