//! Room passcodes: hashing, checking, and limits on guessing.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;
use visavis_protocol::ErrorCode;
use visavis_protocol::limits::{PASSCODE_CHARS, PASSCODE_QUEUE, PASSCODE_REFILL};

use crate::access::passcode::{Attempts, Ticket, Turn, hash, verify};
use crate::model::Room;
use crate::refusal::Refusal;

/// Hashes at a time: each takes 19 MiB and tens of milliseconds of a processor.
const AT_ONCE: usize = 4;
/// Hashes that wait for their turn.
const WAITING: usize = 64;
/// The length of a new passcode. A shorter one of an older room is still accepted.
const NEW_CHARS: RangeInclusive<usize> = 4..=*PASSCODE_CHARS.end();
/// The longest delay of a try: that of the last one in the queue of a spent budget, and
/// of two more for the time that the hashes of those before it take.
const LONGEST_DELAY: Duration = PASSCODE_REFILL.saturating_mul(PASSCODE_QUEUE as u32 + 2);

pub(crate) struct Passcodes {
    attempts: Mutex<Attempts>,
    /// A try was checked: one that waits may have its turn.
    checked: Notify,
    at_once: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passcodes {
    fn default() -> Self {
        Self {
            attempts: Mutex::default(),
            checked: Notify::new(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }
}

/// A try on its way. Dropped before its end, it leaves the queue, or counts as
/// wrong where it was already being checked.
struct Attempt<'a> {
    passcodes: &'a Passcodes,
    ticket: Ticket,
    checking: bool,
    right: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut attempts = self.passcodes.attempts();
        match self.checking {
            true => attempts.checked(Instant::now(), self.ticket, self.right),
            false => attempts.leave(self.ticket),
        }
        drop(attempts);
        self.passcodes.checked.notify_waiters();
    }
}

impl Passcodes {
    /// The hash to store of a new passcode.
    ///
    /// # Errors
    /// The passcode is too short or too long, or the server is busy.
    pub async fn keep(&self, passcode: String) -> Result<String, Refusal> {
        if !NEW_CHARS.contains(&passcode.chars().count()) {
            let (least, most) = (NEW_CHARS.start(), NEW_CHARS.end());
            let why = format!("a passcode has {least} to {most} characters");
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let hashed = self.work(move || hash(&passcode, rand::random())).await?;
        hashed.map_err(|error| {
            tracing::error!(%error, "a passcode cannot be hashed");
            Refusal::server_busy()
        })
    }

    /// Checks the room's passcode, if it has one. Only a wrong try counts
    /// against the address; where too many were wrong, this one is delayed.
    ///
    /// # Errors
    /// The passcode is missing or wrong, or too many tries wait.
    pub async fn check(
        &self,
        room: &Room,
        address: IpAddr,
        passcode: Option<String>,
    ) -> Result<(), Refusal> {
        let Some(kept) = room.passcode.clone() else {
            return Ok(());
        };
        let wrong = |why| Err(Refusal::new(ErrorCode::WrongPasscode, why));
        let Some(passcode) = passcode else {
            return wrong("the room requires a passcode");
        };
        let busy = |wait| Refusal::rate_limited(wait, "too many wrong passcodes; try again later");
        let ticket = self.attempts().queue(Instant::now(), room.uid, address);
        let mut attempt = Attempt {
            passcodes: self,
            ticket: ticket.map_err(busy)?,
            checking: false,
            right: false,
        };
        self.turn(&mut attempt).await.map_err(busy)?;
        // A longer one is never right and takes longer to hash.
        let fits = PASSCODE_CHARS.contains(&passcode.chars().count());
        attempt.right = fits && self.work(move || verify(&passcode, &kept)).await?;
        match attempt.right {
            true => Ok(()),
            false => wrong("wrong passcode"),
        }
    }

    /// Waits for the turn of this try, but not for long; else for how long it
    /// would have had to wait.
    async fn turn(&self, attempt: &mut Attempt<'_>) -> Result<(), Duration> {
        let end = Instant::now() + LONGEST_DELAY;
        loop {
            let checked = self.checked.notified();
            let now = Instant::now();
            let turn = self.attempts().turn(now, attempt.ticket);
            match turn {
                Turn::Go => {
                    attempt.checking = true;
                    return Ok(());
                }
                Turn::Wait(wait) if now + wait > end => return Err(wait),
                Turn::Wait(wait) => {
                    tokio::select! {
                        () = checked => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = Arc::clone(&self.queue).try_acquire_owned();
        let place = place.map_err(|_| Refusal::server_busy())?;
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let permit = permit.map_err(|_| Refusal::server_busy())?;
        let working = spawn_blocking(move || {
            let _held = (place, permit);
            work()
        });
        working.await.map_err(|_| Refusal::server_busy())
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use visavis_protocol::limits::PASSCODE_TRIES;

    #[tokio::test]
    async fn past_64_waiting_hashes_the_server_is_busy() {
        let passcodes = Passcodes::default();
        let held = Arc::clone(&passcodes.at_once).acquire_many_owned(4).await;
        let keep = || passcodes.keep("open sesame".to_owned());
        let mut waiting = Vec::new();
        for _ in 0..AT_ONCE + WAITING {
            let mut hashing = Box::pin(keep());
            assert!(futures_util::poll!(&mut hashing).is_pending());
            waiting.push(hashing);
        }
        assert_eq!(keep().await.unwrap_err().code, ErrorCode::ServerBusy);
        drop(held);
        drop(waiting);
        assert!(keep().await.is_ok());
    }

    #[tokio::test]
    async fn the_last_in_the_queue_of_a_spent_budget_waits_for_its_turn() {
        let passcodes = Passcodes::default();
        let room = Room {
            passcode: hash("open sesame", [1; 16]).ok(),
            ..Room::draft(Timestamp(0))
        };
        let here = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..PASSCODE_TRIES {
            let mut attempts = passcodes.attempts();
            let ticket = attempts.queue(Instant::now(), room.uid, here).unwrap();
            assert_eq!(attempts.turn(Instant::now(), ticket), Turn::Go);
            attempts.checked(Instant::now(), ticket, false);
        }
        let check = || Box::pin(passcodes.check(&room, here, Some("open sesame".to_owned())));
        let mut waiting = Vec::new();
        for place in 1..=PASSCODE_QUEUE {
            let mut check = check();
            let polled = futures_util::poll!(&mut check);
            assert!(polled.is_pending(), "{place}: {polled:?}");
            waiting.push(check);
        }
        assert_eq!(check().await.unwrap_err().code, ErrorCode::RateLimited);
        // One that hangs up leaves its place to another.
        drop(waiting.remove(3));
        let mut next = check();
        assert!(futures_util::poll!(&mut next).is_pending());
        // The others move up: the first is checked after one interval.
        let first = tokio::time::timeout(PASSCODE_REFILL * 2, waiting.remove(0));
        assert_eq!(first.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_short_passcode_of_an_older_room_still_opens_it() {
        let passcodes = Passcodes::default();
        let refused = passcodes.keep("abc".to_owned()).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadMessage);
        let room = Room {
            passcode: hash("x", [1; 16]).ok(),
            ..Room::draft(Timestamp(0))
        };
        let here = IpAddr::from([127, 0, 0, 1]);
        let check = |passcode: &str| passcodes.check(&room, here, Some(passcode.to_owned()));
        assert_eq!(check("x").await, Ok(()));
        assert_eq!(check("y").await.unwrap_err().code, ErrorCode::WrongPasscode);
    }
}
