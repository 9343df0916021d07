//! A slot that holds the newest value: raw pictures, levels, states.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A shared slot; the newest value wins and nothing is kept behind it.
/// Read it from a thread ([`Latest::wait_newer`]) or from any async runtime
/// ([`Latest::changed`]). Cloning shares the slot.
#[derive(Debug)]
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    newer: Condvar,
}

#[derive(Debug)]
struct State<T> {
    version: u64,
    value: Option<T>,
    wakers: Vec<Waker>,
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Clone> Default for Latest<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Latest<T> {
    /// An empty slot, at version 0.
    pub fn new() -> Self {
        let state = State {
            version: 0,
            value: None,
            wakers: Vec::new(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                newer: Condvar::new(),
            }),
        }
    }

    /// Puts a value and wakes who waits.
    pub fn set(&self, value: T) {
        self.replace(Some(value));
    }

    /// Empties the slot; a new version like any other.
    pub fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, value: Option<T>) {
        let wakers = {
            let mut state = self.lock();
            state.version += 1;
            state.value = value;
            std::mem::take(&mut state.wakers)
        };
        self.shared.newer.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<T> {
        self.lock().value.clone()
    }

    /// The version and the value. The version counts the changes so far.
    pub fn versioned(&self) -> (u64, Option<T>) {
        let state = self.lock();
        (state.version, state.value.clone())
    }

    /// Blocks until the version is past `seen`, at most for `limit`.
    pub fn wait_newer(&self, seen: u64, limit: Duration) -> Option<(u64, Option<T>)> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while state.version <= seen {
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self
                .shared
                .newer
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Some((state.version, state.value.clone()))
    }

    /// Waits, in any async runtime, until the version is past `seen`.
    pub async fn changed(&self, seen: u64) -> (u64, Option<T>) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.version > seen {
                return Poll::Ready((state.version, state.value.clone()));
            }
            if !state
                .wakers
                .iter()
                .any(|waker| waker.will_wake(context.waker()))
            {
                state.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic elsewhere leaves a whole value behind: every change is one assignment.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_wins_and_the_version_counts() {
        let slot = Latest::new();
        assert_eq!(slot.versioned(), (0, None));
        slot.set(1);
        slot.set(2);
        assert_eq!(slot.versioned(), (2, Some(2)));
        assert_eq!(slot.wait_newer(1, Duration::ZERO), Some((2, Some(2))));
        assert_eq!(slot.wait_newer(2, Duration::ZERO), None);
    }

    #[test]
    fn a_thread_that_waits_is_woken() {
        let slot = Latest::new();
        let other = slot.clone();
        let thread = std::thread::spawn(move || other.wait_newer(0, Duration::from_secs(10)));
        slot.set("now");
        assert_eq!(thread.join().unwrap(), Some((1, Some("now"))));
    }
}
