//! Clients that send too much, or do not read.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use visavis_server::{HttpLimits, Limits, Server};

use crate::support::{Client, LIMIT, all, server};
use crate::unruly::server_with;

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_delays_nobody() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let mut slow = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    slow.join_with(&room, all()).await;
    a.expect("member-joined").await;
    let mut elsewhere = Client::connect(server.local_addr()).await;
    elsewhere.create(json!({"name": "Coffee"})).await;
    let long = "x".repeat(200 * 1024);
    let mut sent = 0;
    loop {
        a.say(json!({"type": "chat", "payload": long})).await;
        sent += 1;
        assert!(sent < 1_000, "200 MB and still there");
        elsewhere.nothing_more().await;
        if a.hear().await["type"] == "member-left" {
            break;
        }
    }
    assert_eq!(slow.closed().await, Some(4008));
}

#[tokio::test]
async fn binary_and_large_messages_are_refused_and_the_connection_kept() {
    let server = server().await;
    let mut a = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    let mut b = Client::connect(server.local_addr()).await;
    b.join(&room).await;
    a.expect("member-joined").await;
    a.send(Message::binary(vec![0, 159, 146, 150])).await;
    a.refused("bad-message").await;
    a.send(Message::text("x".repeat(300 * 1024))).await;
    a.refused("message-too-large").await;
    let fits = "x".repeat(250 * 1024);
    a.say(json!({"type": "chat", "payload": fits})).await;
    assert_eq!(a.expect("chat").await["payload"], fits);
    assert_eq!(b.expect("chat").await["payload"], fits, "nothing before it");
}

#[tokio::test]
async fn a_huge_message_closes_its_connection_with_1009() {
    let server = server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = host.create(json!({"name": "Tea"})).await;
    for size in [1_100 * 1024, 6 * 1024 * 1024] {
        for message in [
            Message::text("x".repeat(size)),
            Message::binary(vec![0; size]),
        ] {
            let mut client = Client::connect(server.local_addr()).await;
            client.join(&room).await;
            host.expect("member-joined").await;
            let (mut up, mut down) = client.socket.split();
            // The server does not read the whole message.
            let sending = tokio::spawn(async move { up.send(message).await });
            let code = loop {
                match down.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
                    Some(Ok(_)) => {}
                    end => panic!("{end:?}"),
                }
            };
            assert_eq!(code, 1009, "{size}");
            sending.abort();
            // The host gets member-left and nothing that the client sent.
            host.expect("member-left").await;
            host.nothing_more().await;
        }
    }
}

