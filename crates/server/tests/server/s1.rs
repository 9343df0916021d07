//! Broadcasts over REST: channels, their sessions, and the rooms that outlive
//! these.

use std::collections::HashSet;

use futures_util::future::join_all;
use livekit_api::access_token::{TokenVerifier, VideoGrants};
use serde_json::{Value, json};
use visavis_server::{AuthMode, ServerConfig, TrustedProxies};

use crate::studio::{Studio, claims, entry, token};
use crate::support::{Client, KEY, SECRET};
use crate::webhooks::Receiver;

/// A session that waits for its host.
async fn idle(studio: &Studio) -> Value {
    let channel = studio.post("/channel", json!({"name": "News"})).await;
    let channel = json!({"channel_id": channel["channel_id"]});
    studio.post("/session", channel).await
}

fn path(session: &Value, tail: &str) -> String {
    format!("/session/{}{tail}", session["session_id"].as_str().unwrap())
}

async fn status(studio: &Studio, session: &Value) -> String {
    let shown = studio.get(&path(session, "")).await;
    shown["status"].as_str().unwrap().to_owned()
}

async fn host_ticket(studio: &Studio, session: &Value) -> Value {
    let said = json!({"display_name": "Ann"});
    studio.post(&path(session, "/token"), said).await
}

async fn viewer_ticket(studio: &Studio, session: &Value, user: &str) -> Value {
    let said = json!({"display_name": "Vic", "user_id": user});
    studio.post(&path(session, "/token"), said).await
}

/// The host comes in.
async fn ready(studio: &Studio, session: &Value) -> Client {
    let ticket = host_ticket(studio, session).await;
    studio.join(&ticket).await
}

/// What a LiveKit server tells of an egress of this room.
fn egress(event: &str, id: &str, room: &Value) -> Value {
    json!({
        "event": event,
        "id": format!("EV_{event}{id}"),
        "egressInfo": {"egressId": id, "roomName": room},
    })
}

async fn publish(studio: &Studio, session: &Value, id: &str) {
    let told = egress("egress_started", id, &session["room_id"]);
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(status(studio, session).await, "PUBLISHING");
}

async fn report(studio: &Studio, session: &Value, status: &str) -> u16 {
    let room = session["room_id"].as_str().unwrap();
    studio.report(room, status).await
}

/// From READY to LIVE.
async fn go_live(studio: &Studio, session: &Value, id: &str) {
    publish(studio, session, id).await;
    assert_eq!(report(studio, session, "active").await, 200);
    assert_eq!(status(studio, session).await, "LIVE");
}

async fn stop(studio: &Studio, session: &Value) {
    let ended = studio.post(&path(session, "/end"), Value::Null).await;
    assert_eq!(ended["status"], "ENDING");
    assert_eq!(report(studio, session, "idle").await, 200);
    assert_eq!(status(studio, session).await, "STOPPED");
}

async fn sessions(studio: &Studio, session: &Value) -> Vec<Value> {
    let room = session["room_id"].as_str().unwrap();
    let list = studio.get(&format!("/session?room_id={room}")).await;
    list.as_array().unwrap().clone()
}

async fn room(studio: &Studio, session: &Value) -> Value {
    let room = session["room_id"].as_str().unwrap();
    studio.get(&format!("/api/v1/rooms/{room}/")).await
}

/// The names of the rooms that live, as a LiveKit client asks for them.
async fn living(studio: &Studio) -> Vec<String> {
    let grant = VideoGrants {
        room_list: true,
        ..VideoGrants::default()
    };
    let head = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
        token("admin", grant)
    );
    let list = "/twirp/livekit.RoomService/ListRooms";
    let (code, body) = studio.ask_as(&head, "POST", list, json!({})).await;
    assert_eq!(code, 200, "{body}");
    let rooms = body["rooms"].as_array().cloned().unwrap_or_default();
    let name = |room: &Value| room["name"].as_str().unwrap().to_owned();
    rooms.iter().map(name).collect()
}

fn is_ulid(id: &Value, prefix: &str) -> bool {
    let tail = id.as_str().and_then(|id| id.strip_prefix(prefix));
    tail.is_some_and(|tail| {
        tail.len() == 26
            && tail
                .chars()
                .all(|c| c.is_ascii_digit() || (c.is_ascii_lowercase() && !"ilou".contains(c)))
    })
}

