//! Passcodes: their hashes, and the budgets of wrong tries.
#![deny(clippy::disallowed_methods)]

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use argon2::password_hash::Error;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use uuid::Uuid;
use visavis_protocol::limits::{
    PASSCODE_QUEUE as QUEUE, PASSCODE_REFILL as REFILL, PASSCODE_TRIES as WRONG_TRIES,
};

use super::proxy::client_network;

/// The hash of a passcode: argon2id at OWASP's minimum (19 MiB, two passes), the
/// library's default. It takes tens of milliseconds; run it on a blocking thread.
///
/// # Errors
/// The passcode is longer than 4 GiB.
pub(crate) fn hash(passcode: &str, salt: [u8; 16]) -> Result<String, Error> {
    let hash = Argon2::default().hash_password_with_salt(passcode.as_bytes(), &salt)?;
    Ok(hash.to_string())
}

/// Whether this is the passcode; takes as long as [`hash`].
pub(crate) fn verify(passcode: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(passcode.as_bytes(), &hash)
            .is_ok()
    })
}

/// Tries of one room and address that wait for others to be checked.
const WAITING: usize = 64;
/// Wrong tries that a room has at once, over all addresses.
const ROOM_WRONG_TRIES: u32 = 60;
/// One of these is available again after this.
const ROOM_REFILL: Duration = Duration::from_secs(1);
/// How often entries without effect are removed.
const SWEEP: Duration = Duration::from_secs(60);

type Key = (Uuid, IpAddr);

/// The budgets of wrong tries, for each room and address.
///
/// Only a wrong try costs. A try that is still being checked counts as wrong
/// until its result is known, so that many at once do not exceed the budget; a
/// try without budget waits. Many wrong tries at one room from many addresses
/// delay each further try there.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    budgets: HashMap<Key, Budget>,
    rooms: HashMap<Uuid, Debt>,
    tickets: u64,
    swept: Option<Instant>,
}

/// When everything that was spent is refilled.
#[derive(Debug, Default, Clone, Copy)]
struct Debt(Option<Instant>);

impl Debt {
    fn left(self, now: Instant) -> Duration {
        self.0
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    fn add(&mut self, now: Instant, cost: Duration) {
        self.0 = Some(now + self.left(now) + cost);
    }
}

#[derive(Debug, Default)]
struct Budget {
    debt: Debt,
    /// Tries that are being checked.
    checking: u32,
    queue: VecDeque<u64>,
}

impl Budget {
    /// How long a further try has to wait, as far as time alone makes it free.
    fn wait(&self, now: Instant) -> Duration {
        let needed = self.debt.left(now) + REFILL * (self.checking + 1);
        needed.saturating_sub(REFILL * WRONG_TRIES)
    }

    /// Whether wrong tries alone have spent it.
    fn is_spent(&self, now: Instant) -> bool {
        self.debt.left(now) + REFILL > REFILL * WRONG_TRIES
    }
}

/// A try before it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    key: Key,
    number: u64,
    not_before: Instant,
}

/// Whether a try may be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now; its result is to be told to [`Attempts::checked`].
    Go,
    /// After this time, or earlier where another try turns out right.
    Wait(Duration),
}

impl Attempts {
    /// A new try. Refused where too many wait, with the time after which one
    /// more may.
    pub fn queue(&mut self, now: Instant, room: Uuid, address: IpAddr) -> Result<Ticket, Duration> {
        self.sweep(now);
        let key = (room, client_network(address));
        let busy = self.rooms.get(&room).copied().unwrap_or_default();
        let busy = busy
            .left(now)
            .saturating_sub(ROOM_REFILL * ROOM_WRONG_TRIES);
        let budget = self.budgets.entry(key).or_default();
        let most = match budget.is_spent(now) {
            true => QUEUE,
            false => WAITING,
        };
        if budget.queue.len() >= most {
            return Err(budget.wait(now).max(REFILL));
        }
        self.tickets += 1;
        budget.queue.push_back(self.tickets);
        Ok(Ticket {
            key,
            number: self.tickets,
            not_before: now + busy.min(REFILL),
        })
    }

