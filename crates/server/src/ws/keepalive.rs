//! Keep-alive: pings, and the deadline of a silent socket.

use std::time::{Duration, Instant};

/// When to ping, and when a silent socket counts as dead.
pub(super) struct KeepAlive {
    interval: Duration,
    limit: Duration,
    last_received: Instant,
    next_ping: Instant,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// Silent for too long.
    Silent,
}

impl KeepAlive {
    pub fn new(now: Instant, interval: Duration, limit: Duration) -> Self {
        Self {
            interval,
            limit,
            last_received: now,
            next_ping: now + interval,
        }
    }

    /// A pong or a message was received.
    pub fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// When the socket counts as dead unless something is received.
    pub fn silent_at(&self) -> Instant {
        self.last_received + self.limit
    }

    /// When to call [`KeepAlive::due`] next.
    pub fn deadline(&self) -> Instant {
        self.next_ping.min(self.silent_at())
    }

    pub fn due(&mut self, now: Instant) -> Due {
        if now >= self.silent_at() {
            Due::Silent
        } else if now >= self.next_ping {
            self.next_ping = now + self.interval;
            Due::Ping
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_goes_out_every_ten_seconds_and_silence_ends_the_socket_after_twenty_five() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut alive = KeepAlive::new(start, Duration::from_secs(10), Duration::from_secs(25));
        assert_eq!(alive.due(at(9)), Due::Nothing);
        assert_eq!(alive.due(at(10)), Due::Ping);
        assert_eq!(alive.due(at(10)), Due::Nothing);
        alive.received(at(11));
        assert_eq!(alive.due(at(20)), Due::Ping);
        assert_eq!(alive.due(at(35)), Due::Ping);
        assert_eq!(alive.deadline(), at(36));
        assert_eq!(alive.due(at(36)), Due::Silent);
    }
}
