//! A server in memory is restarted: its members come together again in the same room.

use serde_json::{Value, json};
use visavis_server::{Server, ServerConfig, StateKey};

use crate::support::Client;

/// A server in memory whose seals a later one can read.
async fn server() -> Server {
    let config = ServerConfig {
        state_key: Some(StateKey::new([9; 32])),
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

fn join(room: &Value, seal: Option<&Value>) -> Value {
    let payload = json!({"roomId": room, "features": ["resume", "members"], "seal": seal});
    json!({"type": "join-room", "payload": payload})
}

/// A locked room with a passcode, a host and a member; its id and their seals.
async fn before_the_restart() -> (Value, Value, Value) {
    let server = server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let payload = json!({"name": "Tea", "passcode": "open sesame", "maxParticipants": 3,
        "features": ["resume", "controls"]});
    host.say(json!({"type": "create-room", "payload": payload}))
        .await;
    let created = host.until("room-created").await;
    let room = created["room"]["id"].clone();
    let mut member = Client::connect(server.local_addr()).await;
    let payload = json!({"roomId": room, "passcode": "open sesame", "features": ["resume"]});
    member
        .say(json!({"type": "join-room", "payload": payload}))
        .await;
    let joined = member.until("room-joined").await;
    host.say(json!({"type": "lock-room", "roomId": room})).await;
    while host.until("room-updated").await["room"]["locked"] != true {}
    // The seal that a member gets after the lock knows of it.
    host.say(join(&room, None)).await;
    let again = host.until("room-joined").await;
    server.shutdown().await;
    (room, again["seal"].clone(), joined["seal"].clone())
}

#[tokio::test]
async fn members_return_to_a_room_that_a_restart_in_memory_lost_and_others_do_not() {
    let (room, host_seal, member_seal) = before_the_restart().await;
    assert!(host_seal.is_string() && member_seal.is_string());
    let server = server().await;
    let mut stranger = Client::connect(server.local_addr()).await;
    stranger.say(join(&room, None)).await;
    assert_eq!(stranger.until("error").await["code"], "room-not-found");

    let mut host = Client::connect(server.local_addr()).await;
    host.say(join(&room, Some(&host_seal))).await;
    let joined = host.until("room-joined").await;
    assert_eq!(joined["room"]["id"], room);
    assert_eq!(joined["room"]["members"][0]["role"], "host");
    let mut member = Client::connect(server.local_addr()).await;
    member.say(join(&room, Some(&member_seal))).await;
    let joined = member.until("room-joined").await;
    assert_eq!(joined["room"]["participants"].as_array().unwrap().len(), 2);
    assert_eq!(joined["room"]["members"][1]["role"], "participant");

    // Lock and passcode are there again, for everyone else.
    let payload = json!({"roomId": room, "passcode": "open sesame"});
    stranger
        .say(json!({"type": "join-room", "payload": payload}))
        .await;
    assert_eq!(stranger.until("error").await["code"], "room-locked");
    stranger.say(join(&room, None)).await;
    assert_eq!(stranger.until("error").await["code"], "wrong-passcode");
}

#[tokio::test]
async fn a_seal_of_a_room_that_was_not_lost_opens_no_lock_and_revives_nothing() {
    let server = server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let payload = json!({"name": "Tea", "features": ["resume", "controls"]});
    host.say(json!({"type": "create-room", "payload": payload}))
        .await;
    let created = host.until("room-created").await;
    let (room, seal) = (&created["room"]["id"], &created["seal"]);
    host.say(json!({"type": "lock-room", "roomId": room})).await;
    while host.until("room-updated").await["room"]["locked"] != true {}
    let mut removed = Client::connect(server.local_addr()).await;
    removed.say(join(room, Some(seal))).await;
    assert_eq!(removed.until("error").await["code"], "room-locked");

    host.say(json!({"type": "end-room", "roomId": room})).await;
    host.until("room-closed").await;
    removed.say(join(room, Some(seal))).await;
    assert_eq!(removed.until("error").await["code"], "room-ended");
}
