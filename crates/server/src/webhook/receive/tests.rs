use livekit_api::access_token::TokenVerifier;
use livekit_api::webhooks::WebhookReceiver;
use proptest::prelude::*;
use serde_json::json;

use super::super::sign::authorization;
use super::*;

const NOW: Timestamp = Timestamp(1_763_649_000_000);
const JOINED: &str = r#"{"event":"participant_joined","room":{"sid":"RM_1","name":"ro_1","emptyTimeout":300,"creationTime":"1763649000","numParticipants":1},"participant":{"sid":"PA_1","identity":"9-a@b.c","state":"ACTIVE","joinedAt":"1763649001","name":"Ann"},"id":"EV_1","createdAt":"1763649001"}"#;

fn keys() -> Keys {
    Keys::new("devkey", "a secret of the tests").unwrap()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW.secs() + seconds)
}

fn signed(body: &str) -> String {
    authorization(&keys(), body.as_bytes(), NOW).unwrap()
}

fn take(token: &str, body: &str, seen: &mut Seen) -> Result<WebhookEvent, WebhookError> {
    receive(&keys(), Some(token), body.as_bytes(), NOW, seen)
}

#[test]
fn s2_36_a_webhook_is_taken_only_whole_signed_and_in_time() {
    let mut seen = Seen::default();
    let keys = keys();
    let token = signed(JOINED);
    let body = JOINED.as_bytes();
    let mut at = |authorization: Option<&str>, body: &[u8], now| {
        receive(&keys, authorization, body, now, &mut seen)
    };

    assert_eq!(at(None, body, NOW), Err(WebhookError::Missing));
    for byte in [0, 20, JOINED.len() - 1] {
        let mut altered = body.to_vec();
        altered[byte] ^= 1;
        assert_eq!(at(Some(&token), &altered, NOW), Err(WebhookError::Altered));
    }
    let other = Keys::new("devkey", "another secret").unwrap();
    let theirs = authorization(&other, body, NOW).unwrap();
    let not_ours = Err(WebhookError::Signature(TokenError::Signature));
    assert_eq!(at(Some(&theirs), body, NOW), not_ours);
    assert_eq!(
        at(Some(&token), body, later(360)),
        Err(WebhookError::Expired)
    );
    // A token to enter a room with signs no webhook.
    let video = visavis_protocol::token::VideoGrant::default();
    let to_enter = keys.sign(&keys.claims("ann", None, video, NOW)).unwrap();
    assert_eq!(at(Some(&to_enter), body, NOW), Err(WebhookError::Altered));

    let event = at(Some(&token), body, later(359)).unwrap();
    assert_eq!(event.event, "participant_joined");
    assert_eq!(event.room.unwrap().name, "ro_1");
    assert_eq!(event.participant.unwrap().joined_at, 1_763_649_001);
}

#[test]
fn a_replayed_webhook_is_told_apart_however_it_is_signed() {
    let mut seen = Seen::default();
    let event = take(&signed(JOINED), JOINED, &mut seen).unwrap();
    let again = authorization(&keys(), JOINED.as_bytes(), later(1)).unwrap();
    for token in [signed(JOINED), again] {
        assert_eq!(take(&token, JOINED, &mut seen), Err(WebhookError::Replayed));
    }
    // One that could not be dealt with may come again, once.
    seen.forget(&event, JOINED.as_bytes());
    assert!(take(&signed(JOINED), JOINED, &mut seen).is_ok());
    assert!(take(&signed(JOINED), JOINED, &mut seen).is_err());

    let nameless = r#"{"event":"room_started","room":{"name":"ro_1"}}"#;
    assert!(take(&signed(nameless), nameless, &mut seen).is_ok());
    let again = take(&signed(nameless), nameless, &mut seen);
    assert_eq!(again, Err(WebhookError::Replayed));
}

#[test]
fn null_fields_fractional_times_and_unknown_enum_values_are_skipped() {
    let mut seen = Seen::default();
    let body = json!({
        "event": "participant_joined", "id": "EV_9", "createdAt": 1_763_649_001.75,
        "ingressInfo": {"inputType": "TELEPATHY"},
        "room": {"sid": "RM_1", "name": "ro_1", "metadata": null, "creationTime": 1.5},
        "participant": {
            "sid": "PA_1", "identity": "ann", "name": null, "state": "DREAMING",
            "joined_at": "1763649001.5", "kind": "ROBOT", "disconnectReason": "BOREDOM",
            "permission": {"canPublish": true, "canPublishSources": ["SMELL"], "hidden": null},
            "tracks": [{"sid": "TR_1", "source": "CAMERA", "backupCodecPolicy": "MAYBE"}, null],
        },
        "track": {"sid": "TR_2", "type": "SMELL", "source": 99, "muted": null},
        "egressInfo": null,
    });
    let body = body.to_string();
    let event = take(&signed(&body), &body, &mut seen).unwrap();
    assert_eq!((event.created_at, event.egress_info), (1_763_649_001, None));
    assert_eq!(event.room.unwrap().name, "ro_1");
    let who = event.participant.unwrap();
    assert_eq!((who.sid.as_str(), who.joined_at), ("PA_1", 1_763_649_001));
    assert!(who.permission.unwrap().can_publish);
    assert_eq!(who.tracks.len(), 1);
    assert_eq!(
        who.tracks[0].source,
        livekit_protocol::TrackSource::Camera as i32
    );
    let track = event.track.unwrap();
    assert_eq!((track.sid.as_str(), track.source), ("TR_2", 0));

    let ended = r#"{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomName":"ro_1","status":"EGRESS_LOST","endedAt":"1763649001.9"}}"#;
    let event = take(&signed(ended), ended, &mut seen).unwrap();
    let egress = event.egress_info.unwrap();
    assert_eq!(
        (egress.egress_id.as_str(), egress.ended_at),
        ("EG_1", 1_763_649_001)
    );
}

