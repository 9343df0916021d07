//! Rooms as plain room signalling knows them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use visavis_server::{Server, ServerConfig};

use crate::api::{Api, by_hand};
use crate::support::{Client, all, http, server, wait_for_room};

/// Three plain clients in a room, of which all have heard.
async fn trio(server: &Server) -> (Client, Client, Client, String) {
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut c = Client::connect(address).await;
    let room = a.create(json!({"name": "Team Meeting"})).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    c.join(&room).await;
    a.expect("member-joined").await;
    b.expect("member-joined").await;
    (a, b, c, room)
}

#[tokio::test]
async fn s3_03_s3_04_s3_05_s3_17_s3_18_a_room_is_made_and_its_creator_is_in_it_and_host() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let payload = json!({"name": "Team Meeting", "maxParticipants": 10});
    let mut created = a
        .ask(json!({"type": "create-room", "payload": payload}))
        .await;
    let room = created["room"]["id"].as_str().unwrap().to_owned();
    let created_at = created["room"]["createdAt"].take();
    let created_at = created_at.as_str().unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(created_at, format).unwrap();
    assert!(
        (time::OffsetDateTime::now_utc() - at)
            .as_seconds_f64()
            .abs()
            < 60.0
    );
    assert!(
        created_at.len() == 20 && created_at.ends_with('Z'),
        "{created_at}"
    );
    assert_eq!(
        created,
        json!({"type": "room-created", "room": {
            "id": room, "name": "Team Meeting", "createdAt": null, "host": a.id,
            "maxParticipants": 10, "participants": [a.id],
        }})
    );
}

#[tokio::test]
async fn s3_02_every_room_has_an_id_of_its_own() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let same = json!({"name": "Tea"});
    assert_ne!(a.create(same.clone()).await, b.create(same).await);
}

#[tokio::test]
async fn s3_07_s3_19_s3_20_s3_21_one_who_joins_is_answered_and_the_others_are_told() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut c = Client::connect(address).await;
    let (ia, ib, ic) = (a.id.clone(), b.id.clone(), c.id.clone());
    let room = a.create(json!({"name": "Tea"})).await;
    assert_eq!(
        b.join(&room).await,
        json!({"type": "room-joined", "room": {"id": room, "participants": [ia, ib]}})
    );
    let joined =
        json!({"type": "member-joined", "roomId": room, "memberId": ib, "participants": [ia, ib]});
    assert_eq!(a.hear().await, joined);
    assert_eq!(
        c.join(&room).await,
        json!({"type": "room-joined", "room": {"id": room, "participants": [ia, ib, ic]}})
    );
    let joined = json!({"type": "member-joined", "roomId": room, "memberId": ic, "participants": [ia, ib, ic]});
    assert_eq!([a.hear().await, b.hear().await], [joined.clone(), joined]);
    c.nothing_more().await;
}

#[tokio::test]
async fn s3_24_s3_25_rooms_are_listed_with_their_numbers() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    let listed = json!([{"id": room, "name": "Tea", "participantCount": 1}]);
    assert_eq!(
        b.ask(json!({"type": "list-rooms"})).await,
        json!({"type": "rooms-list", "rooms": listed})
    );
    b.join(&room).await;
    let list = b.ask(json!({"type": "list-rooms"})).await;
    assert_eq!(list["rooms"][0]["participantCount"], 2);
}

#[tokio::test]
async fn s2_22_everyone_hears_how_many_are_inside_without_asking() {
    let server = server().await;
    let (mut a, b, mut c, room) = trio(&server).await;
    let count = |message: Value| message["participants"].as_array().unwrap().len();
    b.close().await;
    assert_eq!(count(a.expect("member-left").await), 2);
    assert_eq!(count(c.expect("member-left").await), 2);
    let mut d = Client::connect(server.local_addr()).await;
    d.join(&room).await;
    assert_eq!(count(a.expect("member-joined").await), 3);
}

