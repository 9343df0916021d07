//! Messages between peers: snapshots, round trips and bounds.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod common;

use common::{ANN, BOB, raw};
use serde_json::{Value, json};
use visavis_protocol::limits::*;
use visavis_protocol::*;

const TIME: &str = "2026-01-22T10:30:00.250Z";

fn description(kind: DescriptionKind, offer_id: Option<u32>) -> PeerPayload<Description> {
    PeerPayload {
        payload: Description {
            offer_id,
            ..Description::new(kind, "v=0\r\n".into())
        },
    }
}

fn candidate() -> PeerPayload<IceCandidate> {
    PeerPayload {
        payload: IceCandidate {
            candidate: "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host".into(),
            sdp_mid: Some("0".into()),
            sdp_m_line_index: Some(0),
            username_fragment: Some("abcd".into()),
        },
    }
}

fn relay(from: Option<&str>, payload: &RelayedMessage) -> PeerRelay {
    PeerRelay {
        to: BOB.into(),
        from: from.map(Into::into),
        payload: raw(serde_json::to_value(payload).unwrap()),
    }
}

#[test]
fn every_core_peer_message_has_a_snapshot() {
    use PeerMessage as M;
    check!(
        "peer-hello",
        PeerMessage,
        M::Hello(Hello {
            version: PEER_PROTOCOL,
            name: "Ann".into()
        })
    );
    let track = |source, muted| TrackState { source, muted };
    check!(
        "peer-update-member",
        PeerMessage,
        M::UpdateMember(PeerPayload {
            payload: MemberPatch {
                name: Some("Ann".into()),
                tracks: Some(vec![
                    track(TrackSource::Camera, true),
                    track(TrackSource::ScreenShare, false),
                ]),
                hand_raised: Some(false),
                recording: Some(true),
            }
        })
    );
    check!(
        "peer-chat",
        PeerMessage,
        M::Chat(PeerChat {
            id: "m-1".into(),
            payload: raw(json!({"text": "hello"})),
        })
    );
    check!(
        "peer-mute-member",
        PeerMessage,
        M::MuteMember(PeerPayload {
            payload: MuteSource {
                source: TrackSource::Microphone
            }
        })
    );
    check!(
        "peer-demand",
        PeerMessage,
        M::Demand(PeerPayload {
            payload: Demand {
                tracks: vec![
                    DemandedTrack {
                        source: TrackSource::Camera,
                        width: 640,
                        height: 360,
                    },
                    DemandedTrack {
                        source: TrackSource::ScreenShare,
                        width: 0,
                        height: 0,
                    },
                ],
                captions: Some(true),
            }
        })
    );
    check!(
        "peer-suspended",
        PeerMessage,
        M::Suspended(PeerPayload {
            payload: Suspended {
                tracks: vec![TrackSource::Camera],
            }
        })
    );
    check!(
        "peer-caption",
        PeerMessage,
        M::Caption(Caption {
            id: "c-1".into(),
            rev: 2,
            text: "Good morning.".into(),
            is_final: true,
            lang: "en".into(),
            started_at: TIME.into(),
        })
    );
}

#[test]
fn every_negotiation_message_between_peers_has_a_snapshot() {
    use DescriptionKind::{Answer, Offer};
    use PeerMessage as M;
    check!(
        "peer-offer",
        PeerMessage,
        M::Offer(description(Offer, Some(7)))
    );
    check!(
        "peer-offer-plain",
        PeerMessage,
        M::Offer(description(Offer, None))
    );
    check!(
        "peer-answer",
        PeerMessage,
        M::Answer(description(Answer, Some(7)))
    );
    check!(
        "peer-ice-candidate",
        PeerMessage,
        M::IceCandidate(candidate())
    );
    check!(
        "peer-rejoined",
        PeerMessage,
        M::Rejoined(Rejoined { id: ANN.into() })
    );
    let offer = RelayedMessage::Offer(description(Offer, Some(7)));
    check!("peer-relay", PeerMessage, M::Relay(relay(None, &offer)));
    check!(
        "peer-relay-forwarded",
        PeerMessage,
        M::Relay(relay(Some(ANN), &RelayedMessage::IceCandidate(candidate())))
    );
}

