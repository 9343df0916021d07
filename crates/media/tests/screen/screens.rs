//! Whole screens.

use std::time::{Duration, Instant};

use visavis_media::{DeviceError, ScreenSource, VideoFormat};
use x11rb::connection::Connection as _;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::res::ConnectionExt as _;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux};

use crate::harness::{
    BLUE, Client, Display, GREEN, GREY, RED, area, shows, wait_for, wait_for_end,
};

fn colours_are_where_they_were_drawn(display: &Display) {
    let client = display.client();
    client.fill(client.root, area(0, 0, 1280, 720), GREY);
    client.fill(client.root, area(100, 50, 40, 20), RED);
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    let format = VideoFormat::default();
    assert_eq!(screen.format(), format);
    let frame = wait_for(&mut screen, "red", |frame| shows(frame, 102, 52, RED));
    assert_eq!((frame.width(), frame.height()), (1280, 720));
    for (x, y) in [
        (97, 52),
        (142, 52),
        (102, 47),
        (102, 72),
        (0, 0),
        (1279, 719),
    ] {
        assert!(shows(&frame, x, y, GREY), "{x},{y}");
    }
    assert!(shows(&frame, 137, 67, RED));
    client.fill(client.root, area(1200, 700, 80, 20), BLUE);
    wait_for(&mut screen, "blue", |frame| {
        shows(frame, 1279, 719, BLUE) && shows(frame, 102, 52, RED)
    });
}

#[test]
fn colours_of_a_screen_are_where_they_were_drawn() {
    colours_are_where_they_were_drawn(&Display::start());
}

#[test]
fn without_shared_memory_colours_are_where_they_were_drawn() {
    colours_are_where_they_were_drawn(&Display::start_with(&["-extension", "MIT-SHM"]));
}

#[test]
fn a_screen_that_is_not_there_is_absent() {
    let display = Display::start();
    for source in [
        ScreenSource::Index(1),
        ScreenSource::Named("HDMI-7".into()),
        ScreenSource::Window(0x7fff_fff0),
        ScreenSource::Window(display.client().root),
    ] {
        let error = display.open(&source).err();
        assert_eq!(error, Some(DeviceError::Absent), "{source}");
    }
}

#[test]
fn a_colour_depth_that_is_not_understood_is_refused_with_its_name() {
    let display = Display::start_with(&["-screen", "0", "640x480x16"]);
    let error = display.open(&ScreenSource::Primary).err().unwrap();
    assert!(error.to_string().contains("depth of 16 bits"), "{error}");
}

/// Makes the pointer a square of one colour, 8 pixels to each side of its hot spot.
fn colour_pointer(client: &Client, [red, green, blue]: [u16; 3]) {
    let (conn, root) = (&client.conn, client.root);
    let [bitmap, gc, cursor] = std::array::from_fn(|_| conn.generate_id().unwrap());
    conn.create_pixmap(1, bitmap, root, 16, 16).unwrap();
    let set = CreateGCAux::new().foreground(1);
    conn.create_gc(gc, bitmap, &set).unwrap();
    conn.poly_fill_rectangle(bitmap, gc, &[area(0, 0, 16, 16)])
        .unwrap();
    conn.create_cursor(cursor, bitmap, bitmap, red, green, blue, 0, 0, 0, 8, 8)
        .unwrap();
    let attributes = ChangeWindowAttributesAux::new().cursor(cursor);
    conn.change_window_attributes(root, &attributes).unwrap();
    client.sync();
}

#[test]
fn the_pointer_is_drawn_where_it_is_and_with_the_image_that_it_has() {
    let display = Display::start();
    let client = display.client();
    client.fill(client.root, area(0, 0, 1280, 720), GREY);
    colour_pointer(&client, [0xd0d0, 0x2020, 0x2020]);
    client.point_at(300, 200);
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    let frame = wait_for(&mut screen, "the pointer", |frame| {
        shows(frame, 300, 200, RED)
    });
    assert!(shows(&frame, 294, 194, RED) && shows(&frame, 305, 205, RED));
    assert!(shows(&frame, 289, 200, GREY) && shows(&frame, 311, 200, GREY));
    client.point_at(600, 400);
    wait_for(&mut screen, "its new place", |frame| {
        shows(frame, 600, 400, RED) && shows(frame, 300, 200, GREY)
    });
    colour_pointer(&client, [0x2020, 0xc0c0, 0x3030]);
    wait_for(&mut screen, "its new image", |frame| {
        shows(frame, 600, 400, GREEN)
    });
}

/// Declares a monitor, as `xrandr --setmonitor` does.
fn set_monitor(client: &Client, name: &str, x: i16, width: u16) {
    let monitor = MonitorInfo {
        name: client.atom(name),
        x,
        width,
        height: 720,
        width_in_millimeters: 300,
        height_in_millimeters: 200,
        ..MonitorInfo::default()
    };
    let set = client.conn.randr_set_monitor(client.root, monitor);
    set.unwrap().check().unwrap();
}

#[test]
fn a_monitor_is_followed_when_it_is_moved_and_resized_and_lost_when_it_goes() {
    let display = Display::start();
    let client = display.client();
    client.fill(client.root, area(0, 0, 640, 720), GREEN);
    client.fill(client.root, area(640, 0, 640, 720), BLUE);
    set_monitor(&client, "left", 0, 640);
    let mut screen = display.open(&ScreenSource::Named("left".into())).unwrap();
    wait_for(&mut screen, "the left half", |frame| {
        (frame.width(), frame.height()) == (640, 720) && shows(frame, 630, 700, GREEN)
    });
    let name = client.atom("left");
    let delete = || {
        let deleted = client.conn.randr_delete_monitor(client.root, name);
        deleted.unwrap().check().unwrap();
    };
    // As when a mode is set: it is gone for a moment, and that is seen.
    delete();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        screen.next_frame().unwrap();
    }
    set_monitor(&client, "left", 600, 500);
    wait_for(&mut screen, "its new place and size", |frame| {
        frame.width() == 500 && shows(frame, 30, 9, GREEN) && shows(frame, 50, 9, BLUE)
    });
    delete();
    assert_eq!(wait_for_end(&mut screen), DeviceError::Lost);
}

#[test]
fn a_screen_whose_server_ends_is_lost() {
    let mut display = Display::start();
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    wait_for(&mut screen, "a frame", |_| true);
    display.stop();
    assert_eq!(wait_for_end(&mut screen), DeviceError::Lost);
}

#[test]
fn a_screen_that_is_dropped_leaves_nothing_at_the_server() {
    let display = Display::start();
    let client = display.client();
    let clients = || {
        let reply = client.conn.res_query_clients().unwrap().reply().unwrap();
        reply.clients.len()
    };
    let before = clients();
    let mut screen = display.open(&ScreenSource::Primary).unwrap();
    wait_for(&mut screen, "a frame", |_| true);
    assert_eq!(clients(), before + 1);
    drop(screen);
    let start = Instant::now();
    while clients() > before {
        let is_late = start.elapsed() > Duration::from_secs(20);
        assert!(!is_late, "the connection stays open");
        std::thread::yield_now();
    }
}