#[tokio::test]
async fn s1_01_s1_13_channels_and_sessions_are_made_read_changed_and_deleted() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", json!({"name": "News"})).await;
    let at = format!("/channel/{}", channel["channel_id"].as_str().unwrap());
    assert_eq!(studio.get(&at).await, channel);
    let (code, changed) = studio.ask("PATCH", &at, json!({"name": "Sport"})).await;
    assert_eq!((code, &changed["name"]), (200, &json!("Sport")));
    assert_eq!(studio.get("/channel/").await, json!([changed]));

    let said = json!({"channel_id": channel["channel_id"]});
    let session = studio.post("/session", said.clone()).await;
    assert_eq!(session["name"], "Sport");
    let change = json!({"name": "Final", "description": "The last match"});
    let (code, changed) = studio.ask("PATCH", &path(&session, "/"), change).await;
    assert_eq!(code, 200);
    assert_eq!(
        (
            &changed["name"],
            &changed["description"],
            &changed["status"]
        ),
        (&json!("Final"), &json!("The last match"), &json!("IDLE"))
    );
    let (code, refused) = studio.ask("DELETE", &at, Value::Null).await;
    assert_eq!((code, &refused["type"]), (409, &json!("session_exists")));
    let (code, _) = studio.ask("DELETE", &path(&session, ""), Value::Null).await;
    assert_eq!(code, 204);
    let (code, gone) = studio.ask("GET", &path(&session, ""), Value::Null).await;
    assert_eq!((code, &gone["type"]), (404, &json!("not_found")));
    // Its channel is free.
    let next = studio.post("/session", said.clone()).await;
    assert_ne!(next["room_id"], session["room_id"]);
    // The room by itself: made to live, read, changed, and deleted.
    let begin = json!({"session_id": next["session_id"]});
    assert_eq!(studio.ask("POST", "/session/room", begin).await.0, 201);
    let of_room = room_path(&next);
    assert_eq!(studio.get(&of_room).await["room_id"], next["room_id"]);
    let change = json!({"max_participants": 7});
    let legacy = of_room.replace("/api/v1", "");
    assert_eq!(studio.ask("PATCH", &legacy, change).await.0, 200);
    assert_eq!(studio.get(&of_room).await["max_participants"], 7);
    assert_eq!(studio.ask("DELETE", &of_room, Value::Null).await.0, 204);
    assert_eq!(studio.ask("GET", &of_room, Value::Null).await.0, 404);
    assert_eq!(status(&studio, &next).await, "CANCELLED");
    let next = studio.post("/session", said.clone()).await;
    studio.post(&path(&next, "/cancel"), Value::Null).await;
    assert_eq!(studio.ask("DELETE", &at, Value::Null).await.0, 204);
    assert_eq!(studio.ask("GET", &at, Value::Null).await.0, 404);
    assert_eq!(studio.ask("POST", "/session", said).await.0, 404);
}

#[tokio::test]
async fn s1_02_s1_04_two_broadcasts_are_two_sessions_of_one_room_with_an_egress_each() {
    let studio = Studio::open().await;
    let first = idle(&studio).await;
    let _host = ready(&studio, &first).await;
    go_live(&studio, &first, "EG_first").await;
    stop(&studio, &first).await;
    let second = sessions(&studio, &first).await.pop().unwrap();
    go_live(&studio, &second, "EG_second").await;
    stop(&studio, &second).await;
    let all = sessions(&studio, &first).await;
    let of = |key: &str| -> Vec<Value> { all.iter().map(|one| one[key].clone()).collect() };
    assert_eq!(of("status"), ["STOPPED", "STOPPED", "READY"]);
    assert_eq!(
        of("egress_id"),
        [json!("EG_first"), json!("EG_second"), Value::Null]
    );
    assert!(of("room_id").iter().all(|room| *room == first["room_id"]));
    let ids: HashSet<String> = of("session_id").iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), 3);
    assert!(all[0]["started_at"].is_string() && all[0]["stopped_at"].is_string());
}

