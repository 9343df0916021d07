//! Which video flows, and in which size.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use visavis_tests::headless::{Headless, SMALL, Stats};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);
const SCREEN: &str = "synthetic:480x270@15";
/// Pictures of two seconds.
const FLOWING: u64 = 30;

/// Waits until the newest figures of a member meet the condition.
async fn shows(
    one: &Headless,
    member: &str,
    what: &str,
    condition: impl Fn(&Stats) -> bool,
) -> Result<()> {
    wait_until(what, LIMIT, async || {
        let stats = one.stats(member);
        Ok(stats.is_some_and(|stats| condition(&stats)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_screen_is_shared_beside_the_camera_and_its_share_ends() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let mut anna = Headless::join("anna", &url, &["--video", SMALL, "--create", "share"]).await?;
    let join = ["--video", SMALL, "--room", anna.room()].map(str::to_owned);
    let join: Vec<&str> = join.iter().map(String::as_str).collect();
    let bert = Headless::join("bert", &url, &join).await?;
    bert.sees(anna.member(), FLOWING).await?;
    anna.obeys(&json!({"command": "share", "source": SCREEN}))
        .await?;
    let member = anna.member().to_owned();
    shows(&bert, &member, "the screen", |stats| {
        stats.screen_frames_decoded >= FLOWING
    })
    .await?;
    // One who comes later sees it, too.
    let cleo = Headless::join("cleo", &url, &join).await?;
    shows(&cleo, &member, "the screen", |stats| {
        stats.screen_frames_decoded >= FLOWING
    })
    .await?;
    bert.sees(&member, FLOWING).await?;
    anna.obeys(&json!({"command": "share", "source": "none"}))
        .await?;
    let shown = |one: &Headless| {
        one.stats(&member)
            .map_or(0, |stats| stats.screen_frames_decoded)
    };
    let mut last = shown(&bert);
    wait_until("the end of the share", LIMIT, async || {
        bert.sees(&member, FLOWING).await?;
        let now = shown(&bert);
        let has_ended = now == last;
        last = now;
        Ok(has_ended.then_some(()))
    })
    .await?;
    for one in [anna, bert, cleo] {
        one.leave().await?;
    }
    server.stop().await
}

#[tokio::test]
async fn each_one_gets_the_size_that_it_shows_and_nothing_of_what_it_hides() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let create = [scene.as_slice(), &["--create", "sizes"]].concat();
    let anna = Headless::join("anna", &url, &create).await?;
    let room = anna.room().to_owned();
    let join = [scene.as_slice(), &["--room", &room]].concat();
    let bert = Headless::join("bert", &url, &join).await?;
    let small = [join.as_slice(), &["--show", "160x90"]].concat();
    let mut cleo = Headless::join("cleo", &url, &small).await?;
    let (member, of_cleo) = (anna.member().to_owned(), cleo.member().to_owned());
    shows(&cleo, &member, "half the size", |stats| stats.width == 160).await?;
    bert.sees(&member, FLOWING).await?;
    let size = |one: &Headless, of: &str| one.stats(of).map(|stats| (stats.width, stats.height));
    ensure!(size(&bert, &member) == Some((320, 180)), "the full size");
    ensure!(size(&anna, &of_cleo) == Some((320, 180)), "the full size");
    cleo.obeys(&json!({"command": "show", "size": "320x180"}))
        .await?;
    shows(&cleo, &member, "the full size", |stats| stats.width == 320).await?;
    cleo.obeys(&json!({"command": "show", "size": "0x0"}))
        .await?;
    let decoded = |one: &Headless| one.stats(&member).map_or(0, |stats| stats.frames_decoded);
    let mut last = decoded(&cleo);
    wait_until("no video of those who are hidden", LIMIT, async || {
        bert.sees(&member, FLOWING).await?;
        let now = decoded(&cleo);
        let has_ended = now == last;
        last = now;
        Ok(has_ended.then_some(()))
    })
    .await?;
    cleo.obeys(&json!({"command": "show", "size": "80x45"}))
        .await?;
    shows(&cleo, &member, "a quarter of the size", |stats| {
        stats.frames_decoded > last && stats.width == 80
    })
    .await?;
    for one in [anna, bert, cleo] {
        one.leave().await?;
    }
    server.stop().await
}
