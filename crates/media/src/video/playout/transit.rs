//! How evenly frames cross the network.
//!
//! A frame's transit is its arrival minus its RTP timestamp. The two clocks have
//! different origins, so only differences mean something: a frame's lateness is its
//! transit minus the smallest of the last seconds, which follows clock drift.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::MAX_TARGET_DELAY;

/// How long a sample counts, while there are more than `MIN_SAMPLES`.
const WINDOW_US: i64 = 5_000_000;
/// So many count for longer, for streams with few frames.
const MIN_SAMPLES: usize = 8;
/// How long those count: at 100 ppm the clocks drift apart by 6 ms in that time.
const MAX_AGE_US: i64 = 60_000_000;
/// Samples that are kept at the most: five seconds at 120 frames/s.
const MAX_SAMPLES: usize = 600;
/// The share of samples that the delay covers.
const COVERED: f64 = 0.95;
/// Lateness up to this is not worth a delay: the interval between two frames is less
/// even than that on most screens.
const TOLERATED_US: i64 = 10_000;

/// How long the lateness of a repaired frame counts.
const REPAIR_WINDOW_US: i64 = 10_000_000;
/// Fewer repairs than this within the window are not worth a delay of all frames.
const MIN_REPAIRS: usize = 3;
/// The share of repaired frames that the delay covers.
const COVERED_REPAIRS: f64 = 0.8;
/// Repaired frames may be late by this much. It lengthens one interval, where a delay is
/// paid by every frame, and at 30 frames/s the next frame is not yet due.
const TOLERATED_REPAIR_US: i64 = 30_000;
const MAX_REPAIRS: usize = 128;

/// A transit that shrinks by more from one frame to the next is a new timeline.
const JUMP_US: i64 = 1_000_000;
/// After so many late arrivals that no delay covers, theirs is the transit.
const MAX_LATE: u32 = 5;

/// What counts of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) timestamp: u32,
    /// When its last packet arrived.
    pub(super) arrived_at: Instant,
    /// Whether a packet of it arrived after later ones.
    pub(super) is_repaired: bool,
}

/// Frames that arrived faster than they were sent: what the network had held back. It
/// counts once, however many they are, since one stall made all of them late.
#[derive(Debug, Clone, Copy)]
struct Bunch {
    arrived_us: i64,
    /// The smallest and the largest transit.
    least: i64,
    most: i64,
    /// Whether its lateness counts. That of the first does not: a new receiver gets
    /// the last key frame and the frames since then at once.
    counts: bool,
}

/// A frame's times in microseconds since the epoch of the timeline.
#[derive(Debug, Clone, Copy)]
struct Times {
    sent: i64,
    arrived: i64,
}

impl Times {
    fn transit(self) -> i64 {
        self.arrived - self.sent
    }
}

#[derive(Debug)]
pub(super) struct Transit {
    epoch: Instant,
    /// The timestamp of the newest frame, and the same unwrapped, in ticks since the first.
    timestamp: u32,
    ticks: i64,
    /// The newest frame that was not repaired.
    last: Times,
    /// Between the two newest of those.
    elapsed_us: i64,
    bunches: VecDeque<Bunch>,
    /// The smallest transit of the bunches.
    base: i64,
    late: u32,
    /// When repaired frames arrived, and their transit.
    repairs: VecDeque<(i64, i64)>,
    wanted_us: i64,
}

impl Transit {
    /// A timeline that begins with this frame.
    pub(super) fn new(first: Frame) -> Self {
        let times = Times {
            sent: 0,
            arrived: 0,
        };
        Self {
            epoch: first.arrived_at,
            timestamp: first.timestamp,
            ticks: 0,
            last: times,
            elapsed_us: 0,
            bunches: VecDeque::from([Bunch {
                arrived_us: 0,
                least: 0,
                most: 0,
                counts: false,
            }]),
            base: 0,
            late: 0,
            repairs: VecDeque::new(),
            wanted_us: 0,
        }
    }

    /// Takes the next frame; by how much the smallest transit has grown.
    pub(super) fn frame(&mut self, frame: Frame) -> Duration {
        let step = i64::from(frame.timestamp.wrapping_sub(self.timestamp) as i32);
        let times = Times {
            sent: ticks_to_us(self.ticks + step),
            arrived: signed_us(self.epoch, frame.arrived_at),
        };
        let is_jump = step < 0 || self.last.transit() - times.transit() > JUMP_US;
        if is_jump || self.late >= MAX_LATE {
            *self = Self {
                repairs: VecDeque::new(),
                ..Self::new(frame)
            };
            return Duration::ZERO;
        }
        self.timestamp = frame.timestamp;
        self.ticks += step;
        if frame.is_repaired && times.transit() > self.base {
            self.elapsed_us = 0;
            self.repairs.push_back((times.arrived, times.transit()));
        } else {
            self.sample(times);
        }
        let base_before = self.base;
        self.forget(times.arrived);
        let base = self.bunches.iter().map(|bunch| bunch.least).min();
        self.base = base.unwrap_or(self.base);
        self.wanted_us = self.jitter_us().max(self.repair_us());
        Duration::from_micros((self.base - base_before).max(0) as u64)
    }

