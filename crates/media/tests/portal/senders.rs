//! What a sender makes of it.

use std::time::Duration;

use visavis_media::video::{CaptureState, VideoSender};
use visavis_media::{DeviceError, VideoFormat};

use crate::fake::{Person, Portal};
use crate::producer::Producer;
use crate::session::{LIMIT, wait_until, within};
use crate::shares::{RED, is_all};

fn sender() -> VideoSender {
    let sender = VideoSender::new();
    sender.set_source("screen".parse().unwrap(), VideoFormat::default());
    sender
}

#[test]
fn a_sender_waits_for_the_person_shows_what_was_chosen_and_ends_with_the_share() {
    let test =
        "senders::a_sender_waits_for_the_person_shows_what_was_chosen_and_ends_with_the_share";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let portal = Portal::start(Person::Waits);
        let asking = sender();
        wait_until("the dialog", || portal.dialogs() == 1);
        // Longer than a camera may take to open.
        std::thread::sleep(Duration::from_secs(11));
        assert_eq!(asking.state().get(), Some(CaptureState::Starting));
        drop(asking);
        wait_until("the dialog's end", || portal.open_sessions() == 0);
        portal.set_person(Person::Chooses(producer.node));
        let sender = sender();
        let (preview, mut seen) = (sender.preview(), 0);
        loop {
            let (version, frame) = preview.wait_newer(seen, LIMIT).expect("frames come");
            if frame.is_some_and(|frame| is_all(&frame, RED)) {
                break;
            }
            seen = version;
        }
        portal.end_shares();
        let ended = Some(CaptureState::Failed(DeviceError::Lost));
        wait_until("the end", || sender.state().get() == ended);
    });
}

#[test]
fn a_sender_whose_dialog_is_closed_is_off_without_an_error() {
    let test = "senders::a_sender_whose_dialog_is_closed_is_off_without_an_error";
    within(test, || {
        let portal = Portal::start(Person::Declines);
        let sender = sender();
        wait_until("the dialog", || portal.dialogs() == 1);
        let off = Some(CaptureState::Off);
        wait_until("its end", || sender.state().get() == off);
        wait_until("the session's end", || portal.open_sessions() == 0);
    });
}
