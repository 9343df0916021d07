//! Budgets of one client and of one address: messages, bytes, entries and writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use visavis_protocol::limits::{MESSAGE_BURST, MESSAGES_PER_SECOND};

use crate::signalling::Kind;

/// Bytes per second from one client.
const BYTES_PER_SECOND: u32 = 1024 * 1024;
/// Burst of bytes from one client.
const BYTE_BURST: u32 = 4 * 1024 * 1024;
/// Creates, joins and resumes per second from one client.
const ENTRIES_PER_SECOND: u32 = 1;
/// Burst of creates, joins and resumes from one client.
const ENTRY_BURST: u32 = 10;
/// Messages per second from one client that the database stores.
const WRITES_PER_SECOND: u32 = 20;
/// Burst of messages from one client that the database stores.
const WRITE_BURST: u32 = 100;
/// The sockets of one address share the budgets of this many clients.
const CLIENTS_PER_ADDRESS: f64 = 10.0;
/// Longest pause of one socket because of its address: its pings stay answered within
/// the silence limit.
const MAX_ADDRESS_PAUSE: Duration = Duration::from_secs(5);

/// Refill per second and burst of each budget, for one client.
const BUDGETS: [(u32, u32); 4] = [
    (MESSAGES_PER_SECOND, MESSAGE_BURST),
    (BYTES_PER_SECOND, BYTE_BURST),
    (ENTRIES_PER_SECOND, ENTRY_BURST),
    (WRITES_PER_SECOND, WRITE_BURST),
];

/// What one message takes from each of [`BUDGETS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost([f64; 4]);

impl Cost {
    /// A message of so many bytes, or a control frame.
    pub fn of(kind: Kind, bytes: usize) -> Self {
        let is = |other| f64::from(u8::from(kind == other));
        Self([1.0, bytes as f64, is(Kind::Entry), is(Kind::Write)])
    }
}

/// A token bucket for each of [`BUDGETS`].
pub(super) struct Buckets {
    tokens: [f64; 4],
    refilled: Instant,
    /// The budgets are those of this many clients.
    clients: f64,
}

impl Buckets {
    fn new(now: Instant, clients: f64) -> Self {
        Self {
            tokens: BUDGETS.map(|(_, burst)| f64::from(burst) * clients),
            refilled: now,
            clients,
        }
    }

    /// The buckets that the sockets of an address share.
    pub fn of_address(now: Instant) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self::new(now, CLIENTS_PER_ADDRESS)))
    }

    /// Takes the cost of a message that was read; how long to stop reading for it.
    fn take(&mut self, now: Instant, Cost(cost): Cost) -> Duration {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = self.refilled.max(now);
        let mut pause: f64 = 0.0;
        for ((tokens, cost), (rate, burst)) in self.tokens.iter_mut().zip(cost).zip(BUDGETS) {
            let rate = f64::from(rate) * self.clients;
            let burst = f64::from(burst) * self.clients;
            *tokens = (*tokens + elapsed * rate).min(burst) - cost;
            if cost > 0.0 {
                pause = pause.max(-*tokens / rate);
            }
        }
        Duration::from_secs_f64(pause)
    }

    /// Whether every bucket holds a second's tokens.
    fn is_rested(&self) -> bool {
        let rates = BUDGETS.map(|(rate, _)| f64::from(rate) * self.clients);
        self.tokens
            .iter()
            .zip(rates)
            .all(|(tokens, rate)| *tokens >= rate)
    }
}

/// The budgets of one client.
pub(super) struct ClientRate {
    own: Buckets,
    address: Arc<Mutex<Buckets>>,
    /// Start of the excess; a second within every budget ends it.
    exceeded_since: Option<Instant>,
    patience: Duration,
}

/// What to do after a message was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Continue.
    Go,
    /// Stop reading for this long.
    Wait(Duration),
    /// A budget was exceeded for longer than the patience: close.
    TooMuch,
}

impl ClientRate {
    pub fn new(now: Instant, patience: Duration, address: Arc<Mutex<Buckets>>) -> Self {
        Self {
            own: Buckets::new(now, 1.0),
            address,
            exceeded_since: None,
            patience,
        }
    }

