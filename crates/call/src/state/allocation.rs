//! Which layer of each video track a peer gets, and the rate of each encoder.
//!
//! A peer gets the best step of a ladder that its link carries (see [`steps`]), and at
//! most what it demanded. An encoder runs at the rate of the narrowest link that takes it;
//! a link that is much narrower than another one goes to a lower step instead.

mod peer;
mod steps;
#[cfg(test)]
mod tests;
mod uplink;

use std::collections::BTreeMap;
use std::time::Instant;

use visavis_media::video::{EncoderTarget, FrameRates};
use visavis_media::{FrameRate, VideoLayer};
use visavis_protocol::{DemandedTrack, TrackSource};

use self::peer::{Peer, Video};
use self::steps::{Ladder, share};
use self::uplink::Uplink;
use crate::command::VideoSize;
use crate::peer::LinkId;
use crate::state::bandwidth::{Estimate, START_TARGET};
use crate::state::demand::{Layers, VIDEO, is_hidden};

/// How much a layer may be enlarged where it is shown. Without it, a tile of a few
/// pixels more would take four times the bits.
const LARGEST_ENLARGEMENT: f64 = 1.1;
/// Share of a target that is used: frames vary in size, and lost packets are sent again.
const USED: f64 = 0.9;
/// Audio before it is measured, with all headers: 32 kbit/s of Opus, 50 packets/s.
const ASSUMED_AUDIO: u64 = 50_000;
/// Lowest rate of an encoder.
const MIN_VIDEO: u64 = 40_000;
/// An encoder does not fall below this share of what its widest link carries: a narrow
/// link delays the frames in its pacer until it has left for a lower step.
const LEAST_OF_WIDEST: f64 = 0.33;
/// Changes up to this share are not worth setting the encoder.
const LEAST_CHANGE: f64 = 0.03;

/// What is sent of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentLayer {
    /// The size.
    pub layer: VideoLayer,
    /// All frames, or every second one.
    pub frame_rate: FrameRate,
}

impl SentLayer {
    /// A layer with all its frames.
    pub(crate) const fn full(layer: VideoLayer) -> Self {
        Self {
            layer,
            frame_rate: FrameRate::Full,
        }
    }
}

/// What is sent of a source to a peer, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentVideo {
    pub source: TrackSource,
    /// What the peer gets; 0 while nothing is captured or sent.
    pub target: u64,
    /// What the size that it demands can use; 0 where it demands none.
    pub wanted: u64,
}

/// The target of one encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncoderRate {
    pub source: TrackSource,
    pub layer: VideoLayer,
    pub target: EncoderTarget,
}

/// The video that every peer gets.
#[derive(Debug)]
pub(crate) struct VideoAllocation {
    peers: BTreeMap<LinkId, Peer>,
    uplink: Uplink,
    encoders: BTreeMap<(usize, VideoLayer), EncoderTarget>,
}

/// A peer that takes a layer of a track.
struct Taker {
    link: LinkId,
    track: usize,
    sent: SentLayer,
    /// The rate of the encoder that its link carries.
    carries: u64,
    is_established: bool,
}

impl VideoAllocation {
    /// The allocation of a new call.
    pub(crate) fn new() -> Self {
        let first = EncoderTarget {
            max_bits_per_second: video_of(START_TARGET, 0) as u32,
            frame_rates: FrameRates::Full,
        };
        let tracks = 0..VIDEO.len();
        let all = tracks.flat_map(|track| VideoLayer::ALL.map(|layer| ((track, layer), first)));
        Self {
            peers: BTreeMap::new(),
            uplink: Uplink::default(),
            encoders: all.collect(),
        }
    }

    /// The targets of all encoders.
    pub(crate) fn encoders(&self) -> Vec<EncoderRate> {
        let encoders = self.encoders.iter();
        encoders
            .map(|(key, target)| encoder_rate(*key, *target))
            .collect()
    }

