//! A sound card on each side: speech goes in at one microphone and comes out
//! of the other's speaker.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::process::Command;
use visavis_tests::headless::Headless;
use visavis_tests::process::Process;
use visavis_tests::programs;
use visavis_tests::pulse::SoundCard;
use visavis_tests::server::RoomServer;
use visavis_tests::sound::{Sound, correlation};
use visavis_tests::wait::wait_until;

const TEXT: &str = "The quick brown fox jumps over the lazy dog. \
    How vexingly quick daft zebras jump. Pack my box with five dozen liquor jugs.";
const SPEECH_LIMIT: Duration = Duration::from_secs(30);
const IN_USE_LIMIT: Duration = Duration::from_secs(30);
/// In seconds: of a syllable's order, and how finely the two are aligned.
const WINDOW: f64 = 0.05;
const STEP: f64 = 0.01;
/// In steps: how late the speech may come. The recording begins before it.
const LATEST: usize = 2_000;
/// In seconds: recorded beyond the speech's length, for its way through the call.
const MARGIN: f64 = 5.0;
/// Pearson's coefficient of the two envelopes.
const ALIKE: f64 = 0.8;

/// Writes these sentences, spoken.
pub async fn speech(file: &Path, text: &str) -> Result<()> {
    let mut command = Command::new(programs::installed("espeak-ng")?);
    command.arg("-w").arg(file).arg(text);
    let status = Process::start("espeak-ng", &mut command)?
        .wait(SPEECH_LIMIT)
        .await?;
    ensure!(status.success(), "espeak-ng ended with {status}");
    Ok(())
}

#[tokio::test]
async fn speech_into_one_microphone_comes_out_of_the_other_speaker() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [spoken, heard] = ["spoken.wav", "heard.wav"].map(|name| folder.path().join(name));
    speech(&spoken, TEXT).await?;
    let server = RoomServer::start(&[]).await?;
    let (here, there) = (
        SoundCard::start("anna").await?,
        SoundCard::start("bert").await?,
    );
    let devices = ["--video", "none", "--audio", "mic", "--play", "speaker"];
    let hosting = [devices.as_slice(), &["--create", "spoken"]].concat();
    let anna = Headless::join_with("anna", &server.url(), &hosting, &here.environment()).await?;
    let joining = [devices.as_slice(), &["--room", anna.room()]].concat();
    let bert = Headless::join_with("bert", &server.url(), &joining, &there.environment()).await?;
    wait_until(
        "both devices of both are in use",
        IN_USE_LIMIT,
        async || {
            let connected = anna.peer_state(bert.member()).as_deref() == Some("connected");
            let ready = connected && here.in_use().await? && there.in_use().await?;
            Ok(ready.then_some(()))
        },
    )
    .await?;

    let recording = there.record(&heard)?;
    wait_until("the recorder records", IN_USE_LIMIT, async || {
        let length = heard.metadata().map_or(0, |metadata| metadata.len());
        Ok((length > 48_000).then_some(()))
    })
    .await?;
    here.speak(&spoken).await?;
    let spoken = Sound::read(&spoken)?.envelope(WINDOW, STEP);
    wait_until(
        "the speech is recorded to its end",
        SPEECH_LIMIT,
        async || {
            let length = heard.metadata()?.len() as f64 / 2.0 / 48_000.0;
            let needed = spoken.len() as f64 * STEP + MARGIN;
            Ok((length > needed).then_some(()))
        },
    )
    .await?;
    recording.stop().await?;

    let heard = Sound::read(&heard)?.envelope(WINDOW, STEP);
    let (alike, shift) = correlation(&spoken, &heard, LATEST);
    eprintln!(
        "envelope correlation {alike:.3}, {:.2} s into the recording",
        shift as f64 * STEP
    );
    ensure!(
        alike > ALIKE,
        "the speech was not heard: correlation {alike:.3}"
    );
    anna.leave().await?;
    bert.leave().await?;
    server.stop().await
}
