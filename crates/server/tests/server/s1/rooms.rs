//! The room of a session: it begins before, and goes on after.

use std::collections::HashSet;

use serde_json::{Value, json};
use visavis_server::ServerConfig;

use super::{
    active_room, egress, go_live, host_ticket, idle, path, ready, room, room_path, sessions,
    status, stop, viewer_credentials,
};
use crate::studio::Studio;
use crate::webhooks::Receiver;

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
async fn s1_15_s1_16_the_room_lives_when_its_host_asks_for_a_token_and_not_before() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let name = session["room_id"].as_str().unwrap().to_owned();
    assert!(!active_room(&studio).await.contains(&name));
    // One who would watch does not begin it.
    viewer_credentials(&studio, &session, "9").await;
    assert!(!active_room(&studio).await.contains(&name));
    assert_eq!(room(&studio, &session).await.get("sid"), None);
    // It is there before the token is.
    host_ticket(&studio, &session).await;
    assert!(active_room(&studio).await.contains(&name));
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
    assert_eq!(active_room(&studio).await, [name]);
    let nobody = json!({"session_id": "se_nobody"});
    assert_eq!(studio.ask("POST", "/session/room", nobody).await.0, 404);
}

#[tokio::test]
async fn s1_03_s1_25_s1_27_one_join_serves_three_broadcasts_and_viewers_notice_nothing() {
    let studio = Studio::open().await;
    let first = idle(&studio).await;
    let mut host = ready(&studio, &first).await;
    let join_credentials = viewer_credentials(&studio, &first, "9").await;
    let mut viewer = studio.join(&join_credentials).await;
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
    let join_credentials = viewer_credentials(&studio, &session, "9").await;
    let mut viewer = studio.join(&join_credentials).await;
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
    let join_credentials = viewer_credentials(&studio, &session, "9").await;
    studio.join(&join_credentials).await.close().await;
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
    let join_credentials = viewer_credentials(&studio, &session, "9").await;
    studio.join(&join_credentials).await.close().await;
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