    /// Takes in the estimate of a peer.
    pub(crate) fn set(&mut self, now: Instant, link: LinkId, estimate: &Estimate) {
        let peer = self.peers.entry(link).or_default();
        let before = peer.set(now, estimate);
        if self.uplink.changed(now, link, before, estimate.target) {
            let targets = self.peers.values().filter_map(Peer::target).sum();
            self.uplink.bound(now, targets);
        }
    }

    /// Sets the layers that cover what a peer demands.
    pub(crate) fn demand(&mut self, link: LinkId, layers: [Option<VideoLayer>; 2]) {
        self.peers.entry(link).or_default().demand(layers);
    }

    /// Forgets the peers that are gone.
    pub(crate) fn retain(&mut self, is_there: impl Fn(LinkId) -> bool) {
        self.peers.retain(|link, _| is_there(*link));
    }

    /// What a peer gets of each track.
    pub(crate) fn layers(&self, link: LinkId) -> Layers {
        let peer = self.peers.get(&link);
        std::array::from_fn(|track| (VIDEO[track], peer.and_then(|peer| peer.sent(track))))
    }

    /// The bit rates of each track to a peer.
    pub(crate) fn sent(&self, link: LinkId, sizes: [Option<VideoSize>; 2]) -> [SentVideo; 2] {
        let peer = self.peers.get(&link);
        std::array::from_fn(|track| {
            let rate = |sent: SentLayer| {
                let encoder = self.encoders.get(&(track, sent.layer))?;
                let most = steps::most(sizes[track]?, sent.layer);
                let rate = most.min(encoder.max_bits_per_second.into());
                Some((rate as f64 * share(sent.frame_rate)) as u64)
            };
            let sent = peer.and_then(|peer| peer.sent(track));
            let wanted =
                peer.and_then(|peer| Some(steps::most(sizes[track]?, peer.demanded(track)?)));
            SentVideo {
                source: VIDEO[track],
                target: sent.and_then(rate).unwrap_or_default(),
                wanted: wanted.unwrap_or_default(),
            }
        })
    }

    /// The tracks that a peer does not get because its link is too narrow.
    pub(crate) fn suspended(&self, link: LinkId) -> Vec<TrackSource> {
        let peer = self.peers.get(&link);
        let is_suspended = |track: &usize| peer.is_some_and(|peer| peer.is_suspended(*track));
        let tracks = (0..VIDEO.len()).filter(is_suspended);
        tracks.map(|track| VIDEO[track]).collect()
    }

    /// Chooses the step of each peer and the rate of each encoder, and returns the encoders
    /// that change. `sizes` are those of the sources that capture.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        sizes: [Option<VideoSize>; 2],
    ) -> Vec<EncoderRate> {
        let takers = self.takers(now, sizes);
        let targets = self.peers.values().filter_map(Peer::target);
        let level = self.uplink.level(now, targets);
        for (link, peer) in &mut self.peers {
            let carried_by_others = |track: usize, layer| {
                let others = takers.iter().filter(|taker| taker.link != *link);
                widest(others, track, layer)
            };
            let videos = std::array::from_fn(|track| {
                let top = peer.demanded(track)?;
                let ladder = Ladder::new(VIDEO[track], sizes[track]?, top);
                Some(Video { track, ladder })
            });
            peer.update(now, level, videos, carried_by_others);
        }
        let takers = self.takers(now, sizes);
        let mut changed = Vec::new();
        for (key, before) in &mut self.encoders {
            if let Some(target) = target(&takers, *key, sizes)
                && is_change(*before, target)
            {
                *before = target;
                changed.push(encoder_rate(*key, target));
            }
        }
        changed
    }

    fn takers(&self, now: Instant, sizes: [Option<VideoSize>; 2]) -> Vec<Taker> {
        let mut takers = Vec::new();
        for (link, peer) in &self.peers {
            for (track, _) in sizes.iter().enumerate().filter(|(_, size)| size.is_some()) {
                if let (Some(sent), Some(bits)) = (peer.sent(track), peer.bits(track)) {
                    takers.push(Taker {
                        link: *link,
                        track,
                        sent,
                        carries: (bits as f64 / share(sent.frame_rate)) as u64,
                        is_established: peer.is_established(now),
                    });
                }
            }
        }
        takers
    }
}

