//! Who is in which room, and who waits for a place in one.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::try_join;
use visavis_tests::headless::{Event, Headless, SMALL, parse, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;

const LIMIT: Duration = Duration::from_secs(30);
/// Pictures of two seconds.
const FLOWING: u64 = 30;

/// Two in a room of their own.
async fn pair(server: &RoomServer, names: [&str; 2]) -> Result<[Headless; 2]> {
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let creating = [scene.as_slice(), &["--create", names[0]]].concat();
    let first = Headless::join(names[0], &server.url(), &creating).await?;
    let joining = [scene.as_slice(), &["--room", first.room()]].concat();
    let second = Headless::join(names[1], &server.url(), &joining).await?;
    Ok([first, second])
}

/// The client ids in all that one reported.
fn known_to(one: &Headless) -> BTreeSet<String> {
    let members = one.events().into_iter().filter_map(|event| match event {
        Event::Peer { member, .. } | Event::FirstFrame { member, .. } => Some(member),
        Event::Stats(stats) => Some(stats.member),
        _ => None,
    });
    members.collect()
}

#[tokio::test]
async fn s3_01_s3_34_s3_49_two_pairs_call_in_two_rooms_at_once_and_know_nobody_of_the_other()
-> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let (one, two) = try_join(
        pair(&server, ["anna", "bert"]),
        pair(&server, ["cleo", "dora"]),
    )
    .await?;
    ensure!(one[0].room() != two[0].room(), "{}", one[0].room());
    try_join(see_each_other(&one, FLOWING), see_each_other(&two, FLOWING)).await?;
    for room in [&one, &two] {
        for (me, other) in [(&room[0], &room[1]), (&room[1], &room[0])] {
            let known = known_to(me);
            ensure!(
                known == BTreeSet::from([other.member().to_owned()]),
                "{known:?}"
            );
        }
    }
    for one in one.into_iter().chain(two) {
        one.leave().await?;
    }
    server.stop().await
}

#[tokio::test]
async fn s3_38_s3_59_who_waits_for_a_place_in_a_full_room_is_inside_when_one_leaves() -> Result<()>
{
    let server = RoomServer::start(&[]).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let room = host.create("for two", 2).await?;
    let silent = ["--video", "none", "--audio", "none", "--room", &room];
    let guest = Headless::join("guest", &server.url(), &silent).await?;
    let waiting = [silent.as_slice(), &["--wait"]].concat();
    let mut waits = Headless::begin("waits", &server.url(), &waiting)?;
    let place = waits
        .wait_for_line("its place", LIMIT, |line| match parse(line) {
            Some(Event::Waiting { position, reason }) => Some((position, reason)),
            _ => None,
        })
        .await?;
    ensure!(place == (1, "full".to_owned()), "{place:?}");
    ensure!(host.participants_in(&room).await? == Some(2));
    guest.leave().await?;
    let waits = Headless::joined(waits).await?;
    ensure!(waits.room() == room, "{}", waits.room());
    ensure!(host.participants_in(&room).await? == Some(2));
    waits.leave().await?;
    server.stop().await
}
