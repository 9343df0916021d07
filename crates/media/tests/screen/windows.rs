//! Single windows.

use std::time::{Duration, Instant};

use visavis_media::frame::MAX_SIDE;
use visavis_media::{DeviceError, ScreenSource};
use x11rb::protocol::xproto::{ConfigureWindowAux, ConnectionExt as _, CreateWindowAux};

use crate::harness::{BLUE, Display, GREEN, RED, area, shows, wait_for, wait_for_end};

fn a_window_is_followed(display: &Display) {
    let client = display.client();
    let window = client.window("one", area(200, 100, 320, 240), GREEN);
    let mut screen = display.open(&ScreenSource::Window(window)).unwrap();
    client.fill(window, area(0, 0, 10, 10), RED);
    let frame = wait_for(&mut screen, "its drawing", |frame| shows(frame, 4, 4, RED));
    assert_eq!((frame.width(), frame.height()), (320, 240));
    assert!(shows(&frame, 14, 14, GREEN) && shows(&frame, 318, 238, GREEN));
    // Odd sides lose a pixel.
    let size = ConfigureWindowAux::new().width(501).height(151);
    client.conn.configure_window(window, &size).unwrap();
    client.sync();
    wait_for(&mut screen, "its new size", |frame| {
        (frame.width(), frame.height()) == (500, 150) && shows(frame, 498, 148, GREEN)
    });
    client.conn.destroy_window(window).unwrap();
    client.sync();
    assert_eq!(wait_for_end(&mut screen), DeviceError::Lost);
}

#[test]
fn a_window_is_followed_when_it_is_resized_and_lost_when_it_is_closed() {
    a_window_is_followed(&Display::start());
}

#[test]
fn without_composite_a_window_is_followed_too() {
    a_window_is_followed(&Display::start_with(&["-extension", "Composite"]));
}

#[test]
fn without_shared_memory_a_window_is_followed_too() {
    a_window_is_followed(&Display::start_with(&["-extension", "MIT-SHM"]));
}

#[test]
fn a_window_is_seen_whole_under_another_and_beyond_the_edge_of_the_screen() {
    let display = Display::start();
    let client = display.client();
    let window = client.window("below", area(1200, 600, 200, 200), GREEN);
    client.window("above", area(1190, 590, 100, 100), BLUE);
    let mut screen = display.open(&ScreenSource::Window(window)).unwrap();
    // What was covered before is drawn by its program when the server asks for it;
    // the server paints the background itself.
    wait_for(&mut screen, "all of it", |frame| {
        (frame.width(), frame.height()) == (200, 200)
            && shows(frame, 10, 10, GREEN)
            && shows(frame, 195, 195, GREEN)
    });
    client.fill(window, area(0, 0, 20, 20), RED);
    wait_for(&mut screen, "what is drawn under another window", |frame| {
        shows(frame, 10, 10, RED)
    });
}

#[test]
fn the_pointer_over_another_window_is_not_drawn_into_the_shared_one() {
    let display = Display::start();
    let client = display.client();
    let window = client.window("below", area(0, 0, 200, 200), GREEN);
    client.window("above", area(100, 0, 100, 200), BLUE);
    client.point_at(50, 100);
    let mut screen = display.open(&ScreenSource::Window(window)).unwrap();
    // The pointer of a server without a window manager is a black cross.
    let differs = |frame: &visavis_media::Frame, left: u32| {
        (left - 8..left + 8).any(|x| (92..108).any(|y| !shows(frame, x, y, GREEN)))
    };
    wait_for(&mut screen, "the pointer", |frame| differs(frame, 50));
    client.point_at(150, 100);
    let frame = wait_for(&mut screen, "no pointer", |frame| !differs(frame, 50));
    assert!(!differs(&frame, 150), "it is over the other window");
}

#[test]
fn a_hidden_window_repeats_its_last_frame_and_goes_on_when_it_is_shown() {
    let display = Display::start();
    let client = display.client();
    let window = client.window("one", area(0, 0, 64, 64), GREEN);
    let mut screen = display.open(&ScreenSource::Window(window)).unwrap();
    wait_for(&mut screen, "it", |frame| shows(frame, 40, 40, GREEN));
    client.conn.unmap_window(window).unwrap();
    client.sync();
    let hidden = Instant::now();
    let frame = wait_for(&mut screen, "its last frame", |frame| {
        frame.captured_at() > hidden + Duration::from_millis(900)
    });
    assert!(shows(&frame, 40, 40, GREEN));
    client.conn.map_window(window).unwrap();
    client.fill(window, area(0, 0, 64, 64), BLUE);
    wait_for(&mut screen, "its new content", |frame| {
        shows(frame, 40, 40, BLUE)
    });
}

#[test]
fn a_window_that_is_not_shown_cannot_be_opened() {
    let display = Display::start();
    let client = display.client();
    let window = client.create("hidden", area(0, 0, 64, 64), &CreateWindowAux::new());
    let error = display.open(&ScreenSource::Window(window)).err().unwrap();
    assert!(error.to_string().contains("minimised or hidden"), "{error}");
}

#[test]
fn a_window_that_is_or_becomes_too_large_is_refused_with_the_limit() {
    let display = Display::start();
    let client = display.client();
    let too_wide = MAX_SIDE + 2;
    let window = client.window("wide", area(0, 0, too_wide as u16, 32), GREEN);
    let source = ScreenSource::Window(window);
    let is_refused = |error: DeviceError| {
        let text = error.to_string();
        assert!(matches!(error, DeviceError::Unsupported(_)), "{text}");
        assert!(
            text.contains("8194x32") && text.contains("at most 8192"),
            "{text}"
        );
    };
    is_refused(display.open(&source).err().unwrap());
    let resize = |width| {
        let size = ConfigureWindowAux::new().width(width);
        client.conn.configure_window(window, &size).unwrap();
        client.sync();
    };
    resize(64);
    let mut screen = display.open(&source).unwrap();
    wait_for(&mut screen, "it", |frame| frame.width() == 64);
    resize(too_wide);
    is_refused(wait_for_end(&mut screen));
}
