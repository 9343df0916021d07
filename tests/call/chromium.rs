//! Calls with a browser that speaks the plain room protocol.

use anyhow::{Result, ensure};
use serde_json::Value;
use visavis_tests::chromium::Chromium;
use visavis_tests::headless::{Headless, SMALL};
use visavis_tests::page::Page;
use visavis_tests::plain_server::PlainServer;
use visavis_tests::server::RoomServer;

/// Pictures that show that a direction carries them: two seconds' worth.
const FLOWING: u64 = 30;
const TONE: [&str; 2] = ["--audio", "tone:440"];

fn count(peer: &Value, key: &str) -> u64 {
    peer[key].as_u64().unwrap_or(0)
}

/// Whether pictures whose time can be read, and sound, come from the peer.
fn flows(peer: &Value) -> bool {
    count(peer, "framesDecoded") >= FLOWING
        && count(peer, "timeCodes") >= FLOWING
        && peer["totalAudioEnergy"].as_f64() > Some(0.0)
}

/// Both ways: pictures in the wanted codec, and sound.
async fn flows_both_ways(
    ours: &Headless,
    page: &mut Page,
    theirs: &str,
    codec: &str,
) -> Result<()> {
    let figures = page
        .sees(ours.member(), "our media in Chromium", flows)
        .await?;
    ensure!(figures["codec"] == codec, "Chromium receives {figures}");
    ensure!(figures["sentCodec"] == codec, "Chromium sends {figures}");
    ensure!(
        (
            count(&figures, "frameWidth"),
            count(&figures, "frameHeight")
        ) == (320, 180),
        "Chromium sees {figures}"
    );
    let stats = ours.sees(theirs, FLOWING).await?;
    ensure!(stats.width > 0 && stats.audio_energy > 0.0, "{stats:?}");
    ensure!(figures["errors"] == serde_json::json!([]), "{figures}");
    Ok(())
}

/// Chromium's fake camera and microphone, and this codec alone.
fn devices(codec: &str) -> String {
    format!("source=camera&width=320&height=180&fps=15&codec={codec}")
}

async fn chromium_follows(chromium: &Chromium, server: &RoomServer, codec: &str) -> Result<()> {
    let arguments = ["--create", "ours", "--video", SMALL, "--codec", codec];
    let arguments = [arguments.as_slice(), &TONE].concat();
    let host = Headless::join("host", &server.url(), &arguments).await?;
    let query = format!("room={}&{}", host.room(), devices(codec));
    let mut page = chromium.participant(&server.url(), &query).await?;
    let (_, theirs) = page.inside().await?;
    flows_both_ways(&host, &mut page, &theirs, &mime(codec)).await?;
    page.evaluate("window.leave()").await?;
    host.leave().await?;
    Ok(())
}

async fn chromium_leads(chromium: &Chromium, server: &RoomServer, codec: &str) -> Result<()> {
    let query = format!("create=theirs&{}", devices(codec));
    let mut page = chromium.participant(&server.url(), &query).await?;
    let (room, theirs) = page.inside().await?;
    let arguments = ["--room", &room, "--video", SMALL, "--codec", codec];
    let arguments = [arguments.as_slice(), &TONE].concat();
    let guest = Headless::join("guest", &server.url(), &arguments).await?;
    flows_both_ways(&guest, &mut page, &theirs, &mime(codec)).await?;
    guest.leave().await?;
    page.evaluate("window.leave()").await?;
    Ok(())
}

fn mime(codec: &str) -> String {
    format!("video/{}", codec.to_uppercase())
}

#[tokio::test]
async fn a_browser_calls_us_and_we_call_it_in_vp8() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let chromium = Chromium::start().await?;
    chromium_follows(&chromium, &server, "vp8").await?;
    chromium_leads(&chromium, &server, "vp8").await?;
    server.stop().await
}

#[tokio::test]
async fn a_browser_calls_us_and_we_call_it_in_h264() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let chromium = Chromium::start().await?;
    chromium_follows(&chromium, &server, "h264").await?;
    chromium_leads(&chromium, &server, "h264").await?;
    server.stop().await
}

#[tokio::test]
async fn two_browsers_call_each_other_through_the_plain_server() -> Result<()> {
    let server = PlainServer::start().await?;
    let chromium = Chromium::start().await?;
    let query = "create=browsers&source=canvas";
    let mut host = chromium.participant(&server.url(), query).await?;
    let (room, leading) = host.inside().await?;
    let query = format!("room={room}&source=canvas");
    let mut guest = chromium.participant(&server.url(), &query).await?;
    let (_, following) = guest.inside().await?;
    host.sees(&following, "the guest in the host", flows)
        .await?;
    guest.sees(&leading, "the host in the guest", flows).await?;
    Ok(())
}
