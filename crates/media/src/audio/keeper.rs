//! A thread that keeps one device open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::audio::device::{self, Direction};
use crate::device::DeviceError;

/// How long between two attempts to open a device that is not there.
const RETRY: Duration = Duration::from_secs(1);

/// How often to see whether the default device is another: no system says so
/// by itself through cpal.
const WATCH_DEFAULT: Duration = Duration::from_secs(2);

/// Opens a stream and gives the worker's end of it.
pub(crate) type Open<End> = fn(&cpal::Device, Alarm) -> Result<(cpal::Stream, End), DeviceError>;

/// What became of the device.
pub(crate) enum Kept<End> {
    /// It runs; an earlier end is void.
    Opened(End),
    /// It does not; it is tried again.
    Failed(DeviceError),
}

/// Opens a device and opens it again when it comes back or, for the default,
/// when that is another one. Opening may take seconds, so it has its own
/// thread; the sound itself never passes through here. Dropping it lets the
/// device go.
pub(crate) struct Keeper<End> {
    events: Receiver<Kept<End>>,
    stopped: Arc<AtomicBool>,
    thread: Thread,
}

/// For a stream's callbacks: wakes the worker, reports the end.
#[derive(Clone)]
pub(crate) struct Alarm {
    worker: Thread,
    keeper: Thread,
    failure: Arc<OnceLock<DeviceError>>,
}

impl Alarm {
    /// There is sound, or room for it.
    pub(crate) fn wake(&self) {
        self.worker.unpark();
    }

    /// The stream reported something.
    pub(crate) fn report(&self, error: cpal::Error) {
        tracing::debug!(%error, "sound stream");
        if let Some(error) = device::stream_error(error) {
            // Only the first reason counts.
            let _ = self.failure.set(error);
            self.keeper.unpark();
        }
    }
}

impl<End: Send + 'static> Keeper<End> {
    /// Keeps the device with this id open, or the default one. `worker` is
    /// woken for each event.
    pub(crate) fn start(
        direction: Direction,
        id: Option<String>,
        worker: Thread,
        open: Open<End>,
    ) -> Self {
        let (sender, events) = sync_channel(4);
        let stopped = Arc::new(AtomicBool::new(false));
        let keeping = Keeping {
            direction,
            id,
            open,
            worker,
            sender,
            stopped: Arc::clone(&stopped),
            lost: false,
        };
        let thread = thread::spawn(move || keeping.run()).thread().clone();
        Self {
            events,
            stopped,
            thread,
        }
    }

    /// The newest event, if there is one.
    pub(crate) fn poll(&self) -> Option<Kept<End>> {
        self.events.try_iter().last()
    }
}

impl<End> Drop for Keeper<End> {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct Keeping<End> {
    direction: Direction,
    id: Option<String>,
    open: Open<End>,
    worker: Thread,
    sender: SyncSender<Kept<End>>,
    stopped: Arc<AtomicBool>,
    /// It worked once; that it is absent since then is no news.
    lost: bool,
}

impl<End> Keeping<End> {
    fn run(mut self) {
        while !self.is_stopped() {
            let Err(error) = self.hold() else { continue };
            self.lost |= error == DeviceError::Lost;
            if !self.lost || error != DeviceError::Absent {
                self.tell(Kept::Failed(error));
            }
            thread::park_timeout(RETRY);
        }
    }

    /// Holds the device open until there is reason to open it anew.
    fn hold(&mut self) -> Result<(), DeviceError> {
        let host = device::host();
        let device = self.direction.find(&host, self.id.as_deref())?;
        let default = self.direction.default_id(&host);
        let failure = Arc::new(OnceLock::new());
        let alarm = Alarm {
            worker: self.worker.clone(),
            keeper: thread::current(),
            failure: Arc::clone(&failure),
        };
        let (_stream, end) = (self.open)(&device, alarm)?;
        tracing::info!(direction = ?self.direction, "sound device open");
        self.tell(Kept::Opened(end));
        self.lost = false;
        while !self.is_stopped() {
            thread::park_timeout(WATCH_DEFAULT);
            if let Some(error) = failure.get() {
                return Err(error.clone());
            }
            let moved = || {
                self.direction
                    .default_id(&host)
                    .is_some_and(|id| Some(id) != default)
            };
            if self.id.is_none() && moved() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn tell(&self, event: Kept<End>) {
        // The worker takes events at each turn; when it is gone, so is the reader.
        if self.sender.send(event).is_ok() {
            self.worker.unpark();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}
