//! One peer: what its link carries, and the step of each track that it gets.

use std::time::{Duration, Instant};

use visavis_media::VideoLayer;

use super::steps::{Ladder, Step, share};
use super::{SentLayer, video_of};
use crate::state::bandwidth::{BandwidthState, Estimate};

/// A link must be too narrow for a step for so long: the rate of the encoder falls
/// meanwhile.
const DOWN_AFTER: Duration = Duration::from_millis(500);
/// One that carries less than this share of what the step needs leaves it at once: its
/// frames would fill a queue.
const FAR_TOO_NARROW: f64 = 0.75;
/// How long a link must carry a higher step, with [`UP_MARGIN`]; twice as long after each
/// time that it did not, up to [`UP_AFTER_MAX`].
const UP_AFTER: Duration = Duration::from_secs(1);
const UP_AFTER_MAX: Duration = Duration::from_secs(16);
/// A step that is left so soon after going up to it was too high.
const TOO_SOON: Duration = Duration::from_secs(10);
const UP_MARGIN: f64 = 1.15;
/// A track is suspended when not even its lowest step has fit for so long.
const SUSPEND_AFTER: Duration = Duration::from_secs(3);
/// It is sent again when the lowest step fits with this margin.
const RESUME_MARGIN: f64 = 4.0 / 3.0;
/// A link below this share of what the widest one carries of an encoder leaves it.
const LEAST_OF_ENCODER: f64 = 0.6;
/// At the lowest step it stays down to this share.
const LEAST_OF_LOWEST: f64 = super::LEAST_OF_WIDEST;
/// A new peer does not count for so long: the first probes take a moment.
const NEWCOMER: Duration = Duration::from_secs(2);

const CAMERA: usize = 0;
const SCREEN: usize = 1;

/// A track that a peer demands and a source captures.
pub(super) struct Video {
    pub track: usize,
    pub ladder: Ladder,
}

#[derive(Debug, Default)]
pub(super) struct Peer {
    link: Option<LinkState>,
    tracks: [Track; 2],
}

#[derive(Debug)]
struct LinkState {
    added: Instant,
    target: u64,
    capacity: u64,
    audio: u64,
    is_known: bool,
}

impl Peer {
    /// Takes in an estimate; returns the target before, if that was known.
    pub(super) fn set(&mut self, now: Instant, estimate: &Estimate) -> Option<u64> {
        let link = self.link.get_or_insert(LinkState {
            added: now,
            target: 0,
            capacity: 0,
            audio: 0,
            is_known: false,
        });
        let before = link.is_known.then_some(link.target);
        link.target = estimate.target;
        link.capacity = estimate.capacity;
        link.audio = estimate.audio;
        link.is_known = estimate.state != BandwidthState::Unknown;
        before
    }

    /// The target of its link, once that is known.
    pub(super) fn target(&self) -> Option<u64> {
        let link = self.link.as_ref().filter(|link| link.is_known)?;
        Some(link.target)
    }

    pub(super) fn is_established(&self, now: Instant) -> bool {
        self.link.as_ref().is_some_and(|link| {
            link.is_known || now.saturating_duration_since(link.added) >= NEWCOMER
        })
    }

    pub(super) fn demand(&mut self, layers: [Option<VideoLayer>; 2]) {
        for (track, layer) in self.tracks.iter_mut().zip(layers) {
            if std::mem::replace(&mut track.demanded, layer) != layer {
                track.since = Changes::default();
                track.sent = layer.map(SentLayer::full);
                track.is_fresh = true;
            }
        }
    }

    pub(super) fn demanded(&self, track: usize) -> Option<VideoLayer> {
        self.tracks[track].demanded
    }

    /// What it gets of a track.
    pub(super) fn sent(&self, track: usize) -> Option<SentLayer> {
        let track = &self.tracks[track];
        track.sent.filter(|_| !track.is_suspended)
    }

    pub(super) fn is_suspended(&self, track: usize) -> bool {
        let track = &self.tracks[track];
        track.is_suspended && track.demanded.is_some()
    }

    /// The bits per second to send of a track; none without a link.
    pub(super) fn bits(&self, track: usize) -> Option<u64> {
        self.link.as_ref()?;
        Some(self.tracks[track].bits)
    }

    /// Shares the link among the tracks and chooses the step of each. `level` is the
    /// highest target; `others` says what the widest of the others carries of an encoder.
    pub(super) fn update(
        &mut self,
        now: Instant,
        level: u64,
        videos: [Option<Video>; 2],
        others: impl Fn(usize, VideoLayer) -> u64,
    ) {
        let is_established = self.is_established(now);
        let Some(link) = &self.link else {
            return;
        };
        let shares = |bits: u64| split(video_of(bits.min(level), link.audio), &videos);
        let shares = shares(link.target).into_iter().zip(shares(link.capacity));
        for (track, (bits, carried)) in self.tracks.iter_mut().zip(shares) {
            (track.bits, track.carried) = (bits, carried);
        }
        for (number, video) in videos.iter().enumerate() {
            let track = &mut self.tracks[number];
            match video {
                Some(video) if is_established => {
                    let others = |layer| others(video.track, layer);
                    track.choose(now, &video.ladder, others);
                }
                _ => track.reset(),
            }
        }
    }
}

