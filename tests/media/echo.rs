//! A participant whose microphone hears the speaker: the others do not hear themselves.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use visavis_tests::headless::Headless;
use visavis_tests::pulse::SoundCard;
use visavis_tests::server::RoomServer;
use visavis_tests::sound::Sound;
use visavis_tests::wait::wait_until;

use crate::speech::speech;

const FAR: &str = "The quick brown fox jumps over the lazy dog. She sells sea shells by the \
    sea shore, and every shell she sells is a real one. How much wood would a wood chuck \
    chuck, if a wood chuck could chuck wood? Please call me back on Monday morning. ";
const NEAR: &str = "Can we move the meeting to a quarter past eleven?";
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Until the canceller knows the room, the far end speaks; what follows is measured.
const MEASURED_SECONDS: usize = 10;
/// Bytes of a recording: 16 bits at 48 kHz.
const SECOND: u64 = 96_000;
/// Of full scale: speech that is heard.
const HEARD_RMS: f64 = 0.01;
const REDUCTION_DB: f64 = 30.0;

/// Waits until the recording is longer by a second at least.
async fn recording(file: &Path) -> Result<()> {
    let length = || file.metadata().map_or(0, |metadata| metadata.len());
    let before = length();
    wait_until("the recorder records", READY_LIMIT, async || {
        Ok((length() > before + SECOND).then_some(()))
    })
    .await
}

fn rms(samples: &[f64]) -> f64 {
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>();
    (power / samples.len() as f64).sqrt()
}

/// RMS of the last seconds of a recording.
fn end_of(file: &Path) -> Result<f64> {
    let sound = Sound::read(file)?;
    let length = MEASURED_SECONDS * sound.rate as usize;
    let start = sound.samples.len().saturating_sub(length);
    Ok(rms(&sound.samples[start..]))
}

#[tokio::test]
async fn a_speaker_that_the_microphone_hears_is_not_heard_by_the_one_who_speaks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let [far, near, reply, heard, echo] =
        ["far.wav", "near.wav", "reply.wav", "heard.wav", "echo.wav"].map(file);
    // 36 s or so.
    speech(&far, &FAR.repeat(3)).await?;
    speech(&near, NEAR).await?;
    let server = RoomServer::start(&[]).await?;
    let (here, there) = (
        SoundCard::start("anna").await?,
        SoundCard::start("bert").await?,
    );
    there.loop_back(60, 75).await?;
    let devices = ["--video", "none", "--audio", "mic", "--play", "speaker"];
    let hosting = [devices.as_slice(), &["--create", "echo"]].concat();
    let anna = Headless::join_with("anna", &server.url(), &hosting, &here.environment()).await?;
    let joining = [devices.as_slice(), &["--room", anna.room()]].concat();
    let bert = Headless::join_with("bert", &server.url(), &joining, &there.environment()).await?;
    wait_until("both devices of both are in use", READY_LIMIT, async || {
        let connected = anna.peer_state(bert.member()).as_deref() == Some("connected");
        let ready = connected && here.in_use().await? && there.in_use().await?;
        Ok(ready.then_some(()))
    })
    .await?;

    // What Bert says reaches Anna.
    let ear = here.record(&reply)?;
    recording(&reply).await?;
    there.speak(&near).await?;
    recording(&reply).await?;
    ear.stop().await?;
    let sound = Sound::read(&reply)?;
    let mut blocks = sound.samples.chunks(sound.rate as usize / 10).map(rms);
    ensure!(blocks.any(|rms| rms > HEARD_RMS), "anna does not hear bert");

    // Anna's own voice does not.
    let (ear, microphone) = (here.record(&heard)?, there.record_microphone(&echo)?);
    recording(&heard).await?;
    recording(&echo).await?;
    here.speak(&far).await?;
    ear.stop().await?;
    microphone.stop().await?;
    let (heard, echo) = (end_of(&heard)?, end_of(&echo)?);
    let reduction = 20.0 * (echo / heard.max(1e-9)).log10();
    eprintln!("echo of RMS {echo:.4} at the microphone, {heard:.5} at the ear: {reduction:.0} dB");
    ensure!(echo > HEARD_RMS, "the microphone does not hear the speaker");
    ensure!(reduction >= REDUCTION_DB, "{reduction:.1} dB");
    anna.leave().await?;
    bert.leave().await?;
    server.stop().await
}
