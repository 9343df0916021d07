//! The clock of this process as peers see it, and the offset of a peer's clock.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use visavis_protocol::{ClockPing, ClockPong};

use crate::state::clock_offset::ClockOffset;

/// Shortest interval between two answers.
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);

/// Microseconds since the Unix epoch at an instant. The system's clock is read once for
/// each process, so that this one is monotonic: setting the system's clock does not move
/// it.
pub(super) fn micros_at(at: Instant) -> u64 {
    let (start, unix) = *start();
    let micros = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
    let since = at.saturating_duration_since(start).as_nanos();
    let before = start.saturating_duration_since(at).as_nanos();
    // Rounded down on both sides of the start: the clock never runs unevenly.
    let (since, before) = (micros(since / 1_000), micros(before.div_ceil(1_000)));
    unix.saturating_add_signed(since - before)
}

/// The instant at which the clock shows this time.
fn instant_at(micros: u64) -> Option<Instant> {
    let (start, unix) = *start();
    match micros.checked_sub(unix) {
        Some(after) => start.checked_add(Duration::from_micros(after)),
        None => start.checked_sub(Duration::from_micros(unix - micros)),
    }
}

fn start() -> &'static (Instant, u64) {
    static START: OnceLock<(Instant, u64)> = OnceLock::new();
    START.get_or_init(|| {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.map_or(0, |since| since.as_micros());
        (Instant::now(), u64::try_from(unix).unwrap_or(0))
    })
}

/// What is known of a peer's clock. Its connections share it.
#[derive(Debug, Default)]
pub(super) struct PeerClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    offset: ClockOffset,
    answered_at: Option<Instant>,
}

impl PeerClock {
    /// A ping to send now.
    pub(super) fn ping(&self) -> ClockPing {
        let t0 = micros_at(Instant::now());
        self.lock().offset.pinged(t0);
        ClockPing { t0 }
    }

    /// The answer to a ping, unless they come too often.
    pub(super) fn answer(&self, ping: ClockPing, received_at: Instant) -> Option<ClockPong> {
        let now = Instant::now();
        let mut state = self.lock();
        let is_too_soon = |at: Instant| now.saturating_duration_since(at) < ANSWER_INTERVAL;
        if state.answered_at.is_some_and(is_too_soon) {
            return None;
        }
        state.answered_at = Some(now);
        Some(ClockPong {
            t0: ping.t0,
            t1: micros_at(received_at),
            t2: micros_at(now),
        })
    }

    pub(super) fn answered(&self, pong: ClockPong, received_at: Instant) {
        let t3 = micros_at(received_at);
        let offset = &mut self.lock().offset;
        offset.ponged(received_at, pong.t0, pong.t1, pong.t2, t3);
    }

    /// The peer's clock less ours, in milliseconds.
    pub(super) fn offset_ms(&self) -> Option<f64> {
        let micros = self.lock().offset.micros()?;
        Some(micros as f64 / 1_000.0)
    }

    /// The instant at which the peer's clock shows this time, in microseconds.
    pub(super) fn instant_of(&self, micros: u64) -> Option<Instant> {
        let offset = self.lock().offset.micros()?;
        instant_at(micros.checked_add_signed(offset.checked_neg()?)?)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_microseconds_from_the_unix_epoch() {
        let now = Instant::now();
        let micros = micros_at(now);
        // 2020 to 2100.
        assert!((1_577_836_800_000_000..4_102_444_800_000_000).contains(&micros));
        for at in [now, start().0] {
            let later = at + Duration::from_micros(1_500);
            assert_eq!(micros_at(later), micros_at(at) + 1_500);
        }
        let back = instant_at(micros).unwrap();
        assert!(now.saturating_duration_since(back) < Duration::from_micros(2));
    }

    #[test]
    fn pings_that_come_too_often_are_not_answered() {
        let clock = PeerClock::default();
        let ping = ClockPing { t0: 7 };
        let pong = clock.answer(ping, Instant::now()).unwrap();
        assert!(pong.t0 == 7 && pong.t1 <= pong.t2);
        assert_eq!(clock.answer(ping, Instant::now()), None);
    }
}
