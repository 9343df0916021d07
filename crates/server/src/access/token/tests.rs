//! `livekit-api`, which verifies our tokens here, reads the system's clock.
#![allow(clippy::disallowed_methods)]

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use livekit_api::access_token::{AccessToken, TokenVerifier, VideoGrants};
use proptest::prelude::*;
use serde_json::{Value, json};
use visavis_protocol::Role;

use super::*;

const KEY: &str = "devkey";
const SECRET: &str = "a secret of the tests, long enough for HS256";
const NOW: Timestamp = Timestamp(1_763_649_000_000);

fn keys() -> Keys {
    Keys::new(KEY, SECRET).unwrap()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_secs(NOW.secs() + seconds)
}

fn system_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.unwrap().as_millis() as i64)
}

fn host() -> VideoGrant {
    VideoGrant {
        room: Some("individual-829b8d608f60".to_owned()),
        room_join: true,
        room_admin: true,
        room_record: true,
        can_publish: Some(true),
        can_subscribe: Some(true),
        can_publish_data: Some(true),
        ..VideoGrant::default()
    }
}

fn ann() -> Claims {
    keys().claims("9-user@mail", Some("Ann"), host(), NOW)
}

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token with this header and these claims, signed or not.
fn forged(header: Value, claims: &Value, key: Option<(Algorithm, &str)>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = key.map_or(String::new(), |(algorithm, secret)| {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap()
    });
    format!("{message}.{signature}")
}

#[test]
fn s2_30_a_token_lives_four_hours_and_the_leeway() {
    let token = keys().sign(&ann()).unwrap();
    let claims = payload(&token);
    let time = |name: &str| claims[name].as_u64().unwrap();
    assert_eq!(time("exp") - time("iat"), 14_400);
    assert_eq!(time("nbf"), time("iat"));
    for (at, expected) in [
        (-61, Err(TokenError::NotYet)),
        (-60, Ok(ann())),
        (0, Ok(ann())),
        (14_459, Ok(ann())),
        (14_460, Err(TokenError::Expired)),
    ] {
        assert_eq!(keys().verify(&token, later(at)), expected, "{at}");
    }
}

#[test]
fn s2_31_a_hosts_token_has_livekits_claims() {
    let claims = payload(&keys().sign(&ann()).unwrap());
    let at = NOW.secs();
    let expected = json!({
        "iss": KEY, "sub": "9-user@mail", "name": "Ann",
        "iat": at, "nbf": at, "exp": at + 14_400,
        "video": {
            "room": "individual-829b8d608f60", "roomJoin": true,
            "roomAdmin": true, "roomRecord": true,
            "canPublish": true, "canSubscribe": true, "canPublishData": true,
        },
    });
    assert_eq!(claims, expected);
}

fn livekit_host() -> AccessToken {
    AccessToken::with_api_key(KEY, SECRET)
        .with_identity("9-user@mail")
        .with_name("Ann")
        .with_grants(VideoGrants {
            room: "individual-829b8d608f60".to_owned(),
            room_join: true,
            room_admin: true,
            room_record: true,
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        })
}

#[test]
fn s2_33_the_sdks_token_has_the_same_claims_as_ours() {
    let timeless = |token: &str| {
        let mut claims = payload(token);
        let fields = claims.as_object_mut().unwrap();
        fields.retain(|name, _| !["iat", "nbf", "exp"].contains(&name.as_str()));
        claims
    };
    let ours = keys().sign(&ann()).unwrap();
    let theirs = livekit_host().to_jwt().unwrap();
    assert_eq!(timeless(&ours), timeless(&theirs));
}

#[test]
fn the_sdk_accepts_our_tokens_and_we_accept_its() {
    let now = system_now();
    let ours = keys().sign(&keys().claims("9-user@mail", Some("Ann"), host(), now));
    let read = TokenVerifier::with_api_key(KEY, SECRET).verify(&ours.unwrap());
    let read = read.unwrap();
    assert_eq!(
        (read.sub.as_str(), read.name.as_str()),
        ("9-user@mail", "Ann")
    );
    assert!(read.video.room_admin && read.video.room == "individual-829b8d608f60");

    let read = keys()
        .verify(&livekit_host().to_jwt().unwrap(), now)
        .unwrap();
    assert_eq!(read.iat, None, "the SDK does not say when");
    assert_eq!(read.sub.as_deref(), Some("9-user@mail"));
    assert_eq!(read.video.as_ref().map(VideoGrant::role), Some(Role::Host));
    assert_eq!(read.video, Some(host()));
}

#[test]
fn a_token_with_nothing_but_an_expiry_is_accepted() {
    let claims = json!({"iss": KEY, "exp": NOW.secs() + 1});
    let hs256 = Some((Algorithm::HS256, SECRET));
    let token = forged(json!({"alg": "HS256"}), &claims, hs256);
    assert_eq!(
        keys().verify(&token, NOW).unwrap().exp,
        NOW.secs() as u64 + 1
    );
}