#[tokio::test]
async fn s3_15_s3_26_s3_28_s3_29_offers_answers_and_candidates_reach_the_one_they_are_for() {
    let server = server().await;
    let (mut a, mut b, mut c, room) = trio(&server).await;
    let (ia, ib) = (a.id.clone(), b.id.clone());
    let offer = json!({"sdp": "v=0\r\n", "type": "offer"});
    b.say(json!({"type": "offer", "roomId": room, "to": ia, "payload": offer}))
        .await;
    assert_eq!(
        a.hear().await,
        json!({"type": "offer", "from": ib, "payload": offer})
    );
    let answer = json!({"sdp": "v=0\r\n", "type": "answer"});
    a.say(json!({"type": "answer", "roomId": room, "to": ib, "payload": answer}))
        .await;
    assert_eq!(
        b.hear().await,
        json!({"type": "answer", "from": ia, "payload": answer})
    );
    for kind in ["ice-candidate", "ice"] {
        let candidate = json!({"candidate": "", "sdpMid": "0"});
        a.say(json!({"type": kind, "roomId": room, "to": ib, "payload": candidate}))
            .await;
        assert_eq!(
            b.hear().await,
            json!({"type": kind, "from": ia, "payload": candidate})
        );
    }
    c.nothing_more().await;
}

#[tokio::test]
async fn s3_30_s3_31_chat_reaches_everyone_its_sender_included() {
    let server = server().await;
    let (mut a, mut b, mut c, room) = trio(&server).await;
    b.say(json!({"type": "chat", "roomId": room, "payload": {"text": "hello"}}))
        .await;
    let chat = json!({"type": "chat", "roomId": room, "from": b.id, "payload": {"text": "hello"}});
    assert_eq!(
        [a.hear().await, b.hear().await, c.hear().await],
        [chat.clone(), chat.clone(), chat]
    );
}

#[tokio::test]
async fn s3_07_s3_22_s3_23_s3_50_one_leaves_and_the_others_remain() {
    let server = server().await;
    let (mut a, mut b, mut c, room) = trio(&server).await;
    let (ia, ib, ic) = (a.id.clone(), b.id.clone(), c.id.clone());
    a.say(json!({"type": "leave-room", "payload": {"roomId": room}}))
        .await;
    let left =
        json!({"type": "member-left", "roomId": room, "memberId": ia, "participants": [ib, ic]});
    assert_eq!([b.hear().await, c.hear().await], [left.clone(), left]);
    c.cut();
    assert_eq!(
        b.hear().await,
        json!({"type": "member-left", "roomId": room, "memberId": ic, "participants": [ib]})
    );
    b.nothing_more().await;
}

#[tokio::test]
async fn s3_16_s3_34_s3_41_each_newcomer_connects_to_each_who_was_there() {
    let server = server().await;
    let mut inside: Vec<Client> = Vec::new();
    let mut room = String::new();
    let mut connections = 0;
    for count in 1..=6 {
        let mut newcomer = Client::connect(server.local_addr()).await;
        if inside.is_empty() {
            room = newcomer.create(json!({"name": "Mesh"})).await;
        } else {
            newcomer.join(&room).await;
        }
        for member in &mut inside {
            // Its arrival comes first, and then its offer.
            newcomer
                .say(json!({"type": "offer", "roomId": room, "to": member.id, "payload": {}}))
                .await;
            assert_eq!(
                member.expect("member-joined").await["memberId"],
                newcomer.id
            );
            assert_eq!(member.expect("offer").await["from"], newcomer.id);
            member
                .say(json!({"type": "answer", "roomId": room, "to": newcomer.id, "payload": {}}))
                .await;
            assert_eq!(newcomer.expect("answer").await["from"], member.id);
            connections += 1;
        }
        inside.push(newcomer);
        assert_eq!(connections, count * (count - 1) / 2);
    }
}

#[tokio::test]
async fn s3_37_s3_40_s3_52_missing_room_missing_member_and_full_room_are_told_as_such() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    for name in ["abc-defg-hij", "nowhere", ""] {
        assert_eq!(b.join(name).await["code"], "room-not-found", "{name}");
    }
    let room = a.create(json!({"name": "Tea", "maxParticipants": 1})).await;
    let full = b.join(&room).await;
    assert_eq!(
        (&full["code"], &full["roomId"]),
        (&json!("room-full"), &json!(room))
    );
    a.say(json!({"type": "offer", "roomId": room, "to": b.id, "payload": {}}))
        .await;
    assert_eq!(a.refused("member-not-found").await["to"], b.id);
}