#[tokio::test]
async fn s1_05_s1_23_s1_24_s1_39_a_session_that_stops_is_followed_by_a_ready_one_in_the_same_room()
{
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let change = json!({"name": "Evening", "description": "Every day"});
    studio.ask("PATCH", &path(&session, ""), change).await;
    let _host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    let before = room(&studio, &session).await;
    stop(&studio, &session).await;
    let all = sessions(&studio, &session).await;
    let [stopped, next] = &all[..] else {
        panic!("{all:?}")
    };
    // The other fields are copied; no room is named anew.
    for key in ["room_id", "channel_id", "user_id", "name", "description"] {
        assert_eq!(stopped[key], next[key], "{key}");
    }
    assert_ne!(stopped["session_id"], next["session_id"]);
    assert_eq!(next["status"], "READY");
    // The room goes on, with its host.
    let after = room(&studio, &session).await;
    assert_eq!(before, after);
    assert_eq!(
        (&after["participant_count"], &after["status"]),
        (&json!(1), &json!("active"))
    );
}

#[tokio::test]
async fn s1_06_s1_07_s1_08_s1_12_every_id_is_a_prefix_and_a_lower_case_ulid() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    assert!(is_ulid(&session["session_id"], "se_"), "{session}");
    assert!(is_ulid(&session["room_id"], "ro_"), "{session}");
    assert!(is_ulid(&session["channel_id"], "ch_"), "{session}");
    assert_eq!(session["status"], "IDLE");
    assert!(session["user_id"].is_string());
}

#[tokio::test]
async fn s1_09_a_hundred_sessions_sort_in_the_order_of_their_making() {
    let studio = Studio::open().await;
    let mut made = Vec::new();
    for _ in 0..100 {
        made.push(idle(&studio).await);
    }
    for key in ["session_id", "room_id", "channel_id"] {
        let ids = made.iter().map(|one| one[key].as_str().unwrap());
        assert!(ids.is_sorted(), "{key}");
    }
    let listed = studio.get("/session").await;
    assert_eq!(listed.as_array().unwrap(), &made);
}

#[tokio::test]
async fn s1_11_of_sessions_made_at_once_for_one_channel_one_is_made() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", Value::Null).await;
    let said = json!({"channel_id": channel["channel_id"]});
    let asked = (0..20).map(|_| studio.ask("POST", "/session", said.clone()));
    let answers = join_all(asked).await;
    let made = answers.iter().filter(|(code, _)| *code == 201);
    assert_eq!(made.count(), 1);
    let refused = answers.iter().filter(|(code, _)| *code == 409);
    assert!(refused.clone().count() == 19);
    assert!(
        refused
            .clone()
            .all(|(_, body)| body["type"] == "session_exists")
    );
    assert_eq!(studio.get("/session").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn s1_41_a_channel_has_one_session_that_is_not_over() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let said = json!({"channel_id": session["channel_id"]});
    let (code, body) = studio.ask("POST", "/session", said.clone()).await;
    assert_eq!((code, &body["type"]), (409, &json!("session_exists")));
    studio.post(&path(&session, "/cancel"), Value::Null).await;
    let next = studio.post("/session", said).await;
    assert_ne!(next["room_id"], session["room_id"]);
}

#[tokio::test]
async fn s1_14_a_report_about_a_room_whose_sessions_are_over_changes_nothing() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    host.close().await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 0)
        .await;
    stop(&studio, &session).await;
    let before = sessions(&studio, &session).await;
    assert_eq!(before.len(), 1, "no host, no next session");
    for status in ["active", "idle", "disconnected"] {
        assert_eq!(report(&studio, &session, status).await, 200);
    }
    let told = egress("egress_started", "EG_2", &session["room_id"]);
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(sessions(&studio, &session).await, before);
    assert_eq!(studio.report("ro_of_nobody", "active").await, 200);
}

fn room_path(session: &Value) -> String {
    format!("/api/v1/rooms/{}", session["room_id"].as_str().unwrap())
}

#[tokio::test]
async fn s1_15_s1_16_the_room_lives_when_its_host_asks_for_a_token_and_not_before() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let name = session["room_id"].as_str().unwrap().to_owned();
    assert!(!living(&studio).await.contains(&name));
    // One who would watch does not begin it.
    viewer_ticket(&studio, &session, "9").await;
    assert!(!living(&studio).await.contains(&name));
    assert_eq!(room(&studio, &session).await.get("sid"), None);
    // It is there before the token is.
    host_ticket(&studio, &session).await;
    assert!(living(&studio).await.contains(&name));
    let sid = room(&studio, &session).await["sid"].clone();
    assert!(sid.as_str().unwrap().starts_with("RM_"));
    host_ticket(&studio, &session).await;
    assert_eq!(room(&studio, &session).await["sid"], sid, "once");
    assert_eq!(status(&studio, &session).await, "IDLE");
}

