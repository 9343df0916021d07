//! A share from its dialog to its end.

use std::time::{Duration, Instant};

use visavis_media::video::convert;
use visavis_media::video::screen::{self, Opening, Screen};
use visavis_media::{DeviceError, Frame, ScreenKind, ScreenSource, VideoFormat};

use crate::fake::{Person, Portal};
use crate::producer::Producer;
use crate::session::{LIMIT, wait_until, within};

pub(crate) const RED: u32 = 0xd0_2020;
pub(crate) const GREEN: u32 = 0x20_c030;
pub(crate) const BLUE: u32 = 0x30_40e0;

/// How far a colour may be from the one that was shown, in each of its parts.
const TOLERANCE: u8 = 8;

/// Whether all of a frame has this colour.
pub(crate) fn is_all(frame: &Frame, colour: u32) -> bool {
    let [_, wanted @ ..] = colour.to_be_bytes();
    let is_near = |pixel: &[u8]| {
        let mut parts = pixel.iter().zip(wanted);
        parts.all(|(value, wanted)| value.abs_diff(wanted) <= TOLERANCE)
    };
    convert::rgb(frame).chunks_exact(3).all(is_near)
}

fn ask(source: &ScreenSource) -> Screen {
    Screen::open(None, source, VideoFormat::default()).unwrap()
}

/// Waits until it is open or nothing was chosen.
fn outcome(screen: &mut Screen) -> Opening {
    let start = Instant::now();
    loop {
        let opening = screen.opening().unwrap();
        if opening != Opening::Asks {
            return opening;
        }
        assert!(start.elapsed() < LIMIT, "it does not open");
    }
}

fn share(source: &ScreenSource) -> Screen {
    let mut screen = ask(source);
    assert_eq!(outcome(&mut screen), Opening::Open);
    screen
}

fn wait_for(screen: &mut Screen, size: (u32, u32), colour: u32) {
    let start = Instant::now();
    let mut last = None;
    while start.elapsed() < LIMIT {
        let Some(frame) = screen.next_frame().unwrap() else {
            continue;
        };
        if (frame.width(), frame.height()) == size && is_all(&frame, colour) {
            return;
        }
        last = Some((frame.width(), frame.height()));
    }
    panic!("{colour:#08x} in {size:?} is not seen; the last frame's size: {last:?}");
}

fn wait_for_end(screen: &mut Screen) -> DeviceError {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Err(error) = screen.next_frame() {
            return error;
        }
    }
    panic!("it does not end");
}

#[test]
fn what_the_person_chose_is_seen_and_followed_and_sharing_again_asks_no_more() {
    let test = "shares::what_the_person_chose_is_seen_and_followed_and_sharing_again_asks_no_more";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let portal = Portal::start(Person::Chooses(producer.node));
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
        producer.show(640, 360, GREEN);
        wait_for(&mut screen, (640, 360), GREEN);
        // Wider rows, and an odd side that loses a pixel.
        producer.show(801, 450, BLUE);
        wait_for(&mut screen, (800, 450), BLUE);
        assert_eq!(portal.dialogs(), 1);
        let asked = &portal.asked()[0];
        // A monitor; the pointer in the picture; as long as the program runs.
        assert_eq!((asked.types, asked.cursor, asked.persist), (1, 2, 1));
        assert_eq!(asked.token, None);
        // Stopped by this side, the session is closed and the stream let go.
        drop(screen);
        wait_until("the session's end", || portal.open_sessions() == 0);
        let mut screen = share(&ScreenSource::Primary);
        producer.show(801, 450, RED);
        wait_for(&mut screen, (800, 450), RED);
        drop(screen);
        let mut screen = share(&ScreenSource::Primary);
        producer.show(801, 450, GREEN);
        wait_for(&mut screen, (800, 450), GREEN);
        // Each token is used once and replaced by the next.
        let tokens: Vec<_> = portal
            .asked()
            .into_iter()
            .map(|asked| asked.token)
            .collect();
        let expected = [None, Some("token-1".into()), Some("token-2".into())];
        assert_eq!(tokens, expected);
        assert_eq!(portal.dialogs(), 1);
        drop(screen);
        screen::forget_choices();
        share(&ScreenSource::Primary);
        assert_eq!(portal.dialogs(), 2);
    });
}