#[test]
fn every_clock_and_verification_message_has_a_snapshot() {
    use PeerMessage as M;
    check!(
        "peer-clock-ping",
        PeerMessage,
        M::ClockPing(ClockPing { t0: 1_000_001 })
    );
    check!(
        "peer-clock-pong",
        PeerMessage,
        M::ClockPong(ClockPong {
            t0: 1_000_001,
            t1: 9_000_000_000,
            t2: 9_000_000_150
        })
    );
    let nonce = FixedBytes([0xA5; 32]);
    check!(
        "peer-verify-commit",
        PeerMessage,
        M::VerifyCommit(VerifyCommit {
            commitment: FixedBytes([0xFF; 32])
        })
    );
    check!(
        "peer-verify-nonce",
        PeerMessage,
        M::VerifyNonce(VerifyNonce { nonce })
    );
    check!(
        "peer-verify-reveal",
        PeerMessage,
        M::VerifyReveal(VerifyReveal { nonce })
    );
    check!(
        "peer-identity",
        PeerMessage,
        M::Identity(Identity {
            key: FixedBytes([1; 32]),
            signature: FixedBytes([2; 64])
        })
    );
}

fn error(message: Value) -> String {
    PeerMessage::parse(&message.to_string())
        .unwrap_err()
        .to_string()
}

fn assert_parses(message: Value) {
    let text = message.to_string();
    assert!(PeerMessage::parse(&text).is_ok(), "{text}");
}

#[test]
fn a_message_larger_than_64_kib_is_refused_before_it_is_parsed() {
    let hello = r#"{"type":"hello","version":1}"#;
    let padded = |bytes: usize| format!("{hello}{}", " ".repeat(bytes - hello.len()));
    assert!(PeerMessage::parse(&padded(64 * 1024)).is_ok());
    let error = PeerMessage::parse(&padded(64 * 1024 + 1)).unwrap_err();
    assert_eq!(error.to_string(), "message exceeds 65536 bytes");
    let not_json = "x".repeat(64 * 1024 + 1);
    let error = PeerMessage::parse(&not_json).unwrap_err();
    assert_eq!(error.to_string(), "message exceeds 65536 bytes");
}

#[test]
fn a_name_longer_than_100_characters_is_refused() {
    let hello = |name: &str| json!({"type": "hello", "version": 1, "name": name});
    let update = |name: &str| json!({"type": "update-member", "payload": {"name": name}});
    let (fits, exceeds) = ("ü".repeat(MAX_NAME_CHARS), "ü".repeat(MAX_NAME_CHARS + 1));
    for message in [hello(&fits), update(&fits)] {
        assert_parses(message);
    }
    for message in [hello(&exceeds), update(&exceeds)] {
        assert_eq!(error(message), "name exceeds 100 characters");
    }
}

#[test]
fn a_chat_text_longer_than_32_kib_is_refused_in_any_shape() {
    let chat = |payload: Value| json!({"type": "chat", "id": "m-1", "payload": payload});
    let (fits, exceeds) = ("x".repeat(32 * 1024), "x".repeat(32 * 1024 + 1));
    assert_parses(chat(json!({"text": fits})));
    assert_parses(chat(json!(fits)));
    for payload in [json!({"text": exceeds}), json!(exceeds), json!([exceeds])] {
        assert_eq!(error(chat(payload)), "text exceeds 32768 bytes");
    }
}

#[test]
fn an_id_longer_than_its_bound_is_refused() {
    let chat = |bytes| json!({"type": "chat", "id": "x".repeat(bytes), "payload": "a"});
    assert_parses(chat(64));
    assert_eq!(error(chat(65)), "id exceeds 64 bytes");
    let rejoined = |bytes| json!({"type": "rejoined", "id": "x".repeat(bytes)});
    assert_parses(rejoined(128));
    assert_eq!(error(rejoined(129)), "id exceeds 128 bytes");
    let answer = json!({"type": "answer", "payload": {"type": "answer", "sdp": ""}});
    let relay = |to: usize, from: usize| json!({"type": "relay", "to": "x".repeat(to), "from": "x".repeat(from), "payload": answer.clone()});
    assert_parses(relay(128, 128));
    assert_eq!(error(relay(129, 1)), "to exceeds 128 bytes");
    assert_eq!(error(relay(1, 129)), "from exceeds 128 bytes");
}

