//! The offset between a peer's clock and ours, from round trips of `clock-ping` and
//! `clock-pong`.
//!
//! The offset of one round trip is wrong by at most half its time (RFC 5905, section 8),
//! so the shortest of the last ones is taken.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a round trip counts. Clocks that drift by 100 ppm move by 2 ms in it.
const WINDOW: Duration = Duration::from_secs(20);
/// Pings of which the answer may still come.
const MAX_OUTSTANDING: usize = 8;

/// Estimates the offset. Times are microseconds of the two clocks.
#[derive(Debug, Default)]
pub(crate) struct ClockOffset {
    outstanding: VecDeque<u64>,
    round_trips: VecDeque<RoundTrip>,
}

#[derive(Debug, Clone, Copy)]
struct RoundTrip {
    at: Instant,
    /// The peer's clock less ours.
    offset: i64,
    time: i64,
}

impl RoundTrip {
    /// Whether both can be true: their offsets differ by no more than their errors.
    fn agrees_with(&self, other: &Self) -> bool {
        let error = (self.time + other.time) / 2 + DRIFT_MICROS;
        (self.offset - other.offset).abs() <= error
    }
}

/// What two clocks drift apart within [`WINDOW`], at 100 ppm.
const DRIFT_MICROS: i64 = 2_000;
/// Offsets and round trips beyond this are refused, in microseconds: some thousand
/// years.
const MAX_MICROS: i128 = 1 << 55;

impl ClockOffset {
    /// A ping was sent at this time of our clock.
    pub(crate) fn pinged(&mut self, t0: u64) {
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(t0);
    }

    /// The answer to a ping of `t0` arrived at `t3` of our clock; the peer received the
    /// ping at `t1` and sent the answer at `t2` of its clock. Answers to no ping, and
    /// impossible ones, are ignored.
    pub(crate) fn ponged(&mut self, now: Instant, t0: u64, t1: u64, t2: u64, t3: u64) {
        let Some(index) = self.outstanding.iter().position(|sent| *sent == t0) else {
            return;
        };
        self.outstanding.remove(index);
        let [t0, t1, t2, t3] = [t0, t1, t2, t3].map(i128::from);
        let time = (t3 - t0) - (t2 - t1);
        let offset = ((t1 - t0) + (t2 - t3)) / 2;
        let is_possible = t2 >= t1 && (0..MAX_MICROS).contains(&time) && offset.abs() < MAX_MICROS;
        if !is_possible {
            return;
        }
        let newest = RoundTrip {
            at: now,
            offset: offset as i64,
            time: time as i64,
        };
        // One of the clocks was set, or stood still while its machine was suspended.
        if self.best().is_some_and(|best| !best.agrees_with(&newest)) {
            self.round_trips.clear();
        }
        let is_old = |trip: &RoundTrip| now.saturating_duration_since(trip.at) > WINDOW;
        while self.round_trips.front().is_some_and(is_old) {
            self.round_trips.pop_front();
        }
        self.round_trips.push_back(newest);
    }

    /// The peer's clock less ours, in microseconds; none before the first answer.
    pub(crate) fn micros(&self) -> Option<i64> {
        self.best().map(|trip| trip.offset)
    }

    fn best(&self) -> Option<RoundTrip> {
        let trips = self.round_trips.iter();
        trips.min_by_key(|trip| trip.time).copied()
    }
}

#[cfg(test)]
mod tests {
    use visavis_network_simulator::{Link, Profile};

    use super::*;

