//! What a host or an administrator decides in a running call.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);
/// Pictures of two seconds.
const FLOWING: u64 = 30;

/// Calls a method of the room service, as LiveKit's SDKs do.
async fn ask(server: &RoomServer, method: &str, request: Value) -> Result<Value> {
    let path = format!("/twirp/livekit.RoomService/{method}");
    let answer = server.http().post(&path, &request).await?;
    ensure!(
        answer.status == 200,
        "{method}: {} {}",
        answer.status,
        answer.text
    );
    Ok(answer.json)
}

/// The sid of the microphone of a participant, by its identity.
async fn microphone(server: &RoomServer, room: &str, identity: &str) -> Result<Option<String>> {
    let inside = ask(server, "ListParticipants", json!({"room": room})).await?;
    let mut people = inside["participants"].as_array().into_iter().flatten();
    let person = people.find(|one| one["identity"] == identity);
    let tracks = person.and_then(|one| one["tracks"].as_array());
    let mut tracks = tracks.into_iter().flatten();
    let found = tracks.find(|track| track["source"] == "MICROPHONE");
    Ok(found.and_then(|track| track["sid"].as_str().map(str::to_owned)))
}

/// The server's identity of the participant with this name.
async fn identity(server: &RoomServer, room: &str, name: &str) -> Result<String> {
    let inside = ask(server, "ListParticipants", json!({"room": room})).await?;
    let mut people = inside["participants"].as_array().into_iter().flatten();
    let person = people.find(|one| one["name"] == name);
    let identity = person.and_then(|one| one["identity"].as_str());
    Ok(identity.context("nobody has this name")?.to_owned())
}

#[tokio::test]
async fn mute_grants_removal_and_the_end_of_the_room_are_obeyed() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let creating = [scene.as_slice(), &["--create", "led"]].concat();
    let anna = Headless::join("anna", &server.url(), &creating).await?;
    let room = anna.room().to_owned();
    let joining = [scene.as_slice(), &["--room", &room]].concat();
    let bert = Headless::join("bert", &server.url(), &joining).await?;
    see_each_other(&[&anna, &bert], FLOWING).await?;
    let who = identity(&server, &room, "bert").await?;

    let sid = wait_until("bert's microphone is announced", LIMIT, async || {
        microphone(&server, &room, &who).await
    })
    .await?;
    let mute = json!({"room": room, "identity": who, "trackSid": sid, "muted": true});
    ask(&server, "MutePublishedTrack", mute).await?;
    bert.reports("that it was muted", LIMIT, |event| match event {
        Event::Muted { source } => (source == "microphone").then_some(()),
        _ => None,
    })
    .await?;

    let permit = async |may: bool| {
        let permission = json!({"canPublish": may, "canSubscribe": true, "canPublishData": true});
        let update = json!({"room": room, "identity": who, "permission": permission});
        ask(&server, "UpdateParticipant", update).await
    };
    permit(false).await?;
    wait_until("nothing of bert arrives", LIMIT, async || {
        let stats = anna.stats(bert.member());
        Ok(stats.filter(|stats| stats.received_kbps == 0.0).map(drop))
    })
    .await?;
    bert.sees(anna.member(), FLOWING).await?;
    permit(true).await?;
    anna.sees(bert.member(), FLOWING).await?;

    ask(
        &server,
        "RemoveParticipant",
        json!({"room": room, "identity": who}),
    )
    .await?;
    let (status, events) = bert.ends().await?;
    let error = Event::Error {
        code: "removed".to_owned(),
    };
    ensure!(status == Some(1) && events.contains(&error), "{events:?}");
    ensure!(
        ended(&events) == Some("removed-by-administrator"),
        "{events:?}"
    );
    ask(&server, "DeleteRoom", json!({"room": room})).await?;
    let (status, events) = anna.ends().await?;
    ensure!(
        status == Some(0) && ended(&events) == Some("deleted"),
        "{events:?}"
    );
    server.stop().await
}

/// Why the call ended.
fn ended(events: &[Event]) -> Option<&str> {
    events.iter().rev().find_map(|event| match event {
        Event::Ended { reason } => Some(reason.as_str()),
        _ => None,
    })
}