#[tokio::test]
async fn s1_17_the_room_is_made_to_live_in_so_many_words_once() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let said = json!({"session_id": session["session_id"]});
    let (code, made) = studio.ask("POST", "/session/room", said.clone()).await;
    assert_eq!((code, &made["room_id"]), (201, &session["room_id"]));
    let (code, again) = studio.ask("POST", "/session/room/", said).await;
    assert_eq!((code, again), (200, made));
    let name = session["room_id"].as_str().unwrap().to_owned();
    assert_eq!(living(&studio).await, [name]);
    let nobody = json!({"session_id": "se_nobody"});
    assert_eq!(studio.ask("POST", "/session/room", nobody).await.0, 404);
}

#[tokio::test]
async fn s1_18_the_host_makes_it_ready_and_nobody_else_does() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let _viewer = studio
        .join(&viewer_ticket(&studio, &session, "9").await)
        .await;
    assert_eq!(status(&studio, &session).await, "IDLE");
    let _host = ready(&studio, &session).await;
    assert_eq!(status(&studio, &session).await, "READY");
}

#[tokio::test]
async fn s1_19_to_go_live_is_refused_by_state_first_and_then_for_want_of_an_egress() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let start = path(&session, "/start_live");
    let (code, body) = studio.ask("POST", &start, Value::Null).await;
    assert_eq!((code, &body["type"]), (409, &json!("illegal_transition")));
    let _host = ready(&studio, &session).await;
    let (code, body) = studio.ask("POST", &start, Value::Null).await;
    assert_eq!((code, &body["type"]), (501, &json!("not_implemented")));
    assert_eq!(status(&studio, &session).await, "READY");
}

#[tokio::test]
async fn s1_20_s1_21_s1_22_each_report_that_the_stream_is_over_stops_a_session_that_ends() {
    let studio = Studio::open().await;
    for over in ["idle", "disconnected"] {
        let session = idle(&studio).await;
        let _host = ready(&studio, &session).await;
        go_live(&studio, &session, &format!("EG_{over}")).await;
        let ended = studio.post(&path(&session, "/end"), Value::Null).await;
        assert_eq!(ended["status"], "ENDING");
        assert_eq!(report(&studio, &session, over).await, 200);
        assert_eq!(status(&studio, &session).await, "STOPPED");
    }
}

#[tokio::test]
async fn s1_03_s1_25_s1_27_one_join_serves_three_broadcasts_and_viewers_notice_nothing() {
    let studio = Studio::open().await;
    let first = idle(&studio).await;
    let mut host = ready(&studio, &first).await;
    let ticket = viewer_ticket(&studio, &first, "9").await;
    let mut viewer = studio.join(&ticket).await;
    host.expect("member-joined").await;
    for number in 0..3 {
        let session = sessions(&studio, &first).await.pop().unwrap();
        assert_eq!(session["status"], "READY");
        go_live(&studio, &session, &format!("EG_{number}")).await;
        stop(&studio, &session).await;
    }
    // Nobody was sent out, and nobody was told anything.
    viewer.nothing_more().await;
    assert_eq!(host.hear().await["payload"], "anything more?");
    assert_eq!(room(&studio, &first).await["participant_count"], 2);
    assert_eq!(sessions(&studio, &first).await.len(), 4);
}

#[tokio::test]
async fn s1_28_the_room_closes_when_its_host_has_left_and_does_not_come_back() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let host = ready(&studio, &session).await;
    let ticket = viewer_ticket(&studio, &session, "9").await;
    let mut viewer = studio.join(&ticket).await;
    host.close().await;
    viewer.expect("member-left").await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 1)
        .await;
    studio.advance(15).await;
    // Back in time: it goes on.
    let host = ready(&studio, &session).await;
    studio.advance(60).await;
    assert_eq!(room(&studio, &session).await["status"], "active");
    viewer.expect("member-joined").await;
    host.cut();
    viewer.expect("member-left").await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 1)
        .await;
    studio.advance(19).await;
    assert_eq!(room(&studio, &session).await["status"], "active");
    studio.advance(2).await;
    studio
        .wait(&room_path(&session), |room| room["status"] == "ended")
        .await;
    assert_eq!(status(&studio, &session).await, "CANCELLED");
}

