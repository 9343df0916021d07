//! Clock readings, which align the timelines of two peers.

use serde::{Deserialize, Serialize};

/// Requests a clock reading, as NTP does (RFC 5905, section 8). Each side reads a
/// monotonic clock of its own, in microseconds from an arbitrary origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPing {
    /// The requester's clock when it sends the request.
    pub t0: u64,
}

/// Answers [`ClockPing`]. With its own clock `t3` at arrival, the requester
/// computes the offset `((t1 - t0) + (t2 - t3)) / 2` and the round-trip time
/// `(t3 - t0) - (t2 - t1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPong {
    /// The request's `t0`.
    pub t0: u64,
    /// The responder's clock when the request arrived.
    pub t1: u64,
    /// The responder's clock when it sends the answer.
    pub t2: u64,
}
