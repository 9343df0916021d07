//! The stream of events.

use serde_json::{Value, json};
use uuid::Uuid;
use visavis_server::{AuthMode, Keys, ServerConfig};

use crate::api::{Api, Listener, by_hand, gated, server_of};
use crate::support::{Client, KEY, SECRET, server};
use crate::webhooks::wait_for;

const ACME: &str = "audiences/acme/events";

fn path(room: &Value) -> String {
    format!("/api/v1/rooms/{}", room["id"].as_str().unwrap())
}

fn topic(room: &Value) -> String {
    format!("rooms/{}/events", room["id"].as_str().unwrap())
}

/// The part of a room that events tell.
fn told(room: &Value) -> Value {
    let mut told = json!({});
    for key in [
        "id",
        "audience",
        "time",
        "created_at",
        "backend",
        "reserve",
        "tags",
    ] {
        if let Some(value) = room.get(key) {
            told[key] = value.clone();
        }
    }
    told
}

#[tokio::test]
async fn s0_13_s0_14_what_is_made_and_changed_is_told_to_its_audience() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let mut acme = api.listen(ACME).await;
    let room = api.conference(None).await;
    let made = acme.expect("room.create").await;
    let shown = api.get(&path(&room)).await.expect(200);
    assert_eq!(made.data["payload"], told(&shown));
    assert_eq!(made.data["uri"], ACME);
    assert!(
        made.id.starts_with("EV_") && made.id.len() == 15,
        "{}",
        made.id
    );

    let change = json!({"tags": {"a": 1}, "reserve": 3});
    let shown = api.patch(&path(&room), change.clone()).await.expect(200);
    let changed = acme.expect("room.update").await;
    assert_eq!(changed.data["payload"], told(&shown));
    assert_eq!(changed.data["uri"], ACME);
    // What comes to nothing is not told: the next is another change.
    api.patch(&path(&room), change).await.expect(200);
    api.patch(&path(&room), json!({"tags": {"a": 2}}))
        .await
        .expect(200);
    let changed = acme.expect("room.update").await;
    assert_eq!(changed.data["payload"]["tags"]["a"], 2);
}

#[tokio::test]
async fn s0_15_the_opening_of_a_room_is_told_once_when_it_comes() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let time = json!([api.now().await + 5, null]);
    let ahead = json!({"audience": "acme", "time": time, "backend": "none"});
    let room = api.post("/api/v1/rooms", ahead).await.expect(201);
    let mut events = api.listen(&topic(&room)).await;
    let mut early = Client::connect(server.local_addr()).await;
    let code = room["code"].as_str().unwrap();
    assert_eq!(early.join(code).await["code"], "room-not-open");
    api.advance(6).await;
    let opened = events.expect("room.open").await;
    assert_eq!(opened.data["payload"], told(&room));
    assert_eq!(opened.data["uri"], json!(topic(&room)));
    api.advance(6).await;
    assert_eq!(early.join(code).await["type"], "room-joined");
    events.expect("room_started").await;
    events.expect("participant_joined").await;
}

#[tokio::test]
async fn s0_16_s0_18_an_end_that_is_put_into_the_past_closes_the_room_on_both_topics() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let now = api.now().await;
    let room = api.conference(Some(now + 600)).await;
    let mut acme = api.listen(ACME).await;
    let mut own = api.listen(&topic(&room)).await;
    let change = json!({"time": [now - 30, now - 1], "tags": "over"});
    let closed = api.patch(&path(&room), change).await.expect(200);
    assert_eq!(
        (&closed["status"], &closed["tags"]),
        (&json!("ended"), &json!("over"))
    );
    acme.expect("room.update").await;
    let [to_all, to_own] = [
        acme.expect("room.close").await,
        own.expect("room.close").await,
    ];
    assert_eq!(to_all.id, to_own.id, "one event on two topics");
    assert_eq!(to_own.data["payload"], told(&closed));
    assert_eq!(to_own.data["uri"], json!(topic(&room)));
    assert_eq!(to_own.data["payload"]["time"], json!([now - 30, now - 1]));
}

#[tokio::test]
async fn s0_18_every_way_to_close_is_told_on_both_topics_once() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    for way in ["time", "word", "deletion"] {
        let room = api.conference(Some(api.now().await + 100)).await;
        let mut acme = api.listen(ACME).await;
        let mut own = api.listen(&topic(&room)).await;
        match way {
            "time" => api.advance(101).await,
            "word" => drop(
                api.post(&format!("{}/close", path(&room)), json!(null))
                    .await
                    .expect(200),
            ),
            _ => drop(api.delete(&path(&room)).await.expect(204)),
        }
        api.post("/system/vacuum", json!(null)).await.expect(204);
        assert_eq!(
            acme.expect("room.close").await.id,
            own.expect("room.close").await.id
        );
        if way == "deletion" {
            acme.expect("room.delete").await;
        }
        // Once: what comes next is another room's.
        let next = api.conference(None).await;
        assert_eq!(
            acme.expect("room.create").await.data["payload"],
            told(&next)
        );
    }
}

#[tokio::test]
async fn s0_19_a_close_that_is_told_again_bears_the_id_it_had() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let mut acme = api.listen(ACME).await;
    let mut own = api.listen(&topic(&room)).await;
    let change = api.patch(&path(&room), json!({"tags": 1})).await;
    change.expect(200);
    let before = acme.expect("room.update").await;
    let close = format!("{}/close", path(&room));
    api.post(&close, json!(null)).await.expect(200);
    let first = acme.expect("room.close").await;
    // On another topic, to one who lost its connection before it had heard, and
    // however often: one event, of which the repeats are known by its id.
    assert_eq!(own.expect("room.close").await.id, first.id);
    for _ in 0..2 {
        let mut again = api.listen_after(ACME, &before.id).await;
        assert_eq!(again.expect("room.close").await, first);
    }
    // What closes it once more is no event.
    api.post(&close, json!(null)).await.expect(200);
    api.post("/system/vacuum", json!(null)).await.expect(204);
    api.delete(&path(&room)).await.expect(204);
    acme.expect("room.delete").await;
}

