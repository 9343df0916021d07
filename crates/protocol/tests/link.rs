//! Room links.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use visavis_protocol::limits::MAX_LINK_BYTES;
use visavis_protocol::{JoinLink, LinkTarget, RoomLink, RoomLinkError};

fn room(id: &str) -> LinkTarget {
    LinkTarget::Room(id.into())
}

fn booking(id: &str, lobby: bool) -> LinkTarget {
    LinkTarget::Booking {
        id: id.into(),
        lobby,
    }
}

#[test]
fn a_room_code_parses_in_any_notation() {
    for text in [
        "abc-defg-hij",
        " ABCDEFGHIJ ",
        "abc defg hij",
        "Abc-defghij",
    ] {
        assert_eq!(RoomLink::parse(text).unwrap().room, "abc-defg-hij");
        assert_eq!(
            JoinLink::parse(text).unwrap(),
            JoinLink::to(room("abc-defg-hij"))
        );
    }
}

#[test]
fn an_invitation_carries_its_server_and_parses_back() {
    let text = RoomLink::invitation("abc-defg-hij", "ws://192.0.2.1:7420");
    assert_eq!(
        text,
        "visavis://room/abc-defg-hij?server=ws%3A%2F%2F192.0.2.1%3A7420"
    );
    let link = RoomLink::parse(&text).unwrap();
    assert_eq!(link.room, "abc-defg-hij");
    assert_eq!(link.server.as_deref(), Some("ws://192.0.2.1:7420"));
}

#[test]
fn every_form_of_a_link_opens_its_target() {
    let uuid = "0b6f1a3e-5b3f-4a43-9d43-5f2c3a0a6d01";
    for (path, target) in [
        ("abc-defg-hij".to_owned(), room("abc-defg-hij")),
        ("ABCDEFGHIJ/".to_owned(), room("abc-defg-hij")),
        (uuid.to_owned(), room(uuid)),
        ("booking/42".to_owned(), booking("42", false)),
        ("booking/42/lobby".to_owned(), booking("42", true)),
        (
            "session/se_01J".to_owned(),
            LinkTarget::Session("se_01J".into()),
        ),
    ] {
        let app = JoinLink::parse(&format!("visavis://room/{path}")).unwrap();
        assert_eq!((app.target, app.server), (target.clone(), None), "{path}");
        let web = JoinLink::parse(&format!("https://example.org:8443/room/{path}")).unwrap();
        let server = Some("https://example.org:8443".to_owned());
        assert_eq!((web.target, web.server), (target, server), "{path}");
    }
}

#[test]
fn secrets_are_read_from_the_fragment_only() {
    let secrets = "passcode=a%26b+c&token=x.y.z";
    for text in [
        format!("visavis://room/r?server=wss%3A%2F%2Fexample.org#{secrets}"),
        format!("https://example.org/room/r#{secrets}"),
    ] {
        let link = JoinLink::parse(&text).unwrap();
        assert_eq!(link.passcode.as_deref(), Some("a&b c"), "{text}");
        assert_eq!(link.token.as_deref(), Some("x.y.z"), "{text}");
    }
    for text in [
        format!("visavis://room/r?{secrets}"),
        format!("https://example.org/room/r?{secrets}"),
        "visavis://room/r#passcode=&token=".to_owned(),
    ] {
        let link = JoinLink::parse(&text).unwrap();
        assert_eq!((link.passcode, link.token), (None, None), "{text}");
    }
}

#[test]
fn a_link_for_the_app_and_one_for_the_web_carry_the_secrets_in_the_fragment() {
    let link = JoinLink {
        target: booking("42", true),
        server: Some("wss://example.org:8443/ws".into()),
        passcode: Some("a&b c".into()),
        token: Some("x.y.z".into()),
    };
    assert_eq!(
        link.app_url(),
        "visavis://room/booking/42/lobby?server=wss%3A%2F%2Fexample.org%3A8443%2Fws#passcode=a%26b+c&token=x.y.z"
    );
    assert_eq!(
        link.web_url().unwrap(),
        "https://example.org:8443/room/booking/42/lobby#passcode=a%26b+c&token=x.y.z"
    );
}

