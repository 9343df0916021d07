//! The network between two of three people is cut while the server is away.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::namespaces::{self, Namespaces};
use visavis_tests::server::{Launch, RoomServer};
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
/// Pictures of two seconds.
const FLOWING: u64 = 30;
/// The longest gap in media that no cut concerns, in milliseconds.
const LONGEST_GAP: f64 = 1_000.0;

async fn server(machines: &Namespaces, database: &str) -> Result<RoomServer> {
    let listen = format!("{}:7420", namespaces::address(0));
    RoomServer::launch(Launch {
        arguments: &["--listen", &listen, "--database", database],
        namespace: Some(machines.name(0)),
        ..Launch::default()
    })
    .await
}

async fn hears(one: &Headless, words: &str) -> Result<()> {
    one.reports(words, LIMIT, |event| match event {
        Event::Chat { text, .. } => (text == words).then_some(()),
        _ => None,
    })
    .await
}

/// Takes away or gives back the way between two machines.
async fn cut(machines: &Namespaces, pair: [usize; 2], what: &str) -> Result<()> {
    for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        let address = format!("{}/32", namespaces::address(other));
        machines
            .run(one, &["route", what, "blackhole", &address])
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_the_server_a_cut_pair_meets_again_through_the_third() -> Result<()> {
    let Some(machines) = Namespaces::make(4).await? else {
        eprintln!("not run: network namespaces take root");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("rooms.db").display());
    let first = server(&machines, &database).await?;
    let url = first.url();
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let create = [scene.as_slice(), &["--create", "cut"]].concat();
    let mut anna = Headless::join_in(machines.name(1), "anna", &url, &create).await?;
    let join = [scene.as_slice(), &["--room", anna.room()]].concat();
    let bert = Headless::join_in(machines.name(2), "bert", &url, &join).await?;
    // Without a camera at first.
    let silent = [
        "--video",
        "none",
        "--audio",
        "tone:440",
        "--room",
        anna.room(),
    ];
    let mut cleo = Headless::join_in(machines.name(3), "cleo", &url, &silent).await?;
    see_each_other(&[&anna, &bert], FLOWING).await?;
    cleo.sees(anna.member(), FLOWING).await?;
    cleo.sees(bert.member(), FLOWING).await?;

    first.kill().await?;
    cut(&machines, [1, 2], "add").await?;
    wait_until("the pair is down", LIMIT, async || {
        let state = anna.peer_state(bert.member());
        Ok((state.as_deref() != Some("connected")).then_some(()))
    })
    .await?;

    // Chat reaches the third at once, and the other side of the cut once the pair
    // meets. A new track starts.
    anna.obeys(&json!({"command": "chat", "text": "around the cut"}))
        .await?;
    hears(&cleo, "around the cut").await?;
    cleo.obeys(&json!({"command": "video", "source": SMALL}))
        .await?;
    anna.sees(cleo.member(), FLOWING).await?;
    bert.sees(cleo.member(), FLOWING).await?;

    // A new address at one side, and a way to it: ICE restarts through the third.
    machines
        .replace_address(1, &namespaces::address(1), "10.77.0.101")
        .await?;
    cut(&machines, [1, 2], "del").await?;
    let since = Instant::now();
    see_each_other(&[&anna, &bert], FLOWING).await?;
    eprintln!(
        "the pair sees each other {:?} after its way is back",
        since.elapsed()
    );
    hears(&bert, "around the cut").await?;
    for (one, other) in [(&bert, &cleo), (&cleo, &bert)] {
        let stats = one.stats(other.member()).context("no statistics")?;
        ensure!(stats.freeze_ms <= LONGEST_GAP, "beside the cut: {stats:?}");
    }

    let second = server(&machines, &database).await?;
    anna.obeys(&json!({"command": "chat", "text": "one room again"}))
        .await?;
    for one in [&bert, &cleo] {
        hears(one, "one room again").await?;
    }
    for one in [&anna, &bert, &cleo] {
        let times = one
            .events()
            .iter()
            .filter(|event| matches!(event, Event::Chat { text, .. } if text == "around the cut"))
            .count();
        ensure!(times == 1, "{} has the message {times} times", one.member());
    }
    see_each_other(&[&anna, &bert, &cleo], FLOWING).await?;
    for one in [anna, bert, cleo] {
        one.leave().await?;
    }
    second.stop().await
}