    /// Whether this try may be checked now: in the order of the queue.
    pub fn turn(&mut self, now: Instant, ticket: Ticket) -> Turn {
        let budget = self.budgets.entry(ticket.key).or_default();
        let own = ticket.not_before.saturating_duration_since(now);
        let ahead = budget.queue.iter().position(|one| *one == ticket.number);
        let ahead = u32::try_from(ahead.unwrap_or_default()).unwrap_or(u32::MAX);
        let wait = match (budget.wait(now), ahead) {
            (Duration::ZERO, 0) => Duration::ZERO,
            (wait, ahead) => wait.max(Duration::from_millis(1)) + REFILL * ahead,
        };
        match wait.max(own) {
            Duration::ZERO => {
                budget.queue.pop_front();
                budget.checking += 1;
                Turn::Go
            }
            wait => Turn::Wait(wait),
        }
    }

    /// A try whose turn it was is checked.
    pub fn checked(&mut self, now: Instant, ticket: Ticket, right: bool) {
        let budget = self.budgets.entry(ticket.key).or_default();
        budget.checking = budget.checking.saturating_sub(1);
        if !right {
            budget.debt.add(now, REFILL);
            let room = self.rooms.entry(ticket.key.0).or_default();
            room.add(now, ROOM_REFILL);
        }
    }

