//! What there is to share.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use visavis_media::video::screen::list_of;
use visavis_media::{DeviceError, ScreenInfo, ScreenKind, ScreenSource, VideoSource};
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode};
use x11rb::wrapper::ConnectionExt as _;

use crate::harness::{BLUE, Display, GREEN, area, shows, wait_for};

fn windows(display: &Display) -> Vec<ScreenInfo> {
    let mut found = list_of(Some(&display.name)).unwrap();
    found.retain(|info| info.kind == ScreenKind::Window);
    found
}

#[test]
fn the_list_has_the_screen_and_a_window_whose_ids_open_them() {
    let display = Display::start();
    let client = display.client();
    let title = "Entwürfe – 図面 ✏️";
    client.window(title, area(30, 40, 321, 200), GREEN);
    let found = list_of(Some(&display.name)).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    let (screen, window) = (&found[0], &found[1]);
    assert_eq!(screen.kind, ScreenKind::Screen);
    assert_eq!((screen.width, screen.height), (1280, 720));
    assert_eq!(screen.id, format!("screen:{}", screen.name));
    assert_eq!(
        (window.name.as_str(), window.kind),
        (title, ScreenKind::Window)
    );
    let place = (window.x, window.y, window.width, window.height);
    assert_eq!(place, (30, 40, 321, 200));
    for (info, size) in [(screen, (1280, 720)), (window, (320, 200))] {
        let VideoSource::Screen(source) = info.id.parse().unwrap() else {
            panic!("{} is another source", info.id);
        };
        let mut screen = display.open(&source).unwrap();
        wait_for(&mut screen, "its size", |frame| {
            (frame.width(), frame.height()) == size
        });
    }
}

#[test]
fn windows_without_a_title_hidden_ones_menus_and_our_own_are_not_listed() {
    let display = Display::start();
    let client = display.client();
    client.window("", area(0, 0, 64, 64), GREEN);
    client.create("hidden", area(0, 0, 64, 64), &CreateWindowAux::new());
    let menu = CreateWindowAux::new().override_redirect(1);
    let menu = client.create("menu", area(0, 0, 64, 64), &menu);
    client.conn.map_window(menu).unwrap();
    let ours = client.window("ours", area(0, 0, 64, 64), GREEN);
    let pid = std::process::id();
    client.set_numbers(ours, "_NET_WM_PID", AtomEnum::CARDINAL, &[pid]);
    let others = client.window("another's", area(0, 0, 64, 64), GREEN);
    client.set_numbers(others, "_NET_WM_PID", AtomEnum::CARDINAL, &[pid + 1]);
    let names: Vec<_> = windows(&display)
        .into_iter()
        .map(|info| info.name)
        .collect();
    assert_eq!(names, ["another's"]);
}

#[test]
fn titles_are_bounded_and_old_ones_are_read_as_latin_1() {
    let display = Display::start();
    let client = display.client();
    client.window(&"ü\n".repeat(5_000), area(0, 0, 64, 64), GREEN);
    let old = client.window("", area(0, 0, 64, 64), GREEN);
    let (name, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
    client
        .conn
        .change_property8(PropMode::REPLACE, old, name, kind, b"caf\xe9")
        .unwrap();
    client.sync();
    let mut names: Vec<_> = windows(&display)
        .into_iter()
        .map(|info| info.name)
        .collect();
    names.sort();
    assert_eq!(names, ["café".to_owned(), "ü".repeat(200)]);
}

#[test]
fn with_a_window_manager_its_windows_are_listed_in_place_of_their_frames() {
    let display = Display::start();
    let manager = display.client();
    let client = display.client();
    let frame = manager.window("frame", area(100, 100, 200, 220), BLUE);
    let window = client.window("document", area(0, 0, 200, 200), GREEN);
    manager.conn.reparent_window(window, frame, 0, 20).unwrap();
    let check = manager.create("manager", area(0, 0, 1, 1), &CreateWindowAux::new());
    for owner in [manager.root, check] {
        manager.set_numbers(
            owner,
            "_NET_SUPPORTING_WM_CHECK",
            AtomEnum::WINDOW,
            &[check],
        );
    }
    // The last one was closed meanwhile.
    let list = [window, 0x7fff_fff0];
    manager.set_numbers(manager.root, "_NET_CLIENT_LIST", AtomEnum::WINDOW, &list);
    let found = windows(&display);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, "document");
    assert_eq!((found[0].x, found[0].y), (100, 120));
    let mut screen = display.open(&ScreenSource::Window(window)).unwrap();
    wait_for(&mut screen, "it without its frame", |frame| {
        (frame.width(), frame.height()) == (200, 200) && shows(frame, 2, 2, GREEN)
    });
    // A list of a manager that has ended is not believed.
    manager.conn.destroy_window(check).unwrap();
    manager.sync();
    assert_eq!(windows(&display)[0].name, "frame");
}

#[test]
fn a_server_that_does_not_answer_holds_nobody_up_for_long() {
    // It listens and never answers: a display of this number on TCP.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = silent.local_addr().unwrap().port() - 6_000;
    let start = Instant::now();
    let error = list_of(Some(&format!("127.0.0.1:{number}"))).unwrap_err();
    let passed = start.elapsed();
    let expected = DeviceError::Failed("the X server does not answer".into());
    assert_eq!(error, expected);
    assert!(passed < Duration::from_secs(8), "{passed:?}");
}

#[test]
fn a_display_that_is_not_there_is_named_as_unreachable() {
    let error = list_of(Some(":59535")).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let error = list_of(Some("nonsense")).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[test]
fn a_server_that_wants_a_cookie_refuses_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cookies");
    // An entry for each display: family, address, number, name, cookie.
    let name = b"MIT-MAGIC-COOKIE-1";
    let mut entry = vec![0xff, 0xff, 0, 0, 0, 0, 0, name.len() as u8];
    entry.extend(name);
    entry.extend([0, 16]);
    entry.extend([7; 16]);
    std::fs::write(&file, entry).unwrap();
    let display = Display::start_with(&["-auth", file.to_str().unwrap()]);
    let listed = list_of(Some(&display.name));
    assert_eq!(listed, Err(DeviceError::Refused));
    let opened = display.open(&ScreenSource::Primary).err();
    assert_eq!(opened, Some(DeviceError::Refused));
}
