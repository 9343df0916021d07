//! Whether the other side is still there.

use std::time::{Duration, Instant};

/// Pings, and gives up on a socket that is silent.
pub(super) struct KeepAlive {
    interval: Duration,
    limit: Duration,
    heard: Instant,
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
            heard: now,
            next_ping: now + interval,
        }
    }

    /// Anything came, a pong or a message.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When the socket counts as dead, unless something comes.
    pub fn silent_at(&self) -> Instant {
        self.heard + self.limit
    }

    /// When to ask again what is due.
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
    fn it_pings_every_ten_seconds_and_gives_up_after_twenty_five_of_silence() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut alive = KeepAlive::new(start, Duration::from_secs(10), Duration::from_secs(25));
        assert_eq!(alive.due(at(9)), Due::Nothing);
        assert_eq!(alive.due(at(10)), Due::Ping);
        assert_eq!(alive.due(at(10)), Due::Nothing);
        alive.heard(at(11));
        assert_eq!(alive.due(at(20)), Due::Ping);
        assert_eq!(alive.due(at(35)), Due::Ping);
        assert_eq!(alive.deadline(), at(36));
        assert_eq!(alive.due(at(36)), Due::Silent);
    }
}