#[tokio::test]
async fn s1_28_a_host_with_two_devices_has_left_when_the_second_has() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let first = ready(&studio, &session).await;
    let _second = ready(&studio, &session).await;
    first.close().await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 1)
        .await;
    studio.advance(60).await;
    assert_eq!(room(&studio, &session).await["status"], "active");
}

#[tokio::test]
async fn s1_28_the_room_closes_when_it_has_been_empty_for_its_timeout() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let ticket = viewer_ticket(&studio, &session, "9").await;
    studio.join(&ticket).await.close().await;
    studio
        .wait(&room_path(&session), |room| {
            room["participant_count"] == 0 && room["sid"].is_string()
        })
        .await;
    studio.advance(299).await;
    assert_eq!(room(&studio, &session).await["status"], "pending");
    studio.advance(2).await;
    studio
        .wait(&room_path(&session), |room| room["status"] == "ended")
        .await;
    assert_eq!(status(&studio, &session).await, "CANCELLED");
}

#[tokio::test]
async fn s1_28_an_administrator_deletes_the_room_and_a_viewer_who_leaves_does_not() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let mut host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    let ticket = viewer_ticket(&studio, &session, "9").await;
    studio.join(&ticket).await.close().await;
    host.expect("member-joined").await;
    host.expect("member-left").await;
    studio.advance(3_600).await;
    assert_eq!(room(&studio, &session).await["status"], "active");
    assert_eq!(status(&studio, &session).await, "LIVE");
    let (code, _) = studio
        .ask("DELETE", &room_path(&session), Value::Null)
        .await;
    assert_eq!(code, 204);
    // One that was on the air has stopped.
    assert_eq!(status(&studio, &session).await, "STOPPED");
    assert_eq!(sessions(&studio, &session).await.len(), 1);
    let said = json!({"channel_id": session["channel_id"]});
    studio.post("/session", said).await;
}

const STATES: [&str; 7] = [
    "IDLE",
    "READY",
    "PUBLISHING",
    "LIVE",
    "ENDING",
    "STOPPED",
    "CANCELLED",
];

/// A session brought into a state, and its host's connection.
async fn in_state(studio: &Studio, state: &str) -> (Value, Option<Client>) {
    let session = idle(studio).await;
    let at = STATES.iter().position(|one| *one == state).unwrap();
    if state == "CANCELLED" {
        studio.post(&path(&session, "/cancel"), Value::Null).await;
    }
    if state == "CANCELLED" || at == 0 {
        return (session, None);
    }
    let mut host = Some(ready(studio, &session).await);
    if at >= 2 {
        let id = session["session_id"].as_str().unwrap();
        publish(studio, &session, id).await;
    }
    if at >= 3 {
        assert_eq!(report(studio, &session, "active").await, 200);
    }
    if at >= 4 {
        studio.post(&path(&session, "/end"), Value::Null).await;
    }
    if at >= 5 {
        // With its host inside another one would follow.
        host.take().unwrap().close().await;
        studio
            .wait(&room_path(&session), |room| room["participant_count"] == 0)
            .await;
        assert_eq!(report(studio, &session, "idle").await, 200);
    }
    assert_eq!(status(studio, &session).await, state);
    (session, host)
}

#[tokio::test]
async fn s1_29_from_each_state_each_event_leads_where_it_may_or_nowhere() {
    let studio = Studio::open().await;
    for state in STATES {
        let over = matches!(state, "STOPPED" | "CANCELLED");
        for event in ["start_live", "end", "cancel", "active", "idle", "egress"] {
            let (session, _host) = in_state(&studio, state).await;
            let code = match event {
                "active" | "idle" => report(&studio, &session, event).await,
                "egress" => {
                    let id = format!("EG_{state}");
                    let told = egress("egress_started", &id, &session["room_id"]);
                    studio.tell(told).await
                }
                action => {
                    let action = path(&session, &format!("/{action}"));
                    studio.ask("POST", &action, Value::Null).await.0
                }
            };
            let expected = match (state, event) {
                ("READY", "start_live") => (501, state),
                ("LIVE", "end") => (200, "ENDING"),
                // s1_30
                ("IDLE" | "READY" | "PUBLISHING", "cancel") => (200, "CANCELLED"),
                ("PUBLISHING", "active") => (200, "LIVE"),
                ("ENDING", "idle") => (200, "STOPPED"),
                ("READY", "egress") => (200, "PUBLISHING"),
                // Whoever tells of what has happened is not to tell it again.
                (_, "egress") => (200, state),
                (_, "active" | "idle") if over => (200, state),
                _ => (409, state),
            };
            let after = status(&studio, &session).await;
            assert_eq!((code, after.as_str()), expected, "{state} {event}");
        }
    }
}

