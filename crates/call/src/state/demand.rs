//! The sizes in which video is shown: what the local user shows, what a peer was told
//! of it, and what the peer demands.

use std::time::{Duration, Instant};

use visavis_media::VideoLayer;
use visavis_protocol::{DemandedTrack, TrackSource, limits};

use crate::command::{ShownVideo, VideoSize};
use crate::state::allocation::SentLayer;

/// Least time between two demands to a peer.
const INTERVAL: Duration = Duration::from_millis(1_000 / limits::DEMANDS_PER_SECOND as u64);

/// The layer of each of our video tracks; none where the track is not sent.
pub(crate) type Layers = [(TrackSource, Option<SentLayer>); 2];

/// The sources of video.
pub(crate) const VIDEO: [TrackSource; 2] = [TrackSource::Camera, TrackSource::ScreenShare];

/// The tracks that a participant has to send smaller than in full size.
pub(crate) fn demanded(shown: &ShownVideo, participant: &str) -> Vec<DemandedTrack> {
    let of = |source| match shown {
        ShownVideo::Full => None,
        ShownVideo::Within(size) => Some(*size),
        ShownVideo::Only(tracks) => {
            let of_track = tracks
                .iter()
                .filter(|track| track.participant == participant && track.source == source);
            // A track may be shown twice. One without an entry is shown as soon as
            // there is a frame of it.
            of_track.map(|track| track.size).reduce(VideoSize::max)
        }
    };
    let tracks = VIDEO.into_iter().filter_map(|source| {
        let VideoSize { width, height } = of(source)?;
        Some(DemandedTrack {
            source,
            width,
            height,
        })
    });
    tracks.collect()
}

/// Whether a track with this demand is hidden.
pub(crate) fn is_hidden(track: &DemandedTrack) -> bool {
    track.width == 0 || track.height == 0
}

/// The demand in one direction of a link, which changes at most
/// [`limits::DEMANDS_PER_SECOND`] times a second.
#[derive(Debug, Default)]
pub(crate) struct RationedDemand {
    newest: Vec<DemandedTrack>,
    /// What counts. At first everything is sent in full size.
    current: Vec<DemandedTrack>,
    changed_at: Option<Instant>,
}

impl RationedDemand {
    pub fn want(&mut self, tracks: Vec<DemandedTrack>) {
        self.newest = tracks;
    }

    /// The demand that counts from now on, where that is another.
    pub fn due(&mut self, now: Instant) -> Option<&[DemandedTrack]> {
        let is_early = self.changed_at.is_some_and(|at| now < at + INTERVAL);
        if self.newest == self.current || is_early {
            return None;
        }
        self.current.clone_from(&self.newest);
        self.changed_at = Some(now);
        Some(&self.current)
    }

    /// What is demanded of a source; none for the full size.
    pub fn of(&self, source: TrackSource) -> Option<&DemandedTrack> {
        self.current.iter().find(|track| track.source == source)
    }

    /// When a demand is due that was too early.
    pub fn next_deadline(&self) -> Option<Instant> {
        let at = self.changed_at? + INTERVAL;
        (self.newest != self.current).then_some(at)
    }
}

/// What is settled on a link about its video.
#[derive(Debug)]
pub(crate) struct LinkVideo {
    /// What the peer is told of the sizes in which its tracks are shown.
    pub demand: RationedDemand,
    /// What the peer demands of our tracks.
    pub demanded: RationedDemand,
    /// The remote tracks that are not shown.
    pub hidden: Vec<TrackSource>,
    /// The layers of our tracks that the peer gets.
    pub layers: Layers,
    /// Our tracks of which the peer was told that they are suspended.
    pub suspended: Vec<TrackSource>,
}

impl Default for LinkVideo {
    fn default() -> Self {
        Self {
            demand: RationedDemand::default(),
            demanded: RationedDemand::default(),
            hidden: Vec::new(),
            layers: VIDEO.map(|source| (source, Some(SentLayer::full(VideoLayer::Full)))),
            suspended: Vec::new(),
        }
    }
}

impl LinkVideo {
    /// A new data channel: neither side has told the other anything.
    pub fn channel_open(&mut self) {
        self.demand = RationedDemand::default();
        self.demanded = RationedDemand::default();
        self.suspended.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::ShownTrack;

    fn shown(participant: &str, source: TrackSource, width: u32, height: u32) -> ShownTrack {
        ShownTrack {
            participant: participant.into(),
            source,
            size: VideoSize { width, height },
        }
    }

    fn sizes(tracks: Vec<DemandedTrack>) -> Vec<(TrackSource, u32, u32)> {
        let size = |track: DemandedTrack| (track.source, track.width, track.height);
        tracks.into_iter().map(size).collect()
    }

    #[test]
    fn a_track_shown_twice_counts_in_the_larger_size_and_one_that_is_not_listed_is_full() {
        use TrackSource::{Camera, ScreenShare};
        let only = ShownVideo::Only(vec![
            shown("a", Camera, 160, 90),
            shown("a", Camera, 640, 360),
            shown("b", Camera, 0, 0),
            shown("b", ScreenShare, 1280, 720),
        ]);
        assert_eq!(sizes(demanded(&only, "a")), [(Camera, 640, 360)]);
        assert_eq!(
            sizes(demanded(&only, "b")),
            [(Camera, 0, 0), (ScreenShare, 1280, 720)]
        );
        assert_eq!(sizes(demanded(&only, "c")), []);
        assert_eq!(sizes(demanded(&ShownVideo::Full, "a")), []);
        let size = VideoSize {
            width: 320,
            height: 180,
        };
        assert_eq!(
            sizes(demanded(&ShownVideo::Within(size), "a")),
            [(Camera, 320, 180), (ScreenShare, 320, 180)]
        );
    }

    #[test]
    fn a_peer_is_told_each_change_at_most_five_times_a_second() {
        let start = Instant::now();
        let mut demand = RationedDemand::default();
        assert_eq!(demand.due(start), None);
        let mut told = Vec::new();
        for ms in (0..1_000).step_by(10) {
            let now = start + Duration::from_millis(ms);
            demand.want(vec![DemandedTrack {
                source: TrackSource::Camera,
                width: 2 + ms as u32,
                height: 2,
            }]);
            told.extend(demand.due(now).map(<[_]>::to_vec));
        }
        assert_eq!(told.len(), 5);
        let end = start + Duration::from_secs(1);
        assert_eq!(demand.next_deadline(), Some(start + 5 * INTERVAL));
        assert_eq!(demand.due(end).unwrap()[0].width, 992);
        assert_eq!(demand.due(end), None);
        assert_eq!(demand.next_deadline(), None);
    }
}
