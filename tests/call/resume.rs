//! The signalling server goes away; the call does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::proxy::TcpProxy;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

/// A place is kept for 30 s: by then everyone is back.
const BACK_LIMIT: Duration = Duration::from_secs(30);
/// Two seconds' worth.
const FLOWING: u64 = 30;
/// Ten seconds' worth.
const FLOWING_ON: u64 = 150;

async fn pair(url: &str) -> Result<[Headless; 2]> {
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let hosting = [scene.as_slice(), &["--create", "lasting"]].concat();
    let host = Headless::join("host", url, &hosting).await?;
    let joining = [scene.as_slice(), &["--room", host.room()]].concat();
    let guest = Headless::join("guest", url, &joining).await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    Ok([host, guest])
}

fn joins(one: &Headless) -> usize {
    let joined = |event: &Event| matches!(event, Event::Joined { .. });
    one.events().into_iter().filter(joined).count()
}

#[tokio::test]
async fn a_broken_signalling_connection_is_resumed_under_the_same_id_and_the_media_goes_on()
-> Result<()> {
    let server = RoomServer::start(&["--empty-timeout", "0"]).await?;
    let proxy = TcpProxy::start(server.address()).await?;
    let [host, guest] = pair(&format!("ws://{}/ws", proxy.address())).await?;
    let cut = proxy.cut();
    ensure!(cut == 2, "{cut} connections were cut");
    wait_until("both are connected again", BACK_LIMIT, async || {
        Ok((proxy.connected() == 2).then_some(()))
    })
    .await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    // Whoever joins now is told the ids that they had before, and what is said
    // to the room reaches them: they are inside, not just remembered.
    let mut third = PlainClient::connect(&server.url()).await?;
    let inside = third.join(host.room()).await?;
    third
        .say(json!({"type": "chat", "roomId": host.room(), "payload": {"text": "still here?"}}))
        .await?;
    for one in [&host, &guest] {
        ensure!(inside.iter().any(|id| id == one.member()), "{inside:?}");
        one.reports("the chat message", BACK_LIMIT, |event| match event {
            Event::Chat { text, .. } => (text == "still here?").then_some(()),
            _ => None,
        })
        .await?;
        ensure!(joins(one) == 1, "one who resumes does not join again");
    }
    host.leave().await?;
    guest.leave().await?;
    server.stop().await
}

#[tokio::test]
async fn the_media_goes_on_when_the_server_is_gone_for_good() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let [mut host, mut guest] = pair(&server.url()).await?;
    server.kill().await?;
    see_each_other(&[&host, &guest], FLOWING_ON).await?;
    ensure!(host.is_running()? && guest.is_running()?);
    host.leave().await?;
    guest.leave().await?;
    Ok(())
}