#[test]
fn only_a_server_with_tls_has_a_web_link() {
    for server in [None, Some("ws://192.0.2.1:7420"), Some("not a url")] {
        let link = JoinLink {
            server: server.map(Into::into),
            ..JoinLink::to(room("abc-defg-hij"))
        };
        assert_eq!(link.web_url(), None, "{server:?}");
    }
}

#[test]
fn a_room_link_drops_secrets_and_refuses_other_targets() {
    let link = RoomLink::parse("https://example.org/room/r#passcode=p").unwrap();
    let server = Some("https://example.org".into());
    assert_eq!(
        link,
        RoomLink {
            room: "r".into(),
            server
        }
    );
    for text in [
        "visavis://room/booking/42",
        "visavis://room/session/se_1",
        ".",
        "..",
    ] {
        assert_eq!(RoomLink::parse(text), Err(RoomLinkError::NotARoom));
    }
}

#[test]
fn debug_output_hides_the_secrets() {
    let link = JoinLink::parse("visavis://room/r#passcode=sesame&token=x.y.z").unwrap();
    let text = format!("{link:?}");
    assert!(
        !text.contains("sesame") && !text.contains("x.y.z"),
        "{text}"
    );
    assert!(text.contains("hidden"), "{text}");
}

#[test]
fn a_text_that_is_not_a_room_is_refused() {
    assert_eq!(RoomLink::parse("  "), Err(RoomLinkError::Empty));
    for text in [
        "https://example.org/abc",
        "https://example.org/room/",
        "https://user@example.org/room/r",
        "http://example.org/room/r",
        "visavis://lobby/x",
        "visavis://room/",
        "visavis://room/a/b",
        "visavis://room/booking//lobby",
        "visavis://room/booking/42/x",
        "visavis://room/a%2Fb",
        "visavis://room:80/r",
        "://",
        "a/b",
        "\u{1F600}",
    ] {
        assert_eq!(
            JoinLink::parse(text),
            Err(RoomLinkError::NotARoom),
            "{text}"
        );
        assert_eq!(
            RoomLink::parse(text),
            Err(RoomLinkError::NotARoom),
            "{text}"
        );
    }
}

#[test]
fn a_link_out_of_bounds_is_refused_with_its_bound() {
    let long = format!("visavis://room/r#token={}", "x".repeat(MAX_LINK_BYTES));
    let error = JoinLink::parse(&long).unwrap_err();
    assert_eq!(error.to_string(), "the link exceeds 8192 bytes");
    let passcode = |length| format!("visavis://room/r#passcode={}", "ü".repeat(length));
    assert!(JoinLink::parse(&passcode(128)).is_ok());
    let error = JoinLink::parse(&passcode(129)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the link's passcode exceeds 128 characters"
    );
}

proptest! {
    #[test]
    fn no_text_panics_the_link_parser(text in ".*", scheme in "|visavis://room/|https://h/room/") {
        let _ = JoinLink::parse(&format!("{scheme}{text}"));
    }

    #[test]
    fn a_link_round_trips(
        id in "[a-z0-9_]{1,40}",
        which in 0..4,
        passcode in prop::option::of(".{1,128}"),
        token in prop::option::of("[A-Za-z0-9_.-]{1,200}"),
    ) {
        let target = match which {
            0 => JoinLink::parse(&id).unwrap().target,
            1 => booking(&id, false),
            2 => booking(&id, true),
            _ => LinkTarget::Session(id),
        };
        let server = Some("https://example.org".to_owned());
        let link = JoinLink { target, server, passcode, token };
        prop_assert_eq!(&JoinLink::parse(&link.app_url()).unwrap(), &link);
        prop_assert_eq!(&JoinLink::parse(&link.web_url().unwrap()).unwrap(), &link);
    }
}
