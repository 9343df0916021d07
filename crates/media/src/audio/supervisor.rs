//! Supervises one sound device: opens it, watches it, reopens it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::audio::device::{self, Direction};
use crate::audio::stream::Period;
use crate::device::DeviceError;
use crate::platform::sound;

/// How long between two attempts to open a device that is not there.
const RETRY: Duration = Duration::from_secs(1);

/// How often to see whether the device is still there, and the default still the
/// same: no system says so by itself through cpal.
const WATCH: Duration = Duration::from_secs(2);

/// A microphone that gave nothing for so many looks has stopped.
const SILENT_LOOKS: u32 = 3;

/// So many late callbacks between two looks, and the device is opened again with longer
/// buffers. Opening it costs a gap, so that one or two do not count.
const MANY_LATE: u32 = 4;

/// How long a stream may take to close before it is left behind.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Opens a stream and gives the worker's end of it.
pub(crate) type Open<End> =
    fn(&cpal::Device, Period, Alarm) -> Result<(cpal::Stream, End), DeviceError>;

/// The result of opening a stream.
type Opened<End> = Result<(cpal::Stream, End), DeviceError>;

/// What the supervisor reports.
pub(crate) enum DeviceEvent<End> {
    /// It runs; an earlier end is void.
    Opened(End),
    /// It does not; it is tried again.
    Failed(DeviceError),
}

/// Opens a device and opens it again when it comes back or, for the default,
/// when that is another one. Opening may take seconds, so it has its own
/// thread; the sound itself never passes through here. Dropping it lets the
/// device go.
pub(crate) struct DeviceSupervisor<End> {
    events: Receiver<DeviceEvent<End>>,
    stopped: Arc<AtomicBool>,
    thread: Thread,
}

/// For a stream's callbacks: wakes the worker, reports the end.
#[derive(Clone)]
pub(crate) struct Alarm {
    worker: Thread,
    supervisor: Thread,
    failure: Arc<OnceLock<DeviceError>>,
    /// Set by each callback.
    moving: Arc<AtomicBool>,
    /// Callbacks too late for the device's buffer.
    late: Arc<AtomicU32>,
}

impl Alarm {
    /// There is sound, or room for it.
    pub(crate) fn wake(&self) {
        self.moving.store(true, Ordering::Relaxed);
        self.worker.unpark();
    }

    /// The device ran out of sound before this callback.
    pub(crate) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// The stream reported something.
    pub(crate) fn report(&self, error: cpal::Error) {
        tracing::debug!(%error, "sound stream");
        if let Some(error) = device::stream_error(error) {
            // Only the first reason counts.
            let _ = self.failure.set(error);
            self.supervisor.unpark();
        }
    }
}

impl<End: Send + 'static> DeviceSupervisor<End> {
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
        let thread_state = SupervisorThread {
            direction,
            id,
            open,
            worker,
            sender,
            stopped: Arc::clone(&stopped),
            lost: false,
            period: Period::SHORTEST,
        };
        let thread = thread::spawn(move || thread_state.run()).thread().clone();
        Self {
            events,
            stopped,
            thread,
        }
    }

    /// The newest event, if there is one.
    pub(crate) fn poll(&self) -> Option<DeviceEvent<End>> {
        self.events.try_iter().last()
    }
}

impl<End> Drop for DeviceSupervisor<End> {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct SupervisorThread<End> {
    direction: Direction,
    id: Option<String>,
    open: Open<End>,
    worker: Thread,
    sender: SyncSender<DeviceEvent<End>>,
    stopped: Arc<AtomicBool>,
    /// It worked once: suppresses repeated reports that it is absent.
    lost: bool,
    /// What the device's callbacks are asked to move at a time.
    period: Period,
}

impl<End: Send + 'static> SupervisorThread<End> {
    fn run(mut self) {
        while !self.is_stopped() {
            let Err(error) = self.hold() else { continue };
            self.lost |= error == DeviceError::Lost;
            if !self.lost || error != DeviceError::Absent {
                self.send_event(DeviceEvent::Failed(error));
            }
            thread::park_timeout(RETRY);
        }
    }