/// Shares a link between camera and screen by the bits that they can use. The screen has
/// at least what its text needs at half the frame rate, so that the camera is suspended
/// first.
fn split(bits: u64, videos: &[Option<Video>; 2]) -> [u64; 2] {
    let (Some(camera), Some(screen)) = (&videos[CAMERA], &videos[SCREEN]) else {
        return [bits; 2];
    };
    let (camera, ladder) = (camera.ladder.most, &screen.ladder);
    let even = (bits as f64 * ladder.most as f64 / (camera + ladder.most) as f64) as u64;
    let needed = ladder.steps.get(1).map_or(0, |step| step.least);
    let screen = even.max(needed).min(bits).min(ladder.most);
    [bits - screen, screen]
}

/// One track to a peer.
#[derive(Debug)]
struct Track {
    demanded: Option<VideoLayer>,
    /// What to send, in bits per second.
    bits: u64,
    /// What the link carries: more than `bits` while a queue drains.
    carried: u64,
    sent: Option<SentLayer>,
    is_suspended: bool,
    /// Whether the next choice takes effect at once.
    is_fresh: bool,
    since: Changes,
}

/// Since when the link has been too narrow or wide enough for another step.
#[derive(Debug)]
struct Changes {
    down: Option<Instant>,
    up: Option<Instant>,
    suspend: Option<Instant>,
    went_up: Option<Instant>,
    up_after: Duration,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            down: None,
            up: None,
            suspend: None,
            went_up: None,
            up_after: UP_AFTER,
        }
    }
}

impl Default for Track {
    fn default() -> Self {
        Self {
            demanded: Some(VideoLayer::Full),
            bits: 0,
            carried: 0,
            sent: Some(SentLayer::full(VideoLayer::Full)),
            is_suspended: false,
            is_fresh: true,
            since: Changes::default(),
        }
    }
}

impl Changes {
    /// A lower step was taken.
    fn went_down(&mut self, now: Instant) {
        (self.down, self.up) = (None, None);
        let was_too_high = |at| now.saturating_duration_since(at) < TOO_SOON;
        if self.went_up.take().is_some_and(was_too_high) {
            self.up_after = (self.up_after * 2).min(UP_AFTER_MAX);
        }
    }
}

/// Whether a condition has held for so long.
fn has_held(since: &mut Option<Instant>, holds: bool, now: Instant, time: Duration) -> bool {
    *since = holds.then(|| since.unwrap_or(now));
    since.is_some_and(|since| now.saturating_duration_since(since) >= time)
}

impl Track {
    /// Nothing is known that would limit it.
    fn reset(&mut self) {
        self.sent = self.demanded.map(SentLayer::full);
        self.is_suspended = false;
        self.is_fresh = true;
    }

    fn choose(&mut self, now: Instant, ladder: &Ladder, others: impl Fn(VideoLayer) -> u64) {
        let bits = self.carried as f64;
        let lowest = ladder.steps.len() - 1;
        let needed = |(number, step): (usize, &Step)| {
            let least_of_others = if number == lowest {
                LEAST_OF_LOWEST
            } else {
                LEAST_OF_ENCODER
            };
            let others = others(step.sent.layer).min(step.most) as f64;
            let with_others = others * least_of_others * share(step.sent.frame_rate);
            with_others.max(step.least as f64)
        };
        let needed: Vec<f64> = ladder.steps.iter().enumerate().map(needed).collect();
        let best = |margin: f64| {
            let first = needed.iter().position(|needed| bits >= needed * margin);
            first.unwrap_or(lowest)
        };
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let current = self.sent.and_then(|sent| ladder.position(sent));
        let number = match current.filter(|_| !is_fresh) {
            None => best(1.0),
            Some(current) if bits < needed[current] * FAR_TOO_NARROW => {
                self.since.went_down(now);
                best(1.0)
            }
            Some(current) => self.next(now, current, best(1.0), best(UP_MARGIN)),
        };
        self.sent = Some(ladder.steps[number].sent);
        let is_narrow = bits < needed[lowest];
        if self.is_suspended {
            self.is_suspended = bits < needed[lowest] * RESUME_MARGIN;
            self.since.suspend = None;
        } else {
            let suspend = &mut self.since.suspend;
            self.is_suspended = has_held(suspend, is_narrow, now, SUSPEND_AFTER);
        }
    }

    /// The number of the next step; higher ones have lower numbers.
    fn next(&mut self, now: Instant, current: usize, fits: usize, with_margin: usize) -> usize {
        let since = &mut self.since;
        if has_held(&mut since.down, fits > current, now, DOWN_AFTER) {
            since.went_down(now);
            return fits;
        }
        if since
            .went_up
            .is_some_and(|at| now.saturating_duration_since(at) >= TOO_SOON)
        {
            since.up_after = UP_AFTER;
        }
        if has_held(&mut since.up, with_margin < current, now, since.up_after) {
            since.up = None;
            since.went_up = Some(now);
            return with_margin;
        }
        current
    }
}
