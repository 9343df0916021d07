//! Rooms over HTTP, in S0's dialect: `/api/v1/rooms` and `/rtcs`.

use serde_json::{Value, json};
use uuid::Uuid;
use visavis_server::{AuthMode, Keys, ServerConfig};

use crate::api::{Api, by_hand, gated, server_of};
use crate::database_file::DatabaseFile;
use crate::support::{Client, KEY, SECRET, server, wait_for_room};

/// Six hours, in seconds.
const CAP: i64 = 6 * 3_600;

fn path(room: &Value) -> String {
    format!("/api/v1/rooms/{}", room["id"].as_str().unwrap())
}

/// The body of a room, with this in place of what is usual.
fn body(change: Value) -> Value {
    let mut body = json!({"audience": "acme", "time": [1_700_000_000, null], "backend": "none"});
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[tokio::test]
async fn s0_01_a_room_has_a_uuid_and_is_found_by_all_its_ids() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for slash in ["", "/"] {
        let at = format!("/api/v1/rooms{slash}");
        let room = api.post(&at, body(json!({}))).await.expect(201);
        let uuid = Uuid::try_parse(room["id"].as_str().unwrap()).unwrap();
        assert_eq!(room["id"], uuid.to_string());
        for id in ["id", "code", "room_id", "name"] {
            let at = format!("/api/v1/rooms/{}{slash}", room[id].as_str().unwrap());
            assert_eq!(api.get(&at).await.expect(200), room);
        }
    }
    for path in ["/api/v1/rooms/zzz-zzzz-zzz", "/api/v1/rooms/x"] {
        api.get(path).await.refused(404, "room_not_found");
        api.patch(path, json!({}))
            .await
            .refused(404, "room_not_found");
        api.delete(path).await.refused(404, "room_not_found");
        for part in ["close", "rtcs"] {
            let path = format!("{path}/{part}");
            api.post(&path, json!({}))
                .await
                .refused(404, "room_not_found");
        }
    }
}

#[tokio::test]
async fn s0_02_a_room_belongs_to_an_audience() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let nobody = json!({"time": [1, null], "backend": "none"});
    api.post("/api/v1/rooms", nobody)
        .await
        .refused(400, "invalid_payload");
    for audience in [
        json!(null),
        json!(""),
        json!(" "),
        json!("a/b"),
        json!(5),
        json!("x".repeat(101)),
    ] {
        let body = body(json!({"audience": audience}));
        api.post("/api/v1/rooms", body)
            .await
            .refused(400, "invalid_payload");
    }
    let room = api.post("/api/v1/rooms", body(json!({}))).await.expect(201);
    assert_eq!(room["audience"], "acme");
}

#[tokio::test]
async fn s0_03_a_time_is_half_open_and_comes_back_as_it_was() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for time in [
        json!([10, 5]),
        json!([10, 10]),
        json!([-1, 5]),
        json!([0, i64::MAX]),
        json!([i64::MIN, null]),
    ] {
        let body = body(json!({"time": time}));
        api.post("/api/v1/rooms", body)
            .await
            .refused(400, "invalid_room_time");
    }
    for time in [
        json!(null),
        json!([]),
        json!([1]),
        json!([1, 2, 3]),
        json!(["1", 2]),
        json!([1.5, 2]),
    ] {
        let body = body(json!({"time": time}));
        api.post("/api/v1/rooms", body)
            .await
            .refused(400, "invalid_payload");
    }
    api.post(
        "/api/v1/rooms",
        json!({"audience": "acme", "backend": "none"}),
    )
    .await
    .refused(400, "invalid_payload");
    let now = api.now().await;
    let time = json!([now - 10, now + 3_600]);
    let room = api
        .post("/api/v1/rooms", body(json!({"time": time})))
        .await
        .expect(201);
    assert_eq!(room["time"], time);
    assert_eq!(api.get(&path(&room)).await.expect(200)["time"], time);
}