#[tokio::test]
async fn s0_24_a_deletion_is_told_to_its_audience() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let mut acme = api.listen(ACME).await;
    api.delete(&path(&room)).await.expect(204);
    acme.expect("room.close").await;
    let deleted = acme.expect("room.delete").await;
    assert_eq!(deleted.data["payload"], told(&room));
    assert_eq!(deleted.data["uri"], ACME);
    api.get(&path(&room)).await.refused(404, "room_not_found");
}

#[tokio::test]
async fn s0_25_nothing_is_heard_of_another_audience_or_room() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let other = api.conference(None).await;
    let mut zeta = api.listen("audiences/zeta/events").await;
    let mut of_other = api.listen(&topic(&other)).await;
    // By another of its names it is the same topic.
    let code = room["code"].as_str().unwrap();
    let mut own = api.listen(&format!("rooms/{code}/events")).await;
    api.patch(&path(&room), json!({"tags": 1}))
        .await
        .expect(200);
    api.post(&format!("{}/close", path(&room)), json!(null))
        .await
        .expect(200);
    own.expect("room.close").await;
    api.post(&format!("{}/close", path(&other)), json!(null))
        .await
        .expect(200);
    let first = of_other.expect("room.close").await;
    assert_eq!(first.data["payload"]["id"], other["id"]);
    let body = json!({"audience": "zeta", "time": [1, null], "backend": "none"});
    let theirs = api.post("/api/v1/rooms", body).await.expect(201);
    let first = zeta.expect("room.create").await;
    let label = "room.create";
    let whole = json!({"uri": "audiences/zeta/events", "label": label, "payload": told(&theirs)});
    assert_eq!(first.data, whole);
}

#[tokio::test]
async fn a_listener_that_comes_back_goes_on_where_it_was() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let mut acme = api.listen(ACME).await;
    let mut rooms = Vec::new();
    for _ in 0..300 {
        rooms.push(api.conference(None).await["id"].clone());
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(acme.expect("room.create").await);
    }
    drop(acme);
    let mut again = api.listen_after(ACME, &heard[1].id).await;
    assert_eq!(again.hear().await, heard[2]);
    for room in &rooms[3..] {
        assert_eq!(
            &again.expect("room.create").await.data["payload"]["id"],
            room
        );
    }
    // What it heard last is not in the log any more: all of that is.
    let mut lost = api.listen_after(ACME, "EV_forgotten222").await;
    assert_eq!(lost.hear().await, heard[0]);
    let next = api.conference(None).await;
    assert_eq!(
        again.expect("room.create").await.data["payload"]["id"],
        next["id"]
    );
}

#[tokio::test]
async fn streams_end_with_the_server_at_once() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let listener = api.listen(ACME).await;
    let started = std::time::Instant::now();
    server.shutdown().await;
    listener.ended().await;
    assert!(started.elapsed().as_secs() < 2);
}

#[tokio::test]
async fn who_may_listen_operates_the_service_or_has_to_do_with_the_room() {
    let server = gated().await;
    let api = Api::new(server.local_addr());
    let host = api.with("X-User-Id", &Uuid::new_v4().to_string());
    let other = api.with("X-User-Id", &Uuid::new_v4().to_string());
    let body = json!({"audience": "acme", "time": [1, null], "backend": "none"});
    let room = host.post("/api/v1/rooms", body).await.expect(201);
    let grant = |video| api.with_grant(video);
    let member = grant(json!({"room": room["name"], "roomJoin": true}));
    let stranger = grant(json!({"room": "another", "roomJoin": true, "roomAdmin": true}));
    let operator = grant(json!({"roomCreate": true}));
    let heard = async |who: &Api, uri: &str| Listener::start(who, uri).await.err().unwrap_or(200);
    for (who, own, all) in [
        (&host, 200, 403),
        (&member, 200, 403),
        (&operator, 200, 200),
        (&other, 403, 403),
        (&stranger, 403, 403),
        (&api, 401, 401),
    ] {
        assert_eq!(heard(who, &topic(&room)).await, own);
        assert_eq!(heard(who, ACME).await, all);
    }
    for uri in [
        "",
        "rooms",
        "rooms/x",
        "audiences//events",
        "audiences/a/b/events",
        "x/y/events",
    ] {
        assert_eq!(heard(&operator, uri).await, 400, "{uri}");
    }
    assert_eq!(heard(&operator, "rooms/zzz-zzzz-zzz/events").await, 404);
    operator
        .get("/api/v1/events")
        .await
        .refused(400, "invalid_payload");
}

#[tokio::test]
async fn one_address_holds_at_most_32_event_streams() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(api.listen(ACME).await);
    }
    assert_eq!(Listener::start(&api, ACME).await.err(), Some(429));
    drop(open.pop());
    // The server notices the closed connection at its next write or read.
    wait_for(async || Listener::start(&api, ACME).await.ok()).await;
}

#[tokio::test]
async fn in_jwt_mode_a_listener_needs_a_token() {
    let server = server_of(ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        ..ServerConfig::default()
    })
    .await;
    let api = Api::new(server.local_addr());
    assert_eq!(Listener::start(&api, ACME).await.err(), Some(401));
    let expired = api.with("Authorization", "Bearer x.y.z");
    assert_eq!(Listener::start(&expired, ACME).await.err(), Some(401));
}
