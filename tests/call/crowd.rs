//! Meshes as large as they get: everyone joins within a second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use visavis_tests::headless::{Event, Headless, SMALL};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);

/// Starts so many at once, in the room if there is one.
async fn join(
    server: &RoomServer,
    room: Option<&str>,
    names: std::ops::Range<usize>,
    scene: &[&str],
) -> Result<Vec<Headless>> {
    let url = server.url();
    let people = names.map(|number| {
        let url = url.clone();
        let way_in = match room {
            Some(room) => ["--room", room],
            None => ["--create", "crowd"],
        };
        let arguments = [&way_in, scene].concat();
        async move { Headless::join(&format!("person{number}"), &url, &arguments).await }
    });
    try_join_all(people).await
}

fn is_up(one: &Headless, others: &[Headless], with_camera: bool) -> bool {
    let events = one.events();
    others
        .iter()
        .filter(|other| other.member() != one.member())
        .all(|other| {
            events.iter().any(|event| match event {
                Event::FirstFrame { member, .. } if with_camera => member == other.member(),
                Event::Peer { member, state } if !with_camera => {
                    member == other.member() && state == "connected"
                }
                _ => false,
            })
        })
}

/// Waits until every pair is up; prints the time since the last one joined, and with
/// cameras the longest time from a join to a first frame.
async fn all_up(people: &[Headless], with_camera: bool, what: &str) -> Result<()> {
    let since = Instant::now();
    wait_until("every pair is up", LIMIT, async || {
        let up = people.iter().all(|one| is_up(one, people, with_camera));
        Ok(up.then_some(()))
    })
    .await?;
    let present = |id: &str| people.iter().any(|one| one.member() == id);
    let frames = people
        .iter()
        .flat_map(Headless::events)
        .filter_map(|event| match event {
            Event::FirstFrame { member, ms } if present(&member) => Some(ms),
            _ => None,
        });
    eprintln!(
        "{what}: all {} pairs are up {:?} after the last join; the latest first frame {:?} ms \
         after its join",
        people.len() * (people.len() - 1) / 2,
        since.elapsed(),
        frames.max(),
    );
    Ok(())
}

async fn crowd(size: usize, scene: &[&str], with_camera: bool) -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut people = join(&server, None, 0..1, scene).await?;
    let room = people[0].room().to_owned();
    people.extend(join(&server, Some(&room), 1..size, scene).await?);
    all_up(&people, with_camera, "at the start").await?;
    for _ in 0..size / 2 {
        people.pop().context("half are left")?.kill().await?;
    }
    let again = size - size / 2..size;
    people.extend(join(&server, Some(&room), again, scene).await?);
    all_up(&people, with_camera, "after half were killed").await?;
    try_join_all(people.into_iter().map(Headless::leave)).await?;
    server.stop().await
}

#[tokio::test]
#[ignore = "long: a benchmark of large meshes"]
async fn eight_with_cameras_see_each_other_also_after_half_were_killed() -> Result<()> {
    crowd(8, &["--video", SMALL, "--audio", "tone:440"], true).await
}

#[tokio::test]
#[ignore = "long: a benchmark of large meshes"]
async fn fourteen_with_sound_connect_also_after_half_were_killed() -> Result<()> {
    crowd(14, &["--video", "none", "--audio", "tone:440"], false).await
}
