//! Capturing: one source after another, one newest frame.
//!
//! A thread supervises; each source runs on a thread of its own, so that a driver
//! or a pipe that does not answer holds up nothing else.

mod pace;
mod source;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(super) use self::pace::RateMeter;
use self::source::PictureSource;
use crate::device::DeviceError;
use crate::frame::Frame;
use crate::latest::Latest;
use crate::source::{VideoFormat, VideoSource};
use crate::video::background;
use crate::video::camera::OPEN_LIMIT;
use crate::video::screen::Opening;

/// What the picture source is doing.
///
/// ```text
/// Off ──source set, unmuted──► Starting ──opened──► Live
///  ▲                              │                   │
///  └──── muted, no source ────────┴─── error ──► Failed
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureState {
    /// No source, or muted, or nothing was chosen in the system's dialog: no device is
    /// held.
    Off,
    /// The source is being opened.
    Starting,
    /// Pictures come, in the format that was really opened.
    Live(VideoFormat),
    /// The source could not be opened, or failed while it ran. Nothing takes
    /// its place; setting a source or unmuting tries again.
    Failed(DeviceError),
}

/// What is to be captured.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub source: VideoSource,
    pub wanted: VideoFormat,
    pub muted: bool,
    /// The sender is gone: the threads end.
    pub ended: bool,
}

/// What the capture threads share: the desired state and the results.
pub(super) struct Capture {
    wish: Mutex<Wish>,
    /// Every change of the wish.
    orders: Latest<Wish>,
    pub state: Latest<CaptureState>,
    pub preview: Latest<Frame>,
    pub background: background::Choice,
    pub meter: Mutex<RateMeter>,
    current: Mutex<Current>,
    limits: Limits,
    /// The synthetic picture's colour: the same for as long as the sender lives.
    hue_degrees: f32,
}

/// Which source may show frames.
#[derive(Default)]
struct Current {
    /// The order that it was opened for. A source of an earlier one, which did
    /// not end in time, shows nothing.
    order: u64,
    awaited: Awaited,
}

/// What the source must do in time.
#[derive(Default)]
enum Awaited {
    /// Nothing: there is none, it has ended, or this side sets its pace.
    #[default]
    Nothing,
    /// Open; it began then.
    Opening(Instant),
    /// Give a frame; the last one came then.
    Frames(Instant, VideoFormat),
}

/// How long a source may take.
#[derive(Clone, Copy)]
struct Limits {
    /// How often the supervisor looks at the others.
    check: Duration,
    /// To open.
    opening: Duration,
    /// Between two frames.
    stalled: Duration,
    /// To release its device before the next one opens.
    release: Duration,
}

const LIMITS: Limits = Limits {
    check: Duration::from_secs(1),
    opening: OPEN_LIMIT,
    stalled: Duration::from_secs(5),
    release: Duration::from_secs(2),
};

/// What a capture belongs to.
pub(super) trait Owner: Send + Sync + 'static {
    fn capture(&self) -> &Capture;
    /// A source was opened: its first frame follows.
    fn opened(&self);
    /// A frame was captured: it is shown next.
    fn captured(&self);
    /// Opens the source.
    fn open(&self, wish: &Wish) -> Result<Box<dyn PictureSource>, DeviceError> {
        source::open(wish, self.capture().hue_degrees)
    }
}

impl Capture {
    pub(super) fn new(hue_degrees: f32) -> Self {
        let state = Latest::new();
        state.set(CaptureState::Off);
        let wish = Wish {
            source: VideoSource::None,
            wanted: VideoFormat::default(),
            muted: false,
            ended: false,
        };
        Self {
            wish: Mutex::new(wish),
            orders: Latest::new(),
            state,
            preview: Latest::new(),
            background: background::Choice::new(),
            meter: Mutex::default(),
            current: Mutex::default(),
            limits: LIMITS,
            hue_degrees,
        }
    }

    /// Changes what is wanted; when `change` says that it did, the source is
    /// opened again.
    pub(super) fn change(&self, change: impl FnOnce(&mut Wish) -> bool) {
        let mut wish = lock(&self.wish);
        if change(&mut wish) {
            self.orders.set(wish.clone());
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.wish).ended
    }

    /// Whether frames show text and flat areas rather than what a camera sees.
    pub(super) fn is_screen(&self) -> bool {
        matches!(lock(&self.wish).source, VideoSource::Screen(_))
    }

    pub(super) fn rate(&self) -> f32 {
        lock(&self.meter).rate(Instant::now())
    }

    fn enter(&self, state: CaptureState) {
        tracing::info!(?state, "video capture");
        self.state.set(state);
    }

