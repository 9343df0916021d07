//! Webhooks that are not what their sender signed, or come again.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use livekit_api::access_token::AccessToken;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bookings::{booked, room_path};
use crate::livekit_webhooks::{ann, event, participant};
use crate::studio::{Studio, stream_signature, webhook_token};
use crate::support::{KEY, SECRET, http};

#[tokio::test]
async fn s2_36_a_webhook_that_was_changed_on_its_way_is_refused() {
    let studio = Studio::open().await;
    let body = event("room_started", "EV_1", &json!("x")).to_string();
    let token = webhook_token(&body);
    let send = async |head: &str, body: &str| {
        let path = "/api/webhooks/livekit/";
        http(studio.address(), "POST", path, head, body).await.0
    };
    let head = format!("Authorization: {token}\r\n");
    assert_eq!(send(&head, &body).await, 200);
    for index in 0..body.len() {
        let mut altered = body.clone().into_bytes();
        altered[index] ^= 1;
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(send(&head, &altered).await, 401, "{altered}");
    }
    assert_eq!(send("", &body).await, 401);
    assert_eq!(send("Authorization: x\r\n", &body).await, 401);
    let unreadable = "[]";
    let head = format!("Authorization: {}\r\n", webhook_token(unreadable));
    assert_eq!(send(&head, unreadable).await, 400);
}

#[tokio::test]
async fn what_is_told_twice_or_of_our_own_members_or_of_no_room_changes_nothing() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let name = made["room"]["name"].clone();
    let joined = participant("participant_joined", "EV_1", &name, ann());
    for _ in 0..2 {
        assert_eq!(studio.tell(joined.clone()).await, 200);
    }
    // Under another event's id, too.
    let again = participant("participant_joined", "EV_2", &name, ann());
    assert_eq!(studio.tell(again).await, 200);
    let path = room_path(&made, "/participants");
    assert_eq!(studio.get(&path).await.as_array().unwrap().len(), 1);

    let nowhere = participant("participant_joined", "EV_3", &json!("nowhere"), ann());
    assert_eq!(studio.tell(nowhere).await, 200);
    for odd in [
        "participant_joined",
        "track_published",
        "egress_started",
        "ingress_started",
    ] {
        let id = format!("EV_{odd}");
        assert_eq!(studio.tell(event(odd, &id, &name)).await, 200, "{odd}");
    }
    assert_eq!(studio.get(&path).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn s1_22_a_report_that_nobody_signed_is_refused() {
    let studio = Studio::open().await;
    let body = json!({"room_id": "ro_x", "status": "idle"}).to_string();
    let signature = stream_signature(&body);
    let send = async |head: &str, body: &str| {
        let path = "/api/webhooks/stream/";
        http(studio.address(), "POST", path, head, body).await.0
    };
    let head = format!("X-Signature: {signature}\r\n");
    assert_eq!(send(&head, &body).await, 200);
    assert_eq!(send(&head, &body.replace("idle", "iDle")).await, 401);
    assert_eq!(send("", &body).await, 401);
    let unknown = json!({"room_id": "ro_x", "status": "dead"}).to_string();
    let head = format!("X-Signature: {}\r\n", stream_signature(&unknown));
    assert_eq!(send(&head, &unknown).await, 400);
}

#[tokio::test]
async fn s2_36_a_webhook_that_comes_again_changes_nothing_and_is_refused_when_it_is_old() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let name = made["room"]["name"].clone();
    let body = participant("participant_joined", "EV_1", &name, ann()).to_string();
    // Good for as long as LiveKit's server makes them.
    let token = AccessToken::with_api_key(KEY, SECRET)
        .with_ttl(Duration::from_secs(300))
        .with_sha256(&BASE64_STANDARD.encode(Sha256::digest(&body)));
    let head = format!("Authorization: {}\r\n", token.to_jwt().unwrap());
    let replay = async || {
        let path = "/api/webhooks/livekit/";
        let (status, _, said) = http(studio.address(), "POST", path, &head, &body).await;
        let said: Value = serde_json::from_str(&said).unwrap();
        (status, said["taken"].clone())
    };
    assert_eq!(replay().await, (200, json!(true)));
    let left = participant("participant_left", "EV_2", &name, ann());
    assert_eq!(studio.tell(left).await, 200);
    let path = room_path(&made, "/participants");
    let before = studio.get(&path).await;
    assert!(before[0]["left_at"].is_string(), "{before}");
    // Who listened on the way brings nobody back.
    for _ in 0..3 {
        assert_eq!(replay().await, (200, json!(false)));
    }
    studio.advance(300 + 61).await;
    assert_eq!(replay().await.0, 401);
    assert_eq!(studio.get(&path).await, before);
}

#[tokio::test]
async fn a_report_of_a_stream_that_comes_again_moves_only_what_waits_for_it() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", Value::Null).await;
    let said = json!({"channel_id": channel["channel_id"]});
    let session = studio.post("/session", said).await;
    let room = session["room_id"].as_str().unwrap();
    let at = format!("/session/{}", session["session_id"].as_str().unwrap());
    // Of a broadcast that was, or is to come: in order, or not at all.
    for status in ["active", "idle", "disconnected", "active"] {
        assert_eq!(studio.report(room, status).await, 409);
        assert_eq!(studio.get(&at).await["status"], "IDLE");
    }
}
