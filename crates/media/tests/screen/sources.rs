//! What there is to choose from, with thumbnails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use visavis_media::ScreenKind;
use visavis_media::video::screen::{MAX_SOURCES, ShareSource, sources_of};
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::harness::{BLUE, Display, GREEN, RED, area};

fn sources(display: &Display) -> Vec<ShareSource> {
    let found = sources_of(Some(&display.name)).unwrap();
    assert!(!found.system_asks);
    found.sources
}

fn titled<'a>(sources: &'a [ShareSource], title: &str) -> &'a ShareSource {
    let mut sources = sources.iter();
    sources.find(|source| source.title == title).unwrap()
}

fn colour(source: &ShareSource, x: u32, y: u32) -> u32 {
    let thumbnail = source.thumbnail.as_ref().unwrap();
    let at = (y * thumbnail.width + x) as usize * 4;
    let &[red, green, blue, 255] = &thumbnail.rgba[at..at + 4] else {
        panic!("it is not opaque");
    };
    u32::from_be_bytes([0, red, green, blue])
}

fn size(source: &ShareSource) -> (u32, u32) {
    let thumbnail = source.thumbnail.as_ref().unwrap();
    let length = thumbnail.width as usize * thumbnail.height as usize * 4;
    assert_eq!(thumbnail.rgba.len(), length);
    (thumbnail.width, thumbnail.height)
}

#[test]
fn screens_and_windows_are_offered_with_small_images_of_what_they_show() {
    let display = Display::start();
    let client = display.client();
    client.window("wide", area(640, 360, 640, 320), GREEN);
    client.window("small", area(0, 0, 60, 40), RED);
    let found = sources(&display);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].kind, ScreenKind::Screen);
    assert_eq!(size(&found[0]), (320, 180));
    // A quarter of each side.
    assert_eq!(colour(&found[0], 5, 5), RED);
    assert_eq!(colour(&found[0], 240, 120), GREEN);
    let wide = titled(&found, "wide");
    assert_eq!((wide.kind, size(wide)), (ScreenKind::Window, (320, 160)));
    assert_eq!(colour(wide, 100, 100), GREEN);
    // What is smaller stays so.
    assert_eq!(size(titled(&found, "small")), (60, 40));
}

#[test]
fn a_covered_window_shows_itself_and_not_what_lies_over_it() {
    let display = Display::start();
    let client = display.client();
    client.window("below", area(100, 100, 200, 100), GREEN);
    client.window("above", area(100, 100, 200, 100), BLUE);
    let found = sources(&display);
    assert_eq!(colour(titled(&found, "below"), 50, 50), GREEN);
    assert_eq!(colour(titled(&found, "above"), 50, 50), BLUE);
}

#[test]
fn at_most_64_sources_are_offered() {
    let display = Display::start();
    let client = display.client();
    for _ in 0..MAX_SOURCES + 5 {
        client.window("one of many", area(0, 0, 32, 32), GREEN);
    }
    assert_eq!(sources(&display).len(), MAX_SOURCES);
}

#[test]
fn windows_that_close_meanwhile_do_not_fail_the_others() {
    let display = Display::start();
    let client = display.client();
    client.window("stays", area(0, 0, 64, 64), GREEN);
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = display.client();
            while !ends.load(Ordering::Relaxed) {
                let window = client.window("closes", area(100, 100, 64, 64), BLUE);
                client.conn.destroy_window(window).unwrap();
                client.sync();
            }
        });
        for _ in 0..50 {
            let found = sources(&display);
            assert_eq!(colour(titled(&found, "stays"), 20, 20), GREEN);
        }
        ends.store(true, Ordering::Relaxed);
    });
}
