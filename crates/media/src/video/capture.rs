//! The capture thread: one source after another, one newest frame.

mod pace;
mod source;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) use self::pace::RateMeter;
use crate::device::DeviceError;
use crate::frame::Frame;
use crate::latest::Latest;
use crate::source::{VideoFormat, VideoSource};

/// What the picture source is doing.
///
/// ```text
/// Off ──source set, unmuted──► Starting ──opened──► Live
///  ▲                              │                   │
///  └──── muted, no source ────────┴─── error ──► Failed
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureState {
    /// No source, or muted: no device is held.
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

/// What the capture thread shares: its orders and its results.
pub(super) struct Capture {
    wish: Mutex<Wish>,
    /// Every change of the wish.
    orders: Latest<Wish>,
    pub state: Latest<CaptureState>,
    pub preview: Latest<Frame>,
    pub meter: Mutex<RateMeter>,
    /// The synthetic picture's colour: the same for as long as the sender lives.
    hue_degrees: f32,
}

/// No change of the wish comes for this long without anything being wrong.
const IDLE: Duration = Duration::from_secs(3_600);

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
            meter: Mutex::default(),
            hue_degrees,
        }
    }

    /// Changes what is wanted; when `change` says that it did, the thread
    /// reopens the source.
    pub(super) fn change(&self, change: impl FnOnce(&mut Wish) -> bool) {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut wish) {
            self.orders.set(wish.clone());
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.wish
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
    }

    pub(super) fn rate(&self) -> f32 {
        self.meter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rate(Instant::now())
    }

    fn enter(&self, state: CaptureState) {
        tracing::info!(?state, "picture capture");
        self.state.set(state);
    }

    /// The capture thread. `opened` is called before a source's first picture,
    /// `captured` before each is shown.
    pub(super) fn run(&self, opened: impl Fn(), captured: impl Fn()) {
        let mut seen = 0;
        loop {
            let Some((order, Some(wish))) = self.orders.wait_newer(seen, IDLE) else {
                continue;
            };
            seen = order;
            if wish.ended {
                return;
            }
            if wish.muted || wish.source == VideoSource::None {
                self.enter(CaptureState::Off);
                continue;
            }
            self.enter(CaptureState::Starting);
            let outcome = self.stream(&wish, order, &opened, &captured);
            // The source is released by now; nothing of it stays on the screen.
            self.preview.clear();
            *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = RateMeter::default();
            if let Err(error) = outcome {
                self.enter(CaptureState::Failed(error));
            }
        }
    }

    /// Captures until there is a newer order.
    fn stream(
        &self,
        wish: &Wish,
        order: u64,
        opened: &impl Fn(),
        captured: &impl Fn(),
    ) -> Result<(), DeviceError> {
        let mut source = source::open(wish, self.hue_degrees)?;
        opened();
        self.enter(CaptureState::Live(source.format()));
        loop {
            let patience = source.due().map_or(Duration::ZERO, |due| {
                due.saturating_duration_since(Instant::now())
            });
            if self.orders.wait_newer(order, patience).is_some() {
                return Ok(());
            }
            let frame = source.next()?;
            self.meter
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .picture(frame.captured_at());
            captured();
            self.preview.set(frame);
        }
    }
}
