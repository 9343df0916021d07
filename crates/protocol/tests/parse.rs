//! Parsing: no input panics, and relayed payloads keep their text.

#![allow(clippy::unwrap_used)]

// The fuzz target `message` checks the same.
#[path = "../../../tests/fuzz/fuzz_targets/round_trip.rs"]
mod round_trip;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use visavis_protocol::breakout::{BreakoutNotice, BreakoutRequest};
use visavis_protocol::{
    ChatBody, ClientMessage, ErrorCode, Features, JoinLink, LeaveRoom, PeerMessage, PeerQuality,
    QualityReport, RequestId, RoomMessage, ServerMessage,
};

/// Valid messages of every type, which the property tests damage.
const VALID: &[&str] = &[
    r#"{"type":"create-room","requestId":1,"payload":{"name":"Tea","maxParticipants":4,"features":["members","later"]}}"#,
    r#"{"type":"join-room","payload":{"roomId":"abc-defg-hij","displayName":"Bob"}}"#,
    r#"{"type":"leave-room","payload":{"roomId":"abc-defg-hij"}}"#,
    r#"{"type":"list-rooms"}"#,
    r#"{"type":"get-room","payload":{"roomId":"abc-defg-hij"}}"#,
    r#"{"type":"resume","payload":{"resumeToken":"a.b"}}"#,
    r#"{"type":"offer","roomId":"r","to":"b","payload":{"sdp":"v=0\r\n","type":"offer"}}"#,
    r#"{"type":"ice-candidate","to":"b","payload":{"candidate":"","sdpMLineIndex":0}}"#,
    r#"{"type":"chat","roomId":"r","payload":{"text":"\u00fc"}}"#,
    r#"{"type":"update-member","payload":{"tracks":[{"source":"camera","muted":true}]}}"#,
    r#"{"type":"create-room","payload":{"name":"Tea","kind":"broadcast","passcode":"p","waitingRoom":true,"opensAt":"2026-01-22T10:30:00Z","closesAt":null,"token":"a.b.c"}}"#,
    r#"{"type":"join-room","payload":{"roomId":"abc-defg-hij","token":"a.b.c","passcode":"p"}}"#,
    r#"{"type":"report-quality","roomId":"r","payload":{"peers":[{"id":"b","connected":true,"roundTripMs":12.5,"lossPercent":0,"jitterMs":null}]}}"#,
    r#"{"type":"mute-member","roomId":"r","to":"b","payload":{"source":"microphone"}}"#,
    r#"{"type":"remove-member","roomId":"r","to":"b"}"#,
    r#"{"type":"lock-room","roomId":"r"}"#,
    r#"{"type":"unlock-room"}"#,
    r#"{"type":"transfer-host","to":"b"}"#,
    r#"{"type":"end-room","requestId":5}"#,
    r#"{"type":"admit-member","to":"b"}"#,
    r#"{"type":"deny-member","to":"b"}"#,
    r#"{"type":"reaction","roomId":"r","payload":{"emoji":"\ud83d\udc4f"}}"#,
    r#"{"type":"room-updated","roomId":"r","room":{"id":"r","locked":true,"closesAt":null}}"#,
    r#"{"type":"room-closed","roomId":"r","reason":"time-over"}"#,
    r#"{"type":"member-removed","roomId":"r","memberId":"m","reason":"removed-by-host"}"#,
    r#"{"type":"mute-member","roomId":"r","from":"a","payload":{"source":"camera"}}"#,
    r#"{"type":"join-waiting","roomId":"r","position":1,"reason":"full"}"#,
    r#"{"type":"join-request","roomId":"r","memberId":"m"}"#,
    r#"{"type":"reaction","roomId":"r","from":"a","payload":{}}"#,
    r#"{"type":"error","code":"room-not-open","opensAt":"2026-01-22T10:30:00Z"}"#,
    r#"{"type":"hello","version":1,"name":"Ann"}"#,
    r#"{"type":"client-id","id":"x","features":["rooms"]}"#,
    r#"{"type":"member-joined","roomId":"r","memberId":"m","participants":["m"],"member":{"id":"m"}}"#,
    r#"{"type":"error","code":"room-full","retryAfter":3}"#,
    r#"{"type":"join-room","payload":{"roomId":"r","seal":"s","ticket":"t","egress":{"id":"EG_1","secret":"s"}}}"#,
    r#"{"type":"member-joined","roomId":"r","memberId":"m","member":{"id":"m","recording":true},"count":2}"#,
    r#"{"type":"member-left","roomId":"r","memberId":"m","count":1}"#,
    r#"{"type":"members-changed","roomId":"r","joined":[{"id":"m"}],"left":["l"],"count":60}"#,
    r#"{"type":"ice-servers","roomId":"r","payload":{"iceServers":[{"urls":["stun:192.0.2.1"]}],"expiresAt":"2026-01-22T14:30:00Z"}}"#,
    r#"{"type":"token-renewed","roomId":"r","payload":{"token":"a.b.c","expiresAt":"2026-01-22T14:30:00Z"}}"#,
    r#"{"type":"room-updated","roomId":"r","room":{"id":"r","recorders":[{"id":"x","egressId":"EG_1","kind":"live"}],"parent":"p"}}"#,
    r#"{"type":"move-room","roomId":"r","to":"b","deadline":"2026-01-22T10:30:00Z","ticket":"t"}"#,
    r#"{"type":"return-room","roomId":"r"}"#,
    r#"{"type":"mute-member","payload":{"source":"camera"}}"#,
    r#"{"type":"demand","payload":{"tracks":[{"source":"camera","width":640,"height":360}],"captions":true}}"#,
    r#"{"type":"clock-ping","t0":1}"#,
    r#"{"type":"clock-pong","t0":1,"t1":2,"t2":3}"#,
    r#"{"type":"verify-commit","commitment":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}"#,
    r#"{"type":"verify-nonce","nB":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}"#,
    r#"{"type":"verify-reveal","nA":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}"#,
    r#"{"type":"rejoined","id":"m"}"#,
    r#"{"type":"relay","to":"b","from":"a","payload":{"type":"offer","payload":{"type":"offer","sdp":"v=0","offerId":1}}}"#,
    r#"{"type":"caption","id":"c","rev":1,"text":"a","final":true,"lang":"en","startedAt":"2026-01-22T10:30:00Z"}"#,
];

