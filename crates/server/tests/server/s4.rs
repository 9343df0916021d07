//! Rooms over HTTP, in S4's dialect: `/rooms`.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;
use visavis_server::{AuthMode, ServerConfig, TrustedProxies};

use crate::api::{Api, by_hand, gated, server_of};
use crate::support::{Client, server, wait_for_room};

#[tokio::test]
async fn s4_01_the_socket_refuses_a_room_that_the_service_does_not_know() {
    let server = server().await;
    let mut client = Client::connect(server.local_addr()).await;
    assert_eq!(client.join("zzz-zzzz-zzz").await["code"], "room-not-found");
    let room = Api::new(server.local_addr()).room().await;
    assert_eq!(client.join(&room).await["type"], "room-joined");
}

#[tokio::test]
async fn s4_03_s4_25_what_is_unknown_or_deleted_is_not_found() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.room().await;
    api.delete(&format!("/rooms/{room}")).await.expect(204);
    for id in [
        room.as_str(),
        "zzz-zzzz-zzz",
        "RM_%00",
        "%F0%9F%98%80",
        "x%0Ay",
    ] {
        let path = format!("/rooms/{id}");
        api.get(&path).await.refused(404, "room_not_found");
        api.patch(&path, json!({}))
            .await
            .refused(404, "room_not_found");
        api.delete(&path).await.refused(404, "room_not_found");
    }
    api.get("/rooms/%FF").await.refused(400, "invalid_payload");
    let mut client = Client::connect(server.local_addr()).await;
    assert_eq!(client.join(&room).await["code"], "room-not-found");
}

#[tokio::test]
async fn s4_04_the_fifth_is_refused_before_anything_is_negotiated() {
    let server = server().await;
    let room = Api::new(server.local_addr()).room().await;
    let mut inside = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(server.local_addr()).await;
        assert_eq!(client.join(&room).await["type"], "room-joined");
        inside.push(client);
    }
    let mut fifth = Client::connect(server.local_addr()).await;
    assert_eq!(fifth.join(&room).await["code"], "room-full");
    let offer = json!({"type": "offer", "roomId": room, "to": inside[0].id, "payload": {}});
    fifth.say(offer).await;
    fifth.refused("not-in-room").await;
    inside.pop().unwrap().close().await;
    wait_for_room(server.local_addr(), &room, |info| {
        info["room"]["participantCount"] == 3
    })
    .await;
    assert_eq!(fifth.join(&room).await["type"], "room-joined");
}

#[tokio::test]
async fn s4_05_a_closed_room_is_history_for_its_host() {
    let server = gated().await;
    let user = Uuid::new_v4();
    let host = Api::new(server.local_addr()).with("X-User-Id", &user.to_string());
    let room = host.room().await;
    let open = host.get(&format!("/rooms/{room}")).await.expect(200);
    assert_eq!(open["hostId"], json!(user));
    let path = format!("/api/v1/rooms/{room}");
    let before = host.get(&path).await.expect(200);
    let other = Api::new(server.local_addr()).with("X-User-Id", &Uuid::new_v4().to_string());
    other
        .post(&format!("{path}/close"), json!(null))
        .await
        .refused(403, "access_denied");
    host.post(&format!("{path}/close"), json!(null))
        .await
        .expect(200);
    host.get(&format!("/rooms/{room}"))
        .await
        .refused(404, "room_not_found");
    let after = host.get(&path).await.expect(200);
    assert_eq!(
        (&after["status"], &after["created_at"]),
        (&json!("ended"), &before["created_at"])
    );
    // It is still the host's, and nobody else's.
    let inside = format!("{path}/participants");
    assert_eq!(host.get(&inside).await.expect(200), json!([]));
    other.get(&inside).await.refused(403, "access_denied");
}

#[tokio::test]
async fn s4_06_s4_17_s4_22_s4_23_a_room_is_made_and_shown_in_both_forms_of_its_path() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for slash in ["", "/"] {
        let made = api
            .post_text(&format!("/rooms{slash}"), "")
            .await
            .expect(201);
        let code = made["roomId"].as_str().unwrap();
        assert_eq!(made, json!({"roomId": code}));
        let parts: Vec<_> = code.split('-').map(str::len).collect();
        assert_eq!((code.len(), parts), (12, vec![3, 4, 3]));
        let answer = api.get(&format!("/rooms/{code}{slash}")).await;
        assert!(
            answer.head.contains("content-type: application/json"),
            "{}",
            answer.head
        );
        let room = answer.expect(200);
        let uid: Uuid = room["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(uid.get_version_num(), 4);
        assert_eq!(
            room,
            json!({
                "roomId": code, "id": room["id"], "hostId": null, "maxParticipants": 4, "name": "",
                "isActive": true, "createdAt": room["createdAt"],
            })
        );
        assert_eq!(api.get(&format!("/rooms/{uid}")).await.expect(200), room);
    }
}

