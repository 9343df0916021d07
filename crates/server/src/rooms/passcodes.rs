//! Room passcodes: hashing, checking, and limits on guessing.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use visavis_protocol::ErrorCode;
use visavis_protocol::limits::PASSCODE_CHARS;

use crate::access::passcode::{Attempts, hash, verify};
use crate::model::Room;
use crate::refusal::Refusal;

/// Each takes 19 MiB and tens of milliseconds of a processor.
const AT_ONCE: usize = 4;

pub(crate) struct Passcodes {
    attempts: Mutex<Attempts>,
    at_once: Arc<Semaphore>,
}

impl Default for Passcodes {
    fn default() -> Self {
        Self {
            attempts: Mutex::default(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Passcodes {
    /// What to keep of a new passcode.
    ///
    /// # Errors
    /// Where it is too short or too long.
    pub async fn keep(&self, passcode: String) -> Result<String, Refusal> {
        if !PASSCODE_CHARS.contains(&passcode.chars().count()) {
            let (least, most) = (PASSCODE_CHARS.start(), PASSCODE_CHARS.end());
            let why = format!("a passcode has {least} to {most} characters");
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let hashed = self.work(move || hash(&passcode, rand::random())).await?;
        hashed.map_err(|error| {
            tracing::error!(%error, "a passcode cannot be hashed");
            Refusal::server_busy()
        })
    }

    /// Whether one at this address knows the room's passcode, where it has one.
    /// Right or wrong, it is one of the address' tries.
    ///
    /// # Errors
    /// Where it does not, or has tried too often.
    pub async fn check(
        &self,
        now: Instant,
        room: &Room,
        address: IpAddr,
        passcode: Option<String>,
    ) -> Result<(), Refusal> {
        let Some(kept) = room.passcode.clone() else {
            return Ok(());
        };
        let wrong = |why| Err(Refusal::new(ErrorCode::WrongPasscode, why));
        let Some(passcode) = passcode else {
            return wrong("the room asks for a passcode");
        };
        let tried = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.admit(now, room.uid, address)
        };
        tried.map_err(|wait| Refusal::rate_limited(wait, "too many passcodes; wait a little"))?;
        // A longer one is none, and takes longer to hash.
        let fits = PASSCODE_CHARS.contains(&passcode.chars().count());
        if fits && self.work(move || verify(&passcode, &kept)).await? {
            return Ok(());
        }
        wrong("this is not the room's passcode")
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let permit = permit.map_err(|_| Refusal::server_busy())?;
        let working = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        working.await.map_err(|_| Refusal::server_busy())
    }
}