#[test]
fn a_forged_token_is_refused_and_told_apart() {
    let good = serde_json::to_value(ann()).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let ours = Some((Algorithm::HS256, SECRET));
    let hs256 = || json!({"alg": "HS256", "typ": "JWT"});
    let is = |token: &str, expected: TokenError| {
        assert_eq!(keys().verify(token, NOW), Err(expected), "{token}");
    };
    for none in ["none", "None", "NONE", "HS257"] {
        is(
            &forged(json!({"alg": none}), &good, None),
            TokenError::Algorithm,
        );
        is(
            &forged(json!({"alg": none}), &good, ours),
            TokenError::Algorithm,
        );
    }
    let hs512 = Some((Algorithm::HS512, SECRET));
    is(
        &forged(json!({"alg": "HS512"}), &good, hs512),
        TokenError::Algorithm,
    );
    is(
        &forged(json!({"alg": "RS256"}), &good, ours),
        TokenError::Algorithm,
    );

    let other = Some((Algorithm::HS256, "another secret"));
    is(&forged(hs256(), &good, other), TokenError::Signature);
    is(&forged(hs256(), &good, None), TokenError::Signature);
    let signed = forged(hs256(), &good, ours);
    let (_, signature) = signed.rsplit_once('.').unwrap();
    let altered = forged(hs256(), &with("sub", json!("host")), None) + signature;
    is(&altered, TokenError::Signature);

    is(
        &forged(hs256(), &with("iss", json!("other")), ours),
        TokenError::Issuer,
    );
    is(
        &forged(hs256(), &with("iss", json!([KEY])), ours),
        TokenError::Malformed,
    );
    is(
        &forged(hs256(), &with("exp", Value::Null), ours),
        TokenError::Malformed,
    );
    is(
        &forged(hs256(), &with("exp", json!(-1)), ours),
        TokenError::Malformed,
    );
    is(
        &forged(hs256(), &with("exp", json!(1)), ours),
        TokenError::Expired,
    );
    is(
        &forged(hs256(), &with("nbf", json!(u64::MAX)), ours),
        TokenError::NotYet,
    );
    let for_ever = with("exp", json!(u64::MAX));
    assert!(
        keys()
            .verify(&forged(hs256(), &for_ever, ours), NOW)
            .is_ok()
    );

    for text in [
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.",
        "e30..",
        &format!("{signed}.x"),
    ] {
        assert!(keys().verify(text, NOW).is_err(), "{text}");
    }
}

/// What the verifier makes of these claims, added to those of a good token.
fn verified(more: Value) -> Result<Claims, TokenError> {
    let mut claims = serde_json::to_value(ann()).unwrap();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = forged(
        json!({"alg": "HS256"}),
        &claims,
        Some((Algorithm::HS256, SECRET)),
    );
    keys().verify(&token, NOW)
}

#[test]
fn fractional_times_null_members_and_an_audience_are_accepted() {
    let at = NOW.secs() as f64;
    let times = json!({"iat": at + 0.5, "nbf": at + 0.25, "exp": at + 60.75});
    assert_eq!(verified(times).unwrap().exp, NOW.secs() as u64 + 60);
    assert_eq!(
        verified(json!({"exp": at - 61.5})),
        Err(TokenError::Expired)
    );
    assert_eq!(verified(json!({"nbf": at + 61.5})), Err(TokenError::NotYet));
    assert_eq!(
        verified(json!({"exp": 1e15})).unwrap().exp,
        1_000_000_000_000_000
    );

    let nulls = json!({"name": null, "metadata": null, "iat": null, "nbf": null, "video": {
        "room": "tea", "roomJoin": true, "roomAdmin": null, "canPublish": null,
        "canPublishSources": null,
    }});
    let read = verified(nulls).unwrap();
    let video = read.video.unwrap();
    assert_eq!((read.name, read.nbf), (None, None));
    assert!(video.room_join && !video.room_admin && video.grants().can_publish);
    for audience in [json!("other"), json!(["a", "b"])] {
        assert!(verified(json!({"aud": audience})).is_ok());
    }
}

#[test]
fn a_misspelt_grant_is_named_and_unknown_members_are_ignored() {
    for (written, meant) in [
        ("roomjoin", "roomJoin"),
        ("room_join", "roomJoin"),
        ("canpublish", "canPublish"),
        ("can_publish_data", "canPublishData"),
        ("Room", "room"),
    ] {
        let error = verified(json!({"video": {"room": "tea", written: true}})).unwrap_err();
        assert_eq!(error, TokenError::Misspelt(meant), "{written}");
        let text = error.to_string();
        assert_eq!(text, format!("the token's video grant misspells `{meant}`"));
    }
    let newer =
        json!({"video": {"roomJoin": true, "canSubscribeMetrics": true, "somethingNew": 1}});
    assert!(verified(newer).is_ok());
}

proptest! {
    #[test]
    fn no_claims_make_the_check_panic(
        name in "(iat|nbf|exp|name|video|sub)",
        value in prop_oneof![
            Just(json!(null)), Just(json!(-1.5)), Just(json!([1])), Just(json!({"room": 1})),
            any::<f64>().prop_map(|number| json!(number)),
        ],
    ) {
        let _ = verified(json!({name: value}));
    }

    #[test]
    fn no_text_makes_the_check_panic(text in ".*", parts in "[a-zA-Z0-9_-]{0,40}(\\.[a-zA-Z0-9_=-]{0,40}){0,4}") {
        prop_assert!(keys().verify(&text, NOW).is_err());
        prop_assert!(keys().verify(&parts, NOW).is_err());
    }
}

#[test]
fn an_empty_key_is_refused_and_debug_output_hides_the_secret() {
    assert!(Keys::new(KEY, "").is_none());
    assert!(Keys::new("", SECRET).is_none());
    assert!(!format!("{:?}", keys()).contains(SECRET));
}
