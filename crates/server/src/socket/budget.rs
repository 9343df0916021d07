//! Memory that unfinished messages of all sockets may hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of unfinished messages in the whole process.
pub(crate) const UNFINISHED_BYTES: usize = 64 * 1024 * 1024;

/// A byte budget that the sockets of a server share.
pub(crate) struct Budget {
    total: usize,
    used: AtomicUsize,
}

/// The part of a [`Budget`] that one socket holds; dropping it returns the bytes.
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            used: AtomicUsize::new(0),
        })
    }
}

impl Share {
    pub fn of(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Changes the held bytes to `bytes`. Growth is refused past the budget, and past
    /// half of it for a socket that is not `privileged`: clients outside of a room
    /// cannot block the messages of those in one.
    #[must_use]
    pub fn hold(&mut self, bytes: usize, privileged: bool) -> bool {
        let budget = &*self.budget;
        let limit = if privileged {
            budget.total
        } else {
            budget.total / 2
        };
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let used = budget.used.fetch_add(more, Ordering::Relaxed) + more;
            if used > limit {
                budget.used.fetch_sub(more, Ordering::Relaxed);
                return false;
            }
        } else if bytes < self.bytes {
            budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_are_returned() {
        let budget = Budget::new(100);
        let [mut outside, mut inside] = [(); 2].map(|()| Share::of(Arc::clone(&budget)));
        assert!(outside.hold(50, false));
        assert!(!outside.hold(51, false), "half is for clients in rooms");
        assert!(inside.hold(50, true));
        assert!(!inside.hold(51, true));
        assert!(outside.hold(10, false));
        assert!(inside.hold(90, true));
        drop((outside, inside));
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
