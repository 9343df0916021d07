//! The network between two of three people is cut while the server is away.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::namespaces::{self, Namespaces};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
/// As of the other outages.
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// Pictures of two seconds.
const FLOWING: u64 = 30;
/// The longest gap in media that no cut concerns, in milliseconds.
const LONGEST_GAP: f64 = 1_000.0;

async fn hears(one: &Headless, words: &str) -> Result<()> {
    one.reports(words, LIMIT, |event| match event {
        Event::Chat { text, .. } => (text == words).then_some(()),
        _ => None,
    })
    .await
}

/// Takes away the way between the addresses of two machines.
async fn cut(machines: &Namespaces, pair: [usize; 2]) -> Result<()> {
    for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        let address = format!("{}/32", namespaces::address(other));
        machines
            .run(one, &["route", "add", "blackhole", &address])
            .await?;
    }
    Ok(())
}

/// In a call of three whose server is killed, the network of a pair is cut and restored
/// on new addresses; after `outage` the server returns.
async fn without_the_server(outage: Duration) -> Result<()> {
    let Some(machines) = Namespaces::make(5).await? else {
        eprintln!("not run: network namespaces take root");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("rooms.db").display());
    let server = RoomServer::start_on(&machines, &["--database", &database]).await?;
    let url = server.url();
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let create = [scene.as_slice(), &["--create", "cut"]].concat();
    let mut anna = Headless::join_in(machines.name(1), "anna", &url, &create).await?;
    let room = anna.room().to_owned();
    let join = [scene.as_slice(), &["--room", &room]].concat();
    let bert = Headless::join_in(machines.name(2), "bert", &url, &join).await?;
    // Without a camera at first.
    let silent = ["--video", "none", "--audio", "tone:440", "--room", &room];
    let mut cleo = Headless::join_in(machines.name(3), "cleo", &url, &silent).await?;
    see_each_other(&[&anna, &bert], FLOWING).await?;
    cleo.sees(anna.member(), FLOWING).await?;
    cleo.sees(bert.member(), FLOWING).await?;

    server.kill().await?;
    let killed = Instant::now();
    cut(&machines, [1, 2]).await?;
    wait_until("the pair is down", LIMIT, async || {
        let state = anna.peer_state(bert.member());
        Ok((state.as_deref() != Some("connected")).then_some(()))
    })
    .await?;

    // Chat reaches the third, and a new track starts.
    anna.obeys(&json!({"command": "chat", "text": "around the cut"}))
        .await?;
    hears(&cleo, "around the cut").await?;
    cleo.obeys(&json!({"command": "video", "source": SMALL}))
        .await?;
    anna.sees(cleo.member(), FLOWING).await?;
    bert.sees(cleo.member(), FLOWING).await?;

    // The two get new addresses, between which there is a way: ICE restarts through
    // the third.
    for (machine, address) in [(1, "10.77.1.1/24"), (2, "10.77.1.2/24")] {
        let add = ["addr", "add", address, "dev", "eth0"];
        machines.run(machine, &add).await?;
    }
    let since = Instant::now();
    see_each_other(&[&anna, &bert], FLOWING).await?;
    eprintln!(
        "the pair sees each other {:?} after the new addresses",
        since.elapsed()
    );
    wait_until("the length of the outage", outage + LIMIT, async || {
        Ok((killed.elapsed() >= outage).then_some(()))
    })
    .await?;

    let back = RoomServer::start_on(&machines, &["--database", &database]).await?;
    let dora = Headless::join_in(machines.name(4), "dora", &url, &join).await?;
    wait_until("all three are in dora's room", BACK_LIMIT, async || {
        let events = dora.events();
        let connected = events.iter().filter_map(|event| match event {
            Event::Peer { member, state } if state == "connected" => Some(member),
            _ => None,
        });
        Ok((connected.collect::<HashSet<_>>().len() == 3).then_some(()))
    })
    .await?;
    see_each_other(&[&anna, &bert, &cleo], FLOWING).await?;
    cleo.obeys(&json!({"command": "chat", "text": "one room"}))
        .await?;
    for one in [&anna, &bert, &cleo] {
        hears(one, "one room").await?;
        // Bert, who was cut off, has it from the history.
        hears(one, "around the cut").await?;
        let times = one
            .events()
            .into_iter()
            .filter(|event| matches!(event, Event::Chat { text, .. } if text == "around the cut"));
        ensure!(times.count() == 1, "{} has it twice", one.member());
    }
    for (one, other) in [
        (&bert, &cleo),
        (&cleo, &bert),
        (&anna, &cleo),
        (&cleo, &anna),
    ] {
        let stats = one.stats(other.member()).context("no statistics")?;
        ensure!(stats.freeze_ms <= LONGEST_GAP, "beside the cut: {stats:?}");
    }

    for one in [anna, bert, cleo, dora] {
        one.leave().await?;
    }
    back.stop().await
}

#[tokio::test]
async fn without_the_server_a_cut_pair_meets_again_through_the_third() -> Result<()> {
    without_the_server(Duration::ZERO).await
}

#[tokio::test]
#[ignore = "long: two minutes without a server"]
async fn a_cut_pair_and_its_call_outlive_two_minutes_without_the_server() -> Result<()> {
    without_the_server(Duration::from_secs(120)).await
}