#[tokio::test]
async fn s0_03_a_room_is_over_at_the_moment_of_its_end_and_not_before() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let now = api.now().await;
    let room = api.conference(Some(now + 100)).await;
    api.advance(97).await;
    assert_eq!(api.get(&path(&room)).await.expect(200)["status"], "pending");
    api.advance(3).await;
    assert_eq!(api.get(&path(&room)).await.expect(200)["status"], "ended");
    let mut late = Client::connect(server.local_addr()).await;
    assert_eq!(
        late.join(room["code"].as_str().unwrap()).await["code"],
        "room-ended"
    );
    let change = json!({"tags": 1});
    api.patch(&path(&room), change)
        .await
        .refused(404, "room_closed");
}

#[tokio::test]
async fn s0_04_a_room_may_have_no_end() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    assert_eq!(
        api.get(&path(&room)).await.expect(200)["time"][1],
        Value::Null
    );
}

#[tokio::test]
async fn s0_05_the_server_says_when_a_room_was_made() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let before = time::OffsetDateTime::now_utc().unix_timestamp();
    let room = api
        .post("/api/v1/rooms", body(json!({"created_at": 5})))
        .await
        .expect(201);
    let at = room["created_at"].as_i64().unwrap();
    assert!((at - before).abs() <= 2, "{at} {before}");
    let change = json!({"created_at": 5});
    api.patch(&path(&room), change).await.expect(200);
    assert_eq!(api.get(&path(&room)).await.expect(200)["created_at"], at);
}

#[tokio::test]
async fn s0_06_a_backend_is_janus_or_none() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for backend in [json!("x"), json!(null), json!("Janus"), json!(1)] {
        let body = body(json!({"backend": backend}));
        api.post("/api/v1/rooms", body)
            .await
            .refused(400, "invalid_payload");
    }
    let without = json!({"audience": "acme", "time": [1, null]});
    api.post("/api/v1/rooms", without)
        .await
        .refused(400, "invalid_payload");
    for backend in ["janus", "none"] {
        let room = api
            .post("/api/v1/rooms", body(json!({"backend": backend})))
            .await
            .expect(201);
        let change = json!({"backend": "x"});
        api.patch(&path(&room), change)
            .await
            .refused(400, "invalid_payload");
        assert_eq!(api.get(&path(&room)).await.expect(200)["backend"], backend);
    }
}

#[tokio::test]
async fn s0_07_a_reserve_is_kept_and_a_mesh_does_not_count_it() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api
        .post("/api/v1/rooms", body(json!({"reserve": 5})))
        .await
        .expect(201);
    assert_eq!(api.get(&path(&room)).await.expect(200)["reserve"], 5);
    // Neither does it take places away, nor are there more.
    let code = room["code"].as_str().unwrap();
    let change = json!({"max_participants": 2});
    api.patch(&format!("/rooms/{code}"), change)
        .await
        .expect(200);
    let (mut inside, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut client = Client::connect(server.local_addr()).await;
        let answer = client.join(code).await;
        answers.push((answer["type"].clone(), answer["code"].clone()));
        inside.push(client);
    }
    let entered = (json!("room-joined"), Value::Null);
    let refused = (json!("error"), json!("room-full"));
    assert_eq!(answers, [entered.clone(), entered, refused]);
    let changed = api
        .patch(&path(&room), json!({"reserve": 7}))
        .await
        .expect(200);
    assert_eq!(changed["reserve"], 7);
    for change in [json!({"reserve": null}), json!({})] {
        let changed = api.patch(&path(&room), change).await.expect(200);
        assert_eq!(changed.get("reserve"), None);
    }
    let room = api.conference(None).await;
    assert_eq!(api.get(&path(&room)).await.expect(200).get("reserve"), None);
    for reserve in [json!(-1), json!(4_294_967_296_u64), json!(1.5), json!("5")] {
        let body = body(json!({"reserve": reserve}));
        api.post("/api/v1/rooms", body)
            .await
            .refused(400, "invalid_payload");
    }
}

#[tokio::test]
async fn s0_08_tags_are_any_json() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    assert_eq!(room["tags"], json!({}));
    let deep =
        json!({"z": [1, {"y": null, "ü\u{0}": "\u{1F600}"}], "a": {"b": 1.25, "c": []}, "": -0.5});
    for tags in [deep, json!(null), json!([]), json!("x"), json!(u64::MAX)] {
        let room = api
            .post("/api/v1/rooms", body(json!({"tags": tags})))
            .await
            .expect(201);
        let shown = api.get(&path(&room)).await.expect(200);
        assert_eq!(shown["tags"].to_string(), tags.to_string());
        let changed = api
            .patch(&path(&room), json!({"tags": {"now": tags}}))
            .await
            .expect(200);
        assert_eq!(changed["tags"]["now"].to_string(), tags.to_string());
    }
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    api.post_text("/api/v1/rooms", &nested)
        .await
        .refused(400, "invalid_payload");
}