fn parse_as_every_kind(text: &str) {
    let _ = ClientMessage::read(text);
    let _ = ServerMessage::parse(text);
    let _ = PeerMessage::parse(text);
    let _ = BreakoutRequest::parse(text);
    let _ = BreakoutNotice::parse(text);
    let _ = JoinLink::parse(text);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![Just("type".to_owned()), Just("payload".to_owned()), ".*"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics_a_parser(text in ".*") {
        parse_as_every_kind(&text);
    }

    #[test]
    fn no_bytes_panic_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        parse_as_every_kind(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_parsed_message_round_trips(which in 0..VALID.len(), value in any_json()) {
        let mut message: Map<String, Value> = serde_json::from_str(VALID[which]).unwrap();
        message.insert("later".into(), value);
        let text = Value::Object(message).to_string();
        if let Ok(message) = ServerMessage::parse(&text) {
            let written = message.to_json();
            prop_assert_eq!(ServerMessage::parse(&written).unwrap().to_json(), written);
        }
        if let Ok(message) = PeerMessage::parse(&text) {
            let written = message.to_json();
            prop_assert_eq!(PeerMessage::parse(&written).unwrap().to_json(), written);
        }
    }

    #[test]
    fn no_json_panics_a_parser(value in any_json()) {
        parse_as_every_kind(&value.to_string());
    }

    #[test]
    fn no_damaged_message_panics_a_parser(
        which in 0..VALID.len(),
        from in any::<prop::sample::Index>(),
        until in any::<prop::sample::Index>(),
        put in ".{0,4}",
    ) {
        let mut text: Vec<char> = VALID[which].chars().collect();
        let (a, b) = (from.index(text.len()), until.index(text.len()));
        text.splice(a.min(b)..a.max(b), put.chars());
        parse_as_every_kind(&text.into_iter().collect::<String>());
    }

    #[test]
    fn no_field_of_a_wrong_type_panics_a_parser(
        which in 0..VALID.len(),
        field in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let mut message: Map<String, Value> = serde_json::from_str(VALID[which]).unwrap();
        let keys: Vec<String> = message.keys().cloned().collect();
        message.insert(keys[field.index(keys.len())].clone(), value);
        parse_as_every_kind(&Value::Object(message).to_string());
    }

    #[test]
    fn a_relayed_payload_keeps_the_senders_text(value in any_json(), blanks in "[ \t\n]{0,3}") {
        let payload = format!("{{{blanks}\"a\":{blanks}{value}{blanks},\"big\":123456789012345678901234567890.10}}");
        let sent = format!(r#"{{"payload":{blanks}{payload},"to":"b","type":"offer"}}"#);
        let Ok((_, ClientMessage::Offer(offer))) = ClientMessage::read(&sent) else {
            return Err(TestCaseError::fail("not an offer"));
        };
        prop_assert_eq!(offer.payload.get(), &payload);
        let relayed = ServerMessage::Offer(visavis_protocol::ServerRelay {
            from: "a".into(),
            payload: offer.payload,
        });
        prop_assert!(relayed.to_json().contains(&payload));
    }

    #[test]
    fn a_reaction_payload_keeps_the_senders_text(value in any_json(), blanks in "[ \t\n]{0,3}") {
        let payload = format!("{{{blanks}\"emoji\":{blanks}{value}}}");
        let sent = format!(r#"{{"payload":{payload},"type":"reaction"}}"#);
        let Ok((_, ClientMessage::Reaction(reaction))) = ClientMessage::read(&sent) else {
            return Err(TestCaseError::fail("not a reaction"));
        };
        prop_assert_eq!(reaction.payload.get(), &payload);
    }

    #[test]
    fn a_quality_report_round_trips(
        measured in prop::collection::vec(any::<(bool, Option<u32>, Option<u16>)>(), 0..5),
    ) {
        let peer = |(index, (connected, round_trip, loss)): (usize, (bool, Option<u32>, Option<u16>))| {
            PeerQuality {
                id: index.to_string(),
                connected,
                round_trip_ms: round_trip.map(|ms| f64::from(ms) / 8.0),
                loss_percent: loss.map(|percent| f64::from(percent) / 8.0),
                jitter_ms: None,
            }
        };
        let report = QualityReport {
            peers: measured.into_iter().enumerate().map(peer).collect(),
        };
        let text = ClientMessage::ReportQuality(RoomMessage { room_id: None, payload: report.clone() }).to_json();
        let Ok((_, ClientMessage::ReportQuality(read))) = ClientMessage::read(&text) else {
            return Err(TestCaseError::fail("not a quality report"));
        };
        prop_assert_eq!(read.payload, report);
    }

    #[test]
    fn a_refused_message_keeps_its_request_and_room_ids(
        kind in prop_oneof![Just("offer"), Just("no-such-type")],
        id in any::<i64>(),
        room in ".*",
    ) {
        let text = json!({"type": kind, "requestId": id, "roomId": room, "to": 5}).to_string();
        let rejected = ClientMessage::read(&text).unwrap_err();
        prop_assert_eq!(rejected.envelope.request_id, Some(RequestId::Number(id)));
        prop_assert_eq!(rejected.envelope.room_id, Some(room));
        prop_assert_eq!(rejected.envelope.to, None);
    }
}

#[test]
fn every_valid_example_parses() {
    for text in VALID {
        let parsed = [
            ClientMessage::read(text).is_ok(),
            ServerMessage::parse(text).is_ok(),
            PeerMessage::parse(text).is_ok(),
            BreakoutRequest::parse(text).is_ok(),
        ];
        assert!(parsed.contains(&true), "{text}");
    }
}

#[test]
fn a_refused_message_has_the_error_code_of_its_fault() {
    for (text, code) in [
        ("", ErrorCode::BadMessage),
        ("[]", ErrorCode::BadMessage),
        ("{}", ErrorCode::BadMessage),
        (r#"{"type":5}"#, ErrorCode::BadMessage),
        (r#"{"type":"join-room"}"#, ErrorCode::BadMessage),
        (
            r#"{"type":"join-room","payload":{"roomId":5}}"#,
            ErrorCode::BadMessage,
        ),
        (r#"{"type":"offer","payload":{}}"#, ErrorCode::BadMessage),
        (r#"{"type":"chat"}"#, ErrorCode::BadMessage),
        (
            r#"{"type":"remove-member","roomId":"r"}"#,
            ErrorCode::BadMessage,
        ),
        (
            r#"{"type":"mute-member","to":"b","payload":{"source":"thoughts"}}"#,
            ErrorCode::BadMessage,
        ),
        (
            r#"{"type":"create-room","payload":{"name":"Tea","kind":"party"}}"#,
            ErrorCode::BadMessage,
        ),
        (
            r#"{"type":"report-quality","payload":{"peers":[{"id":"b","connected":true,"jitterMs":1e999}]}}"#,
            ErrorCode::BadMessage,
        ),
        (
            r#"{"type":"Join-Room","payload":{}}"#,
            ErrorCode::UnknownType,
        ),
        (r#"{"type":"","requestId":1}"#, ErrorCode::UnknownType),
    ] {
        assert_eq!(ClientMessage::read(text).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn s3_45_messages_without_a_room_id_parse() {
    for (text, room) in [
        (
            r#"{"type":"offer","to":"b","payload":{"type":"offer","sdp":"v=0"}}"#,
            None,
        ),
        (
            r#"{"type":"answer","to":"b","payload":{"type":"answer","sdp":"v=0"}}"#,
            None,
        ),
        (
            r#"{"type":"ice-candidate","to":"b","payload":{"candidate":""}}"#,
            None,
        ),
        (
            r#"{"type":"ice","to":"b","payload":{"candidate":""}}"#,
            None,
        ),
        (
            r#"{"type":"offer","roomId":"r","to":"b","payload":{}}"#,
            Some("r"),
        ),
    ] {
        let (ClientMessage::Offer(relay)
        | ClientMessage::Answer(relay)
        | ClientMessage::IceCandidate(relay)
        | ClientMessage::Ice(relay)) = ClientMessage::read(text).unwrap().1
        else {
            panic!("{text}");
        };
        assert_eq!(
            (relay.to.as_str(), relay.room_id.as_deref()),
            ("b", room),
            "{text}"
        );
    }
}

#[test]
fn a_message_without_a_type_is_refused_with_its_request_id() {
    let rejected = ClientMessage::read(r#"{"requestId":"r-9"}"#).unwrap_err();
    assert_eq!(
        rejected.envelope.request_id,
        Some(RequestId::Text("r-9".into()))
    );
}

#[test]
fn leave_room_takes_its_room_from_payload_top_level_or_neither() {
    for (text, room) in [
        (
            r#"{"type":"leave-room","payload":{"roomId":"r"}}"#,
            Some("r"),
        ),
        (r#"{"type":"leave-room","roomId":"r"}"#, Some("r")),
        (r#"{"type":"leave-room"}"#, None),
    ] {
        let Ok((_, ClientMessage::LeaveRoom(LeaveRoom { room_id }))) = ClientMessage::read(text)
        else {
            panic!("{text}");
        };
        assert_eq!(room_id.as_deref(), room, "{text}");
        let written = ClientMessage::LeaveRoom(LeaveRoom { room_id }).to_json();
        assert_eq!(written.contains("roomId"), room.is_some(), "{written}");
    }
}

#[test]
fn unknown_features_and_fields_are_ignored() {
    let features: Features = serde_json::from_str(r#"["later","chat"]"#).unwrap();
    assert_eq!(serde_json::to_string(&features).unwrap(), r#"["chat"]"#);
    assert!(ServerMessage::parse(r#"{"type":"client-id","id":"x","later":{}}"#).is_ok());
}

#[test]
fn a_chat_payload_of_any_shape_yields_a_text() {
    for (payload, text) in [
        (r#"{"text":"a","more":1}"#, "a"),
        (r#""b""#, "b"),
        ("[1, 2]", "[1, 2]"),
    ] {
        let payload = serde_json::value::RawValue::from_string(payload.to_owned()).unwrap();
        assert_eq!(ChatBody::read(&payload).text, text);
    }
}

#[test]
fn every_fuzz_corpus_message_round_trips() {
    let sources = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let corpus = format!("{sources}/../../tests/fuzz/corpus/message");
    let mut parsed = 0;
    for text in std::fs::read_dir(corpus).unwrap() {
        if let Ok(text) = String::from_utf8(std::fs::read(text.unwrap().path()).unwrap()) {
            parsed += round_trip::check(&text);
        }
    }
    assert!(parsed > 0);
}
