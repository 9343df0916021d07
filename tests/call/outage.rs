//! The server is killed in a call of three, and comes back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::ports;
use visavis_tests::server::{Launch, RoomServer};
use visavis_tests::wait::wait_until;

/// The pause between two attempts to reconnect is 4 s at most, and 10 s while the
/// server does not know the room.
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// Pictures of two seconds.
const FLOWING: u64 = 30;
const SHORT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(120);

async fn server(name: &str, arguments: &[&str]) -> Result<RoomServer> {
    RoomServer::launch(Launch {
        name,
        arguments,
        ..Launch::default()
    })
    .await
}

async fn gather(url: &str) -> Result<[Headless; 3]> {
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let creating = [scene.as_slice(), &["--create", "lasting"]].concat();
    let anna = Headless::join("anna", url, &creating).await?;
    let joining = [scene.as_slice(), &["--room", anna.room()]].concat();
    let bert = Headless::join("bert", url, &joining).await?;
    let cleo = Headless::join("cleo", url, &joining).await?;
    Ok([anna, bert, cleo])
}

fn lost(one: &Headless) -> Vec<Event> {
    let is_lost = |event: &Event| matches!(event, Event::Peer { state, .. } if state == "closed");
    one.events().into_iter().filter(is_lost).collect()
}

/// Kills the server, lets the outage pass, and starts it again.
async fn survives(arguments: &[&str], outage: Duration) -> Result<()> {
    let listen = format!("127.0.0.1:{}", ports::free()?);
    let arguments = [&["--listen", listen.as_str()], arguments].concat();
    let first = server("first", &arguments).await?;
    let people = gather(&first.url()).await?;
    see_each_other(&people, FLOWING).await?;

    first.kill().await?;
    let killed = Instant::now();
    while killed.elapsed() < outage {
        see_each_other(&people, FLOWING).await?;
    }

    let second = server("second", &arguments).await?;
    let room = people[0].room().to_owned();
    let mut client = PlainClient::connect(&second.url()).await?;
    wait_until("all three are in the room again", BACK_LIMIT, async || {
        let count = client.participants_in(&room).await?;
        Ok((count == Some(3)).then_some(()))
    })
    .await?;
    let inside = client.join(&room).await?;
    ensure!(inside.len() == 4, "{inside:?}");
    client
        .say(json!({"type": "chat", "roomId": room, "payload": {"text": "one room"}}))
        .await?;
    for one in &people {
        one.reports("the chat message", BACK_LIMIT, |event| match event {
            Event::Chat { text, .. } => (text == "one room").then_some(()),
            _ => None,
        })
        .await?;
        let lost = lost(one);
        ensure!(lost.is_empty(), "{} lost someone: {lost:?}", one.member());
    }
    see_each_other(&people, FLOWING).await?;
    for one in &people {
        for other in people.iter().filter(|other| other.member() != one.member()) {
            let stats = one.stats(other.member()).context("no statistics")?;
            eprintln!(
                "{} sees {}: {} freezes of {} ms together",
                one.member(),
                other.member(),
                stats.freezes,
                stats.freeze_ms
            );
        }
    }
    for one in people {
        one.leave().await?;
    }
    second.stop().await
}

fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("rooms.db").display())
}

#[tokio::test]
async fn a_call_of_three_outlives_its_server_on_sqlite_and_is_one_room_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    survives(&["--database", &database(folder.path())], SHORT).await
}

#[tokio::test]
async fn a_call_of_three_outlives_its_server_in_memory_and_is_one_room_again() -> Result<()> {
    let key = "5a".repeat(32);
    survives(&["--state-key", &key], SHORT).await
}

#[tokio::test]
#[ignore = "long: two minutes without a server"]
async fn a_call_of_three_outlives_its_server_for_two_minutes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    survives(&["--database", &database(folder.path())], LONG).await
}

#[tokio::test]
#[ignore = "long: ten minutes without a server"]
async fn a_call_of_three_outlives_its_server_for_ten_minutes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    survives(&["--database", &database(folder.path())], 5 * LONG).await
}