#[tokio::test]
async fn s0_09_the_first_rtc_of_an_unbounded_room_gives_it_six_hours() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let rtcs = format!("{}/rtcs", path(&room));
    api.post(&rtcs, json!(null)).await.expect(201);
    let close = api.get(&path(&room)).await.expect(200)["time"][1]
        .as_i64()
        .unwrap();
    let left = close - api.now().await;
    assert!((CAP - 2..=CAP + 2).contains(&left), "{left}");
    api.advance(60).await;
    api.post(&rtcs, json!(null)).await.expect(201);
    assert_eq!(api.get(&path(&room)).await.expect(200)["time"][1], close);
    // One that has an end keeps it.
    let bounded = api.conference(Some(close + 5)).await;
    api.post(&format!("{}/rtcs", path(&bounded)), json!(null))
        .await
        .expect(201);
    assert_eq!(
        api.get(&path(&bounded)).await.expect(200)["time"][1],
        close + 5
    );
}

#[tokio::test]
async fn s0_10_s0_17_after_those_six_hours_the_vacuum_leaves_nothing_behind() {
    let file = DatabaseFile::new();
    let server = file.server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let mut client = Client::connect(server.local_addr()).await;
    assert_eq!(
        client
            .join_with(room["code"].as_str().unwrap(), json!(["controls"]))
            .await["type"],
        "room-joined"
    );
    api.post(&format!("{}/rtcs", path(&room)), json!(null))
        .await
        .expect(201);
    let agents = format!("{}/agents", path(&room));
    assert_eq!(
        api.get(&agents).await.expect(200).as_array().unwrap().len(),
        1
    );
    let mut events = api
        .listen(&format!("rooms/{}/events", room["id"].as_str().unwrap()))
        .await;
    api.advance(u32::try_from(CAP).unwrap() + 1).await;
    api.post("/system/vacuum", json!(null)).await.expect(204);
    assert_eq!(api.get(&path(&room)).await.expect(200)["status"], "ended");
    assert_eq!(api.get(&agents).await.expect(200), json!([]));
    while client.hear().await["type"] != "room-closed" {}
    while events.hear().await.label != "room.close" {}
    let uid = room["id"].as_str().unwrap();
    let inside = "SELECT COUNT(*) FROM participants WHERE left_at IS NULL";
    assert_eq!(file.number(inside), 0);
    let closings =
        format!("SELECT COUNT(*) FROM events WHERE room = '{uid}' AND label = 'room.close'");
    // One of the room's topic, one of its audience's.
    assert_eq!(file.number(&closings), 2);
    file.age(&api, 30).await;
    assert_eq!(file.number(&closings), 2);
    api.post("/system/vacuum", json!(null)).await.expect(204);
    assert_eq!(file.count("events"), 0);
}

/// A room that has an end keeps one, which may be another.
async fn keeps_an_end(api: &Api, room: &Value) {
    let before = api.get(&path(room)).await.expect(200);
    let open = before["time"][0].as_i64().unwrap();
    let close = before["time"][1].as_i64().unwrap();
    let unbound = json!({"time": [open, null], "tags": "x"});
    let refused = api.patch(&path(room), unbound).await;
    refused.refused(422, "room_time_changing_forbidden");
    let wrong = json!({"time": [open, open]});
    api.patch(&path(room), wrong)
        .await
        .refused(400, "invalid_room_time");
    assert_eq!(api.get(&path(room)).await.expect(200), before);
    let time = json!([open, close + 60]);
    let change = json!({"time": time});
    let changed = api.patch(&path(room), change).await.expect(200);
    assert_eq!(changed["time"], time);
}

