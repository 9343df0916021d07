//! Whatever a client sends: a clear error, and everything else goes on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// WebSocket's close code for a message that is too big (RFC 6455, section 7.4.1).
const TOO_BIG: u16 = 1009;

/// What a member of a room may send by mistake, and the code of the answer.
fn mistakes(stranger: &str) -> Vec<(Message, &'static str)> {
    let text = |value: Value| Message::text(value.to_string());
    vec![
        (Message::text("nonsense"), "bad-message"),
        (Message::text("{\"type\":\"chat\""), "bad-message"),
        (text(json!(["type", "chat"])), "bad-message"),
        (text(json!({"payload": {}})), "bad-message"),
        (text(json!({"type": 7})), "bad-message"),
        (text(json!({"type": "make-coffee"})), "unknown-type"),
        (text(json!({"type": "join-room"})), "bad-message"),
        (
            text(json!({"type": "join-room", "payload": {"roomId": 7}})),
            "bad-message",
        ),
        (
            text(json!({"type": "create-room", "payload": {"name": {}}})),
            "bad-message",
        ),
        (
            text(json!({"type": "create-room", "payload": {"name": "second"}})),
            "already-in-room",
        ),
        (
            text(json!({"type": "offer", "payload": {"sdp": "", "type": "offer"}})),
            "bad-message",
        ),
        (
            text(json!({"type": "offer", "to": stranger, "payload": "sdp"})),
            "bad-message",
        ),
        (
            text(json!({"type": "offer", "to": stranger, "payload": {}})),
            "member-not-found",
        ),
        (
            text(json!({"type": "ice-candidate", "to": "nobody", "payload": {}})),
            "member-not-found",
        ),
        (text(json!({"type": "chat"})), "bad-message"),
        (Message::binary(vec![0xFF, 0x00, 0x7B]), "bad-message"),
        (
            text(json!({"type": "chat", "payload": "x".repeat(300 * 1024)})),
            "message-too-large",
        ),
    ]
}

#[tokio::test]
async fn a_mistake_brings_its_error_and_neither_the_connection_nor_the_others_are_harmed()
-> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut clumsy = PlainClient::connect(&server.url()).await?;
    let room = clumsy.create("china shop", 0).await?;
    let mut other = PlainClient::connect(&server.url()).await?;
    other.join(&room).await?;
    let mut stranger = PlainClient::connect(&server.url()).await?;
    stranger.create("elsewhere", 0).await?;
    let before = (other.received().len(), stranger.received().len());

    for (mistake, code) in mistakes(stranger.id()) {
        let shown: String = mistake.to_string().chars().take(80).collect();
        let error = clumsy.is_refused(mistake).await.context(shown.clone())?;
        ensure!(error["code"] == code, "{shown}: {error}");
        ensure!(error["message"].is_string(), "{shown}: {error}");
    }
    ensure!((other.received().len(), stranger.received().len()) == before);

    let said = json!({"type": "chat", "roomId": room, "payload": {"text": "sorry"}});
    clumsy.ask(said, "chat").await?;
    other.hears("chat").await?;
    server.stop().await
}

#[tokio::test]
async fn a_huge_message_ends_only_the_connection_that_sent_it() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let room = host.create("large", 0).await?;
    let mut huge = PlainClient::connect(&server.url()).await?;
    huge.join(&room).await?;
    // The server may hang up before it has read it all.
    let _ = huge.say_raw(Message::text("x".repeat(2 << 20))).await;
    wait_until("the server hangs up", CLOSE_LIMIT, async || {
        Ok((huge.closed() == Some(TOO_BIG)).then_some(()))
    })
    .await?;
    let left = host.hears("member-left").await?;
    ensure!(left["memberId"] == huge.id(), "{left}");
    ensure!(host.participants_in(&room).await? == Some(1));
    server.stop().await
}

#[tokio::test]
async fn a_full_room_and_a_room_that_is_not_are_refused_by_their_codes() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let room = host.create("for two", 2).await?;
    PlainClient::connect(&server.url())
        .await?
        .join(&room)
        .await?;
    // Whoever drops the socket is gone at once, and the place is free again.
    host.hears("member-left").await?;
    let mut guest = PlainClient::connect(&server.url()).await?;
    guest.join(&room).await?;

    let mut third = PlainClient::connect(&server.url()).await?;
    for (id, code) in [
        (room.as_str(), "room-full"),
        ("abc-defg-hij", "room-not-found"),
    ] {
        let join = json!({"type": "join-room", "payload": {"roomId": id}});
        let error = third.ask(join, "error").await?;
        ensure!(error["code"] == code, "{error}");
    }
    server.stop().await
}