#[tokio::test]
async fn a_flooding_client_is_held_back_and_then_closed() {
    let limits = Limits {
        rates_on_loopback: true,
        rate_patience: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut calm = Client::connect(server.local_addr()).await;
    let room = calm.create(json!({"name": "Tea"})).await;
    let mut client = Client::connect(server.local_addr()).await;
    client.join(&room).await;
    calm.expect("member-joined").await;
    let (mut up, mut down) = client.socket.split();
    let flood = tokio::spawn(async move {
        while up
            .send(Message::text(r#"{"type":"list-rooms"}"#))
            .await
            .is_ok()
        {}
    });
    let closed = tokio::spawn(async move {
        let mut last = String::new();
        loop {
            match down.next().await {
                Some(Ok(Message::Text(text))) if text.contains("error") => last = text.to_string(),
                Some(Ok(Message::Close(Some(frame)))) => break (u16::from(frame.code), last),
                Some(Ok(_)) => {}
                end => panic!("{end:?}"),
            }
        }
    });
    // Meanwhile a member that sends 50 messages a second is served.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while !closed.is_finished() {
        pace.tick().await;
        let said = json!({"type": "chat", "payload": "calm"});
        let heard = calm.ask(said).await;
        assert!(
            heard["payload"] == "calm" || heard["type"] == "member-left",
            "{heard}"
        );
        if heard["type"] == "member-left" {
            break;
        }
    }
    let (code, last) = closed.await.unwrap();
    assert_eq!(code, 4029);
    assert!(last.contains(r#""code":"rate-limited""#), "{last}");
    flood.abort();
}

#[tokio::test]
async fn the_hundred_and_twenty_first_connection_of_a_minute_is_refused_at_the_handshake() {
    let limits = Limits {
        rates_on_loopback: true,
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut inside = Client::connect(server.local_addr()).await;
    for _ in 1..120 {
        Client::connect(server.local_addr()).await;
    }
    match Client::try_connect(server.local_addr(), "/ws").await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 429);
            let wait: u64 = response.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((1..=61).contains(&wait), "{wait}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
    inside.create(json!({"name": "Tea"})).await;
    inside.nothing_more().await;
}

/// The header of a masked text frame of so many bytes.
fn frame_header(bytes: u64) -> Vec<u8> {
    [&[0x81, 0x80 | 127][..], &bytes.to_be_bytes(), &[0; 4]].concat()
}

async fn send_raw(client: &mut Client, bytes: &[u8]) {
    client.socket.get_mut().write_all(bytes).await.unwrap();
}

#[tokio::test]
async fn outside_of_a_room_a_message_over_64_kib_is_closed_at_its_header() {
    let server = server().await;
    let mut client = Client::connect(server.local_addr()).await;
    client.send(Message::text("x".repeat(64 * 1024))).await;
    client.refused("bad-message").await;
    send_raw(&mut client, &frame_header(64 * 1024 + 1)).await;
    assert_eq!(client.closed().await, Some(1009));
}

#[tokio::test]
async fn in_a_waiting_room_and_after_leaving_a_message_has_64_kib_too() {
    let server = server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = json!({"name": "Tea", "waitingRoom": true, "features": ["waiting"]});
    let room = host.create(room).await;
    let mut waiting = Client::connect(server.local_addr()).await;
    let joined = waiting.join_with(&room, json!(["waiting"])).await;
    assert_eq!(joined["type"], "join-waiting");
    send_raw(&mut waiting, &frame_header(64 * 1024 + 1)).await;
    assert_eq!(waiting.closed().await, Some(1009));
    host.expect("join-request").await;

    let fits = json!({"type": "chat", "payload": "x".repeat(200 * 1024)});
    host.say(fits).await;
    host.expect("chat").await;
    host.say(json!({"type": "leave-room", "payload": {"roomId": room}}))
        .await;
    send_raw(&mut host, &frame_header(64 * 1024 + 1)).await;
    assert_eq!(host.closed().await, Some(1009));
}

#[tokio::test]
async fn an_unfinished_message_is_closed_and_its_member_leaves_at_once() {
    let limits = Limits {
        message_deadline: Duration::from_millis(100),
        resume_window: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = host.create(json!({"name": "Tea"})).await;
    for begun in [&frame_header(70_000)[..], b"\x01\x81\0\0\0\0x"] {
        let mut client = Client::connect(server.local_addr()).await;
        client.join_with(&room, all()).await;
        host.expect("member-joined").await;
        send_raw(&mut client, begun).await;
        assert_eq!(client.closed().await, Some(1008));
        host.expect("member-left").await;
    }
    host.nothing_more().await;
}

/// The status of a refused handshake.
async fn refusal(server: &Server) -> u16 {
    match Client::try_connect(server.local_addr(), "/ws").await {
        Err(Error::Http(response)) => {
            assert!(response.headers().contains_key("retry-after"));
            response.status().as_u16()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn the_sockets_of_an_address_and_of_the_server_are_bounded() {
    let per_address = Limits {
        rates_on_loopback: true,
        sockets_per_address: 2,
        ..Limits::default()
    };
    let in_all = Limits {
        http: HttpLimits {
            // 16 of them are kept for HTTP.
            connections: Some(18),
            ..HttpLimits::default()
        },
        ..Limits::default()
    };
    for (limits, status) in [(per_address, 429), (in_all, 503)] {
        let server = server_with(limits).await;
        let mut first = Client::connect(server.local_addr()).await;
        let second = Client::connect(server.local_addr()).await;
        assert_eq!(refusal(&server).await, status);
        first.create(json!({"name": "Tea"})).await;
        second.close().await;
        let freed = async {
            while Client::try_connect(server.local_addr(), "/ws")
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, freed).await.expect("freed in time");
    }
}

#[tokio::test]
async fn a_protocol_error_is_closed_with_its_code_and_the_member_leaves_at_once() {
    let limits = Limits {
        resume_window: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = host.create(json!({"name": "Tea"})).await;
    let masked = |first: u8, payload: &[u8]| {
        let length = 0x80 | payload.len() as u8;
        [&[first, length, 0, 0, 0, 0], payload].concat()
    };
    for (bytes, code) in [
        (vec![0x81, 1, b'x'], 1002),
        (masked(0xc1, b"x"), 1002),
        (masked(0x80, b"x"), 1002),
        (masked(0x81, &[0xff]), 1007),
        (masked(0x88, &[0]), 1002),
        (masked(0x88, &999_u16.to_be_bytes()), 1002),
        (masked(0x88, &1005_u16.to_be_bytes()), 1002),
        (masked(0x88, &2999_u16.to_be_bytes()), 1002),
        (masked(0x88, &4321_u16.to_be_bytes()), 4321),
    ] {
        let mut client = Client::connect(server.local_addr()).await;
        client.join_with(&room, all()).await;
        host.expect("member-joined").await;
        send_raw(&mut client, &bytes).await;
        assert_eq!(client.closed().await, Some(code), "{bytes:?}");
        host.expect("member-left").await;
    }
    let mut client = Client::connect(server.local_addr()).await;
    send_raw(&mut client, &masked(0x88, b"")).await;
    assert_eq!(client.closed().await, None, "a close frame without a code");
}

#[tokio::test]
async fn a_client_that_creates_rooms_without_end_is_held_back_and_then_closed() {
    let limits = Limits {
        rates_on_loopback: true,
        rate_patience: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let mut client = Client::connect(server.local_addr()).await;
    let create = json!({"type": "create-room", "payload": {"name": "Tea"}});
    for _ in 0..20 {
        client.say(create.clone()).await;
    }
    let mut answered = 0;
    let refused = loop {
        let message = client.hear().await;
        if message["code"] == "rate-limited" {
            break message;
        }
        answered += 1;
    };
    assert!((10..20).contains(&answered), "{answered}: {refused}");
    assert_eq!(client.closed().await, Some(4029));
}