#[test]
fn while_nothing_changes_the_last_frame_is_repeated_once_a_second() {
    let test = "shares::while_nothing_changes_the_last_frame_is_repeated_once_a_second";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let _portal = Portal::start(Person::Chooses(producer.node));
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
        // What it begins with ends after a second, and is made sharp then.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(3_500) {
            screen.next_frame().unwrap();
        }
        let filled = producer.frames();
        let start = Instant::now();
        let mut frames = 0;
        while start.elapsed() < Duration::from_millis(3_500) {
            if let Some(frame) = screen.next_frame().unwrap() {
                assert!(is_all(&frame, RED));
                frames += 1;
            }
        }
        assert_eq!(producer.frames(), filled, "something changed");
        assert!((3..=4).contains(&frames), "{frames} frames in 3.5 s");
    });
}

#[test]
fn a_share_that_the_desktop_ends_is_lost_and_the_next_one_asks() {
    let test = "shares::a_share_that_the_desktop_ends_is_lost_and_the_next_one_asks";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let portal = Portal::start(Person::Chooses(producer.node));
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
        portal.end_shares();
        assert_eq!(wait_for_end(&mut screen), DeviceError::Lost);
        drop(screen);
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
        assert_eq!(portal.dialogs(), 2);
        assert_eq!(portal.asked()[1].token, None);
    });
}

#[test]
fn what_is_shared_and_goes_away_is_lost() {
    within("shares::what_is_shared_and_goes_away_is_lost", || {
        let producer = Producer::start(640, 360, RED);
        let _portal = Portal::start(Person::Chooses(producer.node));
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
        drop(producer);
        assert_eq!(wait_for_end(&mut screen), DeviceError::Lost);
    });
}

#[test]
fn a_dialog_that_is_closed_chooses_nothing_and_the_next_one_may() {
    let test = "shares::a_dialog_that_is_closed_chooses_nothing_and_the_next_one_may";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let portal = Portal::start(Person::Declines);
        let mut screen = ask(&ScreenSource::Primary);
        assert_eq!(outcome(&mut screen), Opening::Declined);
        drop(screen);
        wait_until("the session's end", || portal.open_sessions() == 0);
        portal.set_person(Person::Chooses(producer.node));
        let mut screen = share(&ScreenSource::Primary);
        wait_for(&mut screen, (640, 360), RED);
    });
}

#[test]
fn a_share_that_is_given_up_takes_its_dialog_with_it() {
    let test = "shares::a_share_that_is_given_up_takes_its_dialog_with_it";
    within(test, || {
        let portal = Portal::start(Person::Waits);
        let mut screen = ask(&ScreenSource::Primary);
        wait_until("the dialog", || portal.dialogs() == 1);
        assert_eq!(screen.opening(), Ok(Opening::Asks));
        drop(screen);
        wait_until("the dialog's end", || portal.open_sessions() == 0);
    });
}

#[test]
fn screens_and_windows_are_asked_for_apart_and_have_tokens_of_their_own() {
    let test = "shares::screens_and_windows_are_asked_for_apart_and_have_tokens_of_their_own";
    within(test, || {
        let producer = Producer::start(640, 360, RED);
        let portal = Portal::start(Person::Chooses(producer.node));
        let found = screen::sources().unwrap();
        assert!(found.system_asks);
        let kinds: Vec<_> = found.sources.iter().map(|source| source.kind).collect();
        assert_eq!(kinds, [ScreenKind::Screen, ScreenKind::Window]);
        assert_eq!(portal.dialogs(), 0, "a list shows no dialog");
        for source in [
            ScreenSource::Primary,
            ScreenSource::ChosenWindow,
            ScreenSource::Primary,
        ] {
            assert!(
                found
                    .sources
                    .iter()
                    .any(|found| found.id == source.to_string())
            );
            drop(share(&source));
        }
        let asked = portal
            .asked()
            .into_iter()
            .map(|asked| (asked.types, asked.token));
        let expected = [(1, None), (2, None), (1, Some("token-1".into()))];
        assert_eq!(asked.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn without_a_portal_the_error_names_it_and_ids_of_x11_are_refused() {
    let test = "shares::without_a_portal_the_error_names_it_and_ids_of_x11_are_refused";
    within(test, || {
        let mut screen = ask(&ScreenSource::Primary);
        let start = Instant::now();
        let error = loop {
            match screen.opening() {
                Ok(_) => assert!(start.elapsed() < LIMIT, "it does not fail"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("xdg-desktop-portal"), "{error}");
        let error = screen::sources().unwrap_err().to_string();
        assert!(error.contains("xdg-desktop-portal"), "{error}");
        let named = Screen::open(None, &ScreenSource::Index(1), VideoFormat::default());
        let error = named.err().unwrap().to_string();
        assert!(error.contains("the desktop's dialog chooses"), "{error}");
    });
}