    /// Time between the two newest frames.
    pub(super) fn since_frame_before(&self) -> Duration {
        Duration::from_micros(self.elapsed_us.max(0) as u64)
    }

    /// The delay that lets the usual frames come in time.
    pub(super) fn wanted_delay(&self) -> Duration {
        Duration::from_micros(self.wanted_us as u64)
    }

    /// When a frame with this timestamp, near the newest, arrives without jitter.
    pub(super) fn at(&self, timestamp: u32) -> Option<Instant> {
        let step = i64::from(timestamp.wrapping_sub(self.timestamp) as i32);
        let at = ticks_to_us(self.ticks + step) + self.base;
        let distance = Duration::from_micros(at.unsigned_abs());
        if at < 0 {
            self.epoch.checked_sub(distance)
        } else {
            self.epoch.checked_add(distance)
        }
    }

    /// The newest frame's timestamp, and when it arrives without jitter.
    pub(super) fn newest(&self) -> Option<(u32, Instant)> {
        Some((self.timestamp, self.at(self.timestamp)?))
    }

    fn sample(&mut self, times: Times) {
        let before = std::mem::replace(&mut self.last, times);
        self.elapsed_us = times.arrived - before.arrived;
        let transit = times.transit();
        // By a quarter faster than they were sent.
        let is_bunched = self.elapsed_us * 4 < (times.sent - before.sent) * 3;
        match self.bunches.back_mut().filter(|_| is_bunched) {
            Some(bunch) => {
                bunch.least = bunch.least.min(transit);
                bunch.most = bunch.most.max(transit);
            }
            None => self.bunches.push_back(Bunch {
                arrived_us: times.arrived,
                least: transit,
                most: transit,
                counts: true,
            }),
        }
        self.late = match transit - self.base > max_target_us() {
            true => self.late + u32::from(!is_bunched),
            false => 0,
        };
    }

    fn forget(&mut self, now_us: i64) {
        let is_old = |bunch: &Bunch, count: usize| {
            let age = now_us - bunch.arrived_us;
            count > MAX_SAMPLES || age > MAX_AGE_US || (age > WINDOW_US && count > MIN_SAMPLES)
        };
        while let Some(bunch) = self.bunches.front()
            && self.bunches.len() > 1
            && is_old(bunch, self.bunches.len())
        {
            self.bunches.pop_front();
        }
        while let Some((arrived, _)) = self.repairs.front()
            && (now_us - arrived > REPAIR_WINDOW_US || self.repairs.len() > MAX_REPAIRS)
        {
            self.repairs.pop_front();
        }
    }

    /// What most frames' lateness asks for.
    fn jitter_us(&self) -> i64 {
        let counted = self.bunches.iter().filter(|bunch| bunch.counts);
        let mut lateness: Vec<i64> = counted
            .map(|bunch| bunch.most - self.base)
            .filter(|&late| late <= max_target_us())
            .collect();
        // A single stall is never covered.
        let Some(last) = lateness.len().checked_sub(2) else {
            return 0;
        };
        let rank = last.min((lateness.len() as f64 * COVERED) as usize);
        let (_, covered, _) = lateness.select_nth_unstable(rank);
        if *covered <= TOLERATED_US {
            0
        } else {
            *covered
        }
    }

    /// What the repairs of lost packets ask for.
    fn repair_us(&self) -> i64 {
        if self.repairs.len() < MIN_REPAIRS {
            return 0;
        }
        let mut transits: Vec<i64> = self.repairs.iter().map(|(_, transit)| *transit).collect();
        let rank = ((transits.len() - 1) as f64 * COVERED_REPAIRS) as usize;
        let (_, covered, _) = transits.select_nth_unstable(rank);
        (*covered - self.base - TOLERATED_REPAIR_US).clamp(0, max_target_us())
    }
}

fn max_target_us() -> i64 {
    MAX_TARGET_DELAY.as_micros() as i64
}

/// Ticks of 90 kHz in microseconds.
fn ticks_to_us(ticks: i64) -> i64 {
    ticks * 100 / 9
}

fn signed_us(from: Instant, to: Instant) -> i64 {
    match to.checked_duration_since(from) {
        Some(after) => after.as_micros() as i64,
        None => -(from.saturating_duration_since(to).as_micros() as i64),
    }
}