    /// The supervising thread.
    pub(super) fn run<O: Owner>(owner: &Arc<O>) {
        let this = owner.capture();
        let mut seen = 0;
        let mut running: Option<Receiver<()>> = None;
        loop {
            let Some((order, Some(wish))) = this.orders.wait_newer(seen, this.limits.check) else {
                this.check_source();
                continue;
            };
            seen = order;
            let wants_source = !wish.ended && !wish.muted && wish.source != VideoSource::None;
            this.begin(order, wants_source);
            // The old source goes first: some devices can be open only once.
            if let Some(running) = running.take()
                && running.recv_timeout(this.limits.release) == Err(RecvTimeoutError::Timeout)
            {
                tracing::warn!("a video source does not end: it is left behind");
            }
            if wish.ended {
                return;
            }
            if wants_source {
                running = this.start(owner, wish, order);
            }
        }
    }

    /// From now on only the source of this order shows frames.
    fn begin(&self, order: u64, wants_source: bool) {
        let mut current = lock(&self.current);
        let awaited = if wants_source {
            Awaited::Opening(Instant::now())
        } else {
            Awaited::Nothing
        };
        *current = Current { order, awaited };
        self.preview.clear();
        *lock(&self.meter) = RateMeter::default();
        self.enter(if wants_source {
            CaptureState::Starting
        } else {
            CaptureState::Off
        });
    }

    /// Starts a source; the receiver is closed when it has ended.
    fn start<O: Owner>(&self, owner: &Arc<O>, wish: Wish, order: u64) -> Option<Receiver<()>> {
        let (ending, ended) = sync_channel(0);
        let owner = Arc::clone(owner);
        let streaming = move || {
            let this = owner.capture();
            // A driver's library may panic, at the latest when it is dropped.
            let outcome = catch_unwind(AssertUnwindSafe(|| this.stream(&wish, order, &*owner)))
                .unwrap_or_else(|_| Err(DeviceError::Failed("its driver panicked".into())));
            drop(ending);
            this.ended(order, outcome);
        };
        let thread = thread::Builder::new().name("video source".into());
        match thread.spawn(streaming) {
            Ok(_) => Some(ended),
            Err(error) => {
                self.enter(CaptureState::Failed(DeviceError::Failed(error.to_string())));
                None
            }
        }
    }

    fn ended(&self, order: u64, outcome: Result<(), DeviceError>) {
        let mut current = lock(&self.current);
        if let Err(error) = outcome
            && current.order == order
        {
            current.awaited = Awaited::Nothing;
            self.preview.clear();
            *lock(&self.meter) = RateMeter::default();
            self.enter(CaptureState::Failed(error));
        }
    }

    /// Captures until there is a newer order.
    fn stream(&self, wish: &Wish, order: u64, owner: &impl Owner) -> Result<(), DeviceError> {
        let mut source = owner.open(wish)?;
        if !self.has_opened(&mut *source, order)? {
            return Ok(());
        }
        let format = source.format();
        let mut background = background::Stage::default();
        {
            let mut current = lock(&self.current);
            if current.order != order {
                return Ok(());
            }
            current.awaited = match source.due() {
                None => Awaited::Frames(Instant::now(), format),
                Some(_) => Awaited::Nothing,
            };
            owner.opened();
            self.enter(CaptureState::Live(format));
        }
        loop {
            let patience = source.due().map_or(Duration::ZERO, |due| {
                due.saturating_duration_since(Instant::now())
            });
            if self.orders.wait_newer(order, patience).is_some() {
                return Ok(());
            }
            let Some(frame) = source.next()? else {
                continue;
            };
            let frame = background.apply(frame, &self.background);
            let mut current = lock(&self.current);
            if current.order != order {
                return Ok(());
            }
            if let Awaited::Frames(last_frame, format) = &mut current.awaited {
                *last_frame = Instant::now();
                if matches!(self.state.get(), Some(CaptureState::Failed(_))) {
                    self.enter(CaptureState::Live(*format));
                }
            }
            lock(&self.meter).picture(frame.captured_at());
            owner.captured();
            self.preview.set(frame);
        }
    }

    /// Waits for as long as the system asks a person what to share. Returns false when
    /// nothing was chosen, which is no error, or when there is a newer order.
    fn has_opened(&self, source: &mut dyn PictureSource, order: u64) -> Result<bool, DeviceError> {
        loop {
            let opening = source.opening()?;
            if opening == Opening::Open {
                return Ok(true);
            }
            let mut current = lock(&self.current);
            if current.order != order {
                return Ok(false);
            }
            // A person is not timed.
            current.awaited = Awaited::Nothing;
            if opening == Opening::Declined {
                self.enter(CaptureState::Off);
                return Ok(false);
            }
        }
    }

    /// A driver may hang, or stop without an error: then nothing else says that
    /// there is no picture. When it opens or frames come after all, it is live.
    fn check_source(&self) {
        let current = lock(&self.current);
        let (since, limit, reason) = match current.awaited {
            Awaited::Nothing => return,
            Awaited::Opening(since) => (since, self.limits.opening, "it does not open"),
            Awaited::Frames(since, _) => (since, self.limits.stalled, "it gives no picture"),
        };
        let has_failed = matches!(self.state.get(), Some(CaptureState::Failed(_)));
        if since.elapsed() > limit && !has_failed {
            self.preview.clear();
            self.enter(CaptureState::Failed(DeviceError::Failed(reason.into())));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole at every moment, after a panic too.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
