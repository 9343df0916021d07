//! How many frames come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use visavis_media::video::screen::Screen;
use visavis_media::{ScreenSource, VideoFormat};
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};

use crate::harness::{BLUE, Display, GREEN, GREY, area, shows, wait_for};

/// Frames in this time.
fn count(screen: &mut Screen, time: Duration) -> usize {
    let start = Instant::now();
    let mut frames = 0;
    while start.elapsed() < time {
        frames += usize::from(screen.next_frame().unwrap().is_some());
    }
    frames
}

/// Runs `measure` while something moves from `left` to the right.
fn while_moving<T>(display: &Display, left: i16, measure: impl FnOnce() -> T) -> T {
    let client = display.client();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for step in (0..500).cycle() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                client.fill(client.root, area(left + step, 300, 60, 60), GREEN);
                client.fill(client.root, area(left + step, 300, 2, 60), GREY);
                thread::sleep(Duration::from_millis(8));
            }
        });
        let measured = measure();
        ends.store(true, Ordering::Relaxed);
        measured
    })
}

#[test]
fn moving_content_comes_at_25_frames_a_second_or_more_and_no_more_than_30() {
    let display = Display::start();
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    let frames = while_moving(&display, 0, || {
        wait_for(&mut screen, "it", |_| true);
        count(&mut screen, Duration::from_secs(3))
    });
    assert!((75..=92).contains(&frames), "{frames} frames in 3 s");
}

#[test]
fn the_wanted_rate_is_not_exceeded() {
    let display = Display::start();
    let wanted = VideoFormat {
        frames_per_second: 10,
        ..VideoFormat::default()
    };
    let mut screen = Screen::open(Some(&display.name), &ScreenSource::Primary, wanted).unwrap();
    assert_eq!(screen.format().frames_per_second, 10);
    let frames = while_moving(&display, 0, || {
        wait_for(&mut screen, "it", |_| true);
        count(&mut screen, Duration::from_secs(2))
    });
    assert!((16..=21).contains(&frames), "{frames} frames in 2 s");
}

#[test]
fn a_still_screen_gives_one_frame_a_second_and_a_change_comes_at_once() {
    let display = Display::start();
    let client = display.client();
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    wait_for(&mut screen, "it", |_| true);
    // What was drawn while it opened has come, and was made sharp.
    count(&mut screen, Duration::from_millis(2_500));
    let frames = count(&mut screen, Duration::from_millis(3_500));
    assert!((3..=4).contains(&frames), "{frames} frames in 3.5 s");
    client.fill(client.root, area(0, 0, 100, 100), BLUE);
    let drawn = Instant::now();
    wait_for(&mut screen, "the change", |frame| {
        shows(frame, 50, 50, BLUE)
    });
    let passed = drawn.elapsed();
    assert!(passed < Duration::from_millis(500), "{passed:?}");
}

#[test]
fn after_a_change_the_frame_is_repeated_until_the_encoder_has_made_it_sharp() {
    let display = Display::start();
    let client = display.client();
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    wait_for(&mut screen, "it", |_| true);
    count(&mut screen, Duration::from_millis(2_500));
    client.fill(client.root, area(0, 0, 100, 100), BLUE);
    wait_for(&mut screen, "the change", |frame| {
        shows(frame, 50, 50, BLUE)
    });
    let frames = count(&mut screen, Duration::from_millis(1_450));
    assert!((5..=7).contains(&frames), "{frames} frames in 1.45 s");
}

#[test]
fn what_moves_on_another_monitor_gives_no_frames() {
    let display = Display::start();
    let client = display.client();
    let monitor = MonitorInfo {
        name: client.atom("left"),
        width: 600,
        height: 720,
        width_in_millimeters: 300,
        height_in_millimeters: 200,
        ..MonitorInfo::default()
    };
    let set = client.conn.randr_set_monitor(client.root, monitor);
    set.unwrap().check().unwrap();
    client.point_at(1200, 700);
    let mut screen = display.open(&ScreenSource::Named("left".into())).unwrap();
    let frames = while_moving(&display, 650, || {
        wait_for(&mut screen, "it", |_| true);
        count(&mut screen, Duration::from_millis(2_500));
        count(&mut screen, Duration::from_millis(3_500))
    });
    assert!((3..=4).contains(&frames), "{frames} frames in 3.5 s");
}
