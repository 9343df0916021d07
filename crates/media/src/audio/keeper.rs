//! A thread that keeps one device open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::audio::device::{self, Direction};
use crate::device::DeviceError;

/// How long between two attempts to open a device that is not there.
const RETRY: Duration = Duration::from_secs(1);

/// How often to see whether the device is still there, and the default still the
/// same: no system says so by itself through cpal.
const WATCH: Duration = Duration::from_secs(2);

/// How long a stream may take to close before it is left behind.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

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

    /// Holds the device open until there is reason to open it again.
    fn hold(&mut self) -> Result<(), DeviceError> {
        let host = device::host().ok_or(DeviceError::Absent)?;
        let device = self.direction.find(&host, self.id.as_deref())?;
        let default = self.direction.default_id(&host);
        let failure = Arc::new(OnceLock::new());
        let alarm = Alarm {
            worker: self.worker.clone(),
            keeper: thread::current(),
            failure: Arc::clone(&failure),
        };
        let (stream, end) = (self.open)(&device, alarm)?;
        tracing::info!(direction = ?self.direction, "sound device open");
        self.tell(Kept::Opened(end));
        self.lost = false;
        let outcome = self.watch(default.as_ref(), &failure);
        close(stream, host);
        outcome
    }

    /// Returns when the default is another device, and fails when the device is
    /// lost.
    fn watch(
        &self,
        default: Option<&String>,
        failure: &OnceLock<DeviceError>,
    ) -> Result<(), DeviceError> {
        while !self.is_stopped() {
            thread::park_timeout(WATCH);
            if let Some(error) = failure.get() {
                return Err(error.clone());
            }
            if self.is_stopped() {
                break;
            }
            // A sound server that hangs reports nothing, and one whose device went
            // moves the stream to another device, which nobody chose, or to a
            // speaker's monitor.
            let host = device::host().ok_or(DeviceError::Lost)?;
            if self.id.is_some() {
                let found = self.direction.find(&host, self.id.as_deref());
                found.map_err(|_| DeviceError::Lost)?;
            } else {
                let now = self.direction.default_id(&host).ok_or(DeviceError::Lost)?;
                if default != Some(&now) {
                    return Ok(());
                }
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

/// Closes a stream, on a thread of its own: closing waits for an answer from the
/// sound server, which may hang. Only then is its connection free.
fn close(stream: cpal::Stream, host: Arc<cpal::Host>) {
    let (closing, closed) = sync_channel::<()>(0);
    thread::spawn(move || {
        drop(stream);
        drop(host);
        drop(closing);
    });
    if closed.recv_timeout(CLOSE_LIMIT) == Err(RecvTimeoutError::Timeout) {
        tracing::warn!("a sound stream does not close: it is left behind");
    }
}