#[tokio::test]
async fn s0_11_s0_12_a_room_that_its_first_rtc_bounded_keeps_an_end() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let rtcs = format!("{}/rtcs", path(&room));
    api.post(&rtcs, json!(null)).await.expect(201);
    keeps_an_end(&api, &room).await;
}

#[tokio::test]
async fn s0_11_s0_12_a_room_that_was_made_bounded_keeps_an_end() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(Some(api.now().await + 600)).await;
    keeps_an_end(&api, &room).await;
}

#[tokio::test]
async fn s0_26_an_rtc_belongs_to_its_room() {
    let server = gated().await;
    let api = Api::new(server.local_addr());
    let user = Uuid::new_v4().to_string();
    let who = api.with("X-User-Id", &user);
    let room = who.post("/api/v1/rooms", body(json!({}))).await.expect(201);
    let rtcs = format!("{}/rtcs", path(&room));
    for slash in ["", "/"] {
        let rtc = who
            .post(&format!("{rtcs}{slash}"), json!(null))
            .await
            .expect(201);
        assert!(Uuid::try_parse(rtc["id"].as_str().unwrap()).is_ok());
        let told = (&rtc["room_id"], &rtc["created_by"]);
        assert_eq!(told, (&room["id"], &json!(user)));
        assert!(
            (rtc["created_at"].as_i64().unwrap() - room["created_at"].as_i64().unwrap()).abs() < 5
        );
    }
    let other = api.with_grant(json!({"room": "another", "roomJoin": true}));
    other
        .post(&rtcs, json!(null))
        .await
        .refused(403, "access_denied");
    let member = api.with_grant(json!({"room": room["name"], "roomJoin": true}));
    assert_eq!(
        member.post(&rtcs, json!(null)).await.expect(201)["created_by"],
        "ann"
    );
    let ahead = json!({"time": [4_000_000_000_i64, null]});
    let later = who.post("/api/v1/rooms", body(ahead)).await.expect(201);
    let rtcs = format!("{}/rtcs", path(&later));
    who.post(&rtcs, json!(null))
        .await
        .refused(404, "room_closed");
}