#[test]
fn a_body_that_is_not_an_event_is_refused_and_not_remembered() {
    let mut seen = Seen::default();
    for body in ["", "[]", "null", r#"{"event":1}"#] {
        let refused = take(&signed(body), body, &mut seen);
        assert_eq!(refused, Err(WebhookError::Unreadable), "{body}");
    }
    assert!(seen.keys.is_empty());
    let newer = r#"{"event":"room_started","id":"EV_2","somethingNew":{"a":1}}"#;
    assert!(take(&signed(newer), newer, &mut seen).is_ok());
}

proptest! {
    #[test]
    fn an_event_is_remembered_until_its_token_has_expired_and_never_too_many(
        events in prop::collection::vec((0_u64..200, 0_i64..90), 1..400)
    ) {
        let mut seen = Seen::default();
        let mut now = NOW;
        let mut expiries = std::collections::HashMap::new();
        for (id, pause) in events {
            now = Timestamp::from_secs(now.secs() + pause);
            let until = now.secs() as u64 + 360;
            let known = expiries.get(&id).is_some_and(|expiry| *expiry > now.secs() as u64);
            prop_assert_eq!(seen.first_time(id.to_string(), until, now), !known);
            if !known {
                expiries.insert(id, until);
            }
            prop_assert_eq!(seen.keys.len(), seen.order.len());
        }
    }
}

#[test]
fn the_seen_events_are_bounded() {
    let mut seen = Seen::default();
    for id in 0..MOST_SEEN + 100 {
        assert!(seen.first_time(id.to_string(), u64::MAX, NOW));
    }
    assert_eq!((seen.keys.len(), seen.order.len()), (MOST_SEEN, MOST_SEEN));
    assert!(!seen.first_time((MOST_SEEN + 99).to_string(), u64::MAX, NOW));
}

/// LiveKit's own receiver reads the system's clock.
#[test]
#[allow(clippy::disallowed_methods)]
fn the_sdks_receiver_accepts_our_webhooks() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = Timestamp(now.unwrap().as_millis() as i64);
    let token = authorization(&keys(), JOINED.as_bytes(), now).unwrap();
    let verifier = TokenVerifier::with_api_key("devkey", "a secret of the tests");
    let receiver = WebhookReceiver::new(verifier);
    assert_eq!(receiver.receive(JOINED, &token).unwrap().id, "EV_1");
    assert!(
        receiver
            .receive(&JOINED.replace("Ann", "Bob"), &token)
            .is_err()
    );
}

#[test]
fn a_providers_report_is_accepted_only_with_the_bodys_hmac() {
    // printf '%s' "$BODY" | openssl dgst -sha256 -hmac 'a secret of the tests'
    let body = r#"{"room_id":"ro_1","status":"active"}"#;
    let signature = "3fe4fa327aa9fe044c8f67680d76f035275b3a6997c5d3f4532f4d468d597f41";
    let take =
        |signature: Option<&str>, body: &str| receive_stream(&keys(), signature, body.as_bytes());
    let report = take(Some(signature), body).unwrap();
    assert_eq!(report.room_id, "ro_1");
    assert_eq!(report.status.event(), SessionEvent::ProviderActive);
    assert!(take(Some(&signature.to_ascii_uppercase()), body).is_ok());

    assert_eq!(take(None, body), Err(WebhookError::Missing));
    let altered = body.replace("active", "idle");
    assert_eq!(take(Some(signature), &altered), Err(WebhookError::Altered));
    for wrong in [
        "",
        "0",
        "zz",
        "+1",
        &signature[2..],
        &signature[1..],
        "\u{e9}\u{e9}",
    ] {
        assert_eq!(
            take(Some(wrong), body),
            Err(WebhookError::Altered),
            "{wrong}"
        );
    }
}

#[test]
fn s1_22_idle_and_disconnected_both_end_a_stream() {
    for (status, event) in [
        ("active", SessionEvent::ProviderActive),
        ("idle", SessionEvent::ProviderIdle),
        ("disconnected", SessionEvent::ProviderIdle),
    ] {
        let report = json!({"room_id": "ro_1", "status": status});
        let report: StreamReport = serde_json::from_value(report).unwrap();
        assert_eq!(report.status.event(), event);
    }
    let unknown = json!({"room_id": "ro_1", "status": "burning"});
    assert!(serde_json::from_value::<StreamReport>(unknown).is_err());
}
