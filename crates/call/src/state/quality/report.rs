//! Reports of the connection quality to the server.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use visavis_protocol::limits::{MAX_REPORTED_PEERS, QUALITY_INTERVAL};
use visavis_protocol::{PeerQuality, QualityReport};

use super::Sample;
use crate::peer::LinkId;

/// Collects measurements between two reports.
#[derive(Debug, Default)]
pub(crate) struct QualityReporter {
    links: HashMap<LinkId, Measured>,
    /// When the last report was sent, or the first became possible.
    since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Measured {
    received: u64,
    lost: u64,
    round_trip: Option<Duration>,
    jitter: Duration,
}

impl QualityReporter {
    /// Takes the measurements of a second.
    pub(crate) fn measured(&mut self, samples: &[(LinkId, Sample)]) {
        for (link, sample) in samples {
            let measured = self.links.entry(*link).or_default();
            measured.received += sample.received;
            measured.lost += sample.lost;
            measured.round_trip = sample.round_trip;
            measured.jitter = sample.jitter;
        }
    }

    /// The report about these peers (link, client id, whether it is connected), when it
    /// is due.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        peers: impl Iterator<Item = (LinkId, String, bool)>,
    ) -> Option<QualityReport> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < QUALITY_INTERVAL {
            return None;
        }
        let measured = std::mem::take(&mut self.links);
        let peers = peers.map(|(link, id, connected)| {
            let quality = PeerQuality {
                id,
                connected,
                ..PeerQuality::default()
            };
            match measured.get(&link).filter(|_| connected) {
                Some(measured) => measured.quality(quality),
                None => quality,
            }
        });
        let peers: Vec<_> = peers.take(MAX_REPORTED_PEERS).collect();
        self.since = Some(now);
        (!peers.is_empty()).then_some(QualityReport { peers })
    }
}

impl Measured {
    fn quality(&self, quality: PeerQuality) -> PeerQuality {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let expected = self.received + self.lost;
        PeerQuality {
            round_trip_ms: self.round_trip.map(ms),
            loss_percent: (expected > 0).then(|| self.lost as f64 * 100.0 / expected as f64),
            jitter_ms: (self.received > 0).then(|| ms(self.jitter)),
            ..quality
        }
    }
}