#[tokio::test]
async fn s4_09_a_room_was_made_when_it_was_made() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let before = time::OffsetDateTime::now_utc();
    let made = api
        .post("/rooms", json!({"createdAt": "2001-01-01T00:00:00Z"}))
        .await
        .expect(201);
    let path = format!("/rooms/{}", made["roomId"].as_str().unwrap());
    let room = api.get(&path).await.expect(200);
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(room["createdAt"].as_str().unwrap(), format).unwrap();
    assert!((at - before).abs() <= time::Duration::seconds(2), "{at}");
}

#[tokio::test]
async fn s4_10_whoever_is_inside_a_deleted_room_has_left() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.room().await;
    let mut client = Client::connect(server.local_addr()).await;
    assert_eq!(
        client.join_with(&room, json!(["controls"])).await["type"],
        "room-joined"
    );
    api.delete(&format!("/rooms/{room}/")).await.expect(204);
    while client.hear().await["type"] != "room-closed" {}
    api.get(&format!("/rooms/{room}"))
        .await
        .refused(404, "room_not_found");
    api.get(&format!("/api/v1/rooms/{room}"))
        .await
        .refused(404, "room_not_found");
}

#[tokio::test]
async fn s4_18_the_user_is_the_gateways_word_and_nobody_elses() {
    let proxies = TrustedProxies::parse(["192.0.2.0/24"]).unwrap();
    let server = server_of(ServerConfig {
        auth: AuthMode::Header,
        trusted_proxies: proxies,
        ..ServerConfig::default()
    })
    .await;
    let user = Uuid::new_v4().to_string();
    let stranger = Api::new(server.local_addr()).with("X-User-Id", &user);
    stranger
        .post("/rooms", json!({}))
        .await
        .refused(401, "authentication_failed");
    stranger
        .get("/rooms/abc-defg-hij")
        .await
        .refused(401, "authentication_failed");

    let server = gated().await;
    let api = Api::new(server.local_addr());
    api.post("/rooms", json!({}))
        .await
        .refused(401, "authentication_failed");
    let malformed = api.with("X-User-Id", "ann");
    malformed
        .post("/rooms", json!({}))
        .await
        .refused(401, "authentication_failed");
    let host = api.with("X-User-Id", &user);
    let room = host.room().await;
    let shown = host.get(&format!("/rooms/{room}")).await.expect(200);
    assert_eq!(shown["hostId"], json!(user));
}

#[tokio::test]
async fn only_administrators_change_a_room() {
    let server = gated().await;
    let api = Api::new(server.local_addr());
    let host = api.with("X-User-Id", &Uuid::new_v4().to_string());
    let room = host.room().await;
    let path = format!("/rooms/{room}");
    let change = || json!({"max_participants": 5});
    let denied = [
        api.with("X-User-Id", &Uuid::new_v4().to_string()),
        api.with_grant(json!({"room": "another", "roomAdmin": true})),
        api.with_grant(json!({"room": room, "roomJoin": true})),
        api.with_grant(json!({"room": room, "roomCreate": true})),
    ];
    for who in denied {
        who.patch(&path, change())
            .await
            .refused(403, "access_denied");
        who.delete(&path).await.refused(403, "access_denied");
    }
    let allowed = [
        host,
        api.with_grant(json!({"room": room, "roomAdmin": true})),
        api.with_grant(json!({"roomCreate": true})),
    ];
    for who in &allowed {
        who.patch(&path, change()).await.expect(200);
    }
    allowed[1].delete(&path).await.expect(204);
}

#[tokio::test]
async fn s4_24_s4_16_a_room_outlives_its_place_in_the_cache() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    let room = api.room().await;
    let before = api.get(&format!("/rooms/{room}")).await.expect(200);
    api.advance(24 * 3_600 + 1).await;
    assert_eq!(api.get(&format!("/rooms/{room}")).await.expect(200), before);
}

