//! Two people, two windows, one call.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use visavis_tests::wait::wait_until;
use visavis_tests::window::Window;

const PICTURE_LIMIT: Duration = Duration::from_secs(60);
/// Of 255: noise of a codec on a still picture is below 1.
const MOVING: f64 = 2.0;
/// Fewer are a background with a letter on it.
const COLOURFUL: usize = 8;

const SOURCES: [&str; 6] = [
    "--video",
    "synthetic:320x180@15",
    "--audio",
    "tone:440",
    "--play",
    "none",
];

/// From the device test into the room.
async fn join_as(window: &Window, name: &str) -> Result<()> {
    window.fill("Your name", name).await?;
    window.press("Join now").await
}

/// Where the first window's own server is reached.
async fn hosted_at(window: &Window) -> Result<String> {
    let view = window
        .run("return window.__TAURI_INTERNALS__.invoke('get_view')")
        .await?;
    let url = view["server"]["url"].as_str();
    Ok(url
        .with_context(|| format!("no server in {view}"))?
        .to_owned())
}

fn tile_of(name: &str) -> String {
    format!("//*[@role='group' and @aria-label='{name}']")
}

/// The picture in someone's tile moves, and is one.
async fn shows(window: &Window, name: &str) -> Result<()> {
    let tile = window.find(&tile_of(name)).await?;
    let mut last = None;
    let what = format!("the picture of {name} moves");
    wait_until(&what, PICTURE_LIMIT, async || {
        let picture = window.picture_of(tile.rectangle().await?).await?;
        let before = last.replace(picture.clone());
        let moves = before.is_some_and(|before| before.difference(&picture) > MOVING);
        Ok((moves && picture.colours() > COLOURFUL).then_some(()))
    })
    .await
    .with_context(|| {
        let colours = last.map_or(0, |picture| picture.colours());
        format!("{colours} colours in the last picture")
    })
}

/// Anna and Bert in one room, which Anna's window hosts.
async fn two_in_a_room() -> Result<(Window, Window)> {
    let anna = Window::open("anna", &SOURCES).await?;
    anna.press("New room").await?;
    anna.fill("Name of the room", "Two windows").await?;
    anna.press("Continue").await?;
    join_as(&anna, "Anna").await?;
    let id = "//button[@aria-label=\"Copy the room's id\"]/preceding-sibling::span";
    anna.find(id).await?;
    // The driver reads no text of an element that cuts off what overflows.
    let id = anna
        .run("return document.querySelector('header .selectable').title")
        .await?;
    let id = id.as_str().context("no room id")?;

    let server = hosted_at(&anna).await?;
    let arguments = [&["--server", &server], SOURCES.as_slice()].concat();
    let bert = Window::open("bert", &arguments).await?;
    bert.fill("Room id or link", id).await?;
    bert.press("Continue").await?;
    join_as(&bert, "Bert").await?;
    Ok((anna, bert))
}

#[tokio::test]
async fn two_windows_make_a_call() -> Result<()> {
    let (anna, bert) = two_in_a_room().await?;
    shows(&anna, "Bert").await?;
    shows(&bert, "Anna").await?;

    anna.press("Chat").await?;
    anna.fill("Message everyone", "Can you read this?").await?;
    anna.press("Send").await?;
    bert.press("Chat, 1 unread message").await?;
    bert.find("//*[@role='log']//*[contains(., 'Can you read this?')]")
        .await?;

    bert.press("Microphone").await?;
    let muted = format!("{}//*[text()='muted']", tile_of("Bert"));
    anna.find(&muted).await?;
    bert.press("Microphone").await?;
    anna.loses(&muted).await?;

    bert.press("Leave").await?;
    bert.find("//h1[normalize-space()='You left']").await?;
    bert.find("//button[normalize-space()='Back to lobby']")
        .await?;
    anna.loses(&tile_of("Bert")).await?;
    let alone = anna
        .find("//h2[normalize-space()='You are alone here']")
        .await?;
    ensure!(!alone.text().await?.is_empty());
    bert.close().await?;
    anna.close().await
}

#[tokio::test]
async fn a_shared_screen_is_seen_in_the_other_window_until_it_is_stopped() -> Result<()> {
    let (anna, bert) = two_in_a_room().await?;
    anna.press("Share screen").await?;
    let screen = "//ul[@aria-labelledby='share-screen']//button";
    anna.find(screen).await?.press().await?;
    anna.find("//button[normalize-space()='Stop sharing']")
        .await?;
    // The shared display shows the window with moving pictures.
    shows(&bert, "Anna’s screen").await?;
    anna.press("Stop sharing").await?;
    bert.loses(&tile_of("Anna’s screen")).await?;
    bert.close().await?;
    anna.close().await
}