    /// A clock 5 s ahead of ours, and a path.
    struct Scene {
        start: Instant,
        clock: ClockOffset,
        offset: i64,
        /// Of our clock.
        now: u64,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                start: Instant::now(),
                clock: ClockOffset::default(),
                offset: 5_000_000,
                now: 1_000_000,
            }
        }

        /// A round trip after a second, with these delays there and back in milliseconds.
        fn trip(&mut self, there: u64, back: u64) {
            self.now += 1_000_000;
            self.trip_of(there * 1_000, 3_000, back * 1_000);
        }

        /// A round trip now, with these delays there, at the peer and back in
        /// microseconds.
        fn trip_of(&mut self, there: u64, answering: u64, back: u64) {
            let t0 = self.now;
            let t1 = (t0 + there).saturating_add_signed(self.offset);
            let t2 = t1 + answering;
            let t3 = t0 + there + answering + back;
            self.clock.pinged(t0);
            let at = self.start + Duration::from_micros(t3);
            self.clock.ponged(at, t0, t1, t2, t3);
        }

        /// The error of the estimate, in microseconds.
        fn error(&self) -> i64 {
            (self.clock.micros().unwrap() - self.offset).abs()
        }
    }

    #[test]
    fn a_clock_five_seconds_off_is_found_at_the_first_round_trip() {
        let mut scene = Scene::new();
        assert_eq!(scene.clock.micros(), None);
        scene.trip(20, 20);
        assert_eq!(scene.error(), 0);
        scene.offset = -5_000_000;
        scene.now = 60_000_000;
        scene.trip(20, 20);
        assert_eq!(scene.error(), 0);
    }

    #[test]
    fn the_shortest_round_trip_decides_where_a_queue_delays_one_direction() {
        let mut scene = Scene::new();
        scene.trip(10, 10);
        for delay in [300, 120, 80, 500] {
            scene.trip(delay, 10);
        }
        assert_eq!(scene.error(), 0);
    }

    /// The two directions differ by 8 ms, of which half is error, and a packet is early or
    /// late by up to 10 ms. What waits in a queue is not believed.
    #[test]
    fn jitter_and_a_queue_in_one_direction_leave_an_error_of_milliseconds() {
        let ms = Duration::from_millis;
        for seed in 0..20 {
            let (there, back) = (ms(30), ms(22));
            let profile = |delay, rate| Profile {
                delay,
                jitter: ms(10),
                rate,
                ..Profile::PERFECT
            };
            // Cross traffic fills the queue of one direction for half of the time.
            let mut up = Link::new(profile(there, Some(500_000.0)), seed);
            let mut down = Link::new(profile(back, None), seed + 100);
            let mut scene = Scene::new();
            let mut errors = Vec::new();
            for second in 0..120_u64 {
                let now = Duration::from_secs(second + 1);
                if second % 20 < 10 {
                    (0..12).for_each(|_| up.send(now, 1_500, false));
                }
                up.send(now, 100, true);
                let arrived = std::iter::from_fn(|| up.receive(now + ms(900)));
                let ping = arrived.filter(|arrival| arrival.packet).last().unwrap();
                down.send(ping.at, 100, true);
                let pong = down.receive(ping.at + ms(100)).unwrap();
                let micros = |time: Duration| time.as_micros() as u64;
                scene.now = micros(now);
                scene.trip_of(micros(ping.at - now), 0, micros(pong.at - ping.at));
                if second >= 20 {
                    errors.push(scene.error());
                }
            }
            let worst = errors.iter().max().unwrap();
            let mean = errors.iter().sum::<i64>() / errors.len() as i64;
            assert!(
                *worst <= 15_000 && mean <= 7_000,
                "{worst} and {mean} us with seed {seed}"
            );
        }
    }

    #[test]
    fn a_drift_of_100_ppm_is_followed() {
        let mut scene = Scene::new();
        for _ in 0..600 {
            scene.offset += 100;
            scene.trip(10, 10);
            assert!(scene.error() <= 2_000, "{}", scene.error());
        }
    }

    #[test]
    fn a_clock_that_is_set_is_followed_at_once() {
        let mut scene = Scene::new();
        for _ in 0..10 {
            scene.trip(5, 5);
        }
        scene.offset += 3_600_000_000;
        scene.trip(30, 30);
        assert_eq!(scene.error(), 0);
    }

    #[test]
    fn answers_to_no_ping_and_impossible_ones_are_ignored() {
        let now = Instant::now();
        let mut clock = ClockOffset::default();
        clock.ponged(now, 1, 2, 3, 4);
        for (t1, t2, t3) in [
            (9, 8, 20),
            (0, u64::MAX, 20),
            (u64::MAX, u64::MAX, 20),
            (0, 9, 4),
        ] {
            clock.pinged(10);
            clock.ponged(now, 10, t1, t2, t3);
        }
        assert_eq!(clock.micros(), None);
        (0..1_000).for_each(|t0| clock.pinged(t0));
        assert_eq!(clock.outstanding.len(), MAX_OUTSTANDING);
    }
}
