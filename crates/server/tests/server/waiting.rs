//! Waiting rooms, and the line before a full room.

use serde_json::{Value, json};
use visavis_server::Server;

use crate::support::{Client, server, wait_for_room};

/// A host who hears of those who wait, in a room made with this besides.
async fn hosted(server: &Server, more: Value) -> (Client, String) {
    let mut host = Client::connect(server.local_addr()).await;
    let mut payload = json!({"name": "Tea", "features": ["waiting", "controls"]});
    for (key, value) in more.as_object().unwrap() {
        payload[key] = value.clone();
    }
    let room = host.create(payload).await;
    host.expect("room-updated").await;
    (host, room)
}

/// One who asks to come in, and has to wait.
async fn waiter(server: &Server, room: &str, name: &str) -> (Client, Value) {
    let mut client = Client::connect(server.local_addr()).await;
    let payload = json!({"roomId": room, "displayName": name, "features": ["waiting"]});
    let waiting = client
        .ask(json!({"type": "join-room", "requestId": name, "payload": payload}))
        .await;
    (client, waiting)
}

fn aimed(kind: &str, to: &Client) -> Value {
    json!({"type": kind, "to": to.id})
}

#[tokio::test]
async fn s2_67_one_who_knocks_is_admitted_or_denied_by_the_host_alone() {
    let server = server().await;
    let (mut host, room) = hosted(&server, json!({"waitingRoom": true})).await;
    let (mut ann, waiting) = waiter(&server, &room, "Ann").await;
    assert_eq!(
        waiting,
        json!({"type": "join-waiting", "requestId": "Ann", "roomId": room, "position": 1, "reason": "approval"})
    );
    assert_eq!(
        host.hear().await,
        json!({"type": "join-request", "roomId": room, "memberId": ann.id, "name": "Ann"})
    );
    let (mut bob, waiting) = waiter(&server, &room, "Bob").await;
    assert_eq!(waiting["position"], 2);
    host.expect("join-request").await;

    ann.say(json!({"type": "chat", "payload": "let me in"}))
        .await;
    ann.refused("not-in-room").await;
    ann.say(aimed("admit-member", &bob)).await;
    ann.refused("not-in-room").await;

    host.say(aimed("admit-member", &ann)).await;
    let joined = ann.expect("room-joined").await;
    assert_eq!(joined["requestId"], "Ann");
    assert_eq!(joined["room"]["participants"], json!([host.id, ann.id]));
    assert_eq!(host.expect("member-joined").await["memberId"], ann.id);
    assert_eq!(bob.expect("join-waiting").await["position"], 1);

    ann.say(aimed("admit-member", &bob)).await;
    ann.refused("forbidden").await;
    host.say(aimed("deny-member", &bob)).await;
    assert_eq!(bob.refused("denied").await["requestId"], "Bob");
    host.say(aimed("deny-member", &bob)).await;
    assert_eq!(host.refused("member-not-found").await["to"], bob.id);
    // One who was denied is free to go elsewhere.
    bob.create(json!({"name": "Bob's own"})).await;
    host.nothing_more().await;
}

#[tokio::test]
async fn a_waiting_room_refuses_who_cannot_wait_and_passes_whose_room_it_is() {
    let server = server().await;
    let (mut host, room) = hosted(&server, json!({"waitingRoom": true})).await;
    let mut plain = Client::connect(server.local_addr()).await;
    assert_eq!(plain.join(&room).await["code"], "waiting-room");
    let info = plain
        .ask(json!({"type": "get-room", "payload": {"roomId": room}}))
        .await;
    assert_eq!(info["room"]["waitingRoom"], true);
    let (mut ann, _) = waiter(&server, &room, "Ann").await;
    host.expect("join-request").await;
    host.say(json!({"type": "leave-room"})).await;
    // Whose room it is needs nobody's word, and hears at once who waits.
    let joined = host
        .check_entry(json!({"roomId": room, "features": ["waiting"]}))
        .await;
    assert_eq!(joined["type"], "room-joined", "{joined}");
    assert_eq!(host.expect("join-request").await["memberId"], ann.id);
    host.say(aimed("admit-member", &ann)).await;
    ann.expect("room-joined").await;
}

#[tokio::test]
async fn s2_67_who_becomes_host_later_hears_of_those_who_wait() {
    let server = server().await;
    let (mut host, room) = hosted(&server, json!({"waitingRoom": true})).await;
    let (mut ann, _) = waiter(&server, &room, "Ann").await;
    host.expect("join-request").await;
    host.say(aimed("admit-member", &ann)).await;
    ann.expect("room-joined").await;
    let (mut bob, _) = waiter(&server, &room, "Bob").await;
    host.close().await;
    ann.expect("member-left").await;
    assert_eq!(ann.expect("join-request").await["memberId"], bob.id);
    ann.say(aimed("admit-member", &bob)).await;
    bob.expect("room-joined").await;
}

