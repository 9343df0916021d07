//! The time, as the pure parts are given it.

use std::time::Instant;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For what lasts.
    pub instant: Instant,
    /// For what is told.
    pub utc: OffsetDateTime,
}

impl Now {
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            utc: OffsetDateTime::now_utc(),
        }
    }
}

/// RFC 3339 in whole seconds, UTC: `2026-01-22T10:30:00Z`.
pub(crate) fn seconds(at: OffsetDateTime) -> String {
    rfc3339(at, 0)
}

/// RFC 3339 in whole milliseconds, UTC: a chat's messages are closer together.
pub(crate) fn milliseconds(at: OffsetDateTime) -> String {
    rfc3339(at, u32::from(at.millisecond()) * 1_000_000)
}

fn rfc3339(at: OffsetDateTime, nanosecond: u32) -> String {
    at.replace_nanosecond(nanosecond)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        // Only a year past 9999 has no such form.
        .unwrap_or_default()
}
