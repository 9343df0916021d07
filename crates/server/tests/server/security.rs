//! Attacks: forged tokens, passcode guessing, spoofed headers, messages across
//! rooms, altered and replayed webhooks, clients that do not read or that flood.

mod flood;
mod patience;
mod pressure;
mod slow;
mod tokens;
mod webhooks;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;
use visavis_server::TrustedProxies;

use crate::access::{gated, here};
use crate::api::Api;
use crate::support::{Client, server};

#[tokio::test]
async fn x_user_id_from_an_unlisted_proxy_is_refused() {
    let user = Uuid::new_v4().to_string();
    let header = [("x-user-id", user.as_str())];
    let make = json!({"type": "create-room", "payload": {"name": "Tea"}});
    let unlisted = gated(TrustedProxies::parse(["10.0.0.0/8"]).unwrap()).await;
    // Nor does it help to say that it was passed on by a listed one.
    let forwarded = [header[0], ("x-forwarded-for", "10.1.2.3")];
    for headers in [&header[..], &forwarded[..]] {
        let mut forger = Client::connect_with(unlisted.local_addr(), headers).await;
        forger.say(make.clone()).await;
        forger.refused("unauthorized").await;
    }
    let api = Api::new(unlisted.local_addr()).with("X-User-Id", &user);
    for api in [api.clone(), api.with("X-Forwarded-For", "10.1.2.3")] {
        api.post("/rooms", json!({}))
            .await
            .refused(401, "authentication_failed");
    }
    // A listed proxy's header is accepted.
    let listed = gated(here()).await;
    let mut host = Client::connect_with(listed.local_addr(), &header).await;
    assert_eq!(host.ask(make).await["type"], "room-created");
}

#[tokio::test]
async fn s3_56_a_passcode_lets_in_who_knows_it_and_is_not_guessed_at_speed() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let room = host
        .create(json!({"name": "Tea", "passcode": "open sesame"}))
        .await;
    let mut guest = Client::connect(address).await;
    let info = guest
        .ask(json!({"type": "get-room", "payload": {"roomId": room}}))
        .await;
    assert_eq!(info["room"]["needsPasscode"], true);
    assert_eq!(guest.join(&room).await["code"], "wrong-passcode");
    let right = json!({"roomId": room, "passcode": "open sesame"});
    assert_eq!(
        guest.check_entry(right.clone()).await["type"],
        "room-joined"
    );
    // One who is in is asked no more.
    assert_eq!(guest.join(&room).await["type"], "room-joined");

    let mut guesser = Client::connect(address).await;
    for guess in 0..10 {
        let guess = json!({"roomId": room, "passcode": format!("guess {guess}")});
        assert_eq!(guesser.check_entry(guess).await["code"], "wrong-passcode");
    }
    // A spent budget delays the next try of the address, and only delays it.
    let started = std::time::Instant::now();
    let mut other = Client::connect(address).await;
    let late = other.check_entry(right.clone()).await;
    assert_eq!(late["type"], "room-joined", "{late}");
    let delay = started.elapsed().as_secs_f64();
    assert!((3.0..20.0).contains(&delay), "{delay}");
    other.say(json!({"type": "leave-room"})).await;
    host.until("member-left").await;
    // Eight at most wait.
    guesser
        .check_entry(json!({"roomId": room, "passcode": "guess"}))
        .await;
    let mut crowd = Vec::new();
    for _ in 0..9 {
        let mut client = Client::connect(address).await;
        client
            .say(json!({"type": "join-room", "payload": {"roomId": room, "passcode": "wrong"}}))
            .await;
        crowd.push(client);
    }
    let limited = crowd.pop().unwrap().hear().await;
    assert_eq!(limited["code"], "rate-limited", "{limited}");
    assert!(
        (1..=60).contains(&limited["retryAfter"].as_u64().unwrap()),
        "{limited}"
    );
    drop(crowd);
    // Another room is another matter.
    let second = other
        .create(json!({"name": "Other", "passcode": "four"}))
        .await;
    let into = json!({"roomId": second, "passcode": "four"});
    assert_eq!(guesser.check_entry(into).await["type"], "room-joined");
    for passcode in ["", "abc", &"x".repeat(129)] {
        let mut client = Client::connect(address).await;
        let payload = json!({"name": "Tea", "passcode": passcode});
        client
            .say(json!({"type": "create-room", "payload": payload}))
            .await;
        client.refused("bad-message").await;
    }
}

#[tokio::test]
async fn a_whole_office_with_the_right_passcode_gets_in() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let room = host
        .create(json!({"name": "Tea", "passcode": "open sesame"}))
        .await;
    let right = json!({"roomId": room, "passcode": "open sesame"});
    let mut office = Vec::new();
    for _ in 0..11 {
        let mut client = Client::connect(address).await;
        client
            .say(json!({"type": "join-room", "payload": right}))
            .await;
        office.push(client);
    }
    for client in &mut office {
        client.until("room-joined").await;
    }
}

#[tokio::test]
async fn s3_01_s3_27_s3_33_s3_49_rooms_do_not_see_or_reach_each_other() {
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
async fn s3_33_no_message_that_names_another_room_or_its_members_gets_there() {
    let server = server().await;
    let address = server.local_addr();
    let mut stranger = Client::connect(address).await;
    stranger.create(json!({"name": "own"})).await;
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a.create(json!({"name": "theirs"})).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    let theirs = Api::new(address).get(&format!("/rooms/{room}")).await;
    let uid = theirs.expect(200)["id"].as_str().unwrap().to_owned();

    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let kinds = [
        "offer",
        "answer",
        "ice-candidate",
        "ice",
        "chat",
        "update-member",
        "reaction",
        "report-quality",
        "mute-member",
        "remove-member",
        "lock-room",
        "unlock-room",
        "transfer-host",
        "end-room",
        "admit-member",
        "deny-member",
        "leave-room",
        "direct",
    ];
    let rooms = [&room, &uid, &room.to_uppercase()];
    let people = [&a.id, &b.id, &a.id.to_uppercase()];
    for number in 0..1_000 {
        let kind = kinds[rng.random_range(0..kinds.len())];
        let mut message = json!({
            "type": kind,
            "requestId": number,
            "payload": {"text": "psst", "source": "camera", "name": "x", "locked": true},
        });
        // Another's is the room, or who is meant, or both.
        let (named, aimed): (bool, bool) = (rng.random(), rng.random());
        if named || !aimed || matches!(kind, "leave-room" | "end-room") {
            message["roomId"] = rooms[rng.random_range(0..rooms.len())].as_str().into();
            message["payload"]["roomId"] = message["roomId"].clone();
        }
        if aimed {
            message["to"] = people[rng.random_range(0..people.len())].as_str().into();
        }
        stranger.say(message).await;
    }
    stranger
        .say(json!({"type": "list-rooms", "requestId": "the last"}))
        .await;
    while stranger.hear().await["requestId"] != "the last" {}
    // Neither heard anything, and all is as it was.
    a.nothing_more().await;
    b.expect("chat").await;
    b.nothing_more().await;
    let theirs = Api::new(address).get(&format!("/rooms/{room}")).await;
    assert_eq!(theirs.expect(200)["name"], "theirs");
    let get = json!({"type": "get-room", "requestId": "info", "payload": {"roomId": room}});
    stranger.say(get).await;
    // A room's refusals may still come in between.
    let info = loop {
        let heard = stranger.hear().await;
        if heard["requestId"] == "info" {
            break heard;
        }
    };
    assert_eq!(info["room"]["participantCount"], 2);
}