    /// Holds the device open until there is reason to open it again.
    fn hold(&mut self) -> Result<(), DeviceError> {
        let host = device::host().ok_or(DeviceError::Absent)?;
        let device = self.direction.find(&host, self.id.as_deref())?;
        let default = self.direction.default_id(&host);
        let alarm = Alarm {
            worker: self.worker.clone(),
            supervisor: thread::current(),
            failure: Arc::default(),
            moving: Arc::default(),
            late: Arc::default(),
        };
        let opening = self.begin_to_open(device, alarm.clone(), Arc::clone(&host));
        let Some((stream, end)) = self.opened(&opening, default.as_deref())? else {
            return Ok(());
        };
        tracing::info!(direction = ?self.direction, "sound device open");
        self.send_event(DeviceEvent::Opened(end));
        self.lost = false;
        let outcome = self.watch(default.as_deref(), &alarm);
        close(stream, host);
        outcome
    }

    /// Opens the stream on a thread of its own: PulseAudio lets a microphone that is
    /// suspended wait without end. What it opens too late is closed again.
    fn begin_to_open(
        &self,
        device: cpal::Device,
        alarm: Alarm,
        host: Arc<cpal::Host>,
    ) -> Receiver<Opened<End>> {
        let (sender, opening) = sync_channel(1);
        let (open, period) = (self.open, self.period);
        thread::spawn(move || {
            sound::keep_quiet();
            if let Err(SendError(Ok((stream, _)))) = sender.send(open(&device, period, alarm)) {
                close(stream, host);
            }
        });
        opening
    }

    /// Waits for the stream; `None` when there is no reason to wait any more.
    fn opened(
        &self,
        opening: &Receiver<Opened<End>>,
        default: Option<&str>,
    ) -> Result<Option<(cpal::Stream, End)>, DeviceError> {
        loop {
            match opening.recv_timeout(WATCH) {
                Ok(opened) => return opened.map(Some),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(DeviceError::Failed("its driver panicked".into()));
                }
                Err(RecvTimeoutError::Timeout) if self.is_stopped() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    if self.has_moved(default)? {
                        return Ok(None);
                    }
                    let error = DeviceError::Failed("it does not open".into());
                    self.send_event(DeviceEvent::Failed(error));
                }
            }
        }
    }

    /// Returns when the default is another device or needs longer buffers, and fails when the device is
    /// lost.
    fn watch(&mut self, default: Option<&str>, alarm: &Alarm) -> Result<(), DeviceError> {
        let mut silent = 0;
        loop {
            thread::park_timeout(WATCH);
            if let Some(error) = alarm.failure.get() {
                return Err(error.clone());
            }
            if self.is_stopped() || self.has_moved(default)? {
                return Ok(());
            }
            let late = alarm.late.swap(0, Ordering::Relaxed);
            if late >= MANY_LATE
                && let Some(longer) = self.period.longer()
            {
                tracing::info!(late, period = ?longer, "the sound device runs dry: longer buffers");
                self.period = longer;
                return Ok(());
            }
            let is_silent = !alarm.moving.swap(false, Ordering::Relaxed);
            silent = if is_silent { silent + 1 } else { 0 };
            if self.direction == Direction::Capture && silent == SILENT_LOOKS {
                return Err(DeviceError::Failed("it gives no sound".into()));
            }
        }
    }

    /// Whether the default is another device now; fails when the device is gone.
    ///
    /// A sound server that hangs reports nothing, and one whose device went moves
    /// the stream to another device, which nobody chose, or to a speaker's monitor.
    fn has_moved(&self, default: Option<&str>) -> Result<bool, DeviceError> {
        let host = device::host().ok_or(DeviceError::Lost)?;
        if self.id.is_some() {
            let found = self.direction.find(&host, self.id.as_deref());
            return found.map(|_| false).map_err(|_| DeviceError::Lost);
        }
        let now = self.direction.default_id(&host).ok_or(DeviceError::Lost)?;
        Ok(default != Some(now.as_str()))
    }

    fn send_event(&self, event: DeviceEvent<End>) {
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
