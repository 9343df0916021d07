//! Webhooks that come in: a LiveKit server's, and a stream provider's.

use serde_json::{Value, json};

use crate::bookings::{booked, booking_path, room_path};
use crate::studio::{Studio, stream_signature, webhook_token};
use crate::support::http;

fn event(event: &str, id: &str, room: &Value) -> Value {
    json!({
        "event": event,
        "id": id,
        "createdAt": "1763649030",
        "room": {"sid": "RM_theirs", "name": room},
    })
}

fn participant(what: &str, id: &str, room: &Value, who: Value) -> Value {
    let mut told = event(what, id, room);
    told["participant"] = who;
    told
}

fn ann() -> Value {
    json!({
        "sid": "PA_ann", "identity": "9-ann@mail", "name": "Ann", "state": "ACTIVE",
        "joinedAt": "1763649001",
        "permission": {"canSubscribe": true, "canPublish": true, "canPublishData": true},
    })
}

#[tokio::test]
async fn s2_26_s2_35_s2_37_a_livekit_servers_call_is_written_down_as_our_own_would_be() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let (name, room) = (made["room"]["name"].clone(), room_path(&made, ""));
    assert_eq!(studio.tell(event("room_started", "EV_1", &name)).await, 200);
    assert_eq!(studio.get(&room).await["sid"], "RM_theirs");
    let joined = participant("participant_joined", "EV_2", &name, ann());
    assert_eq!(studio.tell(joined).await, 200);
    let phone =
        json!({"sid": "PA_phone", "identity": "phone", "kind": "SIP", "joinedAt": "1763649010"});
    let joined = participant("participant_joined", "EV_3", &name, phone.clone());
    assert_eq!(studio.tell(joined).await, 200);
    let shown = studio.get(&room).await;
    assert_eq!(
        (&shown["participant_count"], &shown["status"]),
        (&json!(2), &json!("active"))
    );
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "in_progress"
    );
    let mut published = participant("track_published", "EV_4", &name, ann());
    published["track"] = json!({"sid": "TR_1", "type": "VIDEO", "source": "CAMERA"});
    assert_eq!(studio.tell(published).await, 200);

    let stays = studio.get(&room_path(&made, "/participants")).await;
    assert_eq!(
        (&stays[0]["role"], &stays[0]["kind"]),
        (&json!("host"), &json!("video"))
    );
    assert_eq!(stays[0]["joined_at"], "2025-11-20T14:30:01Z");
    assert_eq!(stays[1]["kind"], "phone");
    let left = participant("participant_left", "EV_5", &name, phone);
    assert_eq!(studio.tell(left).await, 200);
    let left = participant("participant_left", "EV_6", &name, ann());
    assert_eq!(studio.tell(left).await, 200);
    let stays = studio.get(&room_path(&made, "/participants")).await;
    assert_eq!(
        (&stays[0]["duration"], &stays[1]["duration"]),
        (&json!(29), &json!(20))
    );
    assert_eq!(studio.get(&room).await["participant_count"], 0);
    assert_eq!(
        studio.tell(event("room_finished", "EV_7", &name)).await,
        200
    );
    assert_eq!(studio.get(&room).await["status"], "ended");
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "completed"
    );
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
async fn a_life_of_ours_is_not_ended_by_another_servers_word() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let name = made["room"]["name"].clone();
    let pass = crate::bookings::ticket(&studio, &made, 9).await;
    let mut ann = studio.join(&pass).await;
    for what in ["room_started", "room_finished"] {
        assert_eq!(studio.tell(event(what, what, &name)).await, 200);
    }
    ann.nothing_more().await;
    let room = studio.get(&room_path(&made, "")).await;
    assert_eq!(room["status"], "active");
    assert_ne!(room["sid"], "RM_theirs");
}

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
async fn s1_36_the_host_on_a_livekit_server_makes_its_session_ready() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", Value::Null).await;
    let said = json!({"channel_id": channel["channel_id"]});
    let session = studio.post("/session", said).await;
    let at = format!("/session/{}", session["session_id"].as_str().unwrap());
    let viewer = json!({"sid": "PA_1", "identity": "viewer", "permission": {"canSubscribe": true}});
    let joined = participant("participant_joined", "EV_1", &session["room_id"], viewer);
    studio.tell(joined).await;
    assert_eq!(studio.get(&at).await["status"], "IDLE");
    let host = json!({"sid": "PA_2", "identity": session["user_id"]});
    let joined = participant(
        "participant_joined",
        "EV_2",
        &session["room_id"],
        host.clone(),
    );
    studio.tell(joined).await;
    assert_eq!(studio.get(&at).await["status"], "READY");
    let left = participant("participant_left", "EV_3", &session["room_id"], host);
    studio.tell(left).await;
    studio.advance(21).await;
    let room = format!("/api/v1/rooms/{}", session["room_id"].as_str().unwrap());
    studio.wait(&room, |room| room["status"] == "ended").await;
}
