//! When each received frame is decoded and shown. Pure: the time is an argument.
//!
//! A frame waits, still encoded, until its RTP timestamp plus an offset: the transit of
//! the fastest frames plus a target delay that covers the network's jitter and repairs.
//! On an even network the target is zero, and each frame is decoded as it arrives.

pub mod sync;
mod target;
mod transit;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::sync::PlayoutTiming;
use self::target::Target;
use self::transit::{Frame, Transit};
use crate::video::assembly::AssembledFrame;

/// The longest delay that is added for jitter and repairs.
pub const MAX_TARGET_DELAY: Duration = Duration::from_secs(1);
/// The longest delay that is added on request ([`Playout::set_extra_delay`]).
pub const MAX_EXTRA_DELAY: Duration = Duration::from_secs(1);

/// Encoded frames that wait at the most: both delays at 60 frames/s. When there are
/// more, the first is due at once.
const MAX_FRAMES: usize = 128;
/// Bytes of encoded frames that wait at the most, with the same consequence.
const MAX_BYTES: usize = 4 << 20;
/// While frames come faster than they are decoded, one is shown this often.
const SHOW_INTERVAL: Duration = Duration::from_millis(200);
/// A frame does not wait for its time once the one before was given out so long ago: the
/// delay may grow, but the video does not stand still for it. W3C counts a freeze from
/// about 180 ms at 30 frames/s.
const LONGEST_HOLD: Duration = Duration::from_millis(150);
/// The share of a new decode time in the mean.
const DECODE_TIME_WEIGHT: u32 = 8;

/// The frames of one stream between assembly and decoder.
#[derive(Debug, Default)]
pub struct Playout {
    frames: VecDeque<AssembledFrame>,
    bytes: usize,
    transit: Option<Transit>,
    target: Target,
    extra: Duration,
    decode_time: Option<Duration>,
    /// When the last frame was given out.
    given_at: Option<Instant>,
    /// Since when decoded frames are not shown because a later one is due.
    skipping_since: Option<Instant>,
    /// Whether a frame was shown since the beginning of the stream.
    has_shown: bool,
    frames_skipped: u64,
}

impl Playout {
    /// Takes the next frame of the stream, in decoding order.
    pub fn push(&mut self, frame: AssembledFrame) {
        let arrival = Frame {
            timestamp: frame.timestamp,
            arrived_at: frame.last_arrival,
            is_repaired: frame.is_repaired,
        };
        match &mut self.transit {
            Some(transit) => {
                let raised = transit.frame(arrival);
                let elapsed = transit.since_frame_before();
                self.target.update(elapsed, raised, transit.wanted_delay());
            }
            empty => *empty = Some(Transit::new(arrival)),
        }
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
    }

    /// Whether so much waits that the first frame is due at once.
    pub fn is_full(&self) -> bool {
        self.frames.len() > MAX_FRAMES || self.bytes > MAX_BYTES
    }

    /// When [`pop`](Self::pop) has a frame though none is pushed.
    pub fn deadline(&self) -> Option<Instant> {
        let due = self.due(self.frames.front()?)?;
        let latest = self.given_at.map(|at| at + LONGEST_HOLD);
        Some(latest.map_or(due, |latest| due.min(latest)))
    }

    /// The next frame to decode, if it is due.
    pub fn pop(&mut self, now: Instant) -> Option<AssembledFrame> {
        self.skip_to_key_frame(now);
        if !self.is_full() && self.deadline().is_some_and(|due| now < due) {
            return None;
        }
        let frame = self.take()?;
        self.given_at = Some(now);
        Some(frame)
    }

    /// Notes that a frame was decoded within `decode_time`, and returns whether to show
    /// it. After a stall several frames are due: only the newest is shown. The first
    /// frame of a stream is shown whatever its age, since there is no other.
    pub fn decoded(&mut self, now: Instant, decode_time: Duration) -> bool {
        let mean = self.decode_time.unwrap_or(decode_time);
        let weighted = mean * (DECODE_TIME_WEIGHT - 1) + decode_time;
        self.decode_time = Some(weighted / DECODE_TIME_WEIGHT);
        let next = self.frames.front();
        if self.has_shown && next.is_some_and(|next| self.is_due(next, now)) {
            let since = *self.skipping_since.get_or_insert(now);
            if now.saturating_duration_since(since) < SHOW_INTERVAL {
                self.frames_skipped += 1;
                return false;
            }
        }
        self.skipping_since = None;
        self.has_shown = true;
        true
    }

    /// Drops the frames before the next key frame, since they cannot be decoded; whether
    /// a key frame waits.
    pub fn drop_to_key_frame(&mut self) -> bool {
        while self.frames.front().is_some_and(|frame| !frame.key_frame) {
            self.take();
            self.frames_skipped += 1;
        }
        !self.frames.is_empty()
    }

    /// Forgets the frames. The stream may continue at any timestamp; the target delay,
    /// which the network determines, is kept.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
        self.transit = None;
        self.given_at = None;
        self.skipping_since = None;
        self.has_shown = false;
    }

    /// Delays all frames by so much more, at most [`MAX_EXTRA_DELAY`].
    pub fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = extra.min(MAX_EXTRA_DELAY);
    }

    /// The delay that jitter and repairs need (W3C `jitterBufferMinimumDelay`).
    pub fn minimum_delay(&self) -> Duration {
        self.target.delay()
    }

    /// That and the extra delay (W3C `jitterBufferTargetDelay`).
    pub fn target_delay(&self) -> Duration {
        self.target.delay() + self.extra
    }

    /// Frames that were dropped before the decoder or not shown because a later one was
    /// due.
    pub fn frames_skipped(&self) -> u64 {
        self.frames_skipped
    }

    /// When the newest frame arrives without jitter, and how long it waits then.
    pub fn timing(&self) -> Option<PlayoutTiming> {
        let transit = self.transit.as_ref()?;
        let (timestamp, arrived_at) = transit.newest()?;
        Some(PlayoutTiming {
            timestamp,
            arrived_at,
            delay: self.target_delay() + self.decode_time.unwrap_or_default(),
        })
    }

    fn due(&self, frame: &AssembledFrame) -> Option<Instant> {
        let transit = self.transit.as_ref()?;
        transit
            .at(frame.timestamp)?
            .checked_add(self.target_delay())
    }

    fn is_due(&self, frame: &AssembledFrame, now: Instant) -> bool {
        self.due(frame).is_none_or(|due| due <= now)
    }

    /// Drops what precedes a key frame that is due itself.
    fn skip_to_key_frame(&mut self, now: Instant) {
        let is_due_key = |frame: &AssembledFrame| frame.key_frame && self.is_due(frame, now);
        let skipped = self.frames.iter().rposition(is_due_key).unwrap_or(0);
        for _ in 0..skipped {
            self.take();
        }
        self.frames_skipped += skipped as u64;
    }

    fn take(&mut self) -> Option<AssembledFrame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.data.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
