//! A broken connection keeps its place for a while.

use std::time::Duration;

use serde_json::{Value, json};
use visavis_server::{Limits, Server, ServerConfig};

use crate::support::{Client, all, server};

fn resume(token: &Value) -> Value {
    json!({"type": "resume", "requestId": 1, "payload": {"resumeToken": token}})
}

/// Two in a room, both with all extensions; the room, and the second's token.
async fn pair(server: &Server) -> (Client, Client, String, Value) {
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea", "features": all()})).await;
    let token = b.join_with(&room, all()).await["resumeToken"].clone();
    a.expect("member-joined").await;
    (a, b, room, token)
}

/// A server that keeps a place for a moment only.
async fn short_memory() -> Server {
    let config = ServerConfig {
        limits: Limits {
            resume_window: Duration::from_millis(300),
            ..Limits::default()
        },
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

#[tokio::test]
async fn who_comes_back_in_time_keeps_id_and_messages() {
    let server = server().await;
    let (mut a, b, room, token) = pair(&server).await;
    let id = b.id.clone();
    b.cut();
    assert_eq!(
        a.expect("member-updated").await["member"]["connection"],
        "reconnecting"
    );
    for number in 0..3 {
        a.say(json!({"type": "ice-candidate", "to": id, "payload": {"number": number}}))
            .await;
    }
    a.say(json!({"type": "chat", "payload": "there?"})).await;
    a.expect("chat").await;

    let mut b = Client::connect(server.local_addr()).await;
    let resumed = b.ask(resume(&token)).await;
    assert_eq!(
        (&resumed["type"], &resumed["requestId"]),
        (&json!("resumed"), &json!(1))
    );
    assert_eq!(resumed["room"]["id"], room);
    assert_eq!(resumed["room"]["participants"], json!([a.id, id]));
    assert_eq!(resumed["room"]["members"][1]["connection"], "connected");
    assert_ne!(resumed["resumeToken"], token);
    for number in 0..3 {
        assert_eq!(b.expect("ice-candidate").await["payload"]["number"], number);
    }
    assert_eq!(b.expect("chat").await["payload"], "there?");
    assert_eq!(
        a.expect("member-updated").await["member"]["connection"],
        "connected"
    );
    b.expect("member-updated").await;

    b.say(json!({"type": "offer", "to": a.id, "payload": {}}))
        .await;
    assert_eq!(a.expect("offer").await["from"], id, "the id is the old one");
    let mut thief = Client::connect(server.local_addr()).await;
    thief.say(resume(&token)).await;
    thief.refused("unauthorized").await;
}

#[tokio::test]
async fn s2_75_a_short_loss_of_the_network_heals_and_a_long_one_ends_in_clear_words() {
    // Five seconds away are short, and sixty are long.
    let window = Limits::default().resume_window;
    assert!((5..60).contains(&window.as_secs()), "{window:?}");

    let server = server().await;
    let (mut a, b, room, token) = pair(&server).await;
    let id = b.id.clone();
    b.cut();
    a.expect("member-updated").await;
    a.say(json!({"type": "chat", "payload": "are you there?"}))
        .await;
    a.expect("chat").await;
    let mut b = Client::connect(server.local_addr()).await;
    let resumed = b.ask(resume(&token)).await;
    assert_eq!(resumed["type"], "resumed", "{resumed}");
    assert_eq!(resumed["room"]["participants"], json!([a.id, id]));
    assert_eq!(b.expect("chat").await["payload"], "are you there?");
    // The other never took it for gone, and they negotiate anew.
    a.expect("member-updated").await;
    a.say(json!({"type": "offer", "roomId": room, "to": id, "payload": {}}))
        .await;
    b.until("offer").await;
    b.say(json!({"type": "answer", "roomId": room, "to": a.id, "payload": {}}))
        .await;
    assert_eq!(a.expect("answer").await["from"], id);

    let server = short_memory().await;
    let (mut a, b, room, token) = pair(&server).await;
    let id = b.id.clone();
    b.cut();
    let away = a.expect("member-updated").await;
    assert_eq!(away["member"]["connection"], "reconnecting");
    let left = a.expect("member-left").await;
    assert_eq!((&left["memberId"], &left["count"]), (&json!(id), &json!(1)));
    let mut b = Client::connect(server.local_addr()).await;
    b.say(resume(&token)).await;
    let refused = b.refused("unauthorized").await;
    assert_eq!(
        refused["message"],
        "the resume token is not valid; join again"
    );
    // Which is no more than it says.
    let joined = b.join_with(&room, all()).await;
    assert_eq!(joined["room"]["participants"], json!([a.id, b.id]));
    a.expect("member-joined").await;
}

#[tokio::test]
async fn of_what_was_relayed_the_last_256_are_kept() {
    let server = server().await;
    let (mut a, b, _, token) = pair(&server).await;
    let id = b.id.clone();
    b.cut();
    a.expect("member-updated").await;
    for number in 0..300 {
        a.say(json!({"type": "ice", "to": id, "payload": {"number": number}}))
            .await;
    }
    a.nothing_more().await;
    let mut b = Client::connect(server.local_addr()).await;
    b.ask(resume(&token)).await;
    // The chat that closed the list is one of the 256.
    assert_eq!(b.expect("ice").await["payload"]["number"], 45);
}

#[tokio::test]
async fn s3_39_who_closes_or_stays_away_has_left() {
    assert_eq!(Limits::default().resume_window, Duration::from_secs(30));
    let server = short_memory().await;
    let (mut a, b, room, token) = pair(&server).await;
    b.cut();
    a.expect("member-updated").await;
    a.expect("member-left").await;
    let mut b = Client::connect(server.local_addr()).await;
    b.say(resume(&token)).await;
    b.refused("unauthorized").await;
    let token = b.join_with(&room, all()).await["resumeToken"].clone();
    a.expect("member-joined").await;
    b.close().await;
    a.expect("member-left").await;
    let mut b = Client::connect(server.local_addr()).await;
    b.say(resume(&token)).await;
    b.refused("unauthorized").await;
}

#[tokio::test]
async fn a_token_used_while_the_old_socket_lives_replaces_it() {
    let server = server().await;
    let (mut a, mut old, _, token) = pair(&server).await;
    let mut new = Client::connect(server.local_addr()).await;
    assert_eq!(new.ask(resume(&token)).await["type"], "resumed");
    assert_eq!(old.closed().await, Some(4009));
    new.nothing_more().await;
    a.expect("chat").await;
    a.nothing_more().await;
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    let server = server().await;
    let mut client = Client::connect(server.local_addr()).await;
    for token in [
        "",
        "x",
        "00000000000000000000000000000000.00000000000000000000000000000000",
    ] {
        client.say(resume(&json!(token))).await;
        client.refused("unauthorized").await;
    }
}