#[test]
fn a_list_of_tracks_has_one_entry_per_source() {
    let update = |tracks: Value| json!({"type": "update-member", "payload": {"tracks": tracks}});
    let demand = |tracks: Value| json!({"type": "demand", "payload": {"tracks": tracks}});
    let suspended = |tracks: Value| json!({"type": "suspended", "payload": {"tracks": tracks}});
    let all = ["camera", "microphone", "screen_share", "screen_share_audio"];
    let track = |source: &str| json!({"source": source, "muted": true, "width": 1, "height": 1});
    let tracks = |sources: &[&str]| {
        sources
            .iter()
            .map(|source| track(source))
            .collect::<Value>()
    };
    for message in [update, demand].map(|message| message(tracks(&all))) {
        assert_parses(message);
    }
    for message in [update, demand].map(|message| message(tracks(&["camera", "camera"]))) {
        assert_eq!(error(message), "tracks name a source twice");
    }
    assert_parses(suspended(json!(all)));
    let twice = suspended(json!(["camera", "camera"]));
    assert_eq!(error(twice), "tracks name a source twice");
    let many = vec!["camera"; 1_000];
    assert_eq!(error(suspended(json!(many))), "tracks exceed 4 entries");
    for message in [update, demand].map(|message| message(tracks(&many))) {
        assert_eq!(error(message), "tracks exceed 4 entries");
    }
}

#[test]
fn a_caption_out_of_bounds_is_refused() {
    let caption = |id: &str, text: &str, lang: &str, started_at: &str| {
        json!({
            "type": "caption", "id": id, "rev": 0, "text": text, "final": false,
            "lang": lang, "startedAt": started_at,
        })
    };
    assert_parses(caption("c", &"ü".repeat(MAX_CAPTION_CHARS), "en-GB", TIME));
    for (message, why) in [
        (
            caption(&"x".repeat(129), "a", "en", TIME),
            "id exceeds 128 bytes",
        ),
        (
            caption("c", &"ü".repeat(MAX_CAPTION_CHARS + 1), "en", TIME),
            "text exceeds 1000 characters",
        ),
        (
            caption("c", "a", &"x".repeat(36), TIME),
            "lang exceeds 35 bytes",
        ),
        (
            caption("c", "a", "en", &"0".repeat(65)),
            "startedAt exceeds 64 bytes",
        ),
    ] {
        assert_eq!(error(message), why);
    }
}

#[test]
fn only_offers_answers_and_candidates_are_relayed_between_peers() {
    let relay = |payload: Value| json!({"type": "relay", "to": BOB, "payload": payload});
    assert_parses(relay(
        json!({"type": "offer", "payload": {"type": "offer", "sdp": "v=0"}}),
    ));
    let chat = json!({"type": "chat", "id": "m-1", "payload": "a"});
    assert_eq!(error(relay(chat)), r#"unknown message type "chat""#);
    let nested = relay(json!({"type": "ice-candidate", "payload": {"candidate": ""}}));
    assert_eq!(error(relay(nested)), r#"unknown message type "relay""#);
    for payload in [json!("offer"), json!({"type": "offer", "payload": {}})] {
        PeerMessage::parse(&relay(payload).to_string()).unwrap_err();
    }
}

#[test]
fn a_relayed_payload_between_peers_keeps_the_senders_text() {
    let payload = r#"{ "type":"offer", "later":1e0, "payload":{"type":"offer","sdp":"v=0"} }"#;
    let text = format!(r#"{{"type":"relay","to":"b","payload":{payload}}}"#);
    let PeerMessage::Relay(relay) = PeerMessage::parse(&text).unwrap() else {
        panic!("not a relay");
    };
    assert_eq!(relay.payload.get(), payload);
    assert!(PeerMessage::Relay(relay).to_json().contains(payload));
}

#[test]
fn verification_bytes_of_another_length_or_encoding_are_refused() {
    let encoded = serde_json::to_value(FixedBytes([7; 32])).unwrap();
    assert_eq!(encoded, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    assert_parses(json!({"type": "verify-nonce", "nB": encoded}));
    for wrong in [
        json!("BwcHBw=="),
        json!("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"),
        json!("not base64"),
        json!(serde_json::to_value(FixedBytes([7; 33])).unwrap()),
        json!([7]),
    ] {
        for message in [
            json!({"type": "verify-commit", "commitment": wrong}),
            json!({"type": "verify-nonce", "nB": wrong}),
            json!({"type": "verify-reveal", "nA": wrong}),
            json!({"type": "identity", "key": wrong, "signature": FixedBytes([2; 64])}),
        ] {
            let text = message.to_string();
            assert!(PeerMessage::parse(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for message in [
        json!({"type": "offer", "payload": {"type": "offer", "sdp": "", "offerId": 4_294_967_296_u64}}),
        json!({"type": "offer", "payload": {"type": "offer", "sdp": "", "offerId": -1}}),
        json!({"type": "demand", "payload": {"tracks": [{"source": "camera", "width": -1, "height": 1}]}}),
        json!({"type": "clock-ping", "t0": -1}),
        json!({"type": "clock-ping", "t0": 0.5}),
    ] {
        let text = message.to_string();
        assert!(PeerMessage::parse(&text).is_err(), "{text}");
    }
}
