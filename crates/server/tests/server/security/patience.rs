//! Clients whose passcode waits for its turn: their connection stays alive meanwhile.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use visavis_server::{Limits, Server, ServerConfig};

use crate::api::server_of;
use crate::support::{Client, LIMIT};

/// A server that pings often, and a room there whose budget of wrong passcodes is spent.
async fn spent() -> (Server, Client, String) {
    let server = server_of(ServerConfig {
        limits: Limits {
            ping_interval: Duration::from_millis(200),
            silence_limit: Duration::from_secs(3),
            ..Limits::default()
        },
        ..ServerConfig::default()
    })
    .await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let tea = json!({"name": "Tea", "passcode": "open sesame"});
    let room = host.create(tea).await;
    let mut guesser = Client::connect(address).await;
    for guess in 0..10 {
        let guess = json!({"roomId": room, "passcode": format!("guess {guess}")});
        let refused = guesser.check_entry(guess).await;
        assert_eq!(refused["code"], "wrong-passcode", "{refused}");
    }
    (server, host, room)
}

fn entry(room: &str, passcode: &str) -> Value {
    json!({"type": "join-room", "payload": {"roomId": room, "passcode": passcode}})
}

async fn next(client: &mut Client) -> Message {
    let next = timeout(LIMIT, client.socket.next()).await;
    next.expect("heard in time").unwrap().unwrap()
}

/// Asks to come in; whether it waits: a ping sent after the message is answered before
/// the message is.
async fn waits(client: &mut Client, room: &str, passcode: &str) -> bool {
    client.say(entry(room, passcode)).await;
    client.send(Message::Ping("still there?".into())).await;
    loop {
        match next(client).await {
            Message::Ping(_) => {}
            Message::Pong(_) => return true,
            Message::Text(text) => {
                assert!(text.contains("rate-limited"), "{text}");
                return false;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_gets_pings_and_its_further_messages_are_handled_in_order() {
    let (server, _host, room) = spent().await;
    let mut client = Client::connect(server.local_addr()).await;
    client.say(entry(&room, "open sesame")).await;
    // More than are read while the join waits.
    for number in 0..40 {
        client
            .say(json!({"type": "get-room", "requestId": number, "payload": {"roomId": room}}))
            .await;
    }
    let mut pings = 0;
    let joined: Value = loop {
        match next(&mut client).await {
            Message::Ping(_) => pings += 1,
            Message::Text(text) => break serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(joined["type"], "room-joined", "{joined}");
    assert!(pings >= 5, "{pings} pings within six seconds");
    for number in 0..40 {
        let info = client.expect("room-info").await;
        assert_eq!(info["requestId"], number);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_waits_leaves_the_queue_at_once() {
    let (server, _host, room) = spent().await;
    let address = server.local_addr();
    let mut queue = Vec::new();
    for place in 1..=8 {
        let mut client = Client::connect(address).await;
        assert!(waits(&mut client, &room, "wrong").await, "place {place}");
        queue.push(client);
    }
    let mut ninth = Client::connect(address).await;
    assert!(!waits(&mut ninth, &room, "open sesame").await);
    // The close frame is answered while the try waits.
    let mut leaver = queue.pop().unwrap();
    leaver.socket.close(None).await.unwrap();
    let closed = timeout(Duration::from_secs(3), leaver.closed()).await;
    closed.expect("the close frame is answered");
    assert!(waits(&mut ninth, &room, "open sesame").await);
    // A connection that breaks leaves the queue as well.
    queue.pop().unwrap().cut();
    let mut tenth = Client::connect(address).await;
    let joined = async { while !waits(&mut tenth, &room, "open sesame").await {} };
    let joined = timeout(Duration::from_secs(3), joined).await;
    joined.expect("the place of the broken connection is free");
}
