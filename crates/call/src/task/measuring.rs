//! What the task of a call measures once a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;
use visavis_protocol::TrackSource;

use super::Peer;
use crate::peer::{LinkId, Receiver};
use crate::state::allocation::SentVideo;
use crate::state::demand::VIDEO;
use crate::state::quality::Sample;
use crate::statistics::{PeerStatistics, QualityLimitationReason};

/// Video is limited by bandwidth below this share of the bit rate that its size can
/// use: estimates vary.
const LIMITED: f64 = 0.9;

/// The readings of the second before.
#[derive(Default)]
pub(super) struct Measuring {
    peers: HashMap<LinkId, (Instant, PeerStatistics)>,
}

impl Measuring {
    /// What happened on these links since the call before. With each comes the bit rate
    /// that our sources can use on it.
    pub(super) fn samples(
        &mut self,
        now: Instant,
        peers: impl Iterator<Item = (LinkId, u64, PeerStatistics)>,
    ) -> Vec<(LinkId, Sample)> {
        let mut samples = Vec::new();
        let mut readings = HashMap::new();
        for (link, demand, peer) in peers {
            if let Some((then, before)) = self.peers.get(&link) {
                let time = now.saturating_duration_since(*then);
                samples.push((link, sample(before, &peer, time, demand)));
            }
            readings.insert(link, (now, peer));
        }
        self.peers = readings;
        samples
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
        round_trip: now.round_trip_ms.map(milliseconds),
        jitter: milliseconds(now.video.jitter_ms.max(now.audio.jitter_ms)),
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

fn milliseconds(ms: f32) -> Duration {
    Duration::try_from_secs_f32(ms / 1_000.0).unwrap_or_default()
}

/// The statistics of a peer, to which this video is `sent`.
pub(super) fn statistics(
    peer: &Peer,
    sent: &[SentVideo; 2],
    overloaded: [bool; 2],
) -> PeerStatistics {
    let transport = peer.handle.statistics.borrow().clone();
    let mut outbound = transport.tracks;
    for (sent, is_overloaded) in sent.iter().zip(overloaded) {
        if let Some(track) = outbound.get_mut(&sent.source) {
            track.target_bitrate = sent.target;
            track.quality_limitation_reason = limitation(sent, is_overloaded);
        }
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
        quality: None,
        clock_offset_ms: transport.clock_offset_ms,
        candidate_pair: transport.candidate_pair,
        outbound,
        inbound: transport.received,
        video: video(TrackSource::Camera),
        screen: video(TrackSource::ScreenShare),
        audio,
    }
}

/// Why a peer gets less of a track than the size that it demands can use.
fn limitation(sent: &SentVideo, is_overloaded: bool) -> QualityLimitationReason {
    if sent.wanted == 0 {
        QualityLimitationReason::None
    } else if is_overloaded {
        QualityLimitationReason::Cpu
    } else if (sent.target as f64) < LIMITED * sent.wanted as f64 {
        QualityLimitationReason::Bandwidth
    } else {
        QualityLimitationReason::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::OutboundTrack;

    #[test]
    fn video_is_limited_below_what_its_demanded_size_can_use_and_not_while_hidden() {
        use QualityLimitationReason::{Bandwidth, Cpu, None};
        let source = TrackSource::Camera;
        for (target, wanted, is_overloaded, reason) in [
            (0, 0, true, None),
            (600_000, 600_000, false, None),
            (500_000, 600_000, false, Bandwidth),
            (0, 600_000, false, Bandwidth),
            (500_000, 600_000, true, Cpu),
        ] {
            let sent = SentVideo {
                source,
                target,
                wanted,
            };
            assert_eq!(limitation(&sent, is_overloaded), reason, "{sent:?}");
        }
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
            let peers = [(LinkId(1), 900_000, reading(number))].into_iter();
            measuring.samples(now, peers)
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
