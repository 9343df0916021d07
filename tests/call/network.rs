//! Calls over a network that changes, between machines of their own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use visavis_tests::headless::{Headless, SMALL, see_each_other};
use visavis_tests::namespaces::{self, Namespaces, in_a_network_of_its_own, replace_own_address};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const BACK_LIMIT: Duration = Duration::from_secs(30);
/// Pictures of two seconds.
const FLOWING: u64 = 30;

/// A server and two people in a call, each on a machine of its own.
async fn call(machines: &Namespaces) -> Result<(RoomServer, [Headless; 2])> {
    let server = RoomServer::start_on(machines, &[]).await?;
    let url = server.url();
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let create = [scene.as_slice(), &["--create", "moving"]].concat();
    let anna = Headless::join_in(machines.name(1), "anna", &url, &create).await?;
    let join = [scene.as_slice(), &["--room", anna.room()]].concat();
    let bert = Headless::join_in(machines.name(2), "bert", &url, &join).await?;
    let people = [anna, bert];
    see_each_other(&people, FLOWING).await?;
    Ok((server, people))
}

/// Waits until both decode new pictures; prints how long the pictures stood still.
async fn pictures_return(people: &[Headless; 2], what: &str) -> Result<()> {
    let since = Instant::now();
    let decoded = |one: usize| {
        let stats = people[one].stats(people[1 - one].member());
        stats.map_or(0, |stats| stats.frames_decoded)
    };
    // What was under way before the change may still arrive.
    let before = [0, 1].map(|one| decoded(one) + FLOWING / 2);
    wait_until("pictures on both sides", BACK_LIMIT, async || {
        Ok([0, 1]
            .iter()
            .all(|one| decoded(*one) > before[*one])
            .then_some(()))
    })
    .await?;
    eprintln!(
        "{what}: a second of new pictures on both sides after {:?}",
        since.elapsed()
    );
    for one in [0, 1] {
        if let Some(stats) = people[one].stats(people[1 - one].member()) {
            eprintln!(
                "side {one}: {} freezes of {} ms together, {} ms of sound concealed",
                stats.freezes,
                stats.freeze_ms,
                stats.concealed_samples / 48
            );
        }
    }
    see_each_other(people, FLOWING).await
}

async fn end(server: RoomServer, people: [Headless; 2]) -> Result<()> {
    for one in people {
        one.leave().await?;
    }
    server.stop().await
}

#[tokio::test]
async fn a_call_goes_on_when_the_address_of_one_side_or_of_both_is_replaced() -> Result<()> {
    let Some(machines) = Namespaces::make(3).await? else {
        eprintln!("not run: network namespaces take root");
        return Ok(());
    };
    let (server, people) = call(&machines).await?;
    machines
        .replace_address(1, &namespaces::address(1), "10.77.0.101")
        .await?;
    pictures_return(&people, "one address replaced").await?;

    machines
        .replace_address(1, "10.77.0.101", "10.77.0.111")
        .await?;
    machines
        .replace_address(2, &namespaces::address(2), "10.77.0.112")
        .await?;
    pictures_return(&people, "both addresses replaced").await?;
    end(server, people).await
}

#[tokio::test]
async fn a_call_goes_on_after_one_side_was_stopped_for_a_while() -> Result<()> {
    let Some(machines) = Namespaces::make(3).await? else {
        eprintln!("not run: network namespaces take root");
        return Ok(());
    };
    let (server, people) = call(&machines).await?;
    people[1].stop_for(Duration::from_secs(40)).await?;
    pictures_return(&people, "stopped for 40 s").await?;
    end(server, people).await
}

#[test]
fn a_lost_address_reconnects_to_the_server_under_the_same_client_id() -> Result<()> {
    in_a_network_of_its_own(async |own_network| {
        if !own_network {
            eprintln!("not run: network namespaces take root");
            return Ok(());
        }
        let server = RoomServer::start(&[]).await?;
        let mut other = PlainClient::connect(&server.url()).await?;
        let room = other.create("moving", 0).await?;
        let arguments = ["--room", &room, "--video", "none", "--audio", "none"];
        let mut ours = Headless::join("ours", &server.url(), &arguments).await?;
        other.hears("member-joined").await?;
        let sockets = || {
            let lines = server.process().stderr();
            lines
                .iter()
                .filter(|line| line.contains("status=101"))
                .count()
        };
        let before = sockets();
        replace_own_address().await?;
        wait_until("another connection to the server", BACK_LIMIT, async || {
            Ok((sockets() > before).then_some(()))
        })
        .await?;
        // Over the new connection.
        let text = json!({"command": "chat", "text": "still here"});
        ours.obeys(&text).await?;
        other.hears("chat").await?;
        let left = |message: &Value| message["type"] == "member-left";
        ensure!(!other.received().iter().any(left), "{:?}", other.received());
        ours.leave().await?;
        server.stop().await
    })
}
