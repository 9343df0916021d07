//! Token claims in LiveKit's format, and the permissions they grant.

#![allow(clippy::unwrap_used)]

use insta::assert_json_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};
use visavis_protocol::token::{Claims, VideoGrant};
use visavis_protocol::{Grants, Role, TrackSource};

fn grant(video: Value) -> VideoGrant {
    serde_json::from_value(video).unwrap()
}

#[test]
fn a_hosts_claims_have_a_snapshot_and_round_trip() {
    let claims = Claims {
        iss: "key".into(),
        sub: Some("9-a@b.c".into()),
        iat: Some(1_763_649_000),
        nbf: Some(1_763_649_000),
        exp: 1_763_663_400,
        name: Some("Ann".into()),
        video: Some(VideoGrant {
            room: Some("individual-829b8d608f60".into()),
            room_join: true,
            room_admin: true,
            room_record: true,
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    let written = serde_json::to_value(&claims).unwrap();
    assert_json_snapshot!("token-host", written);
    assert_eq!(serde_json::from_value::<Claims>(written).unwrap(), claims);
}

#[test]
fn every_claim_has_a_snapshot_and_round_trips() {
    let text = || Some("x".to_owned());
    let claims = Claims {
        iss: "key".into(),
        sub: text(),
        iat: Some(1),
        nbf: Some(2),
        exp: 3,
        name: text(),
        metadata: text(),
        kind: Some("standard".into()),
        sha256: text(),
        video: Some(VideoGrant {
            room_create: true,
            room_list: true,
            room_record: true,
            room_admin: true,
            room_join: true,
            room: text(),
            can_publish: Some(false),
            can_subscribe: Some(false),
            can_publish_data: Some(false),
            can_publish_sources: vec!["camera".into()],
            can_update_own_metadata: Some(true),
            hidden: true,
            recorder: true,
            agent: true,
            ingress_admin: true,
            destination_room: text(),
        }),
    };
    let written = serde_json::to_value(&claims).unwrap();
    assert_json_snapshot!("token-every-claim", written);
    assert_eq!(serde_json::from_value::<Claims>(written).unwrap(), claims);
}

#[test]
fn unknown_claims_are_ignored_and_empty_ones_are_absent() {
    let claims: Claims = serde_json::from_value(json!({
        "iss": "key", "exp": 5, "jti": "x", "sub": "", "name": null,
        "video": {"roomList": true, "room": "", "canSubscribeMetrics": true},
        "sip": {"admin": true}, "attributes": {"a": "b"}, "roomConfig": {},
    }))
    .unwrap();
    let video = claims.video.clone().unwrap();
    assert_eq!((claims.sub, claims.name, &video.room), (None, None, &None));
    assert!(video.room_list && !video.room_join);
}

#[test]
fn claims_without_expiry_or_issuer_are_refused() {
    for claims in [json!({"iss": "key"}), json!({"exp": 5})] {
        assert!(serde_json::from_value::<Claims>(claims).is_err());
    }
}

#[test]
fn absent_grants_are_allowed_and_data_follows_publishing() {
    for (video, publish, subscribe, data) in [
        (json!({}), true, true, true),
        (json!({"canPublish": false}), false, true, false),
        (
            json!({"canPublish": false, "canPublishData": true}),
            false,
            true,
            true,
        ),
        (json!({"canPublishData": false}), true, true, false),
        (json!({"canSubscribe": false}), true, false, true),
    ] {
        let grants = grant(video.clone()).grants();
        let all = (
            grants.can_publish,
            grants.can_subscribe,
            grants.may_publish_data(),
        );
        assert_eq!(all, (publish, subscribe, data), "{video}");
    }
}

#[test]
fn listed_sources_restrict_case_insensitively_and_only_unknown_names_allow_nothing() {
    use TrackSource::{Camera, Microphone, ScreenShare, ScreenShareAudio};
    for (listed, allowed) in [
        (
            json!([]),
            vec![Camera, Microphone, ScreenShare, ScreenShareAudio],
        ),
        (json!(["camera"]), vec![Camera]),
        (
            json!(["MICROPHONE", "Screen_Share", "telepathy"]),
            vec![Microphone, ScreenShare],
        ),
        (json!(["SCREEN_SHARE_AUDIO"]), vec![ScreenShareAudio]),
        (json!(["telepathy"]), vec![]),
    ] {
        let grants = grant(json!({"canPublishSources": listed})).grants();
        let may: Vec<_> = [Camera, Microphone, ScreenShare, ScreenShareAudio]
            .into_iter()
            .filter(|source| grants.may_publish(*source))
            .collect();
        assert_eq!(may, allowed, "{listed}");
        assert!(grants.may_publish_data(), "{listed}");
    }
    let denied = json!({"canPublish": false, "canPublishSources": ["camera"]});
    assert!(!grant(denied).grants().may_publish(Camera));
}

#[test]
fn the_role_follows_from_room_admin_and_publishing() {
    for (video, role) in [
        (json!({}), Role::Participant),
        (json!({"canPublish": false}), Role::Viewer),
        (json!({"canPublishSources": ["telepathy"]}), Role::Viewer),
        (json!({"canPublishSources": ["camera"]}), Role::Participant),
        (json!({"roomAdmin": true}), Role::Host),
        (json!({"roomAdmin": true, "canPublish": false}), Role::Host),
    ] {
        assert_eq!(grant(video.clone()).role(), role, "{video}");
    }
}

#[test]
fn the_data_grant_follows_publishing_unless_it_is_present() {
    let read = |text: &str| serde_json::from_str::<Grants>(text).unwrap();
    assert!(read("{}").may_publish_data());
    assert!(!read(r#"{"canPublish":false}"#).may_publish_data());
    assert!(read(r#"{"canPublish":false,"canPublishData":true}"#).may_publish_data());
    assert_eq!(read("{}"), Grants::default());
}

proptest! {
    #[test]
    fn no_grant_allows_more_than_its_fields(
        publish in any::<Option<bool>>(),
        data in any::<Option<bool>>(),
        sources in prop::collection::vec("[a-zA-Z_]{0,20}|camera|MICROPHONE", 0..4),
    ) {
        let video = VideoGrant {
            can_publish: publish,
            can_publish_data: data,
            can_publish_sources: sources.clone(),
            ..VideoGrant::default()
        };
        let grants = video.grants();
        for (source, name) in [
            (TrackSource::Camera, "camera"),
            (TrackSource::Microphone, "microphone"),
            (TrackSource::ScreenShare, "screen_share"),
            (TrackSource::ScreenShareAudio, "screen_share_audio"),
        ] {
            let listed = sources.is_empty()
                || sources.iter().any(|listed| listed.eq_ignore_ascii_case(name));
            prop_assert_eq!(grants.may_publish(source), publish != Some(false) && listed);
        }
        prop_assert_eq!(grants.may_publish_data(), data.or(publish) != Some(false));
        prop_assert_eq!(serde_json::from_value::<VideoGrant>(serde_json::to_value(&video).unwrap()).unwrap(), video);
    }
}