#[tokio::test]
async fn s0_27_the_agents_are_those_who_are_inside() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let code = room["code"].as_str().unwrap();
    let agents = format!("{}/agents", path(&room));
    assert_eq!(api.get(&agents).await.expect(200), json!([]));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(server.local_addr()).await;
        assert_eq!(client.join(code).await["type"], "room-joined");
        clients.push(client);
    }
    let ids = |agents: Value| -> Vec<String> {
        let agents = agents.as_array().unwrap().iter();
        agents
            .map(|agent| agent["agent_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all: Vec<String> = clients.iter().map(|client| client.id.clone()).collect();
    let shown = api.get(&format!("{agents}/")).await.expect(200);
    assert_eq!(shown[0]["room_id"], room["id"]);
    assert_eq!(ids(shown), all);
    let part = api
        .get(&format!("{agents}?offset=1&limit=1"))
        .await
        .expect(200);
    assert_eq!(ids(part), all[1..2]);
    let far = format!("{agents}?offset={}", u64::MAX);
    assert_eq!(ids(api.get(&far).await.expect(200)), [""; 0]);
    for page in ["limit=0", "limit=101", "limit=-1", "offset=x"] {
        api.get(&format!("{agents}?{page}"))
            .await
            .refused(400, "invalid_payload");
    }
    clients.pop().unwrap().close().await;
    wait_for_room(server.local_addr(), code, |info| {
        info["room"]["participantCount"] == 2
    })
    .await;
    assert_eq!(ids(api.get(&agents).await.expect(200)), all[..2]);
    let closed = api
        .post(&format!("{}/close", path(&room)), json!(null))
        .await
        .expect(200);
    assert_eq!(
        (&closed["status"], &closed["participant_count"]),
        (&json!("ended"), &json!(0))
    );
    assert_eq!(api.get(&agents).await.expect(200), json!([]));
    // Closed twice, it is as closed as before.
    api.post(&format!("{}/close/", path(&room)), json!(null))
        .await
        .expect(200);
}

#[tokio::test]
async fn s0_28_no_server_carries_a_meshs_media() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for (backend, status, kind) in [("none", 409, "conflict"), ("janus", 501, "not_implemented")] {
        let room = api
            .post("/api/v1/rooms", body(json!({"backend": backend})))
            .await
            .expect(201);
        let rtc = api
            .post(&format!("{}/rtcs", path(&room)), json!(null))
            .await
            .expect(201);
        let streams = format!("/rtcs/{}/streams", rtc["id"].as_str().unwrap());
        api.post(&streams, json!({})).await.refused(status, kind);
        api.post(&format!("{streams}/"), json!({}))
            .await
            .refused(status, kind);
    }
    let unknown = format!("/rtcs/{}/streams", Uuid::new_v4());
    api.post(&unknown, json!({}))
        .await
        .refused(404, "not_found");
    api.post("/rtcs/x/streams", json!({}))
        .await
        .refused(400, "invalid_payload");
    // Two clients in such a room reach each other.
    let room = api.conference(None).await;
    let code = room["code"].as_str().unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    a.join(code).await;
    b.join(code).await;
    a.expect("member-joined").await;
    for (kind, answers) in [("offer", false), ("answer", true), ("ice-candidate", false)] {
        let (from, to) = match answers {
            true => (&mut a, &mut b),
            false => (&mut b, &mut a),
        };
        let payload = json!({"of": kind});
        let said = json!({"type": kind, "roomId": code, "to": to.id, "payload": payload});
        from.say(said).await;
        let heard = to.expect(kind).await;
        assert_eq!(
            (&heard["from"], &heard["payload"]),
            (&json!(from.id), &payload)
        );
    }
}

#[tokio::test]
async fn only_administrators_list_the_agents_of_a_room_change_it_and_close_it() {
    let server = server_of(ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        ..ServerConfig::default()
    })
    .await;
    let api = Api::new(server.local_addr());
    api.post("/api/v1/rooms", body(json!({})))
        .await
        .refused(401, "authentication_failed");
    let operator = api.with_grant(json!({"roomCreate": true}));
    let room = operator
        .post("/api/v1/rooms", body(json!({})))
        .await
        .expect(201);
    let member = api.with_grant(json!({"room": room["name"], "roomJoin": true}));
    let admin = api.with_grant(json!({"room": room["code"], "roomAdmin": true}));
    let at = path(&room);
    member.get(&at).await.expect(200);
    member
        .get(&format!("{at}/agents"))
        .await
        .refused(403, "access_denied");
    member
        .patch(&at, json!({"tags": 1}))
        .await
        .refused(403, "access_denied");
    member
        .post(&format!("{at}/close"), json!(null))
        .await
        .refused(403, "access_denied");
    member.delete(&at).await.refused(403, "access_denied");
    for who in [&member, &admin] {
        who.post("/system/vacuum", json!(null))
            .await
            .refused(403, "access_denied");
        who.post("/api/v1/rooms", body(json!({})))
            .await
            .refused(403, "access_denied");
    }
    operator
        .post("/system/vacuum", json!(null))
        .await
        .expect(204);
    admin.get(&format!("{at}/agents")).await.expect(200);
    admin.patch(&at, json!({"tags": 1})).await.expect(200);
    admin
        .post(&format!("{at}/close"), json!(null))
        .await
        .expect(200);
    admin.delete(&at).await.expect(204);
    admin.get(&at).await.refused(404, "room_not_found");
}

#[tokio::test]
async fn a_change_writes_every_writable_field_and_refuses_the_others_by_name() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let room = api.conference(None).await;
    let change = json!({
        "title": "Tea", "max_participants": 7, "empty_timeout": 60, "tags": {"a": 1}, "reserve": 3,
    });
    let changed = api.patch(&path(&room), change.clone()).await.expect(200);
    for (field, value) in change.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    // The object that a client got may be sent back.
    let same = api.patch(&path(&room), changed.clone()).await.expect(200);
    assert_eq!(same, changed);
    let unlimited = json!({"max_participants": null, "empty_timeout": null});
    let changed = api.patch(&path(&room), unlimited).await.expect(200);
    assert_eq!(changed["max_participants"], 0);
    assert_eq!(changed["empty_timeout"], json!(null));
    let code = room["code"].as_str().unwrap();
    for (at, field) in [
        (path(&room), "maxparticipants"),
        (path(&room), "audience"),
        (format!("/rooms/{code}"), "limit"),
    ] {
        let refused = api.patch(&at, json!({field: "x"})).await.expect(400);
        assert_eq!(refused["type"], "invalid_payload");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{detail}");
    }
    for (at, body, field) in [
        (
            "/api/v1/rooms",
            json!({"audience": "a", "time": [0, null], "backend": "none", "limit": 1}),
            "limit",
        ),
        (
            "/api/v1/bookings",
            json!({"kind": "group", "user": 1}),
            "user",
        ),
        ("/channel", json!({"title": "News"}), "title"),
    ] {
        let refused = api.post(at, body).await.expect(400);
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{detail}");
    }
}

