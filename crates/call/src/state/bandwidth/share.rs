//! One encoder for all peers: its bit rate, and who gets its video.
//!
//! The camera is encoded once for all, at the rate of the peer with the narrowest link.
//! A peer whose link is too narrow for any usable video gets none, so that it does not
//! ruin the picture of the others; its audio goes on, and probes find out when its link
//! is wide enough again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{BandwidthState, Estimate, START_TARGET};
use crate::peer::LinkId;

/// Share of a target that is used: frames vary in size, and lost packets are sent again.
const USED: f64 = 0.9;
/// Audio before it is measured, with all headers: 32 kbit/s of Opus, 50 packets/s.
const ASSUMED_AUDIO: u64 = 50_000;
/// Below this rate of video, a peer is paused if others have more.
pub(crate) const PAUSE_BELOW: u64 = 150_000;
/// From this rate on its video is sent again.
pub(crate) const RESUME_FROM: u64 = 200_000;
/// How long a link must be too narrow: a queue that drains lowers the target for about a
/// second.
const PAUSE_AFTER: Duration = Duration::from_secs(3);
/// Lowest rate of video.
pub(crate) const MIN_VIDEO: u64 = 50_000;
/// A new peer does not lower the rate for so long: the first probes take a moment.
const NEWCOMER: Duration = Duration::from_secs(2);
/// Changes up to this share are not worth setting the encoder.
const LEAST_CHANGE: f64 = 0.03;

#[derive(Debug)]
struct Peer {
    added: Instant,
    video: u64,
    is_known: bool,
    /// Since when its link is too narrow.
    narrow_since: Option<Instant>,
    is_paused: bool,
}

/// The bit rate of the camera's encoder.
#[derive(Debug)]
pub(crate) struct VideoAllocation {
    peers: BTreeMap<LinkId, Peer>,
    rate: u64,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// The encoder's new rate in bits per second.
    pub rate: Option<u64>,
    /// Peers whose video stops (`true`) or goes on.
    pub paused: Vec<(LinkId, bool)>,
}

impl VideoAllocation {
    /// The allocation of a new call.
    pub(crate) fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            rate: video_of(START_TARGET, 0),
        }
    }

    /// The encoder's rate in bits per second.
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// Takes in the estimate of a peer.
    pub(crate) fn set(&mut self, now: Instant, link: LinkId, estimate: &Estimate) {
        let peer = self.peers.entry(link).or_insert(Peer {
            added: now,
            video: 0,
            is_known: false,
            narrow_since: None,
            is_paused: false,
        });
        peer.video = video_of(estimate.target, estimate.audio);
        peer.is_known = estimate.state != BandwidthState::Unknown;
    }

    /// Forgets the peers that are gone.
    pub(crate) fn retain(&mut self, is_there: impl Fn(LinkId) -> bool) {
        self.peers.retain(|link, _| is_there(*link));
    }

    /// Updates the rate and the paused peers. Called after each estimate and each second.
    pub(crate) fn update(&mut self, now: Instant) -> Changes {
        let mut changes = Changes::default();
        let widest = self.peers.values().map(|peer| peer.video).max();
        let others_have_more = widest.is_some_and(|widest| widest >= PAUSE_BELOW);
        for (link, peer) in &mut self.peers {
            let is_narrow = peer.is_known && peer.video < PAUSE_BELOW;
            peer.narrow_since = is_narrow.then(|| peer.narrow_since.unwrap_or(now));
            let was_paused = peer.is_paused;
            peer.is_paused = others_have_more
                && if was_paused {
                    peer.video < RESUME_FROM
                } else {
                    let narrow_for = |since| now.saturating_duration_since(since);
                    peer.narrow_since
                        .is_some_and(|since| narrow_for(since) >= PAUSE_AFTER)
                };
            if peer.is_paused != was_paused {
                changes.paused.push((*link, peer.is_paused));
            }
        }
        let rate = self.wanted(now);
        let change = (rate as f64 / self.rate as f64 - 1.0).abs();
        if rate != self.rate && change > LEAST_CHANGE {
            self.rate = rate;
            changes.rate = Some(rate);
        }
        changes
    }

    /// The rate of the narrowest link that takes part.
    fn wanted(&self, now: Instant) -> u64 {
        let taking = || self.peers.values().filter(|peer| !peer.is_paused);
        let is_established =
            |peer: &&Peer| peer.is_known || now.saturating_duration_since(peer.added) >= NEWCOMER;
        let narrowest = |peers: &mut dyn Iterator<Item = &Peer>| peers.map(|peer| peer.video).min();
        // A link that is narrow for a moment counts with the least useful rate: the pacer
        // delays its frames, and either it recovers or it is paused.
        let floor = match taking().map(|peer| peer.video).max() {
            Some(widest) if widest >= PAUSE_BELOW => PAUSE_BELOW,
            _ => MIN_VIDEO,
        };
        narrowest(&mut taking().filter(is_established))
            .or_else(|| narrowest(&mut taking()))
            .map_or(self.rate, |rate| rate.max(floor))
    }
}

