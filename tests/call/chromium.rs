//! Calls with a browser that speaks the plain room protocol.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use visavis_tests::chromium::{Chromium, Page};
use visavis_tests::plain_server::PlainServer;
use visavis_tests::wait::wait_until;

const MEDIA_LIMIT: Duration = Duration::from_secs(60);

/// Waits until the page is in its room; gives the room's id and its own.
async fn inside(page: &mut Page) -> Result<(String, String)> {
    wait_until("Chromium is inside", MEDIA_LIMIT, async || {
        let stats = page.evaluate("window.stats?.()").await?;
        let text = |key: &str| stats[key].as_str().map(str::to_owned);
        Ok(text("room").zip(text("id")))
    })
    .await
}

/// Waits until the page's figures of its only peer satisfy `enough`.
async fn receives(page: &mut Page, what: &str, enough: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    wait_until(what, MEDIA_LIMIT, async || {
        let stats = page.evaluate("window.stats()").await?;
        let peer = stats["peers"]
            .as_object()
            .and_then(|peers| peers.values().next());
        last = peer.cloned().unwrap_or(Value::Null);
        Ok(enough(&last).then(|| last.clone()))
    })
    .await
    .with_context(|| format!("last figures: {last}"))
}

#[tokio::test]
async fn two_browsers_call_each_other_through_the_plain_server() -> Result<()> {
    let server = PlainServer::start().await?;
    let chromium = Chromium::start().await?;
    let mut host = chromium
        .participant(&server.url(), "create=browsers&source=canvas")
        .await?;
    let (room, _) = inside(&mut host).await?;
    let query = format!("room={room}&source=canvas&codec=vp8");
    let mut guest = chromium.participant(&server.url(), &query).await?;
    for page in [&mut host, &mut guest] {
        let figures = receives(page, "a picture with its time, and sound", |peer| {
            peer["timeCodes"].as_u64() > Some(30) && peer["totalAudioEnergy"].as_f64() > Some(0.0)
        })
        .await?;
        eprintln!("{figures}");
    }
    Ok(())
}
