//! What hosts do, and what the room hears of it.

use serde_json::{Value, json};
use visavis_server::Server;

use crate::support::{Client, server};

/// A host, a member who asked for the controls, and one who knows nothing of them.
async fn three(server: &Server) -> (Client, Client, Client, String) {
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let mut member = Client::connect(address).await;
    let mut plain = Client::connect(address).await;
    let room = host
        .create(json!({"name": "Tea", "features": ["controls", "members"]}))
        .await;
    let updated = host.expect("room-updated").await;
    assert_eq!(
        updated,
        json!({"type": "room-updated", "roomId": room, "room": {
            "id": room, "name": "Tea", "kind": "open", "host": host.id, "maxParticipants": 0,
            "locked": false, "waitingRoom": false, "needsPasscode": false,
        }})
    );
    member
        .join_with(&room, json!(["controls", "members"]))
        .await;
    assert_eq!(member.expect("room-updated").await["room"], updated["room"]);
    host.expect("member-joined").await;
    plain.join(&room).await;
    host.expect("member-joined").await;
    member.expect("member-joined").await;
    (host, member, plain, room)
}

fn aimed(kind: &str, to: &Client) -> Value {
    json!({"type": kind, "to": to.id})
}

fn mute(to: &Client) -> Value {
    json!({"type": "mute-member", "to": to.id, "payload": {"source": "microphone"}})
}

#[tokio::test]
async fn s3_53_a_host_mutes_and_removes_and_nobody_else_does() {
    let server = server().await;
    let (mut host, mut member, mut plain, room) = three(&server).await;
    for message in [
        mute(&host),
        aimed("remove-member", &host),
        aimed("transfer-host", &member),
        aimed("admit-member", &host),
        json!({"type": "lock-room"}),
        json!({"type": "unlock-room"}),
        json!({"type": "end-room", "requestId": 3}),
    ] {
        member.say(message).await;
        member.refused("forbidden").await;
    }

    host.say(mute(&member)).await;
    assert_eq!(
        member.hear().await,
        json!({"type": "mute-member", "roomId": room, "from": host.id, "payload": {"source": "microphone"}})
    );
    // It would not know what to make of it.
    host.say(mute(&plain)).await;
    host.say(aimed("remove-member", &member)).await;
    assert_eq!(
        member.hear().await,
        json!({"type": "member-removed", "roomId": room, "memberId": member.id, "reason": "removed-by-host"})
    );
    assert_eq!(
        host.hear().await,
        json!({"type": "member-left", "roomId": room, "memberId": member.id, "count": 2})
    );
    assert_eq!(
        plain.hear().await,
        json!({"type": "member-left", "roomId": room, "memberId": member.id, "participants": [host.id, plain.id]})
    );
    member
        .say(json!({"type": "chat", "payload": "still here"}))
        .await;
    member.refused("not-in-room").await;

    host.say(aimed("remove-member", &plain)).await;
    assert_eq!(plain.refused("not-in-room").await["roomId"], room);
    host.expect("member-left").await;
    // Whoever was put out may come back, and go elsewhere.
    assert_eq!(member.join(&room).await["type"], "room-joined");
    plain.create(json!({"name": "Elsewhere"})).await;
    host.expect("member-joined").await;
    host.say(aimed("remove-member", &plain)).await;
    host.refused("member-not-found").await;
}

#[tokio::test]
async fn a_locked_room_lets_nobody_new_in_until_it_is_unlocked() {
    let server = server().await;
    let (mut host, mut member, mut plain, room) = three(&server).await;
    host.say(json!({"type": "lock-room", "roomId": room})).await;
    for client in [&mut host, &mut member] {
        assert_eq!(client.expect("room-updated").await["room"]["locked"], true);
    }
    plain.say(json!({"type": "leave-room"})).await;
    host.expect("member-left").await;
    assert_eq!(plain.join(&room).await["code"], "room-locked");
    // In the order of asking, however quickly.
    for kind in ["unlock-room", "lock-room", "unlock-room"] {
        host.say(json!({ "type": kind })).await;
    }
    for locked in [false, true, false] {
        let updated = host.expect("room-updated").await;
        assert_eq!(updated["room"]["locked"], locked);
    }
    assert_eq!(plain.join(&room).await["type"], "room-joined");
}

#[tokio::test]
async fn who_resumes_comes_back_into_a_locked_room_and_is_told_of_it() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let mut member = Client::connect(address).await;
    let room = host
        .create(json!({"name": "Tea", "features": ["members"]}))
        .await;
    let joined = member.join_with(&room, json!(["resume", "controls"])).await;
    member.cut();
    host.expect("member-joined").await;
    host.expect("member-updated").await;
    host.say(json!({"type": "lock-room"})).await;
    let mut back = Client::connect(address).await;
    let token = &joined["resumeToken"];
    // Locked or not yet, it comes back; then it hears of the lock.
    let resumed = back
        .ask(json!({"type": "resume", "payload": {"resumeToken": token}}))
        .await;
    assert_eq!(resumed["type"], "resumed", "{resumed}");
    while back.until("room-updated").await["room"]["locked"] != true {}
}

