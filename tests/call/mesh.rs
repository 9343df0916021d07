//! Several participants, each connected to each over loopback UDP.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use visavis_tests::headless::{Headless, SMALL, Summary, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;
use visavis_tests::sound::Sound;
use visavis_tests::wait::wait_until;

/// A crashed participant's place is kept for 30 s, in case it comes back.
const GONE_LIMIT: Duration = Duration::from_secs(31);
/// Someone who says goodbye is gone at once.
const LEFT_LIMIT: Duration = Duration::from_secs(10);
/// Pictures that show that a direction carries them: two seconds' worth.
const FLOWING: u64 = 30;
/// Enough that the first ones, before all is connected, do not weigh.
const MEASURED: u64 = 100;
const TRIES: u32 = 3;
/// In seconds.
const HEARD: f64 = 1.0;

/// None is a multiple of another.
const TONES: [u32; 3] = [440, 620, 910];

/// A first participant makes a room, the others follow it.
async fn gather(server: &RoomServer, arguments: &[Vec<&str>]) -> Result<Vec<Headless>> {
    let mut people: Vec<Headless> = Vec::new();
    for (name, arguments) in ["anna", "bert", "cleo", "dora"].into_iter().zip(arguments) {
        let room = people.first().map(|first| first.room().to_owned());
        let way_in = match &room {
            Some(room) => ["--room", room],
            None => ["--create", "mesh"],
        };
        let arguments = [&way_in, arguments.as_slice()].concat();
        people.push(Headless::join(name, &server.url(), &arguments).await?);
    }
    Ok(people)
}

async fn leave_all(people: Vec<Headless>) -> Result<Vec<Summary>> {
    let mut summaries = Vec::new();
    for one in people {
        summaries.push(one.leave().await?);
    }
    Ok(summaries)
}

#[tokio::test]
async fn s3_48_s3_51_three_participants_see_and_hear_each_other_and_the_room_goes_with_the_last()
-> Result<()> {
    let server = RoomServer::start(&["--empty-timeout", "0"]).await?;
    let folder = tempfile::tempdir()?;
    let file = |hertz: &u32| folder.path().join(format!("beside-{hertz}.wav"));
    let heard: Vec<PathBuf> = TONES.iter().map(file).collect();
    let sounds: Vec<[String; 2]> = TONES
        .iter()
        .zip(&heard)
        .map(|(hertz, file)| [format!("tone:{hertz}"), format!("wav:{}", file.display())])
        .collect();
    let arguments: Vec<Vec<&str>> = sounds
        .iter()
        .map(|[audio, play]| vec!["--video", SMALL, "--audio", audio, "--play", play])
        .collect();

    let people = gather(&server, &arguments).await?;
    let room = people[0].room().to_owned();
    see_each_other(&people, FLOWING).await?;
    let (status, _) = server.get(&format!("/rooms/{room}")).await?;
    ensure!(status == 200, "a room with people in it answers {status}");
    leave_all(people).await?;

    for (own, file) in TONES.iter().zip(&heard) {
        let sound = Sound::read(file)?;
        for hertz in TONES {
            let seconds = sound.seconds_of(f64::from(hertz));
            eprintln!("who says {own} Hz hears {hertz} Hz for {seconds:.1} s");
            match hertz == *own {
                true => ensure!(seconds < HEARD / 2.0, "{own} Hz hears itself"),
                false => ensure!(seconds > HEARD, "{own} Hz does not hear {hertz} Hz"),
            }
        }
    }
    wait_until("the empty room is gone", LEFT_LIMIT, async || {
        let (status, _) = server.get(&format!("/rooms/{room}")).await?;
        Ok((status == 404).then_some(()))
    })
    .await?;
    let mut client = PlainClient::connect(&server.url()).await?;
    let join = serde_json::json!({"type": "join-room", "payload": {"roomId": room}});
    let error = client.ask(join, "error").await?;
    ensure!(error["code"] == "room-not-found", "{error}");
    server.stop().await
}

#[tokio::test]
async fn s3_50_the_others_go_on_when_one_leaves_and_when_one_crashes() -> Result<()> {
    let server = RoomServer::start(&["--empty-timeout", "1"]).await?;
    let scene = vec!["--video", SMALL, "--audio", "tone:440"];
    let mut people = gather(&server, &vec![scene; 3]).await?;
    see_each_other(&people, FLOWING).await?;
    let room = people[0].room().to_owned();
    let mut watcher = PlainClient::connect(&server.url()).await?;

    let cleo = people.pop().context("three gathered")?;
    let left = cleo.member().to_owned();
    cleo.leave().await?;
    for one in &people {
        wait_until(
            "the one who left is gone for the others",
            LEFT_LIMIT,
            async || Ok((one.peer_state(&left).as_deref() == Some("closed")).then_some(())),
        )
        .await?;
    }
    ensure!(watcher.participants_in(&room).await? == Some(2));
    see_each_other(&people, FLOWING).await?;

    let bert = people.pop().context("two are left")?;
    let crashed = bert.member().to_owned();
    bert.kill().await?;
    let anna = people.pop().context("one is left")?;
    wait_until(
        "the crashed one is gone for the last",
        GONE_LIMIT,
        async || {
            let gone = anna.peer_state(&crashed).as_deref() == Some("closed");
            let counted = watcher.participants_in(&room).await? == Some(1);
            Ok((gone && counted).then_some(()))
        },
    )
    .await?;
    anna.leave().await?;
    wait_until("the empty room is not listed", LEFT_LIMIT, async || {
        let listed = watcher.participants_in(&room).await?;
        Ok(listed.is_none().then_some(()))
    })
    .await?;
    server.stop().await
}

#[tokio::test]
async fn each_picture_is_encoded_once_however_many_peers_there_are() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    // A loaded machine passes pictures over, now more, now fewer.
    let mut last = Vec::new();
    for _ in 0..TRIES {
        let alone = encoded_share(&server, 2).await?;
        let among_four = encoded_share(&server, 4).await?;
        eprintln!("with one peer {alone:.3} of the captured, with three {among_four:.3}");
        if (alone - among_four).abs() <= 0.02 {
            return server.stop().await;
        }
        last = vec![alone, among_four];
    }
    bail!("encoded of each captured picture, with one peer and with three: {last:?}")
}

/// Encoded pictures for each captured one, of the last to join so many.
async fn encoded_share(server: &RoomServer, size: usize) -> Result<f64> {
    let scene = vec!["--video", SMALL, "--audio", "tone:440"];
    let people = gather(server, &vec![scene; size]).await?;
    see_each_other(&people, MEASURED).await?;
    let summary = leave_all(people).await?.pop().context("nobody there")?;
    ensure!(summary.frames_captured >= MEASURED, "{summary:?}");
    Ok(summary.frames_encoded as f64 / summary.frames_captured as f64)
}