    /// Counts a message that was read. Past a budget of its own the client is held
    /// back and in the end closed; past one of its address it is only held back, since
    /// another client may have used it up.
    pub fn count(&mut self, now: Instant, cost: Cost) -> Verdict {
        let own = self.own.take(now, cost);
        let mut address = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = own.max(address.take(now, cost).min(MAX_ADDRESS_PAUSE));
        if self.own.is_rested() {
            self.exceeded_since = None;
        }
        if !own.is_zero() {
            let since = *self.exceeded_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= self.patience {
                return Verdict::TooMuch;
            }
        }
        match pause.is_zero() {
            true => Verdict::Go,
            false => Verdict::Wait(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn client(now: Instant) -> ClientRate {
        ClientRate::new(now, PATIENCE, Buckets::of_address(now))
    }

    fn message() -> Cost {
        Cost::of(Kind::Other, 100)
    }

    #[test]
    fn each_budget_has_a_burst_and_then_a_rate() {
        let mebibyte = Cost::of(Kind::Other, 1024 * 1024);
        for (cost, burst, pause) in [
            (message(), 1_000, Duration::from_millis(5)),
            (mebibyte, 4, Duration::from_secs(1)),
            (Cost::of(Kind::Entry, 100), 10, Duration::from_secs(1)),
            (Cost::of(Kind::Write, 100), 100, Duration::from_millis(50)),
        ] {
            let start = Instant::now();
            let mut rate = client(start);
            for _ in 0..burst {
                assert_eq!(rate.count(start, cost), Verdict::Go, "{cost:?}");
            }
            assert_eq!(rate.count(start, cost), Verdict::Wait(pause), "{cost:?}");
            let later = start + 2 * pause;
            assert_eq!(rate.count(later, cost), Verdict::Go, "{cost:?}");
        }
    }

    /// Sends whenever allowed, late by this factor; returns the time until the close.
    fn flood(rate: &mut ClientRate, start: Instant, late: f64) -> Duration {
        let mut now = start;
        loop {
            match rate.count(now, message()) {
                Verdict::Go => {}
                Verdict::Wait(pause) => now += pause.mul_f64(late),
                Verdict::TooMuch => return now - start,
            }
        }
    }

    #[test]
    fn a_client_over_its_rate_for_ten_seconds_is_closed_however_late_it_is_read() {
        for late in [0.99, 1.0, 1.2, 3.0] {
            let start = Instant::now();
            let closed_after = flood(&mut client(start), start, late);
            assert!(
                closed_after >= PATIENCE && closed_after < PATIENCE * 2,
                "{closed_after:?}"
            );
        }
    }

    #[test]
    fn a_pause_resets_the_patience() {
        let start = Instant::now();
        let mut rate = client(start);
        while rate.count(start, message()) == Verdict::Go {}
        let later = start + PATIENCE;
        assert_eq!(rate.count(later, message()), Verdict::Go);
        assert!(flood(&mut rate, later, 1.0) >= PATIENCE);
    }

    #[test]
    fn the_sockets_of_an_address_share_ten_budgets_and_none_is_closed_for_another() {
        let start = Instant::now();
        let address = Buckets::of_address(start);
        let mut clients: Vec<ClientRate> = (0..11)
            .map(|_| ClientRate::new(start, PATIENCE, Arc::clone(&address)))
            .collect();
        let (calm, busy) = clients.split_first_mut().unwrap();
        for client in busy {
            for _ in 0..MESSAGE_BURST {
                assert_eq!(client.count(start, message()), Verdict::Go);
            }
        }
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            let mut shared = address.lock().unwrap();
            let _ = shared.take(now, Cost([100_000.0, 0.0, 0.0, 0.0]));
            drop(shared);
            let verdict = calm.count(now, message());
            assert_eq!(verdict, Verdict::Wait(MAX_ADDRESS_PAUSE));
        }
    }

    #[test]
    fn sixteen_peers_of_one_address_who_set_up_a_call_are_never_held_back() {
        const PEERS: usize = 16;
        const CANDIDATES: usize = 20;
        let start = Instant::now();
        let address = Buckets::of_address(start);
        let mut peers: Vec<ClientRate> = (0..PEERS)
            .map(|_| ClientRate::new(start, PATIENCE, Arc::clone(&address)))
            .collect();
        let mut say = |peer: usize, kind, bytes| {
            let verdict = peers[peer].count(start, Cost::of(kind, bytes));
            assert_eq!(verdict, Verdict::Go, "{peer} {kind:?}");
        };
        for newcomer in 0..PEERS {
            say(newcomer, Kind::Entry, 300);
            say(newcomer, Kind::Write, 300);
            for member in 0..newcomer {
                // An offer and an answer with SDP, and candidates both ways.
                say(newcomer, Kind::Other, 12_000);
                say(member, Kind::Other, 12_000);
                for _ in 0..CANDIDATES {
                    say(newcomer, Kind::Other, 400);
                    say(member, Kind::Other, 400);
                }
            }
        }
    }
}
