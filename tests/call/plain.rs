//! The plain room protocol on either side: it is enough for us, and what goes
//! beyond it reaches only who asked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::plain_server::PlainServer;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const HEARD_LIMIT: Duration = Duration::from_secs(30);

/// Pictures that show that a direction carries them: two seconds' worth.
const FLOWING: u64 = 30;

/// Each message that the plain protocol has from a server, with its fields;
/// then those of a room in it.
const PLAIN: [(&str, &[&str], &[&str]); 10] = [
    // The version and the list of features tell a client what it may ask for.
    ("client-id", &["id", "protocol", "features"], &[]),
    (
        "room-created",
        &["room"],
        &[
            "id",
            "name",
            "createdAt",
            "host",
            "maxParticipants",
            "participants",
        ],
    ),
    ("room-joined", &["room"], &["id", "participants"]),
    (
        "member-joined",
        &["roomId", "memberId", "participants"],
        &[],
    ),
    ("member-left", &["roomId", "memberId", "participants"], &[]),
    (
        "rooms-list",
        &["rooms"],
        &["id", "name", "participantCount"],
    ),
    ("offer", &["roomId", "from", "payload"], &[]),
    ("answer", &["roomId", "from", "payload"], &[]),
    ("ice-candidate", &["roomId", "from", "payload"], &[]),
    ("chat", &["roomId", "from", "payload"], &[]),
];

fn ensure_plain(message: &Value) -> Result<()> {
    let kind = message["type"].as_str().context("a message has a type")?;
    let (_, fields, of_room) = PLAIN
        .iter()
        .find(|(known, ..)| *known == kind)
        .with_context(|| format!("the plain protocol has no such message: {message}"))?;
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object();
        object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
    };
    for key in keys(message) {
        ensure!(
            key == "type" || fields.contains(&key.as_str()),
            "{kind} has no {key} in the plain protocol: {message}"
        );
    }
    let listed = message["rooms"].as_array().into_iter().flatten();
    for key in listed.chain([&message["room"]]).flat_map(keys) {
        ensure!(
            of_room.contains(&key.as_str()),
            "a room in {kind} has no {key} in the plain protocol: {message}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn s0_28_s3_47_a_plain_server_is_enough_for_a_call_with_chat() -> Result<()> {
    let server = PlainServer::start().await?;
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let hosting = [scene.as_slice(), &["--create", "plain"]].concat();
    let host = Headless::join("host", &server.url(), &hosting).await?;
    let joining = [scene.as_slice(), &["--room", host.room()]].concat();
    let guest = Headless::join("guest", &server.url(), &joining).await?;
    see_each_other(&[&host, &guest], FLOWING).await?;

    let mut third = PlainClient::connect(&server.url()).await?;
    third.join(host.room()).await?;
    let words = "Guten Tag, zusammen";
    third
        .say(json!({"type": "chat", "roomId": host.room(), "payload": {"text": words}}))
        .await?;
    let expected = Event::Chat {
        member: third.id().to_owned(),
        text: words.to_owned(),
    };
    for one in [&host, &guest] {
        one.reports("the chat message", HEARD_LIMIT, |event| {
            (event == expected).then_some(())
        })
        .await?;
    }
    guest.leave().await?;
    host.leave().await?;
    Ok(())
}

#[tokio::test]
async fn plain_clients_see_nothing_beyond_the_plain_protocol_beside_one_who_uses_everything()
-> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let room = host.create("mixed", 0).await?;
    let mut guest = PlainClient::connect(&server.url()).await?;
    let inside = guest.join(&room).await?;
    ensure!(inside == [host.id(), guest.id()], "{inside:?}");

    let joining = ["--room", &room, "--video", SMALL, "--audio", "tone:440"];
    let full = Headless::join("full", &server.url(), &joining).await?;
    // A newcomer offers to everyone inside.
    for one in [&host, &guest] {
        let joined = one.hears("member-joined").await?;
        ensure!(joined["roomId"] == room.as_str(), "{joined}");
        let offer = one.hears("offer").await?;
        ensure!(offer["from"] == full.member(), "{offer}");
        ensure!(offer["payload"]["sdp"].is_string(), "{offer}");
    }
    // One who comes later and does not offer is offered to.
    let mut late = PlainClient::connect(&server.url()).await?;
    late.join(&room).await?;
    late.hears("offer").await?;

    late.say(json!({"type": "chat", "roomId": room, "payload": {"text": "hello"}}))
        .await?;
    let said =
        json!({"type": "chat", "roomId": room, "from": late.id(), "payload": {"text": "hello"}});
    for one in [&host, &guest, &late] {
        let chat = one.hears("chat").await?;
        ensure!(chat == said, "{chat}");
    }
    ensure!(late.participants_in(&room).await? == Some(4));
    let member = full.member().to_owned();
    full.leave().await?;
    for one in [&host, &guest, &late] {
        wait_until("everyone hears that it left", HEARD_LIMIT, async || {
            let left = |message: &Value| {
                message["type"] == "member-left" && message["memberId"] == member.as_str()
            };
            Ok(one.received().iter().any(left).then_some(()))
        })
        .await?;
        for message in one.received() {
            ensure_plain(&message)?;
        }
    }
    server.stop().await
}
