//! Malformed input, silent clients, and shutdown.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use visavis_protocol::ServerMessage;
use visavis_server::{Limits, Server, ServerConfig};

use crate::support::{Client, all, server};

pub async fn server_with(limits: Limits) -> Server {
    let config = ServerConfig {
        limits,
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

#[tokio::test]
async fn bad_input_gets_an_error_and_affects_no_other_client() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    for (text, code) in [
        ("", "bad-message"),
        ("hello", "bad-message"),
        ("[]", "bad-message"),
        ("null", "bad-message"),
        ("{}", "bad-message"),
        (r#"{"type":7}"#, "bad-message"),
        (
            r#"{"type":"offer","type":"offer","to":"x","payload":{}}"#,
            "bad-message",
        ),
        (r#"{"type":"create-room"}"#, "bad-message"),
        (r#"{"type":"join-room","payload":{}}"#, "bad-message"),
        (
            r#"{"type":"join-room","payload":{"roomId":5}}"#,
            "bad-message",
        ),
        (r#"{"type":"offer","to":"x"}"#, "bad-message"),
        (r#"{"type":"offer","payload":{}}"#, "bad-message"),
        (r#"{"type":"chat"}"#, "bad-message"),
        (
            r#"{"type":"get-room","payload":{"roomId":"../x"}}"#,
            "room-not-found",
        ),
        (
            r#"{"type":"get-room","payload":{"roomId":""}}"#,
            "room-not-found",
        ),
        (
            r#"{"type":"join-room","payload":{"roomId":"zzz-zzzz-zzz"}}"#,
            "room-not-found",
        ),
        (r#"{"type":"client-id","id":"x"}"#, "unknown-type"),
        (r#"{"type":"mute-everyone"}"#, "unknown-type"),
        (
            r#"{"type":"resume","payload":{"resumeToken":5}}"#,
            "bad-message",
        ),
    ] {
        a.send(Message::text(text)).await;
        a.refused(code).await;
    }
    for payload in ["[]", "\"x\"", "1", "null"] {
        let offer = format!(
            r#"{{"type":"offer","to":"{}","requestId":"q","payload":{payload}}}"#,
            b.id
        );
        a.send(Message::text(offer)).await;
        let refused = a.refused("bad-message").await;
        assert_eq!(
            (&refused["requestId"], &refused["to"]),
            (&json!("q"), &json!(b.id))
        );
    }
    a.nothing_more().await;
    b.expect("chat").await;
    b.nothing_more().await;
}

/// Valid messages; `ROOM` and `MEMBER` are replaced by ids.
const TEMPLATES: &[&str] = &[
    r#"{"type":"create-room","payload":{"name":"Tea","features":["members","chat"]}}"#,
    r#"{"type":"join-room","payload":{"roomId":"ROOM","features":["members","resume"]}}"#,
    r#"{"type":"list-rooms","requestId":1}"#,
    r#"{"type":"get-room","payload":{"roomId":"ROOM"}}"#,
    r#"{"type":"offer","roomId":"ROOM","to":"MEMBER","payload":{"sdp":"x","type":"offer"}}"#,
    r#"{"type":"answer","to":"MEMBER","payload":{}}"#,
    r#"{"type":"chat","roomId":"ROOM","to":"MEMBER","id":"m","payload":[1,2]}"#,
    r#"{"type":"update-member","payload":{"name":"x","tracks":[{"source":"camera","muted":true}]}}"#,
    r#"{"type":"resume","payload":{"resumeToken":"0.0"}}"#,
];

#[tokio::test]
async fn mutated_messages_are_answered_and_keep_the_connections_open() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea", "features": all()})).await;
    b.join(&room).await;
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..1_000 {
        let template = TEMPLATES[rng.random_range(0..TEMPLATES.len())];
        let text = template.replace("ROOM", &room).replace("MEMBER", &b.id);
        let mut text: Vec<char> = text.chars().collect();
        if rng.random() {
            let from = rng.random_range(0..text.len());
            let until = (from + rng.random_range(0..12)).min(text.len());
            text.splice(from..until, "{}".chars().take(rng.random_range(0..3)));
        }
        a.send(Message::text(text.into_iter().collect::<String>()))
            .await;
    }
    for client in [&mut a, &mut b] {
        client
            .say(json!({"type": "list-rooms", "requestId": "the last"}))
            .await;
        loop {
            let heard = client.hear().await;
            ServerMessage::parse(&heard.to_string()).unwrap();
            if heard["requestId"] == "the last" {
                break;
            }
        }
    }
}

#[tokio::test]
async fn invalid_names_are_refused_with_a_reason() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    for payload in [
        json!({"name": ""}),
        json!({"name": " \t\u{0} "}),
        json!({"name": "ok", "metadata": {"description": "x".repeat(1_001)}}),
        json!({"name": "ok", "maxParticipants": -1}),
        json!({"name": "ok", "maxParticipants": "four"}),
    ] {
        a.say(json!({"type": "create-room", "payload": payload}))
            .await;
        let refused = a.refused("bad-message").await;
        assert!(!refused["message"].as_str().unwrap().is_empty());
    }
    a.create(json!({"name": "still here"})).await;
}

#[tokio::test]
async fn s3_39_a_silent_client_is_dropped_and_one_that_answers_pings_is_not() {
    assert_eq!(Limits::default().silence_limit, Duration::from_secs(25));
    let limits = Limits {
        ping_interval: Duration::from_millis(200),
        silence_limit: Duration::from_secs(2),
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut silent = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    silent.join(&room).await;
    let left = loop {
        // Reading answers pings; the silent client is never polled.
        let message = a.hear().await;
        if message["type"] == "member-left" {
            break message;
        }
    };
    assert_eq!(left["memberId"], silent.id);
    a.nothing_more().await;
}

#[tokio::test]
async fn loopback_peers_have_no_rate_limits_by_default() {
    let server = server().await;
    let mut client = Client::connect(server.local_addr()).await;
    for _ in 0..150 {
        Client::connect(server.local_addr()).await;
    }
    for _ in 0..1_500 {
        assert_eq!(
            client.ask(json!({"type": "list-rooms"})).await["type"],
            "rooms-list"
        );
    }
}

#[tokio::test]
async fn a_server_that_stops_closes_every_connection_with_1001() {
    let server = server().await;
    let mut client = Client::connect(server.local_addr()).await;
    client.create(json!({"name": "Tea"})).await;
    let mut other = Client::connect(server.local_addr()).await;
    let (code, (), other_code) = tokio::join!(client.closed(), server.shutdown(), other.closed());
    assert_eq!((code, other_code), (Some(1001), Some(1001)));
}

#[tokio::test]
async fn a_server_that_is_dropped_stops() {
    let server = server().await;
    let address = server.local_addr();
    let mut client = Client::connect(address).await;
    drop(server);
    assert_eq!(client.closed().await, Some(1001));
    let gone = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::LIMIT, gone)
        .await
        .expect("no listener is left");
}