#[tokio::test]
async fn s1_30_a_session_is_cancelled_before_it_is_live_and_not_later() {
    let studio = Studio::open().await;
    for (state, code) in [
        ("IDLE", 200),
        ("READY", 200),
        ("PUBLISHING", 200),
        ("LIVE", 409),
        ("ENDING", 409),
    ] {
        let (session, _host) = in_state(&studio, state).await;
        let (answered, _) = studio
            .ask("POST", &path(&session, "/cancel"), Value::Null)
            .await;
        assert_eq!(answered, code, "{state}");
    }
}

#[tokio::test]
async fn s1_32_s1_34_a_token_names_the_user_the_room_and_the_name_to_show() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let ticket = host_ticket(&studio, &session).await;
    let said = claims(&ticket);
    assert_eq!(said["sub"], session["user_id"]);
    assert_eq!(said["name"], "Ann");
    assert_eq!(said["video"]["room"], session["room_id"]);
    assert_eq!(said["video"]["roomAdmin"], true);
    let url = format!("ws://{}", studio.address());
    assert_eq!(ticket["url"], url);
    let text = ticket["token"].as_str().unwrap();
    let read = TokenVerifier::with_api_key(KEY, SECRET)
        .verify(text)
        .unwrap();
    assert!(read.video.can_publish == Some(true) && read.video.room_join);

    let ticket = viewer_ticket(&studio, &session, "9").await;
    let said = claims(&ticket);
    assert_eq!((&said["sub"], &said["name"]), (&json!("9"), &json!("Vic")));
    assert_eq!(said["video"]["canPublish"], false);
    assert_eq!(said["video"].get("roomAdmin"), None);
    // Who watches sends nothing, whatever it says.
    let mut client = Client::connect(studio.address()).await;
    let joined = client.ask(entry(&ticket)).await;
    assert_eq!(joined["room"]["members"][0]["role"], "viewer", "{joined}");
    let update = json!({"tracks": [{"source": "camera", "muted": false}]});
    client
        .say(json!({"type": "update-member", "payload": update}))
        .await;
    client.refused("forbidden").await;
}

#[tokio::test]
async fn s1_33_s2_34_the_rooms_name_in_a_broadcasts_webhooks_is_its_id() {
    let receiver = Receiver::start().await;
    let studio = Studio::with(ServerConfig {
        webhooks: vec![receiver.url()],
        ..ServerConfig::default()
    })
    .await;
    let session = idle(&studio).await;
    let shown = room(&studio, &session).await;
    assert_eq!(shown["name"], session["room_id"]);
    assert_eq!(shown["room_id"], session["room_id"]);
    let host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    studio.post(&path(&session, "/end"), Value::Null).await;
    let ended = egress("egress_ended", "EG_1", &session["room_id"]);
    assert_eq!(studio.tell(ended).await, 200);
    host.close().await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 0)
        .await;
    studio.advance(21).await;
    let told = [
        "room_started",
        "participant_joined",
        "egress_started",
        "egress_ended",
        "participant_left",
        "room_finished",
    ];
    let events = receiver
        .wait_until(|events| events.len() >= told.len())
        .await;
    assert_eq!(receiver.about(session["room_id"].as_str().unwrap()), told);
    assert_eq!(events.len(), told.len(), "{events:?}");
    for event in &events[2..4] {
        assert_eq!(event["egressInfo"]["egressId"], "EG_1");
    }
}

