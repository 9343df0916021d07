//! The newest frame of systems that push frames, from the thread that gets them to the
//! one that captures.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::device::DeviceError;

/// A frame: four bytes a pixel, blue first, in tightly packed rows.
#[derive(Default)]
pub(super) struct Newest {
    pub data: Vec<u8>,
    pub width: u32,
    pub height: u32,
    is_new: bool,
    end: Option<DeviceError>,
}

/// A place for one frame.
#[derive(Default)]
pub(super) struct Slot {
    newest: Mutex<Newest>,
    changed: Condvar,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the frame. `fill` writes its pixels and returns width and height, or
    /// `None` where there are none.
    pub(super) fn fill(&self, fill: impl FnOnce(&mut Vec<u8>) -> Option<(u32, u32)>) {
        let mut newest = self.lock();
        if let Some(size) = fill(&mut newest.data) {
            (newest.width, newest.height) = size;
            newest.is_new = true;
            drop(newest);
            self.changed.notify_all();
        }
    }

    /// No frame follows. The first reason counts.
    pub(super) fn end(&self, error: DeviceError) {
        self.lock().end.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Waits until there is a frame that was not taken, and says whether.
    pub(super) fn wait(&self, until: Instant) -> Result<bool, DeviceError> {
        let mut newest = self.lock();
        loop {
            if let Some(error) = &newest.end {
                return Err(error.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if newest.is_new || left.is_zero() {
                return Ok(newest.is_new);
            }
            let waited = self.changed.wait_timeout(newest, left);
            newest = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The newest frame, which is taken with this.
    pub(super) fn take(&self) -> MutexGuard<'_, Newest> {
        let mut newest = self.lock();
        newest.is_new = false;
        newest
    }

    /// Width and height that were last seen.
    pub(super) fn size(&self) -> (u32, u32) {
        let newest = self.lock();
        (newest.width, newest.height)
    }
}
