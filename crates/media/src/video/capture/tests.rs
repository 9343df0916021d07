//! Drivers that hang, stop and panic.

use std::sync::mpsc::{Sender, channel};

use super::*;

/// What a driver does at each call.
#[derive(Clone, Default)]
struct Driver {
    /// Held while it opens, gives a frame, and closes.
    opening: Arc<Mutex<()>>,
    giving: Arc<Mutex<()>>,
    closing: Arc<Mutex<()>>,
    /// Whether it says that there is no frame yet.
    is_silent: Arc<Mutex<bool>>,
    panics: Arc<Mutex<bool>>,
}

struct Source {
    driver: Driver,
    closed: Sender<()>,
}

const FORMAT: VideoFormat = VideoFormat {
    width: 32,
    height: 32,
    frames_per_second: 200,
};

impl PictureSource for Source {
    fn format(&self) -> VideoFormat {
        FORMAT
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn next(&mut self) -> Result<Option<Frame>, DeviceError> {
        drop(lock(&self.driver.giving));
        assert!(!*lock(&self.driver.panics), "the driver's library panics");
        thread::sleep(Duration::from_millis(5));
        let data = vec![128; Frame::len_of(32, 32)].into();
        let frame = Frame::new(32, 32, data, Instant::now()).unwrap();
        Ok((!*lock(&self.driver.is_silent)).then_some(frame))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        drop(lock(&self.driver.closing));
        // The test may have ended.
        let _ = self.closed.send(());
    }
}

struct Bench {
    capture: Capture,
    /// The first source's; the others never hang.
    driver: Driver,
    opened: Mutex<u32>,
    closed: Sender<()>,
}

impl Owner for Bench {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn opened(&self) {}

    fn captured(&self) {}

    fn open(&self, _wish: &Wish) -> Result<Box<dyn PictureSource>, DeviceError> {
        let is_first = {
            let mut opened = lock(&self.opened);
            *opened += 1;
            *opened == 1
        };
        let driver = if is_first {
            self.driver.clone()
        } else {
            Driver::default()
        };
        drop(lock(&driver.opening));
        let closed = self.closed.clone();
        Ok(Box::new(Source { driver, closed }))
    }
}

impl Bench {
    fn start(driver: &Driver) -> (Arc<Self>, thread::JoinHandle<()>, Receiver<()>) {
        let (closed, closes) = channel();
        let mut capture = Capture::new(0.0);
        let limit = Duration::from_millis(100);
        capture.limits = Limits {
            check: Duration::from_millis(10),
            opening: limit,
            stalled: limit,
            release: limit,
        };
        let bench = Arc::new(Self {
            capture,
            driver: driver.clone(),
            opened: Mutex::default(),
            closed,
        });
        let shared = Arc::clone(&bench);
        let supervisor = thread::spawn(move || Capture::run(&shared));
        bench.show(0);
        (bench, supervisor, closes)
    }

    /// Sets a camera as the source.
    fn show(&self, index: u32) {
        self.capture.change(|wish| {
            wish.source = VideoSource::CameraIndex(index);
            true
        });
    }

    fn wait_for(&self, wanted: impl Fn(&CaptureState) -> bool) {
        let mut seen = 0;
        loop {
            let newer = self.capture.state.wait_newer(seen, Duration::from_secs(20));
            let (version, state) = newer.expect("the state is reached");
            if state.as_ref().is_some_and(&wanted) {
                return;
            }
            seen = version;
        }
    }

    fn wait_for_frames(&self) {
        self.wait_for(|state| *state == CaptureState::Live(FORMAT));
        let (seen, _) = self.capture.preview.versioned();
        let newer = self
            .capture
            .preview
            .wait_newer(seen, Duration::from_secs(20));
        assert!(newer.is_some(), "frames come");
    }

    fn wait_for_fault(&self, reason: &str) {
        let failed = CaptureState::Failed(DeviceError::Failed(reason.into()));
        self.wait_for(|state| *state == failed);
        assert!(self.capture.preview.get().is_none(), "no old picture stays");
    }

    fn end(&self, supervisor: thread::JoinHandle<()>) {
        self.capture.change(|wish| {
            wish.ended = true;
            true
        });
        supervisor.join().unwrap();
    }
}

#[test]
fn a_camera_that_gives_no_frame_is_reported_and_closes_at_once_when_another_is_chosen() {
    let driver = Driver::default();
    *lock(&driver.is_silent) = true;
    let (bench, supervisor, closed) = Bench::start(&driver);
    bench.wait_for_fault("it gives no picture");
    bench.show(1);
    bench.wait_for_frames();
    assert!(
        closed.try_recv().is_ok(),
        "it is closed before the next opens"
    );
    bench.end(supervisor);
}

#[test]
fn a_camera_whose_frames_stop_is_reported_and_live_again_when_they_come() {
    let driver = Driver::default();
    let (bench, supervisor, _closed) = Bench::start(&driver);
    bench.wait_for_frames();
    let hanging = lock(&driver.giving);
    bench.wait_for_fault("it gives no picture");
    drop(hanging);
    bench.wait_for_frames();
    *lock(&driver.is_silent) = true;
    bench.wait_for_fault("it gives no picture");
    bench.end(supervisor);
}

#[test]
fn a_camera_that_hangs_while_it_opens_is_reported_and_holds_up_no_other() {
    let driver = Driver::default();
    let hanging = lock(&driver.opening);
    let (bench, supervisor, closed) = Bench::start(&driver);
    bench.wait_for_fault("it does not open");
    bench.show(1);
    bench.wait_for_frames();
    // What it gives afterwards is not shown, and it is closed.
    drop(hanging);
    closed.recv_timeout(Duration::from_secs(20)).unwrap();
    bench.wait_for_frames();
    bench.end(supervisor);
}

#[test]
fn a_camera_that_opens_late_is_live() {
    let driver = Driver::default();
    let hanging = lock(&driver.opening);
    let (bench, supervisor, _closed) = Bench::start(&driver);
    bench.wait_for_fault("it does not open");
    drop(hanging);
    bench.wait_for_frames();
    bench.end(supervisor);
}

#[test]
fn a_camera_that_hangs_while_it_closes_holds_up_neither_the_next_nor_the_end() {
    let driver = Driver::default();
    let (bench, supervisor, closed) = Bench::start(&driver);
    bench.wait_for_frames();
    let hanging = lock(&driver.closing);
    bench.show(1);
    bench.wait_for_frames();
    assert!(closed.try_recv().is_err(), "it still closes");
    bench.end(supervisor);
    drop(hanging);
}

#[test]
fn a_camera_that_hangs_holds_up_the_end_for_no_longer_than_its_limit() {
    let driver = Driver::default();
    let (bench, supervisor, _closed) = Bench::start(&driver);
    bench.wait_for_frames();
    let hanging = lock(&driver.giving);
    bench.end(supervisor);
    drop(hanging);
}

#[test]
fn a_driver_that_panics_is_a_fault_and_another_camera_works() {
    let driver = Driver::default();
    let (bench, supervisor, _closed) = Bench::start(&driver);
    bench.wait_for_frames();
    *lock(&driver.panics) = true;
    bench.wait_for_fault("its driver panicked");
    bench.show(1);
    bench.wait_for_frames();
    bench.end(supervisor);
}