/// The rate that the widest of these links carries of an encoder; 0 without any.
fn widest<'a>(takers: impl Iterator<Item = &'a Taker>, track: usize, layer: VideoLayer) -> u64 {
    let of_encoder = takers.filter(|one| (one.track, one.sent.layer) == (track, layer));
    let established = of_encoder.filter(|one| one.is_established);
    established.map(|one| one.carries).max().unwrap_or_default()
}

/// The target of an encoder, if it has takers.
fn target(
    takers: &[Taker],
    (track, layer): (usize, VideoLayer),
    sizes: [Option<VideoSize>; 2],
) -> Option<EncoderTarget> {
    let of_encoder = || {
        let takers = takers.iter();
        takers.filter(|one| (one.track, one.sent.layer) == (track, layer))
    };
    let most = steps::most(sizes[track]?, layer);
    let narrowest = |is_established: bool| {
        let takers = of_encoder().filter(|one| one.is_established == is_established);
        takers.map(|one| one.carries).min()
    };
    // A new peer does not lower the rate of others before its link is known.
    let rate = narrowest(true).or_else(|| narrowest(false))?;
    let widest = widest(of_encoder(), track, layer).min(most);
    let least = MIN_VIDEO.max((widest as f64 * LEAST_OF_WIDEST) as u64);
    let takes = |frame_rate| of_encoder().any(|one| one.sent.frame_rate == frame_rate);
    Some(EncoderTarget {
        max_bits_per_second: u32::try_from(rate.min(most).max(least)).unwrap_or(u32::MAX),
        frame_rates: match (takes(FrameRate::Full), takes(FrameRate::Half)) {
            (true, true) => FrameRates::Both,
            (false, true) => FrameRates::Half,
            (_, false) => FrameRates::Full,
        },
    })
}

fn is_change(before: EncoderTarget, after: EncoderTarget) -> bool {
    let rate = |target: EncoderTarget| f64::from(target.max_bits_per_second);
    let change = (rate(after) / rate(before) - 1.0).abs();
    before.frame_rates != after.frame_rates || change > LEAST_CHANGE
}

fn encoder_rate((track, layer): (usize, VideoLayer), target: EncoderTarget) -> EncoderRate {
    EncoderRate {
        source: VIDEO[track],
        layer,
        target,
    }
}

/// What a target leaves for video.
fn video_of(target: u64, audio: u64) -> u64 {
    let audio = if audio == 0 { ASSUMED_AUDIO } else { audio };
    ((target as f64 * USED) as u64).saturating_sub(audio)
}

/// The layer for a peer that demands a track of this size: the smallest that covers
/// the demand, or none where the track is hidden. Without a demand, or while the size
/// of the source is not known, it is the full size.
pub(crate) fn layer_for(
    source: Option<VideoSize>,
    demand: Option<&DemandedTrack>,
) -> Option<VideoLayer> {
    let Some(demand) = demand else {
        return Some(VideoLayer::Full);
    };
    if is_hidden(demand) {
        return None;
    }
    let Some(source) = source.filter(|size| size.width > 0 && size.height > 0) else {
        return Some(VideoLayer::Full);
    };
    // The whole frame is shown within the demanded box.
    let across = f64::from(demand.width) / f64::from(source.width);
    let down = f64::from(demand.height) / f64::from(source.height);
    let scale = across.min(down);
    let covers = |layer: &VideoLayer| {
        let of_layer = 1.0 / f64::from(layer.divisor());
        scale <= of_layer * LARGEST_ENLARGEMENT
    };
    let smallest = VideoLayer::ALL.into_iter().find(covers);
    Some(smallest.unwrap_or(VideoLayer::Full))
}