#[tokio::test]
async fn the_host_hands_on_its_place() {
    let server = server().await;
    let (mut host, mut member, mut plain, _) = three(&server).await;
    host.say(aimed("transfer-host", &member)).await;
    for client in [&mut host, &mut member] {
        let mut roles = Vec::new();
        for _ in 0..2 {
            let updated = client.expect("member-updated").await;
            roles.push(updated["member"]["role"].clone());
        }
        assert_eq!(roles, ["participant", "host"]);
        let updated = client.expect("room-updated").await;
        assert_ne!(updated["room"]["host"], json!(null));
    }
    host.say(json!({"type": "lock-room"})).await;
    host.refused("forbidden").await;
    member.say(aimed("remove-member", &host)).await;
    host.expect("member-removed").await;
    plain.expect("member-left").await;
    // The next in line after the last host is whoever has been here longest.
    member.close().await;
    plain.expect("member-left").await;
    plain.say(json!({"type": "end-room"})).await;
    plain.refused("room-ended").await;
}

#[tokio::test]
async fn the_end_is_told_to_each_in_its_own_way() {
    let server = server().await;
    let (mut host, mut member, mut plain, room) = three(&server).await;
    host.say(json!({"type": "end-room"})).await;
    let closed = json!({"type": "room-closed", "roomId": room, "reason": "ended-by-host"});
    assert_eq!(
        [host.hear().await, member.hear().await],
        [closed.clone(), closed]
    );
    assert_eq!(plain.refused("room-ended").await["roomId"], room);
    for client in [&mut host, &mut member, &mut plain] {
        client.say(json!({"type": "chat", "payload": 1})).await;
        client.refused("not-in-room").await;
    }
    assert_eq!(plain.join(&room).await["code"], "room-ended");
    host.create(json!({"name": "Next"})).await;
}

#[tokio::test]
async fn reactions_reach_those_who_asked_and_nobody_keeps_them() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut plain = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "features": ["reactions"]}))
        .await;
    b.join_with(&room, json!(["reactions"])).await;
    a.expect("member-joined").await;
    plain.join(&room).await;
    for client in [&mut a, &mut b] {
        client.expect("member-joined").await;
    }
    a.say(json!({"type": "reaction", "payload": {"emoji": "👏"}}))
        .await;
    let heard =
        json!({"type": "reaction", "roomId": room, "from": a.id, "payload": {"emoji": "👏"}});
    assert_eq!([a.hear().await, b.hear().await], [heard.clone(), heard]);
    for payload in [json!("👏"), json!({"emoji": "x".repeat(1024)})] {
        a.say(json!({"type": "reaction", "payload": payload})).await;
        a.refused("bad-message").await;
    }
    plain.nothing_more().await;
}

#[tokio::test]
async fn s2_07_s2_13_s2_25_an_individual_room_takes_two_and_has_no_chat() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let room = host
        .create(json!({"name": "Talk", "kind": "individual", "features": ["controls"]}))
        .await;
    let updated = host.expect("room-updated").await;
    assert_eq!(
        (
            &updated["room"]["kind"],
            &updated["room"]["maxParticipants"]
        ),
        (&json!("individual"), &json!(2))
    );
    let mut client = Client::connect(address).await;
    assert_eq!(client.join(&room).await["type"], "room-joined");
    client
        .say(json!({"type": "chat", "payload": "hello"}))
        .await;
    client.refused("forbidden").await;
    let mut third = Client::connect(address).await;
    assert_eq!(third.join(&room).await["code"], "room-full");
    // What is said in so many words comes before the kind.
    let mut other = Client::connect(address).await;
    let created = other
        .ask(json!({"type": "create-room", "payload": {"name": "Talk", "kind": "group", "maxParticipants": 3}}))
        .await;
    assert_eq!(created["room"]["maxParticipants"], 3);
}

#[tokio::test]
async fn s2_13_s2_60_in_a_webinar_the_host_publishes_and_the_others_watch_and_ask() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let mut viewer = Client::connect(address).await;
    let features = json!(["members", "controls"]);
    let created = host
        .ask(json!({"type": "create-room", "payload": {"name": "Talk", "kind": "webinar", "features": features}}))
        .await;
    assert_eq!(created["room"]["maxParticipants"], 100);
    assert_eq!(created["room"]["members"][0]["role"], "host");
    host.expect("room-updated").await;
    let room = created["room"]["id"].as_str().unwrap();
    let joined = viewer.join_with(room, features).await;
    let me = &joined["room"]["members"][1];
    assert_eq!(
        (
            &me["role"],
            &me["grants"]["canPublish"],
            &me["grants"]["canPublishData"]
        ),
        (&json!("viewer"), &json!(false), &json!(true))
    );
    viewer.expect("room-updated").await;
    host.expect("member-joined").await;

    let camera = json!({"type": "update-member", "payload": {"tracks": [{"source": "camera", "muted": false}]}});
    viewer.say(camera.clone()).await;
    viewer.refused("forbidden").await;
    host.say(camera.clone()).await;
    assert_eq!(viewer.expect("member-updated").await["memberId"], host.id);
    host.expect("member-updated").await;
    viewer.say(json!({"type": "chat", "payload": "why?"})).await;
    host.expect("chat").await;
    viewer.expect("chat").await;

    // Made host, it speaks; and the one who was may go on speaking.
    host.say(aimed("transfer-host", &viewer)).await;
    viewer.until("room-updated").await;
    viewer.say(camera).await;
    let updated = viewer.expect("member-updated").await;
    assert_eq!(updated["member"]["tracks"][0]["source"], "camera");
}