#[tokio::test]
async fn s4_27_a_raised_limit_holds_at_once() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let room = api.room().await;
    let path = format!("/rooms/{room}");
    let mut clients = join_all((0..12).map(|_| Client::connect(server.local_addr()))).await;
    for client in &mut clients[..4] {
        assert_eq!(client.join(&room).await["type"], "room-joined");
    }
    assert_eq!(clients[4].join(&room).await["code"], "room-full");
    let changed = api
        .patch(&path, json!({"maxParticipants": 10}))
        .await
        .expect(200);
    assert_eq!(changed["maxParticipants"], 10);
    for client in &mut clients[4..10] {
        assert_eq!(client.join(&room).await["type"], "room-joined");
    }
    assert_eq!(clients[10].join(&room).await["code"], "room-full");
    // No limit, and one that those inside are past already.
    api.patch(&path, json!({"max_participants": null}))
        .await
        .expect(200);
    assert_eq!(clients[10].join(&room).await["type"], "room-joined");
    api.patch(&path, json!({"max_participants": 2, "name": " Tea "}))
        .await
        .expect(200);
    assert_eq!(clients[11].join(&room).await["code"], "room-full");
    let room = api.get(&path).await.expect(200);
    assert_eq!(
        (&room["maxParticipants"], &room["name"]),
        (&json!(2), &json!("Tea"))
    );
}

/// They all join at once; those who got in. The others find it full.
async fn crowd<'a>(clients: &'a mut [Client], room: &str) -> Vec<&'a mut Client> {
    let answers = join_all(clients.iter_mut().map(|client| async {
        client
            .say(json!({"type": "join-room", "payload": {"roomId": room}}))
            .await;
        loop {
            let answer = client.hear().await;
            match answer["type"].as_str().unwrap() {
                "room-joined" => return Some(client),
                "error" => {
                    assert_eq!(answer["code"], "room-full", "{answer}");
                    return None;
                }
                // Those of the room before this one leave.
                kind => assert!(kind.starts_with("member-"), "{answer}"),
            }
        }
    }));
    answers.await.into_iter().flatten().collect()
}

#[tokio::test]
async fn s4_11_of_a_hundred_who_join_at_once_the_four_of_a_default_room_get_in() {
    let server = server().await;
    let room = Api::new(server.local_addr()).room().await;
    let mut clients = join_all((0..100).map(|_| Client::connect(server.local_addr()))).await;
    assert_eq!(crowd(&mut clients, &room).await.len(), 4);
}

#[tokio::test]
async fn s4_28_atomic_join_admits_exactly_four_of_two_hundred_in_a_hundred_rooms() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let mut clients = join_all((0..200).map(|_| Client::connect(server.local_addr()))).await;
    for _ in 0..100 {
        let room = api.room().await;
        let inside = crowd(&mut clients, &room).await;
        assert_eq!(inside.len(), 4);
        for client in inside {
            client.say(json!({"type": "leave-room"})).await;
        }
    }
}

#[tokio::test]
async fn a_room_created_over_http_has_the_requested_options_and_its_first_guest_is_the_host() {
    let server = server().await;
    let address = server.local_addr();
    let api = Api::new(address);
    for (asked, most) in [
        (json!({"name": " Tea ", "maxParticipants": 1}), 1),
        (json!({"name": "Tea", "max_participants": 1}), 1),
    ] {
        let made = api.post("/rooms", asked).await.expect(201);
        let code = made["roomId"].as_str().unwrap();
        let mut a = Client::connect(address).await;
        assert_eq!(a.join(code).await["type"], "room-joined");
        let mut b = Client::connect(address).await;
        assert_eq!(b.join(code).await["code"], "room-full");
        let room = api.get(&format!("/rooms/{code}")).await.expect(200);
        assert_eq!(
            (&room["name"], &room["hostId"], &room["maxParticipants"]),
            (&json!("Tea"), &json!(a.id), &json!(most))
        );
        // It stays when all have left, and lets the next one in.
        a.close().await;
        wait_for_room(address, code, |info| info["room"]["state"] == "EMPTY").await;
        assert_eq!(b.join(code).await["type"], "room-joined");
    }
    for unlimited in [json!(0), Value::Null] {
        let asked = json!({"maxParticipants": unlimited});
        let made = api.post("/rooms", asked).await.expect(201);
        let path = format!("/rooms/{}", made["roomId"].as_str().unwrap());
        assert_eq!(api.get(&path).await.expect(200)["maxParticipants"], 0);
    }
}