    /// A try is given up before its turn.
    pub fn leave(&mut self, ticket: Ticket) {
        if let Some(budget) = self.budgets.get_mut(&ticket.key) {
            budget.queue.retain(|one| *one != ticket.number);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let swept = self.swept.get_or_insert(now);
        if now.saturating_duration_since(*swept) < SWEEP {
            return;
        }
        *swept = now;
        let owes = |debt: Debt| debt.left(now) > Duration::ZERO;
        self.budgets.retain(|_, budget| {
            owes(budget.debt) || budget.checking > 0 || !budget.queue.is_empty()
        });
        self.rooms.retain(|_, debt| owes(*debt));
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Only to have an instant to begin with.
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const ROOM: Uuid = Uuid::from_u128(1);

    /// One try to its end; how long it waited.
    fn try_one(
        attempts: &mut Attempts,
        now: &mut Instant,
        address: IpAddr,
        right: bool,
    ) -> Duration {
        let began = *now;
        let ticket = attempts.queue(*now, ROOM, address).unwrap();
        while let Turn::Wait(wait) = attempts.turn(*now, ticket) {
            *now += wait;
        }
        attempts.checked(*now, ticket, right);
        *now - began
    }

    #[test]
    fn a_passcode_is_kept_as_a_salted_argon2_hash() {
        let kept = hash("open sesame", [1; 16]).unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(verify("open sesame", &kept));
        assert_ne!(kept, hash("open sesame", [2; 16]).unwrap());
        for (wrong, hash) in [
            ("open sesam", kept.as_str()),
            ("", &kept),
            ("open sesame", ""),
            ("open sesame", "open sesame"),
            ("open sesame", "$argon2id$v=19$m=19456,t=2,p=1$"),
        ] {
            assert!(!verify(wrong, hash), "{wrong} {hash}");
        }
    }

    #[test]
    fn right_tries_cost_nothing_so_a_whole_office_gets_in_at_once() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        // All arrive before the first is checked.
        let tickets: Vec<_> = (0..40)
            .map(|_| attempts.queue(now, ROOM, HERE).unwrap())
            .collect();
        let mut inside = 0;
        for ten in tickets.chunks(10) {
            for ticket in ten {
                assert_eq!(attempts.turn(now, *ticket), Turn::Go);
            }
            for ticket in ten {
                attempts.checked(now, *ticket, true);
                inside += 1;
            }
        }
        assert_eq!(inside, 40);
    }

    #[test]
    fn ten_wrong_tries_delay_a_colleague_at_most_six_seconds_and_refuse_nobody() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            assert_eq!(
                try_one(&mut attempts, &mut now, HERE, false),
                Duration::ZERO
            );
        }
        // Another address and another room have budgets of their own.
        assert_eq!(
            try_one(&mut attempts, &mut now, THERE, true),
            Duration::ZERO
        );
        let other = attempts.queue(now, Uuid::from_u128(2), HERE).unwrap();
        assert_eq!(attempts.turn(now, other), Turn::Go);
        assert_eq!(try_one(&mut attempts, &mut now, HERE, true), REFILL);
        // A right try costs nothing.
        assert_eq!(try_one(&mut attempts, &mut now, HERE, true), Duration::ZERO);
        assert_eq!(
            try_one(&mut attempts, &mut now, HERE, false),
            Duration::ZERO
        );
        assert_eq!(try_one(&mut attempts, &mut now, HERE, false), REFILL);
    }

    #[test]
    fn a_spent_budget_has_a_queue_of_eight_served_in_order() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            try_one(&mut attempts, &mut now, HERE, false);
        }
        let queued: Vec<_> = (0..8)
            .map(|_| attempts.queue(now, ROOM, HERE).unwrap())
            .collect();
        assert_eq!(attempts.queue(now, ROOM, HERE), Err(REFILL));
        for (index, ticket) in (1..).zip(&queued) {
            assert_eq!(attempts.turn(now, *ticket), Turn::Wait(REFILL * index));
        }
        // One that gives up makes room for another.
        attempts.leave(queued[7]);
        attempts.queue(now, ROOM, HERE).unwrap();
        now += REFILL;
        assert_ne!(attempts.turn(now, queued[1]), Turn::Go);
        assert_eq!(attempts.turn(now, queued[0]), Turn::Go);
        attempts.checked(now, queued[0], true);
        assert_eq!(attempts.turn(now, queued[1]), Turn::Go);
    }

    #[test]
    fn tries_that_are_being_checked_count_as_wrong_until_they_are_right() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        let tickets: Vec<_> = (0..11)
            .map(|_| attempts.queue(now, ROOM, HERE).unwrap())
            .collect();
        for ticket in &tickets[..10] {
            assert_eq!(attempts.turn(now, *ticket), Turn::Go);
        }
        assert!(matches!(attempts.turn(now, tickets[10]), Turn::Wait(_)));
        attempts.checked(now, tickets[0], false);
        assert!(matches!(attempts.turn(now, tickets[10]), Turn::Wait(_)));
        attempts.checked(now, tickets[1], true);
        assert_eq!(attempts.turn(now, tickets[10]), Turn::Go);
    }

    #[test]
    fn addresses_of_one_64_share_a_budget() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        for last in 0..10_u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, last, 0, 0, 1]);
            assert_eq!(
                try_one(&mut attempts, &mut now, address, false),
                Duration::ZERO
            );
        }
        let same = IpAddr::from([0x2001, 0xdb8, 0, 1, 99, 0, 0, 1]);
        assert_eq!(try_one(&mut attempts, &mut now, same, true), REFILL);
        let next = IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]);
        assert_eq!(try_one(&mut attempts, &mut now, next, true), Duration::ZERO);
    }

    #[test]
    fn guessing_from_many_addresses_delays_others_by_no_more_than_six_seconds() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..200_u32 {
            let address = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number));
            let ticket = attempts.queue(now, ROOM, address).unwrap();
            let turn = attempts.turn(now, ticket);
            assert_eq!(turn == Turn::Go, number <= 60, "{number}");
            attempts.checked(now, ticket, false);
        }
        let mut later = now;
        assert_eq!(try_one(&mut attempts, &mut later, HERE, true), REFILL);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_wrong_tries_than_the_budget_and_its_refill(
            pauses in prop::collection::vec(0_u64..20_000, 1..200)
        ) {
            let mut now = Instant::now();
            let mut attempts = Attempts::default();
            let mut wrong = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                try_one(&mut attempts, &mut now, HERE, false);
                wrong.push(now);
            }
            for many in wrong.windows(21) {
                prop_assert!(many[20] - many[0] >= SWEEP);
            }
            now += SWEEP * 2;
            attempts.queue(now, ROOM, THERE).unwrap();
            prop_assert_eq!((attempts.budgets.len(), attempts.rooms.len()), (1, 0));
        }
    }
}