/// What a target leaves for video.
fn video_of(target: u64, audio: u64) -> u64 {
    let audio = if audio == 0 { ASSUMED_AUDIO } else { audio };
    ((target as f64 * USED) as u64).saturating_sub(audio)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        start: Instant,
        now: Instant,
        allocation: VideoAllocation,
        /// The peers that are paused.
        paused: Vec<u64>,
    }

    impl Scene {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                start: now,
                now,
                allocation: VideoAllocation::new(),
                paused: Vec::new(),
            }
        }

        fn set(&mut self, link: u64, target: u64, state: BandwidthState) {
            let estimate = Estimate {
                target,
                audio: 40_000,
                state,
                ..Estimate::default()
            };
            self.allocation.set(self.now, LinkId(link), &estimate);
            self.update();
        }

        fn known(&mut self, link: u64, target: u64) {
            self.set(link, target, BandwidthState::Growing);
        }

        fn update(&mut self) -> Changes {
            let changes = self.allocation.update(self.now);
            for (link, is_paused) in &changes.paused {
                self.paused.retain(|other| *other != link.0);
                if *is_paused {
                    self.paused.push(link.0);
                }
            }
            changes
        }

        /// Lets seconds pass.
        fn wait(&mut self, seconds: u64) {
            for _ in 0..seconds {
                self.now += Duration::from_secs(1);
                self.update();
            }
        }
    }

    #[test]
    fn one_peer_gets_nine_tenths_of_its_target_without_the_audio() {
        let mut scene = Scene::new();
        scene.known(1, 1_000_000);
        assert_eq!(scene.allocation.rate(), 860_000);
    }

    #[test]
    fn the_narrowest_link_sets_the_rate_and_it_rises_when_that_peer_leaves() {
        let mut scene = Scene::new();
        for (link, target) in [(1, 2_000_000), (2, 600_000), (3, 1_000_000)] {
            scene.known(link, target);
        }
        assert_eq!(scene.allocation.rate(), 500_000);
        scene.allocation.retain(|link| link != LinkId(2));
        assert_eq!(scene.update().rate, Some(860_000));
    }

    #[test]
    fn a_link_too_narrow_for_video_is_paused_and_does_not_ruin_the_others() {
        let mut scene = Scene::new();
        scene.known(1, 1_000_000);
        scene.known(2, 100_000);
        assert_eq!(scene.allocation.rate(), PAUSE_BELOW);
        scene.wait(2);
        assert!(scene.paused.is_empty(), "a moment is not enough");
        scene.wait(2);
        assert_eq!(scene.paused, [2]);
        assert_eq!(scene.allocation.rate(), 860_000);
        scene.known(2, 250_000);
        assert_eq!(scene.paused, [2], "it resumes with a margin");
        scene.known(2, 300_000);
        assert!(scene.paused.is_empty());
        assert_eq!(scene.allocation.rate(), 230_000);
    }

    #[test]
    fn nobody_is_paused_where_all_links_are_narrow() {
        let mut scene = Scene::new();
        scene.known(1, 120_000);
        scene.known(2, 150_000);
        scene.wait(10);
        assert!(scene.paused.is_empty());
        assert_eq!(scene.allocation.rate(), 68_000);
        scene.known(1, 40_000);
        assert_eq!(scene.allocation.rate(), MIN_VIDEO);
    }

    #[test]
    fn the_last_peer_is_not_left_paused() {
        let mut scene = Scene::new();
        scene.known(1, 1_000_000);
        scene.known(2, 100_000);
        scene.wait(5);
        assert_eq!(scene.paused, [2]);
        scene.allocation.retain(|link| link == LinkId(2));
        scene.update();
        assert!(scene.paused.is_empty());
        assert_eq!(scene.allocation.rate(), MIN_VIDEO);
    }

    #[test]
    fn a_newcomer_lowers_the_rate_only_once_its_link_is_known_or_silent() {
        let mut scene = Scene::new();
        scene.set(1, 300_000, BandwidthState::Unknown);
        assert_eq!(scene.allocation.rate(), 230_000);
        scene.known(1, 1_000_000);
        scene.set(2, 300_000, BandwidthState::Unknown);
        assert_eq!(scene.allocation.rate(), 860_000);
        scene.wait(2);
        assert_eq!(scene.allocation.rate(), 230_000);
    }

    #[test]
    fn small_changes_leave_the_encoder_alone() {
        let mut scene = Scene::new();
        scene.known(1, 1_000_000);
        scene.known(1, 1_010_000);
        assert_eq!(scene.allocation.rate(), 860_000);
        assert!(scene.now == scene.start && scene.update() == Changes::default());
    }
}
