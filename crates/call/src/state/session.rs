//! The session with the server.
//!
//! ```text
//! State         Event                        Next state
//! Connecting    client-id                    Joining
//!               closed, timeout              Ended
//! Joining       room-created, room-joined    Joined
//!               join-waiting                 Waiting
//!               room-not-open                NotOpen, then Joining again
//!               wrong-passcode               PasscodeNeeded
//!               closed, timeout, other error Ended
//! Waiting       room-joined                  Joined
//! (any of three) closed                      Connecting
//! Joined        closed                       Disconnected
//! Disconnected  next attempt due             Reconnecting
//! Reconnecting  resumed, room-joined         Joined
//!               closed, timeout, error       Disconnected
//! any           leave                        Ended
//! ```
//!
//! An outage of more than [`LOST_TIMEOUT`] without a connected peer also ends the
//! call.

use std::time::{Duration, Instant};

use visavis_protocol::WaitReason;

use crate::view::EndReason;

/// Timeout of the first connection, and of the first join.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of a reconnect, including the reply to resume or join.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call without server and without connected peers ends after this time.
pub(crate) const LOST_TIMEOUT: Duration = Duration::from_secs(60);
/// Delay before the second attempt; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(4);

/// The state of the session with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Session {
    /// The first connection is being opened, or the server has not assigned a
    /// client id yet.
    Connecting {
        /// When the call ends without one.
        until: Instant,
    },
    /// The request to create or join the room was sent.
    Joining {
        /// When the call ends without a reply.
        until: Instant,
    },
    /// The server put the join into the queue of a full room or into the waiting
    /// room.
    Waiting {
        /// Which of them.
        reason: WaitReason,
        /// The position in it, from 1.
        position: u32,
    },
    /// The room is not open yet.
    NotOpen {
        /// When it opens, in milliseconds since the Unix epoch.
        opens_at: u64,
        /// When to ask again.
        ask_at: Instant,
    },
    /// The room's passcode is needed.
    PasscodeNeeded {
        /// Whether a passcode was refused.
        wrong: bool,
    },
    /// In the room.
    Joined,
    /// The connection is lost and the call continues; with the time of the next
    /// attempt.
    Disconnected(Outage, Instant),
    /// An attempt to reconnect is in progress.
    Reconnecting {
        /// The outage that it is to end.
        outage: Outage,
        /// When this attempt times out.
        until: Instant,
        /// What was requested of the server.
        request: ReconnectRequest,
    },
    /// The call ended.
    Ended(EndReason),
}

/// What an attempt to reconnect requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReconnectRequest {
    /// Nothing yet.
    None,
    /// The place of before.
    Resume,
    /// A new place, under this client id.
    Join(String),
}

/// A time without a session at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// When the connection was lost.
    pub since: Instant,
    /// Attempts so far.
    pub attempts: u32,
}

impl Session {
    /// The connection closed or an attempt failed: schedules the next attempt.
    /// `jitter`, 0 to 1, spreads the attempts of a server's clients.
    pub fn disconnected(&self, now: Instant, jitter: f32) -> Self {
        let outage = match self {
            Self::Disconnected(outage, _) | Self::Reconnecting { outage, .. } => *outage,
            _ => Outage {
                since: now,
                attempts: 0,
            },
        };
        let pause = FIRST_BACKOFF
            .saturating_mul(1 << outage.attempts.min(8))
            .min(MAX_BACKOFF);
        let pause = if outage.attempts == 0 {
            Duration::ZERO
        } else {
            pause
        };
        Self::Disconnected(outage, now + pause.mul_f32(0.8 + 0.4 * jitter))
    }

    /// Starts an attempt to reconnect.
    pub fn reconnecting(outage: Outage, now: Instant) -> Self {
        let outage = Outage {
            attempts: outage.attempts + 1,
            ..outage
        };
        Self::Reconnecting {
            outage,
            until: now + RECONNECT_TIMEOUT,
            request: ReconnectRequest::None,
        }
    }

    /// Makes the next attempt to reconnect due.
    pub fn retry_now(&mut self, now: Instant) {
        if let Self::Disconnected(_, retry_at) = self {
            *retry_at = now;
        }
    }

    /// Whether the room was not entered yet.
    pub fn is_entering(&self) -> bool {
        matches!(
            self,
            Self::Joining { .. }
                | Self::Waiting { .. }
                | Self::NotOpen { .. }
                | Self::PasscodeNeeded { .. }
        )
    }

    /// When the connection to the server was lost, unless it is up.
    pub fn disconnected_since(&self) -> Option<Instant> {
        match self {
            Self::Disconnected(outage, _) | Self::Reconnecting { outage, .. } => Some(outage.since),
            _ => None,
        }
    }

    /// When this state's timeout or next attempt is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Connecting { until }
            | Self::Joining { until }
            | Self::Reconnecting { until, .. } => Some(*until),
            Self::Disconnected(_, retry_at) => Some(*retry_at),
            Self::NotOpen { ask_at, .. } => Some(*ask_at),
            Self::Waiting { .. } | Self::PasscodeNeeded { .. } | Self::Joined | Self::Ended(_) => {
                None
            }
        }
    }
}
