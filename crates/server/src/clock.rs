//! The time: as it is told, and as the pure parts are given it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Notify;

/// A moment: milliseconds since 1970, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since 1970.
    pub fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .map(Self)
    }

    /// Whole seconds since 1970.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Later by so much; the end of time where there is no such moment.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Earlier by so much.
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// The time from then to now; zero where it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// RFC 3339 in whole seconds, UTC: `2026-01-22T10:30:00Z`.
    pub fn rfc3339(self) -> String {
        rfc3339(self.secs() * 1_000)
    }

    /// RFC 3339 in milliseconds, UTC: a chat's messages are closer together.
    pub fn rfc3339_millis(self) -> String {
        rfc3339(self.0)
    }
}

fn rfc3339(millis: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        // Only a year past 9999 has no such form.
        .unwrap_or_default()
}

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For what lasts as long as a connection: no clock that is set changes it.
    pub instant: Instant,
    /// For what is told and stored.
    pub utc: Timestamp,
}

/// Where the service reads the time: the system's clock, and where it is manual
/// an offset that [`Clock::advance`] adds to. It moves windows, time-outs, caps,
/// tokens and lives of cached rooms; keep-alive, resuming, rates, leases and
/// retries keep to real time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<ClockState>);

#[derive(Debug, Default)]
struct ClockState {
    manual: bool,
    offset: AtomicI64,
    advanced: Notify,
}

impl Clock {
    pub fn new(manual: bool) -> Self {
        Self(Arc::new(ClockState {
            manual,
            ..ClockState::default()
        }))
    }

    pub fn is_manual(&self) -> bool {
        self.0.manual
    }

    pub fn now(&self) -> Timestamp {
        let millis = Self::real().0;
        Timestamp(millis.saturating_add(self.0.offset.load(Ordering::Relaxed)))
    }

    /// Both clocks.
    pub fn read(&self) -> Now {
        Now {
            instant: Instant::now(),
            utc: self.now(),
        }
    }

    /// The system's own clock, for leases between nodes.
    pub fn real() -> Timestamp {
        let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
        Timestamp(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
    }

    /// Moves a manual clock on; everyone who sleeps looks at it again.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.offset.fetch_add(millis, Ordering::Relaxed);
        self.0.advanced.notify_waiters();
    }

    /// Waits for a moment, however the clock gets there.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let advanced = self.0.advanced.notified();
            tokio::pin!(advanced);
            advanced.as_mut().enable();
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = advanced => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_and_read_in_rfc_3339() {
        let at = Timestamp::parse("2026-01-22T10:30:00.250Z").unwrap();
        assert_eq!(at.rfc3339(), "2026-01-22T10:30:00Z");
        assert_eq!(at.rfc3339_millis(), "2026-01-22T10:30:00.25Z");
        assert_eq!(Timestamp::from_secs(at.secs()).0 + 250, at.0);
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp(i64::MAX).rfc3339(), "");
    }

    #[tokio::test]
    async fn one_who_sleeps_wakes_when_the_clock_is_moved_past_its_time() {
        let clock = Clock::new(true);
        let at = clock.now().after(Duration::from_secs(3_600));
        let sleeper = clock.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep_until(at).await });
        clock.advance(Duration::from_secs(1_800));
        tokio::task::yield_now().await;
        assert!(!asleep.is_finished());
        clock.advance(Duration::from_secs(1_801));
        asleep.await.unwrap();
    }
}
