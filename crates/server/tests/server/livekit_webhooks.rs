//! Incoming webhooks: a LiveKit server's, and a stream provider's.

use serde_json::{Value, json};

use crate::bookings::{booked, booking_path, room_path};
use crate::studio::Studio;

pub fn event(event: &str, id: &str, room: &Value) -> Value {
    json!({
        "event": event,
        "id": id,
        "createdAt": "1763649030",
        "room": {"sid": "RM_theirs", "name": room},
    })
}

pub fn participant(what: &str, id: &str, room: &Value, who: Value) -> Value {
    let mut told = event(what, id, room);
    told["participant"] = who;
    told
}

pub fn ann() -> Value {
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
async fn a_room_instance_of_this_server_is_not_ended_by_a_livekit_webhook() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let name = made["room"]["name"].clone();
    let pass = crate::bookings::join_credentials(&studio, &made, 9).await;
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

#[tokio::test]
async fn an_event_of_an_unknown_room_is_received_and_not_taken() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let taken = async |event: Value| {
        let body = event.to_string();
        let head = format!(
            "Authorization: {}\r\nContent-Type: application/webhook+json\r\n",
            crate::studio::webhook_token(&body)
        );
        let path = "/api/webhooks/livekit/";
        let (status, answer) = studio.ask_as(&head, "POST", path, event).await;
        assert_eq!(status, 200, "{answer}");
        answer["taken"].clone()
    };
    let elsewhere = event("room_started", "EV_1", &json!("elsewhere"));
    assert_eq!(taken(elsewhere).await, false);
    let ours = event("room_started", "EV_2", &made["room"]["name"]);
    assert_eq!(taken(ours.clone()).await, true);
    assert_eq!(taken(ours).await, false);
}