#[tokio::test]
async fn s1_36_a_webhook_about_one_room_moves_that_rooms_session() {
    let studio = Studio::open().await;
    let one = idle(&studio).await;
    let other = idle(&studio).await;
    let (_a, _b) = (ready(&studio, &one).await, ready(&studio, &other).await);
    publish(&studio, &other, "EG_1").await;
    assert_eq!(status(&studio, &one).await, "READY");
    let shown = studio.get(&path(&other, "")).await;
    assert_eq!(shown["egress_id"], "EG_1");
}

#[tokio::test]
async fn s1_37_whoever_comes_late_does_not_take_it_off_the_air() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let _host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    let ticket = viewer_ticket(&studio, &session, "9").await;
    let _viewer = studio.join(&ticket).await;
    let _again = ready(&studio, &session).await;
    let joined = json!({
        "event": "participant_joined",
        "id": "EV_late",
        "room": {"sid": "RM_late", "name": session["room_id"]},
        "participant": {"sid": "PA_late", "identity": session["user_id"]},
    });
    assert_eq!(studio.tell(joined).await, 200);
    assert_eq!(status(&studio, &session).await, "LIVE");
}

#[tokio::test]
async fn s1_40_figures_are_of_one_session_each() {
    let studio = Studio::open().await;
    let busy = idle(&studio).await;
    let quiet = idle(&studio).await;
    let _host = ready(&studio, &busy).await;
    let ticket = viewer_ticket(&studio, &busy, "9").await;
    let _viewer = studio.join(&ticket).await;
    let address = studio.address();
    let (code, _, page) = crate::support::http(address, "GET", "/metrics", "", "").await;
    assert_eq!(code, 200);
    let figure = |session: &Value| {
        let id = session["session_id"].as_str().unwrap();
        let mut lines = page.lines();
        let line = lines
            .find(|line| line.starts_with("visavis_session_participants{") && line.contains(id));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        (figure(&busy).as_str(), figure(&quiet).as_str()),
        ("2", "0")
    );
}

#[tokio::test]
async fn s1_31_the_owner_rules_and_others_watch() {
    let studio = Studio::with(ServerConfig {
        auth: AuthMode::Header,
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        ..ServerConfig::default()
    })
    .await;
    let user = |number: u8| format!("X-User-Id: 8d4e0f0c-0000-4000-8000-00000000000{number}\r\n");
    let (ann, vic) = (user(1), user(2));
    let (code, channel) = studio
        .ask_as(&ann, "POST", "/channel", json!({"user_id": "9"}))
        .await;
    assert_eq!(code, 201);
    assert_eq!(
        channel["user_id"], "8d4e0f0c-0000-4000-8000-000000000001",
        "whomever it names"
    );
    let said = json!({"channel_id": channel["channel_id"]});
    assert_eq!(
        studio
            .ask_as(&vic, "POST", "/session", said.clone())
            .await
            .0,
        403
    );
    let (_, session) = studio.ask_as(&ann, "POST", "/session", said).await;
    for action in ["start_live", "end", "cancel"] {
        let at = path(&session, &format!("/{action}"));
        let (code, body) = studio.ask_as(&vic, "POST", &at, Value::Null).await;
        assert_eq!((code, &body["type"]), (403, &json!("access_denied")));
    }
    for method in ["PATCH", "DELETE"] {
        let (code, _) = studio
            .ask_as(&vic, method, &path(&session, ""), json!({}))
            .await;
        assert_eq!(code, 403, "{method}");
    }
    let (code, _) = studio.ask("GET", &path(&session, ""), Value::Null).await;
    assert_eq!(code, 401);
    let (code, _) = studio
        .ask_as(&vic, "GET", &path(&session, ""), Value::Null)
        .await;
    assert_eq!(code, 200);
    let (_, listed) = studio.ask_as(&vic, "GET", "/session", Value::Null).await;
    assert_eq!(listed, json!([]));
    let at = path(&session, "/token");
    let forged = json!({"display_name": "Vic", "user_id": channel["user_id"], "role": "host"});
    let (code, ticket) = studio.ask_as(&vic, "POST", &at, forged).await;
    assert_eq!(code, 200);
    let said = claims(&ticket);
    assert_eq!(said["sub"], "8d4e0f0c-0000-4000-8000-000000000002");
    assert_eq!(said["video"]["canPublish"], false);
    let (_, ticket) = studio.ask_as(&ann, "POST", &at, json!({})).await;
    assert_eq!(claims(&ticket)["video"]["roomAdmin"], true);
}