#[tokio::test]
async fn s3_06_a_limit_holds_and_zero_is_none() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let room = host
        .create(json!({"name": "two", "maxParticipants": 2}))
        .await;
    let mut second = Client::connect(address).await;
    assert_eq!(second.join(&room).await["type"], "room-joined");
    let mut third = Client::connect(address).await;
    assert_eq!(third.join(&room).await["code"], "room-full");
    let mut host = Client::connect(address).await;
    let room = host
        .create(json!({"name": "open", "maxParticipants": 0}))
        .await;
    let mut clients = join_all((0..50).map(|_| Client::connect(address))).await;
    for client in &mut clients {
        assert_eq!(client.join(&room).await["type"], "room-joined");
    }
}

#[tokio::test]
async fn s3_32_s3_55_a_room_and_what_was_said_in_it_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("rooms.db").display());
    let config = ServerConfig {
        database: database.parse().unwrap(),
        ..ServerConfig::default()
    };
    let before = Server::bind(config.clone()).await.unwrap();
    let mut a = Client::connect(before.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    a.say(json!({"type": "chat", "payload": {"text": "remember"}}))
        .await;
    a.expect("chat").await;
    before.shutdown().await;
    let after = Server::bind(config).await.unwrap();
    let mut b = Client::connect(after.local_addr()).await;
    let joined = b.join_with(&room, json!(["chat"])).await;
    assert_eq!(joined["room"]["name"], "Tea");
    assert_eq!(joined["room"]["chat"][0]["payload"]["text"], "remember");
    assert_eq!(joined["room"]["participants"], json!([b.id]));
}

#[tokio::test]
async fn s3_13_the_first_message_is_the_clients_id() {
    let server = server().await;
    for path in ["/ws", "/ws/", "/", ""] {
        let client = Client::try_connect(server.local_addr(), path)
            .await
            .unwrap();
        assert_eq!(client.id.len(), 36);
    }
}

#[tokio::test]
async fn a_relayed_payload_arrives_as_it_was_written() {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::Message;

    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    a.create(json!({"name": "Tea"})).await;
    let payload = r#"{ "b" : 1.50, "a":[ ],"b":"\u00fc" , "n":123456789012345678901234567890 }"#;
    let offer = format!(r#"{{"to":"{}","payload":{payload},"type":"offer"}}"#, a.id);
    a.send(Message::text(offer)).await;
    let Some(Ok(Message::Text(text))) = a.socket.next().await else {
        panic!("no text");
    };
    assert!(text.contains(payload), "{text}");
}

#[tokio::test]
async fn s3_14_one_room_per_connection_and_joining_it_again_is_answered_again() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let first = a.create(json!({"name": "first"})).await;
    let second = b.create(json!({"name": "second"})).await;
    let again = a.join(&first).await;
    assert_eq!(
        again,
        json!({"type": "room-joined", "room": {"id": first, "participants": [a.id]}})
    );
    for message in [
        json!({"type": "join-room", "payload": {"roomId": second}}),
        json!({"type": "create-room", "payload": {"name": "third"}}),
        json!({"type": "resume", "payload": {"resumeToken": "x"}}),
    ] {
        a.say(message).await;
        a.refused("already-in-room").await;
    }
    a.say(json!({"type": "leave-room"})).await;
    assert_eq!(a.join(&second).await["type"], "room-joined");
    b.expect("member-joined").await;
}

#[tokio::test]
async fn of_a_hundred_who_join_at_once_exactly_as_many_get_in_as_may() {
    let server = server().await;
    let address = server.local_addr();
    let (status, _, body) = http(address, "POST", "/rooms", "", "").await;
    assert_eq!(status, 201);
    let body: Value = serde_json::from_str(&body).unwrap();
    let room = body["roomId"].as_str().unwrap();
    let mut clients = join_all((0..100).map(|_| Client::connect(address))).await;
    let answers = join_all(clients.iter_mut().map(|client| async {
        client
            .say(json!({"type": "join-room", "payload": {"roomId": room}}))
            .await;
        loop {
            let answer = client.hear().await;
            if answer["type"] != "member-joined" {
                return answer;
            }
        }
    }))
    .await;
    let count = |kind: &str, code: &str| {
        let is = |answer: &&Value| {
            answer["type"] == kind && answer["code"].as_str().unwrap_or("") == code
        };
        answers.iter().filter(is).count()
    };
    assert_eq!(
        (count("room-joined", ""), count("error", "room-full")),
        (4, 96)
    );
}

