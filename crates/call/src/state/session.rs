//! Where we stand with the server.
//!
//! ```text
//! Opening ── welcome ──► Entering ── room-created, room-joined ──► Inside
//!    │ closed, late         │ closed, late, refused                 │ ▲
//!    ▼                      ▼                         socket broke  │ │ resumed,
//!  Ended ◄── leave, from anywhere; lost ──┐                         ▼ │ room-joined
//!                                         └── Away ◄── closed ── Returning
//!                                               └── retry, welcome ─►┘
//! ```

use std::time::{Duration, Instant};

use crate::view::EndReason;

/// How long the first connection and entering may take, each.
pub(crate) const ENTER_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection and its reply may take when we come back.
const RETURN_LIMIT: Duration = Duration::from_secs(10);
/// A call with neither server nor peers is given up after this.
pub(crate) const LOST_LIMIT: Duration = Duration::from_secs(60);
/// Pause before the second attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Where we stand with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Session {
    /// The first connection is being made; the server has not said who we are.
    Opening {
        /// When we give up.
        until: Instant,
    },
    /// Creating or joining was asked for.
    Entering {
        /// When we give up.
        until: Instant,
    },
    /// In the room.
    Inside,
    /// Out of reach; the call goes on. The next attempt is due at a time.
    Away(Absence, Instant),
    /// Trying to come back.
    Returning {
        /// Since when we are away.
        absence: Absence,
        /// When this attempt is given up.
        until: Instant,
        /// Whether the server was asked to resume, rather than to join anew.
        resuming: bool,
    },
    /// Over.
    Ended(EndReason),
}

/// A time without the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Since when.
    pub since: Instant,
    /// Attempts so far.
    pub attempts: u32,
}

impl Session {
    /// The socket broke, or an attempt failed: away, with the next attempt due.
    /// `spread`, 0 to 1, keeps clients of one server apart.
    pub fn away(&self, now: Instant, spread: f32) -> Self {
        let absence = match self {
            Self::Away(absence, _) | Self::Returning { absence, .. } => *absence,
            _ => Absence {
                since: now,
                attempts: 0,
            },
        };
        let pause = FIRST_PAUSE
            .saturating_mul(1 << absence.attempts.min(8))
            .min(LONGEST_PAUSE);
        let pause = if absence.attempts == 0 {
            Duration::ZERO
        } else {
            pause
        };
        Self::Away(absence, now + pause.mul_f32(0.8 + 0.4 * spread))
    }

    /// An attempt to come back begins.
    pub fn returning(absence: Absence, now: Instant) -> Self {
        let absence = Absence {
            attempts: absence.attempts + 1,
            ..absence
        };
        Self::Returning {
            absence,
            until: now + RETURN_LIMIT,
            resuming: false,
        }
    }

    /// Since when the server is out of reach.
    pub fn away_since(&self) -> Option<Instant> {
        match self {
            Self::Away(absence, _) | Self::Returning { absence, .. } => Some(absence.since),
            _ => None,
        }
    }

    /// When this state must change by itself.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Opening { until } | Self::Entering { until } | Self::Returning { until, .. } => {
                Some(*until)
            }
            Self::Away(_, retry_at) => Some(*retry_at),
            Self::Inside | Self::Ended(_) => None,
        }
    }
}
