//! The statistics of a call as the page reads them: the engine counts, and this turns
//! counts into rates of the last seconds.

use std::collections::VecDeque;
use std::time::Instant;

use visavis_call::{PeerStatistics, Statistics};
use visavis_media::video::VideoReceiveStats;

use crate::view::{ConnectionStatistics, VideoStatistics};

/// Readings that are kept; the engine measures once a second.
const READINGS: usize = 6;
/// A relayed candidate (RFC 8839, section 5.1).
const RELAYED: &str = "relay";

/// The newest readings, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    readings: VecDeque<(Instant, Statistics)>,
}

impl Measured {
    /// Takes what the engine has measured.
    pub fn take(&mut self, now: Instant, statistics: Statistics) {
        if self.readings.len() == READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back((now, statistics));
    }

    /// The newest statistics, in the order of joining.
    pub fn view(&self) -> Vec<ConnectionStatistics> {
        let Some((now, newest)) = self.readings.back() else {
            return Vec::new();
        };
        let connection = |peer: &PeerStatistics| {
            let before = self.readings.iter().find_map(|(then, earlier)| {
                let mut peers = earlier.peers.iter();
                let before = peers.find(|before| before.member == peer.member)?;
                Some((*then, before))
            });
            let (then, before) = before.unwrap_or((*now, peer));
            let seconds = now.saturating_duration_since(then).as_secs_f32();
            connection(before, peer, seconds)
        };
        newest.peers.iter().map(connection).collect()
    }
}

/// What happened between two readings of a peer.
fn connection(before: &PeerStatistics, now: &PeerStatistics, seconds: f32) -> ConnectionStatistics {
    // Counters start at zero with each new connection.
    let grown = |of: &dyn Fn(&PeerStatistics) -> u64| of(now).saturating_sub(of(before));
    let kbps = |bytes: u64| rate(bytes as f32 * 8.0 / 1_000.0, seconds).round() as u32;
    let received = |peer: &PeerStatistics| {
        peer.video.packets_received + peer.screen.packets_received + peer.audio.packets_received
    };
    let lost = |peer: &PeerStatistics| {
        peer.video.packets_lost + peer.screen.packets_lost + peer.audio.packets_lost
    };
    let bytes = |peer: &PeerStatistics| {
        peer.video.bytes_received + peer.screen.bytes_received + peer.audio.bytes_received
    };
    let (received, lost) = (grown(&received), grown(&lost));
    let reported = now.outbound.values().map(|track| track.remote_loss_percent);
    let jitters = [
        now.video.jitter_ms,
        now.screen.jitter_ms,
        now.audio.jitter_ms,
    ];
    ConnectionStatistics {
        participant: now.member.clone(),
        round_trip_ms: now.round_trip_ms,
        jitter_ms: jitters.into_iter().fold(0.0, f32::max),
        loss_percent: lost as f32 * 100.0 / (lost + received).max(1) as f32,
        remote_loss_percent: reported.fold(0.0, f32::max),
        received_kbps: kbps(grown(&bytes)),
        sent_kbps: kbps(grown(&|peer| peer.bytes_sent)),
        available_kbps: (now.available_bits_per_second / 1_000) as u32,
        is_relayed: now.candidate_pair.as_ref().is_some_and(|pair| {
            pair.local_candidate_type == RELAYED || pair.remote_candidate_type == RELAYED
        }),
        camera: video(&before.video, &now.video, seconds),
        screen: video(&before.screen, &now.screen, seconds),
    }
}

fn video(
    before: &VideoReceiveStats,
    now: &VideoReceiveStats,
    seconds: f32,
) -> Option<VideoStatistics> {
    let shown = now.frames_rendered.saturating_sub(before.frames_rendered);
    (now.width > 0).then(|| VideoStatistics {
        width: now.width,
        height: now.height,
        frames_per_second: rate(shown as f32, seconds),
    })
}

fn rate(amount: f32, seconds: f32) -> f32 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use visavis_call::{CandidatePair, OutboundTrack};
    use visavis_protocol::TrackSource;

    use super::*;

    /// The reading of this second, of a peer who lost a tenth.
    fn reading(second: u64) -> Statistics {
        let loss = |remote_loss_percent| OutboundTrack {
            remote_loss_percent,
            ..OutboundTrack::default()
        };
        let peer = PeerStatistics {
            member: "ben".into(),
            bytes_sent: 12_500 * second,
            round_trip_ms: Some(42.0),
            available_bits_per_second: 900_999,
            outbound: [
                (TrackSource::Microphone, loss(2.0)),
                (TrackSource::Camera, loss(8.0)),
            ]
            .into(),
            video: VideoReceiveStats {
                packets_received: 90 * second,
                packets_lost: 10 * second,
                bytes_received: 125_000 * second,
                frames_rendered: 24 * second,
                width: 640,
                height: 360,
                jitter_ms: 7.0,
                ..VideoReceiveStats::default()
            },
            ..PeerStatistics::default()
        };
        Statistics { peers: vec![peer] }
    }

    #[test]
    fn counts_become_rates_of_the_last_seconds() {
        let mut measured = Measured::default();
        assert!(measured.view().is_empty());
        let start = Instant::now();
        for second in 0..20 {
            measured.take(start + Duration::from_secs(second), reading(second));
        }
        let [ben] = &measured.view()[..] else {
            panic!()
        };
        assert_eq!(ben.participant, "ben");
        assert_eq!((ben.received_kbps, ben.sent_kbps), (1_000, 100));
        assert_eq!((ben.loss_percent, ben.remote_loss_percent), (10.0, 8.0));
        assert_eq!(ben.available_kbps, 900);
        let camera = ben.camera.unwrap();
        assert_eq!((camera.width, camera.frames_per_second), (640, 24.0));
        assert_eq!(ben.screen, None);
        assert!(!ben.is_relayed);
    }

    #[test]
    fn a_single_reading_and_a_new_connection_give_no_rate() {
        let mut measured = Measured::default();
        let start = Instant::now();
        measured.take(start, reading(100));
        assert_eq!(measured.view()[0].received_kbps, 0);
        let mut replaced = reading(0);
        replaced.peers[0].candidate_pair = Some(CandidatePair {
            local_candidate_type: "host".into(),
            remote_candidate_type: "relay".into(),
            protocol: "udp".into(),
            current_round_trip_time: None,
            total_round_trip_time: 0.0,
            responses_received: 0,
        });
        measured.take(start + Duration::from_secs(1), replaced);
        let ben = &measured.view()[0];
        assert_eq!((ben.received_kbps, ben.loss_percent), (0, 0.0));
        assert!(ben.is_relayed);
    }
}