#[tokio::test]
async fn s3_08_a_private_room_is_not_listed_and_is_joined_by_id() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let metadata = json!({"description": " Quiet ", "private": true});
    let created = a
        .ask(json!({"type": "create-room", "payload": {"name": "Den", "metadata": metadata, "displayName": "Ann"}}))
        .await;
    assert_eq!(
        created["room"]["metadata"],
        json!({"description": "Quiet", "private": true})
    );
    let room = created["room"]["id"].as_str().unwrap();
    let mut b = Client::connect(address).await;
    assert_eq!(
        b.ask(json!({"type": "list-rooms"})).await["rooms"],
        json!([])
    );
    let info = b
        .ask(json!({"type": "get-room", "payload": {"roomId": room}}))
        .await;
    assert_eq!(
        info["room"],
        json!({
            "id": room, "name": "Den", "state": "ACTIVE", "participantCount": 1,
            "needsPasscode": false, "waitingRoom": false,
        })
    );
    assert_eq!(b.join(room).await["type"], "room-joined");
}

#[tokio::test]
async fn a_room_answers_to_all_its_ids() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea"})).await;
    let (_, _, body) = http(address, "GET", &format!("/rooms/{room}"), "", "").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let uid = body["id"].as_str().unwrap().to_owned();
    for id in [
        uid.clone(),
        uid.to_uppercase(),
        room.to_uppercase(),
        room.replace('-', ""),
    ] {
        let mut b = Client::connect(address).await;
        assert_eq!(b.join(&id).await["room"]["id"], room);
        a.expect("member-joined").await;
        b.say(json!({"type": "chat", "roomId": uid, "payload": 1}))
            .await;
        assert_eq!(b.expect("chat").await["roomId"], room);
        a.expect("chat").await;
        b.say(json!({"type": "leave-room", "payload": {"roomId": uid}}))
            .await;
        a.expect("member-left").await;
    }
}

#[tokio::test]
async fn s3_35_s3_51_an_empty_room_goes_at_once_where_its_time_is_zero() {
    let config = ServerConfig {
        empty_timeout: Duration::ZERO,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "welcome"})).await;
    a.close().await;
    wait_for_room(address, &room, |info| info["code"] == "room-not-found").await;
    let mut b = Client::connect(address).await;
    assert_eq!(b.join(&room).await["code"], "room-not-found");
    assert_eq!(
        b.ask(json!({"type": "list-rooms"})).await["rooms"],
        json!([])
    );
    assert_eq!(
        http(address, "GET", &format!("/rooms/{room}"), "", "")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_join_that_races_the_last_leave_is_in_the_room_or_told_that_there_is_none() {
    let config = ServerConfig {
        empty_timeout: Duration::ZERO,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    for _ in 0..100 {
        let room = a.create(json!({"name": "welcome"})).await;
        let leave = json!({"type": "leave-room"});
        let ((), joined) = tokio::join!(a.say(leave.clone()), b.join(&room));
        let path = format!("/rooms/{room}");
        if joined["code"] == "room-not-found" {
            wait_for_room(address, &room, |info| info["code"] == "room-not-found").await;
        } else {
            assert_eq!(http(address, "GET", &path, "", "").await.0, 200);
            b.say(leave).await;
        }
        // What a was told of b meanwhile, and b of a, is of no matter here.
        for client in [&mut a, &mut b] {
            client.say(json!({"type": "list-rooms"})).await;
            while client.hear().await["type"] != "rooms-list" {}
        }
    }
}

#[tokio::test]
async fn s3_10_s3_35_an_empty_room_waits_for_its_time_and_its_next_guest_is_the_host() {
    let server = by_hand().await;
    let address = server.local_addr();
    let api = Api::new(address);
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "patient"})).await;
    let path = format!("/rooms/{room}");
    let creator = a.id.clone();
    a.close().await;
    let empty = |info: &Value| info["room"]["state"] == "EMPTY";
    wait_for_room(address, &room, empty).await;
    // Five minutes, which begin anew with whoever comes in time.
    api.advance(299).await;
    let mut b = Client::connect(address).await;
    let joined = b.join_with(&room, all()).await;
    assert_eq!(joined["room"]["members"][0]["role"], "host");
    // Whose room it is stays written down; who stands in for them is not.
    assert_eq!(api.get(&path).await.expect(200)["hostId"], creator);
    api.advance(600).await;
    b.close().await;
    wait_for_room(address, &room, empty).await;
    api.advance(299).await;
    api.get(&path).await.expect(200);
    api.advance(2).await;
    wait_for_room(address, &room, |info| info["code"] == "room-not-found").await;
    api.get(&path).await.refused(404, "room_not_found");
}

