//! What the environment says. Variables belong to a whole process, so that each test
//! starts itself again in another one.

use std::process::Command;
use std::time::Duration;

use visavis_media::VideoFormat;
use visavis_media::video::VideoSender;
use visavis_media::video::screen::list;

use crate::harness::{Display, RED, area, shows};

const INNER: &str = "VISAVIS_TEST_INNER";

/// Whether this is the process that `again` has started.
pub(crate) fn is_inner() -> bool {
    std::env::var_os(INNER).is_some()
}

/// Runs a test of this name again, in another environment; what it wrote.
pub(crate) fn again(test: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("XDG_SESSION_TYPE")
        .env(INNER, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn without_a_display_the_error_says_what_is_missing() {
    if is_inner() {
        println!("{}", list().unwrap_err());
        return;
    }
    let test = "environment::without_a_display_the_error_says_what_is_missing";
    let text = again(test, &[]);
    assert!(text.contains("no X display: DISPLAY is not set"), "{text}");
    let text = again(test, &[("WAYLAND_DISPLAY", "wayland-0")]);
    assert!(
        text.contains("on Wayland the desktop lists its screens and windows"),
        "{text}"
    );
}

#[test]
fn a_sender_shows_the_screen_of_the_environment() {
    if is_inner() {
        let sender = VideoSender::new();
        sender.set_source("screen".parse().unwrap(), VideoFormat::default());
        let preview = sender.preview();
        let mut seen = 0;
        loop {
            let newer = preview.wait_newer(seen, Duration::from_secs(20));
            let (version, frame) = newer.expect("frames come");
            if frame.is_some_and(|frame| shows(&frame, 50, 50, RED)) {
                return;
            }
            seen = version;
        }
    }
    let display = Display::start();
    let client = display.client();
    client.fill(client.root, area(0, 0, 100, 100), RED);
    let test = "environment::a_sender_shows_the_screen_of_the_environment";
    again(test, &[("DISPLAY", &display.name)]);
}
