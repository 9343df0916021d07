//! Rooms as plain room signalling knows them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use visavis_server::{Server, ServerConfig};

use crate::support::{Client, all, http, server, wait_for_room};

#[tokio::test]
async fn three_plain_clients_go_through_the_whole_protocol() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut c = Client::connect(address).await;
    let (ia, ib, ic) = (a.id.clone(), b.id.clone(), c.id.clone());

    let mut created = a
        .ask(json!({"type": "create-room", "payload": {"name": "Team Meeting", "maxParticipants": 10}}))
        .await;
    let room = created["room"]["id"].as_str().unwrap().to_owned();
    let created_at = created["room"]["createdAt"].take();
    let created_at = created_at.as_str().unwrap();
    assert!(
        created_at.len() == 20 && created_at.ends_with('Z'),
        "{created_at}"
    );
    assert_eq!(
        created,
        json!({"type": "room-created", "room": {
            "id": room, "name": "Team Meeting", "createdAt": null, "host": ia,
            "maxParticipants": 10, "participants": [ia],
        }})
    );

    assert_eq!(
        b.ask(json!({"type": "list-rooms"})).await,
        json!({"type": "rooms-list", "rooms": [{"id": room, "name": "Team Meeting", "participantCount": 1}]})
    );
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

    b.say(json!({"type": "chat", "roomId": room, "payload": {"text": "hello"}}))
        .await;
    let chat = json!({"type": "chat", "roomId": room, "from": ib, "payload": {"text": "hello"}});
    assert_eq!(
        [a.hear().await, b.hear().await, c.hear().await],
        [chat.clone(), chat.clone(), chat]
    );

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
}

#[tokio::test]
async fn the_welcome_names_the_server_and_its_extensions() {
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
async fn rooms_do_not_see_each_other() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut stranger = Client::connect(address).await;
    let ours = a.create(json!({"name": "ours"})).await;
    let theirs = b.create(json!({"name": "theirs"})).await;
    let to_b = json!({"type": "offer", "to": b.id, "payload": {}});
    let with = |base: &Value, room: &str| {
        let mut message = base.clone();
        message["roomId"] = room.into();
        message
    };
    a.say(with(&to_b, &ours)).await;
    assert_eq!(a.refused("member-not-found").await["to"], b.id);
    a.say(with(&to_b, &theirs)).await;
    assert_eq!(a.refused("not-in-room").await["roomId"], theirs);
    a.say(to_b).await;
    a.refused("member-not-found").await;
    a.say(json!({"type": "chat", "roomId": theirs, "payload": "x"}))
        .await;
    a.refused("not-in-room").await;
    a.say(json!({"type": "leave-room", "payload": {"roomId": theirs}}))
        .await;
    a.refused("not-in-room").await;
    for message in [
        json!({"type": "offer", "to": a.id, "payload": {}}),
        json!({"type": "chat", "roomId": ours, "payload": 1}),
        json!({"type": "leave-room", "payload": {"roomId": ours}}),
        json!({"type": "update-member", "payload": {"name": "x"}}),
    ] {
        stranger.say(message).await;
        stranger.refused("not-in-room").await;
    }
    b.nothing_more().await;
}

#[tokio::test]
async fn one_room_per_connection_and_joining_it_again_is_answered_again() {
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
async fn zero_participants_at_most_is_no_limit() {
    let server = server().await;
    let address = server.local_addr();
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
async fn a_private_room_is_not_listed_and_is_joined_by_id() {
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
async fn an_empty_room_goes_at_once_where_its_time_is_zero() {
    let config = ServerConfig {
        empty_timeout: Duration::ZERO,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "brief"})).await;
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
        let room = a.create(json!({"name": "brief"})).await;
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
async fn an_empty_room_waits_for_its_time_and_its_next_guest_is_the_host() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "patient"})).await;
    let creator = a.id.clone();
    a.close().await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "EMPTY").await;
    let mut b = Client::connect(address).await;
    let joined = b.join_with(&room, all()).await;
    assert_eq!(joined["room"]["members"][0]["role"], "host");
    let (_, _, body) = http(address, "GET", &format!("/rooms/{room}"), "", "").await;
    // Whose room it is stays written down; who stands in for them is not.
    assert!(body.contains(&format!(r#""hostId":"{creator}""#)), "{body}");
}

#[tokio::test]
async fn a_room_is_in_call_while_two_who_answered_each_other_are_inside() {
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
}