#[tokio::test]
async fn whether_a_room_may_be_recorded_is_changed_as_far_as_its_type_allows() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let room = json!({
        "room_type": "group", "service_session_id": "s-1", "recording_enabled": true,
    });
    let group = api.post("/api/v1/rooms", room).await.expect(201);
    assert_eq!(group["recording_enabled"], true);
    for enabled in [false, true] {
        let change = json!({"recording_enabled": enabled});
        let changed = api.patch(&path(&group), change).await.expect(200);
        assert_eq!(changed["recording_enabled"], enabled);
        let shown = api.get(&path(&group)).await.expect(200);
        assert_eq!(shown["recording_enabled"], enabled);
    }
    let room = json!({"room_type": "individual", "service_session_id": "s-2"});
    let individual = api.post("/api/v1/rooms", room).await.expect(201);
    api.patch(&path(&individual), json!({"recording_enabled": true}))
        .await
        .refused(400, "invalid_payload");
    let shown = api.get(&path(&individual)).await.expect(200);
    assert_eq!(shown["recording_enabled"], false);
}

#[tokio::test]
async fn a_change_of_a_channel_session_or_booking_refuses_unknown_fields_by_name() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let id = |object: &Value, field: &str| object[field].as_str().unwrap().to_owned();
    let user = json!({"user_id": "9", "name": "News"});
    let channel = api.post("/channel", user).await.expect(201);
    let channel_id = id(&channel, "channel_id");
    let session = json!({"channel_id": channel_id});
    let session = api.post("/session", session).await.expect(201);
    let booking = json!({"kind": "group"});
    let booking = api.post("/api/v1/bookings", booking).await.expect(201);
    for (at, change) in [
        (format!("/channel/{channel_id}"), json!({"name": "New"})),
        (
            format!("/session/{}", id(&session, "session_id")),
            json!({"name": "New"}),
        ),
        (
            format!("/api/v1/bookings/{}", id(&booking, "id")),
            json!({"status": "in_progress"}),
        ),
    ] {
        let mut misspelt = change.clone();
        misspelt["titel"] = "x".into();
        let refused = api.patch(&at, misspelt).await.expect(400);
        assert_eq!(refused["type"], "invalid_payload", "{at}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("titel"), "{at} {detail}");
        // Nothing of it was written; without the unknown field it is.
        let (field, value) = change.as_object().unwrap().iter().next().unwrap();
        assert_ne!(&api.get(&at).await.expect(200)[field], value, "{at}");
        let changed = api.patch(&at, change.clone()).await.expect(200);
        assert_eq!(&changed[field], value, "{at}");
    }
}

#[tokio::test]
async fn a_booked_room_has_the_empty_timeout_of_its_request() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let booking = json!({"kind": "group", "empty_timeout": 60});
    let booking = api.post("/api/v1/bookings", booking).await.expect(201);
    assert_eq!(booking["room"]["empty_timeout"], 60);
    let room = json!({"room_type": "group", "service_session_id": "s-1", "empty_timeout": 5});
    let room = api.post("/api/v1/rooms", room).await.expect(201);
    assert_eq!(room["empty_timeout"], 5);
    let changed = api
        .patch(&path(&room), json!({"empty_timeout": 9}))
        .await
        .expect(200);
    assert_eq!(changed["empty_timeout"], 9);
    let default = json!({"room_type": "group", "service_session_id": "s-2"});
    let default = api.post("/api/v1/rooms", default).await.expect(201);
    assert_eq!(default["empty_timeout"], 300);
}