#[tokio::test]
async fn s3_38_s3_59_at_a_full_room_people_wait_in_line_and_come_in_as_others_leave() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea", "maxParticipants": 2})).await;
    b.join(&room).await;
    a.expect("member-joined").await;

    let mut line = Vec::new();
    for position in 1..=3 {
        let (client, waiting) = waiter(&server, &room, &format!("{position}")).await;
        assert_eq!(
            (&waiting["type"], &waiting["position"], &waiting["reason"]),
            (&json!("join-waiting"), &json!(position), &json!("full"))
        );
        line.push(client);
    }
    let mut plain = Client::connect(address).await;
    assert_eq!(plain.join(&room).await["code"], "room-full");

    // The one in the middle loses patience; without a close frame is as good.
    line.remove(1).cut();
    assert_eq!(line[1].expect("join-waiting").await["position"], 2);

    b.close().await;
    let joined = line[0].expect("room-joined").await;
    assert_eq!(joined["requestId"], "1");
    assert_eq!(
        joined["room"]["participants"],
        json!([a.id, line[0].id]),
        "never more than two"
    );
    assert_eq!(line[1].expect("join-waiting").await["position"], 1);
    a.say(json!({"type": "leave-room"})).await;
    assert_eq!(line[1].expect("room-joined").await["requestId"], "3");
    let info = wait_for_room(address, &room, |_| true).await;
    assert_eq!(info["room"]["participantCount"], 2);
}

#[tokio::test]
async fn who_waits_may_ask_again_leave_and_hear_of_the_end() {
    let server = server().await;
    let address = server.local_addr();
    let (mut host, room) = hosted(&server, json!({"maxParticipants": 1})).await;
    let (mut ann, _) = waiter(&server, &room, "Ann").await;
    let again = json!({"roomId": room, "features": ["waiting"]});
    let again = ann
        .ask(json!({"type": "join-room", "requestId": 7, "payload": again}))
        .await;
    assert_eq!(
        (&again["requestId"], &again["position"]),
        (&json!(7), &json!(1))
    );
    ann.say(json!({"type": "create-room", "payload": {"name": "Other"}}))
        .await;
    ann.refused("already-in-room").await;

    let (mut bob, waiting) = waiter(&server, &room, "Bob").await;
    assert_eq!(waiting["position"], 2);
    ann.say(json!({"type": "leave-room", "payload": {"roomId": room}}))
        .await;
    assert_eq!(bob.expect("join-waiting").await["position"], 1);
    ann.create(json!({"name": "Other"})).await;

    host.say(json!({"type": "end-room"})).await;
    assert_eq!(host.expect("room-closed").await["reason"], "ended-by-host");
    assert_eq!(bob.refused("room-ended").await["requestId"], "Bob");
    let mut late = Client::connect(address).await;
    assert_eq!(late.join(&room).await["code"], "room-ended");
}

#[tokio::test]
async fn who_is_admitted_to_a_full_room_waits_on_for_a_place() {
    let server = server().await;
    let more = json!({"waitingRoom": true, "maxParticipants": 2});
    let (mut host, room) = hosted(&server, more).await;
    let (mut ann, _) = waiter(&server, &room, "Ann").await;
    let (mut bob, _) = waiter(&server, &room, "Bob").await;
    for _ in 0..2 {
        host.expect("join-request").await;
    }
    host.say(aimed("admit-member", &ann)).await;
    ann.expect("room-joined").await;
    bob.expect("join-waiting").await;
    host.expect("member-joined").await;
    host.say(aimed("admit-member", &bob)).await;
    let waiting = bob.expect("join-waiting").await;
    assert_eq!(
        (&waiting["reason"], &waiting["position"]),
        (&json!("full"), &json!(1))
    );
    ann.close().await;
    bob.expect("room-joined").await;
}

#[tokio::test]
async fn two_hundred_and_fifty_six_wait_and_the_next_does_not() {
    let server = server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = host
        .create(json!({"name": "Tea", "maxParticipants": 1}))
        .await;
    let mut line = Vec::new();
    for position in 1..=256 {
        let (client, waiting) = waiter(&server, &room, "x").await;
        assert_eq!(waiting["position"], position);
        line.push(client);
    }
    let (_late, answer) = waiter(&server, &room, "x").await;
    assert_eq!(answer["code"], "room-full");
}