#[tokio::test]
async fn s3_09_s3_11_s3_12_a_room_is_in_call_while_two_who_answered_each_other_are_inside() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea"})).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    b.say(json!({"type": "offer", "to": a.id, "payload": {}}))
        .await;
    a.expect("offer").await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "ACTIVE").await;
    a.say(json!({"type": "answer", "to": b.id, "payload": {}}))
        .await;
    b.expect("answer").await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "IN_CALL").await;
    b.close().await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "ACTIVE").await;
    a.close().await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "EMPTY").await;
    let mut c = Client::connect(address).await;
    c.join(&room).await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "ACTIVE").await;
}

/// One calls another as two programs do that know nothing but this: an offer, its
/// answer, and candidates both ways until there are no more.
async fn call(caller: &mut Client, callee: &mut Client, room: &str) {
    let message = |kind: &str, to: &Client, payload: Value| json!({"type": kind, "roomId": room, "to": to.id, "payload": payload});
    let offer = json!({"type": "offer", "sdp": format!("v=0 from {}", caller.id)});
    let answer = json!({"type": "answer", "sdp": format!("v=0 from {}", callee.id)});
    caller.say(message("offer", callee, offer.clone())).await;
    let heard = json!({"type": "offer", "from": caller.id, "payload": offer});
    assert_eq!(callee.hear().await, heard);
    callee.say(message("answer", caller, answer.clone())).await;
    let heard = json!({"type": "answer", "from": callee.id, "payload": answer});
    assert_eq!(caller.hear().await, heard);
    let (mut from, mut to) = (caller, callee);
    for _ in 0..2 {
        for text in ["candidate:1 1 udp 2113937151 192.0.2.1 9 typ host", ""] {
            let candidate = json!({"candidate": text, "sdpMid": "0"});
            from.say(message("ice-candidate", to, candidate.clone()))
                .await;
            let heard = json!({"type": "ice-candidate", "from": from.id, "payload": candidate});
            assert_eq!(to.hear().await, heard);
        }
        (from, to) = (to, from);
    }
}

#[tokio::test]
async fn s3_47_two_people_in_one_room_call_each_other() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a.create(json!({"name": "Two"})).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    call(&mut b, &mut a, &room).await;
    let info = wait_for_room(address, &room, |info| info["room"]["state"] == "IN_CALL").await;
    assert_eq!(info["room"]["participantCount"], 2);
    // Who was called calls back, as one does who shares a screen.
    call(&mut a, &mut b, &room).await;
    a.nothing_more().await;
    b.expect("chat").await;
    b.nothing_more().await;
}

#[tokio::test]
async fn s3_48_of_three_in_a_room_one_calls_both_others() {
    let server = server().await;
    let (mut a, mut b, mut c, room) = trio(&server).await;
    call(&mut a, &mut b, &room).await;
    // The third heard nothing of that, and is called as well.
    c.nothing_more().await;
    for client in [&mut a, &mut b] {
        assert_eq!(client.expect("chat").await["from"], c.id);
    }
    call(&mut a, &mut c, &room).await;
    // They call each other too: three of them, three connections.
    call(&mut b, &mut c, &room).await;
    let address = server.local_addr();
    wait_for_room(address, &room, |info| info["room"]["state"] == "IN_CALL").await;
    // With the first gone the others are still in their call.
    a.close().await;
    for client in [&mut b, &mut c] {
        client.expect("member-left").await;
    }
    wait_for_room(address, &room, |info| {
        info["room"]["state"] == "IN_CALL" && info["room"]["participantCount"] == 2
    })
    .await;
}
